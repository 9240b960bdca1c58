package provider

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Variables that stand in for what the provider block does not have.
const (
	envEndpoint = "REDOUBT_API"
	envToken    = "REDOUBT_TOKEN"
	envCAFile   = "REDOUBT_API_CA"
)

// settings are those of the provider block.
type settings struct {
	endpoint, token, ca, caFile string
	insecure                    bool
}

// fill takes what is missing from variables.
func (s *settings) fill(getenv func(string) string) {
	if s.endpoint == "" {
		s.endpoint = getenv(envEndpoint)
	}
	if s.token == "" {
		s.token = getenv(envToken)
	}
	if s.ca == "" && s.caFile == "" {
		s.caFile = getenv(envCAFile)
	}
}

// config is what a client is made of, or what is wrong, by attribute.
func (s settings) config(readFile func(string) ([]byte, error)) (client.Config, spec.Problems) {
	var p spec.Problems
	wrong := func(attribute, format string, args ...any) {
		p = append(p, spec.Problem{Path: attribute, Message: fmt.Sprintf(format, args...)})
	}
	if s.endpoint == "" {
		wrong("endpoint", "Say where the control plane is: endpoint = \"https://10.0.0.1:8443\" in the provider block, or the variable %s.", envEndpoint)
	}
	if s.token == "" {
		wrong("token", "Give a token (rdt_...): the variable %s, or token in the provider block. `redoubt token create --role operate` makes one.", envToken)
	}
	c := client.Config{URL: s.endpoint, Token: wire.Secret(s.token), CA: []byte(s.ca)}
	if s.caFile != "" {
		b, err := readFile(s.caFile)
		switch {
		case s.ca != "":
			wrong("ca_file", "Give ca_certificate or ca_file, not both.")
		case err != nil:
			wrong("ca_file", "The file cannot be read: %v", err)
		}
		c.CA = b
	}
	if s.insecure && s.endpoint != "" {
		if !loopback(s.endpoint) {
			wrong("insecure", "Any certificate is taken of a control plane on this machine only, and %s is not on it: give ca_certificate or ca_file.", s.endpoint)
		}
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} // refused above unless it stays on this machine
		c.Transport = t
	}
	return c, p
}

// loopback tells URLs of this machine.
func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// session is what a provider's resources have in common: the client, and what one of
// them leaves for another in the same apply.
type session struct {
	*client.Client

	mu   sync.Mutex
	left map[string][]string // ACLs that users were in when they were deleted
}

// leave notes which ACLs a user was in.
func (s *session) leave(user string, acls []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[user] = acls
}

// back returns which ACLs a user was in, once.
func (s *session) back(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	acls := s.left[user]
	delete(s.left, user)
	return acls
}

// connection is the session that a resource or data source was given; nil while the
// provider's own configuration is not known.
type connection struct{ *session }

func (c *connection) take(data any, diags *diag.Diagnostics) {
	if data == nil {
		return
	}
	var ok bool
	if c.session, ok = data.(*session); !ok {
		diags.AddError("The provider is at fault", fmt.Sprintf("a resource was given a %T", data))
	}
}

// there reports whether there is a session, and what to do if not.
func (c *connection) there(diags *diag.Diagnostics) bool {
	if c.session == nil {
		diags.AddError("The provider's configuration is not known yet",
			"A value in the provider block is known after apply only, and this needs the control plane now. "+
				"Apply what the value comes from first: terraform apply -target=...")
	}
	return c.session != nil
}

// Configure implements resource.ResourceWithConfigure.
func (c *connection) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	c.take(req.ProviderData, &resp.Diagnostics)
}

// dataConnection is connection for data sources.
type dataConnection struct{ connection }

// Configure implements datasource.DataSourceWithConfigure.
func (c *dataConnection) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	c.take(req.ProviderData, &resp.Diagnostics)
}

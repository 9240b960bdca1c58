package provider

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

func (c *control) groups() *remote[spec.ParameterGroup, spec.ParameterGroup] {
	r := &groupResource{connection{&session{Client: c.client}}}
	return r.remote()
}

func group(description string, parameters map[string]string) spec.ParameterGroup {
	g := spec.ParameterGroup{Name: "g", Description: description, Parameters: parameters}
	g.Default()
	return g
}

func TestAdopt(t *testing.T) {
	asked := group("mine", nil)
	for _, k := range []struct {
		name   string
		before func(t *testing.T, c *control)
		want   bool
	}{
		{"made by this token", func(t *testing.T, c *control) { c.make(t, c.client, asked) }, true},
		{"made otherwise", func(t *testing.T, c *control) { c.make(t, c.client, group("theirs", nil)) }, false},
		{"made by another token", func(t *testing.T, c *control) { c.make(t, c.another(t), asked) }, false},
		{"changed since", func(t *testing.T, c *control) {
			c.make(t, c.client, group("first", nil))
			if _, err := c.client.ParameterGroups.Update(t.Context(), "g", 1, asked); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"deleted and made by another token", func(t *testing.T, c *control) {
			c.make(t, c.client, asked)
			if _, err := c.client.ParameterGroups.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
			c.make(t, c.another(t), asked)
		}, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := startControl(t)
			k.before(t, c)
			_, adopted, err := c.groups().create(t.Context(), "g", asked)
			kind, _ := problemType(err)
			if adopted != k.want || (err == nil) != k.want || !k.want && kind != wire.ProblemExists {
				t.Errorf("adopted: %v, %v", adopted, err)
			}
		})
	}
}

func (c *control) make(t *testing.T, by *client.Client, g spec.ParameterGroup) {
	t.Helper()
	if _, err := by.ParameterGroups.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
}

// another is a client with a token of its own.
func (c *control) another(t *testing.T) *client.Client {
	t.Helper()
	made, err := c.tokens.Create(t.Context(), "the test", wire.NewToken{Role: wire.Operate})
	if err != nil {
		t.Fatal(err)
	}
	other, err := client.New(client.Config{URL: c.url, Token: made.Secret, CA: []byte(c.ca)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}

func TestChangesAtTheSameTime(t *testing.T) {
	c := startControl(t)
	base := group("x", nil)
	c.make(t, c.client, base)
	var all sync.WaitGroup
	names := []string{"timeout", "tcp-keepalive", "slowlog-max-len", "maxclients", "databases", "latency-monitor-threshold"}
	for i, name := range names {
		all.Go(func() {
			mine := group("x", map[string]string{name: fmt.Sprint(10 + i)})
			if _, err := c.groups().change(t.Context(), "g", base, mine); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	now, err := c.client.ParameterGroups.Get(t.Context(), "g")
	if err != nil || len(now.Spec.Parameters) != len(names) || now.Version != int64(1+len(names)) {
		t.Errorf("some changes are lost: %+v, %v", now, err)
	}
	var clash *clashError
	_, err = c.groups().change(t.Context(), "g", base, group("x", map[string]string{"timeout": "99"}))
	if !errors.As(err, &clash) || strings.Join(clash.fields, " ") != "parameters.timeout" {
		t.Errorf("a parameter that somebody else has set: %v", err)
	}
}

func TestProviderBlock(t *testing.T) {
	c := startControl(t)
	file := c.caFile
	const acl = `resource "redoubt_acl" "a" { name = "a" }
	`
	for _, name := range []string{envEndpoint, envToken, envCAFile} {
		t.Setenv(name, "")
	}
	block := func(text string) string { return "provider \"redoubt\" {\n" + text + "\n}\n" + acl }
	steps(t,
		resource.TestStep{Config: acl, ExpectError: words("Say where the control plane is")},
		resource.TestStep{Config: block(`endpoint = "` + c.url + `"`), ExpectError: words("Give a token (rdt_...): the variable REDOUBT_TOKEN")},
		resource.TestStep{Config: block(`endpoint = "` + c.url + "\"\ntoken = \"rdt_x_y\"\ninsecure = true"), ExpectError: words("Send a token of this control plane")},
		resource.TestStep{Config: block(`endpoint = "` + c.url + "\"\ntoken = \"" + c.token + `"`), ExpectError: words("certificate signed by unknown authority")},
		resource.TestStep{Config: block("endpoint = \"https://redoubt.example.com:8443\"\ntoken = \"rdt_x\"\ninsecure = true"), ExpectError: words("Any certificate is taken of a control plane on this machine only")},
		resource.TestStep{Config: block(`endpoint = "` + c.url + "\"\ntoken = \"" + c.token + "\"\nca_file = \"" + file + `"`)},
		resource.TestStep{Config: block(`endpoint = "` + c.url + "\"\ntoken = \"" + c.token + "\"\nca_certificate = file(\"" + file + `")`)},
		resource.TestStep{Config: block(`endpoint = "` + c.url + "\"\ntoken = \"" + c.token + "\"\ninsecure = true")},
	)
}

// One apply makes the control plane and what it manages.
func TestProviderThatIsNotKnownWhenPlanned(t *testing.T) {
	c := startControl(t)
	t.Setenv(envEndpoint, "")
	steps(t, resource.TestStep{
		Config: `
		resource "terraform_data" "control" { input = "` + c.url + `" }
		provider "redoubt" { endpoint = terraform_data.control.output }
		` + cluster("prevent_data_loss = false") + "\n" + user("app", "on ~* +@read", passwords(1, "a long password 1")),
		ConfigStateChecks: []statecheck.StateCheck{value(main, "status", knownvalue.StringExact("available"))},
	})
}

// troubled answers requests for operations with a problem, for some times.
type troubled struct {
	next   http.RoundTripper
	kind   string
	status int
	times  atomic.Int64
}

func (f *troubled) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/operations/") || f.times.Add(-1) < 0 {
		return f.next.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: f.status, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"type":%q,"status":%d,"detail":"no"}`, f.kind, f.status))),
	}, nil
}

func TestWaitsWhileTheControlPlaneIsInTrouble(t *testing.T) {
	c := startControl(t)
	c.make(t, c.client, group("x", nil))
	ops, err := c.client.Operations(t.Context(), "parameter-groups/g", 1)
	if err != nil || len(ops) != 1 {
		t.Fatalf("%+v, %v", ops, err)
	}
	try := func(kind string, status int, times int64) error {
		s := settings{endpoint: c.url, token: c.token, insecure: true}
		config, _ := s.config(nil)
		f := &troubled{next: config.Transport, kind: kind, status: status}
		f.times.Store(times)
		config.Transport = f
		cl, err := client.New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		r := c.groups()
		r.c = cl
		return r.wait(t.Context(), ops[0].ID)
	}
	if err := try(wire.ProblemInternal, 500, 3); err != nil {
		t.Errorf("it was in trouble for some time: %v", err)
	}
	var early *waitError
	if err := try(wire.ProblemForbidden, 403, 1000); !errors.As(err, &early) {
		t.Errorf("nobody may ask for it any more: %v, want a waitError", err)
	}
}

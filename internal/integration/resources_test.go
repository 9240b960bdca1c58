package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/provider"
)

// beside is another configuration for the same control plane.
func (tf *terraform) beside(t *testing.T, config string, env ...string) *terraform {
	t.Helper()
	other := &terraform{t: t, dir: t.TempDir(), api: tf.api, env: append(slices.Clone(tf.env), env...)}
	must(t, os.WriteFile(filepath.Join(other.dir, "main.tf"), []byte(config), 0o600))
	other.run([]int{0}, "init", "-no-color")
	return other
}

// stateOf is what Terraform knows of each resource and data source, by address.
func (tf *terraform) stateOf() map[string]stateResource {
	tf.t.Helper()
	var shown struct {
		Values struct {
			Root struct {
				Resources []stateResource `json:"resources"`
			} `json:"root_module"`
		} `json:"values"`
	}
	must(tf.t, json.Unmarshal([]byte(tf.run([]int{0}, "show", "-json")), &shown))
	all := map[string]stateResource{}
	for _, r := range shown.Values.Root.Resources {
		all[r.Address] = r
	}
	return all
}

type stateResource struct {
	Address string         `json:"address"`
	Mode    string         `json:"mode"` // managed or data
	Type    string         `json:"type"`
	Values  map[string]any `json:"values"`
}

// hasEveryType fails the test when the provider has a resource, a data source or an
// ephemeral resource that is not here: one that is added must be tried, too.
func (tf *terraform) hasEveryType() {
	tf.t.Helper()
	var s struct {
		Providers map[string]struct {
			Resources map[string]any `json:"resource_schemas"`
			Data      map[string]any `json:"data_source_schemas"`
			Ephemeral map[string]any `json:"ephemeral_resource_schemas"`
		} `json:"provider_schemas"`
	}
	must(tf.t, json.Unmarshal([]byte(tf.run([]int{0}, "providers", "schema", "-json")), &s))
	has := map[string]bool{}
	for _, r := range tf.stateOf() {
		has[r.Mode+" "+r.Type] = true
	}
	config, err := os.ReadFile(filepath.Join(tf.dir, "main.tf"))
	must(tf.t, err)
	for _, m := range regexp.MustCompile(`(?m)^(ephemeral) "(\w+)"`).FindAllSubmatch(config, -1) {
		has[string(m[1])+" "+string(m[2])] = true // it is in no state
	}
	seen, p := 0, s.Providers[provider.Address]
	for mode, types := range map[string]map[string]any{"managed": p.Resources, "data": p.Data, "ephemeral": p.Ephemeral} {
		for name := range types {
			seen++
			if !has[mode+" "+name] {
				tf.t.Errorf("nothing here is a %s %s", mode, name)
			}
		}
	}
	if seen < 11 {
		tf.t.Errorf("the provider has %d types, want 11 at least", seen)
	}
}

// dataSourcesAgree: what a data source says of something is what its resource says.
func (tf *terraform) dataSourcesAgree() {
	tf.t.Helper()
	all := tf.stateOf()
	for address, d := range all {
		if d.Mode != "data" {
			continue
		}
		r := all[strings.TrimPrefix(address, "data.")]
		for name, value := range d.Values {
			if want, ok := r.Values[name]; ok && name != "authentication_mode" && !reflect.DeepEqual(value, want) {
				tf.t.Errorf("%s: %s is %v, the resource's is %v", address, name, value, want)
			}
		}
		if len(d.Values) == 0 || d.Values["id"] != r.Values["id"] {
			tf.t.Errorf("%s has %v", address, d.Values)
		}
	}
}

// importAnew forgets a resource and imports it. What is known of it afterwards is what
// was known before, but for what only the configuration says.
func (tf *terraform) importAnew(address, id string, onlyConfigured ...string) {
	tf.t.Helper()
	before := tf.stateOf()[address].Values
	tf.run([]int{0}, "state", "rm", address)
	tf.run([]int{0}, "import", "-no-color", address, id)
	after := tf.stateOf()[address].Values
	for name, want := range before {
		if !slices.Contains(onlyConfigured, name) && !reflect.DeepEqual(after[name], want) {
			tf.t.Errorf("%s after its import: %s is %v, was %v", address, name, after[name], want)
		}
	}
}

// runsEveryResource makes, looks up, imports and removes one of each kind that the
// provider has, on a control plane with real hosts.
func runsEveryResource(t *testing.T, platform *terraform) {
	const password = "of the orders alone"
	config, err := os.ReadFile(filepath.Join("testdata", "everything.tf"))
	must(t, err)
	tf := platform.beside(t, string(config), "TF_VAR_app_password="+password)
	tf.run([]int{0}, "apply", "-auto-approve", "-no-color")
	tf.empty()
	tf.hasEveryType()
	state, err := os.ReadFile(filepath.Join(tf.dir, "terraform.tfstate"))
	must(t, err)
	if escaped := url.PathEscape(password); bytes.Contains(state, []byte(password)) || bytes.Contains(state, []byte(escaped)) {
		t.Error("the password is in the state")
	}
	tf.dataSourcesAgree()

	for _, x := range []struct{ address, id string }{
		{"redoubt_user.guest", "guest"},
		{"redoubt_acl.main", "orders"},
		{"redoubt_parameter_group.main", "orders"},
		{"redoubt_cluster.main", "orders"},
		{"redoubt_snapshot.main", "orders-first"},
	} {
		tf.importAnew(x.address, x.id)
		tf.empty()
	}
	// As with aws_memorydb_user, nothing can tell whether the passwords in the configuration
	// are those that he has: the first apply after the import sends them.
	tf.importAnew("redoubt_user.app", "orders-app", "authentication_mode")
	if out := tf.run([]int{0}, "apply", "-auto-approve", "-no-color"); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("the apply after the import of a user with a password:\n%s", out)
	}
	tf.empty()

	// All of it is what clients meet, also after the imports.
	st := clusterStatus(t, tf.api, "orders")
	if len(st.Applied) != 4 {
		t.Errorf("two users, an ACL and a parameter group were written for the nodes, and the status has %v", st.Applied)
	}
	testenv.Eventually(t, soon, "the user's last change to have been written for the nodes", func(ctx context.Context) error {
		u, err := tf.api.Users.Get(ctx, "orders-app")
		if err == nil && string(u.Status) != `{"status":"active","acl_names":["orders"]}` {
			err = errors.New(string(u.Status))
		}
		return err
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(st.CACertificate))
	rdb := redis.NewClient(&redis.Options{Addr: addrOf(st.ClusterEndpoint), Username: "orders-app", Password: password, TLSConfig: &tls.Config{RootCAs: roots}})
	defer rdb.Close()
	must(t, rdb.Set(t.Context(), "orders:1", "v", 0).Err())
	if got, err := rdb.Get(t.Context(), "orders:first").Result(); err != nil || got != "v" {
		t.Errorf("what redis-cli wrote by the ephemeral connection: %q, %v", got, err)
	}
	if err := rdb.Set(t.Context(), "other:1", "v", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
		t.Errorf("another's key: %v", err)
	}

	tf.run([]int{0}, "destroy", "-auto-approve", "-no-color")
	if left := tf.stateOf(); len(left) > 0 {
		t.Errorf("in the state after a destroy: %v", left)
	}
	for _, gone := range []func() error{
		func() error { _, err := tf.api.Clusters.Get(t.Context(), "orders"); return err },
		func() error { _, err := tf.api.Snapshots.Get(t.Context(), "orders-first"); return err },
		func() error { _, err := tf.api.ACLs.Get(t.Context(), "orders"); return err },
		func() error { _, err := tf.api.ParameterGroups.Get(t.Context(), "orders"); return err },
		func() error { _, err := tf.api.Users.Get(t.Context(), "orders-app"); return err },
		func() error { _, err := tf.api.Users.Get(t.Context(), "guest"); return err },
	} {
		var missing *client.NotFoundError
		if err := gone(); !errors.As(err, &missing) {
			t.Errorf("after a destroy: %v", err)
		}
	}
}

package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/internal/apitest"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// engineOf does a request and returns the engine of the cluster in the answer, or what
// the answer has against engine_version.
func engineOf(t *testing.T, a *apitest.API, method, path, body string) string {
	t.Helper()
	w := a.Do(t, apitest.Request{Method: method, Path: path, Token: a.Tokens[wire.Operate], Body: body})
	if w.Code < 300 {
		var r wire.Resource[map[string]any]
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.Spec["engine_version"])
	}
	var p wire.Problem
	if json.Unmarshal(w.Body.Bytes(), &p) == nil && w.Code == 422 && len(p.Errors) == 1 && p.Errors[0].Path == "engine_version" {
		return p.Errors[0].Message
	}
	return w.Body.String()
}

func TestEngineOfNewCluster(t *testing.T) {
	a := apitest.Start(t)
	half := []fleet.Host{{ID: "h1", AZ: "a", Engines: []string{"1.2.0", "1.10.0"}}, {ID: "h2", AZ: "b", Engines: []string{"1.2.0"}}}
	apart := []fleet.Host{{ID: "h1", AZ: "a", Engines: []string{"1.10.0"}}, {ID: "h2", AZ: "b", Engines: []string{"1.2.0"}}}
	for i, c := range []struct{ name, body, want string }{
		{"the default is one for all nodes", `"num_replicas_per_shard":1`, "1.2.0"},
		{"for one node a newer one", `"num_replicas_per_shard":0,"availability_zones":["a"]`, "1.10.0"},
		{"no host in the zone", `"availability_zones":["x"]`, "no engine can be chosen: no host in az x takes nodes: give a version"},
		{"one that is asked for", `"engine_version":"1.10.0"`, "1.10.0"},
		{"one that no host has", `"engine_version":"9.9.9"`, "no host has engine 9.9.9: there is 1.2.0, 1.10.0"},
		{"a prefix of one", `"engine_version":"1.2.0-rc1"`, "no host has engine 1.2.0-rc1: there is 1.2.0, 1.10.0"},
		{"nonsense", `"engine_version":"newest"`, `must be a version such as 1.4.0, not "newest"`},
	} {
		a.Hosts.Set(half...)
		body := fmt.Sprintf(`{"name":"c%d","node_memory":"1GiB","acl_name":"open-access",%s}`, i, c.body)
		if got := engineOf(t, a, "POST", "/v1/clusters", body); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	const plain = `{"name":"d","node_memory":"1GiB","acl_name":"open-access"`
	a.Hosts.Set(apart...)
	if got := engineOf(t, a, "POST", "/v1/clusters", plain+`}`); got != "no engine is on 2 hosts in any az: 1.10.0 is on 1, 1.2.0 is on 1: give a version" {
		t.Errorf("hosts have nothing in common: %s", got)
	}
	a.Hosts.Set()
	if got := engineOf(t, a, "POST", "/v1/clusters", plain+`,"engine_version":"1.2.0"}`); !strings.HasPrefix(got, "no host has engine 1.2.0, since no host has registered") {
		t.Errorf("no host: %s", got)
	}
}

// TestEngineOfCluster: a newer one only if a host has it; back as long as no node was
// given it.
func TestEngineOfCluster(t *testing.T) {
	a := apitest.Start(t)
	a.Hosts.Set(fleet.Host{ID: "h1", AZ: "a", Engines: []string{"1.1.0", "1.2.0", "1.3.0"}}, fleet.Host{ID: "h2", AZ: "b", Engines: []string{"1.1.0", "1.2.0"}})
	const path = "/v1/clusters/main"
	if got := engineOf(t, a, "POST", "/v1/clusters", `{"name":"main","node_memory":"1GiB","acl_name":"open-access"}`); got != "1.2.0" {
		t.Fatal(got)
	}
	r, err := a.Etcd.Put(t.Context(), "/redoubt-control/leader", "the test")
	if err != nil {
		t.Fatal(err)
	}
	fence := store.Fence{Key: "/redoubt-control/leader", CreateRevision: r.Header.Revision}
	given := func(status string) {
		if err := a.Store.Clusters.SetStatus(t.Context(), fence, "main", json.RawMessage(status)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, status, method, body, want string }{
		{"back before there was a node", "", "PATCH", `"engine_version":"1.1.0"`, "1.1.0"},
		{"and on again", `{"engine_version":"1.1.0"}`, "PATCH", `"engine_version":"1.2.0"`, "1.2.0"},
		{"one that no host has", `{"engine_version":"1.2.0"}`, "PATCH", `"engine_version":"9.9.9"`, "no host has engine 9.9.9: there is 1.1.0, 1.2.0, 1.3.0"},
		{"one that a host has", "", "PATCH", `"engine_version":"1.3.0"`, "1.3.0"},
		{"it was not begun, and is taken back", "", "PATCH", `"engine_version":"1.2.0"`, "1.2.0"},
		{"but not further", "", "PATCH", `"engine_version":"1.1.0"`, "cannot go back from 1.2.0 to 1.1.0: an older engine may not read what the newer one wrote"},
		{"again", "", "PATCH", `"engine_version":"1.3.0"`, "1.3.0"},
		{"begun", `{"engine_version":"1.3.0"}`, "PATCH", `"engine_version":"1.2.0"`, "cannot go back from 1.3.0 to 1.2.0: an older engine may not read what the newer one wrote"},
		{"a status that cannot be read", `{"engine_version":3}`, "PATCH", `"engine_version":"1.2.0"`, "cannot go back from 1.3.0 to 1.2.0: an older engine may not read what the newer one wrote"},
		{"left out", "", "PUT", `"node_memory":"2GiB","acl_name":"open-access"`, "1.3.0"},
	} {
		if c.status != "" {
			given(c.status)
		}
		now, err := a.Store.Clusters.Get(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"version":%d,%s}`, now.Version, c.body)
		if got := engineOf(t, a, c.method, path, body); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	// Hosts that are away do not hold up other changes.
	a.Hosts.Set()
	now, err := a.Store.Clusters.Get(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if got := engineOf(t, a, "PATCH", path, fmt.Sprintf(`{"version":%d,"description":"x","engine_version":"1.3.0"}`, now.Version)); got != "1.3.0" {
		t.Errorf("without hosts: %s", got)
	}
}

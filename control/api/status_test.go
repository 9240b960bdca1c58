package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/internal/apitest"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Users, ACLs and parameter groups are modifying until the reconciler has written their
// last change for the nodes of each cluster that has them.
func TestStatusOfAccess(t *testing.T) {
	a := apitest.Start(t)
	do := func(method, path, body string, want int) (r wire.Resource[map[string]any]) {
		t.Helper()
		w := a.Do(t, apitest.Request{Method: method, Path: path, Token: a.Tokens[wire.Operate], Body: body})
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != want {
			t.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
		}
		return r
	}
	leader, err := a.Etcd.Put(t.Context(), "/redoubt-control/leader", "me")
	if err != nil {
		t.Fatal(err)
	}
	fence := store.Fence{Key: "/redoubt-control/leader", CreateRevision: leader.Header.Revision}
	const user, acl, group = "/v1/users/alice", "/v1/acls/app", "/v1/parameter-groups/mine"
	// apply is what the reconciler writes when it has looked at a cluster.
	apply := func(cluster string) {
		t.Helper()
		at := map[string]time.Time{}
		for _, path := range []string{user, acl, group} {
			at[path[len("/v1/"):]] = do("GET", path, "", http.StatusOK).Updated
		}
		status, err := json.Marshal(spec.ClusterStatus{Status: spec.Available, Applied: at})
		if err == nil {
			err = a.Store.Clusters.SetStatus(t.Context(), fence, cluster, status)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(path, want string) {
		t.Helper()
		if got := string(do("GET", path, "", http.StatusOK).Status); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	do("POST", "/v1/users", `{"name":"alice","access_string":"on ~* +@all","authentication":"no-password-required"}`, http.StatusCreated)
	is(user, `{"status":"active","acl_names":[]}`)
	do("POST", "/v1/acls", `{"name":"app","user_names":["alice"]}`, http.StatusCreated)
	do("POST", "/v1/parameter-groups", `{"name":"mine"}`, http.StatusCreated)
	for _, name := range []string{"one", "two"} {
		do("POST", "/v1/clusters", `{"name":"`+name+`","node_memory":"1GiB","acl_name":"app","parameter_group_name":"mine"}`, http.StatusCreated)
	}
	is(acl, `{"status":"active","clusters":["one","two"]}`) // it is the clusters that are being made
	apply("one")
	apply("two")
	is(user, `{"status":"active","acl_names":["app"]}`)

	do("PATCH", user, `{"version":1,"access_string":"on ~* +@read"}`, http.StatusOK)
	apply("one")
	is(user, `{"status":"modifying","acl_names":["app"]}`)
	is(acl, `{"status":"active","clusters":["one","two"]}`)
	apply("two")
	is(user, `{"status":"active","acl_names":["app"]}`)

	do("PATCH", acl, `{"version":1,"user_names":[]}`, http.StatusOK)
	do("PATCH", group, `{"version":1,"parameters":{"timeout":"5"}}`, http.StatusOK)
	is(acl, `{"status":"modifying","clusters":["one","two"]}`)
	is(group, `{"status":"modifying","clusters":["one","two"]}`)
	is(user, `{"status":"active","acl_names":[]}`)
	apply("one")
	// Nothing is written for a cluster any more that is being deleted.
	do("DELETE", "/v1/clusters/two", "", http.StatusAccepted)
	is(acl, `{"status":"active","clusters":["one","two"]}`)
	is(group, `{"status":"active","clusters":["one","two"]}`)
	is("/v1/acls/open-access", `{"status":"active","clusters":[]}`)
}

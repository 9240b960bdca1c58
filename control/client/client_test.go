package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/internal/apitest"
	"github.com/redoubtdb/redoubt/control/internal/etcdtest"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

func connect(t *testing.T, a *apitest.API, role wire.Role) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: a.URL, Token: wire.Secret(a.Tokens[role]), CA: a.CA})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func cluster(name string) spec.Cluster {
	c := spec.NewCluster(name)
	c.NodeMemory, c.ACLName, c.TLSEnabled = 1<<30, spec.OpenAccess, false
	return c
}

func leader(t *testing.T, a *apitest.API) store.Fence {
	t.Helper()
	r, err := a.Etcd.Put(t.Context(), "leader", "")
	if err != nil {
		t.Fatal(err)
	}
	return store.Fence{Key: "leader", CreateRevision: r.Header.Revision}
}

func TestClusters(t *testing.T) {
	a := apitest.Start(t)
	c, ctx, f := connect(t, a, wire.Operate), t.Context(), leader(t, a)
	made, err := c.Clusters.Create(ctx, cluster("main"))
	if err != nil {
		t.Fatal(err)
	}
	if made.Version != 1 || made.Spec.EngineVersion != "1.2.0" || made.Spec.TLSEnabled || made.Spec.ParameterGroupName != "default" || made.Operation == "" {
		t.Errorf("created: %+v", made)
	}
	want := made.Spec
	want.NumReplicasPerShard = 0
	second, err := c.Clusters.Update(ctx, "main", 1, want)
	if err != nil || second.Version != 2 || second.Spec.NumReplicasPerShard != 0 {
		t.Fatalf("updated: %+v, %v", second, err)
	}
	var conflict *client.ConflictError
	if _, err := c.Clusters.Update(ctx, "main", 1, made.Spec); !errors.As(err, &conflict) || conflict.Version != 2 {
		t.Errorf("updated from an old version: %v", err)
	}
	third, err := c.Clusters.Patch(ctx, "main", 2, map[string]any{"description": "hi", "tags": map[string]any{"a": "b"}})
	if err != nil || third.Version != 3 || third.Spec.Tags["a"] != "b" || third.Spec.NumReplicasPerShard != 0 {
		t.Errorf("patched: %+v, %v", third, err)
	}
	bad := third.Spec
	bad.Port, bad.NumShards = 7000, 3
	var invalid *client.InvalidError
	if _, err := c.Clusters.Update(ctx, "main", 3, bad); !errors.As(err, &invalid) || len(invalid.Fields) == 0 {
		t.Errorf("invalid: %v", err)
	}
	var missing *client.NotFoundError
	if _, err := c.Clusters.Get(ctx, "other"); !errors.As(err, &missing) {
		t.Errorf("missing: %v", err)
	}
	if err := a.Store.Operations.FinishUpTo(ctx, f, "clusters/main", 2, ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(ctx, second.Operation, nil); err != nil {
		t.Error(err)
	}
	if err := a.Store.Operations.FinishUpTo(ctx, f, "clusters/main", 3, "no room"); err != nil {
		t.Fatal(err)
	}
	var failed *client.OperationError
	var told []wire.OpState
	if err := c.Wait(ctx, third.Operation, func(o wire.Operation) { told = append(told, o.State) }); !errors.As(err, &failed) || failed.Operation.Error != "no room" {
		t.Errorf("waited: %v", err)
	}
	if !slices.Equal(told, []wire.OpState{wire.Failed}) {
		t.Errorf("told %v", told)
	}
	op, err := c.Clusters.Failover(ctx, "main", wire.Failover{To: "n2"})
	if err != nil || op.Kind != wire.OpFailover || op.Arguments[wire.ArgTo] != "n2" {
		t.Errorf("failover: %+v, %v", op, err)
	}
	gone, err := c.Clusters.DeleteWith(ctx, "main", wire.DeleteCluster{FinalSnapshotName: "last"})
	if err != nil || gone.Deleting == nil || gone.Deleting.FinalSnapshotName != "last" {
		t.Fatalf("deleted: %+v, %v", gone, err)
	}
	if err := a.Store.Clusters.Remove(ctx, f, "main"); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(ctx, gone.Operation, nil); err != nil {
		t.Error(err)
	}
	ops, err := c.Operations(ctx, "clusters/main", 0)
	if err != nil || len(ops) != 5 {
		t.Errorf("%d operations, %v", len(ops), err)
	}
	events, err := c.Events(ctx, "clusters/main", 2)
	if err != nil || len(events) != 2 || events[0].Reason != "DeleteRequested" {
		t.Errorf("events: %+v, %v", events, err)
	}
}

func TestOthers(t *testing.T) {
	a := apitest.Start(t)
	c, ctx := connect(t, a, wire.Admin), t.Context()
	u, err := c.Users.Create(ctx, wire.UserInput{Name: "alice", AccessString: "on ~* +@all", Passwords: []wire.Secret{"a-long-password-1"}})
	if err != nil || u.Spec.PasswordCount != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	u, err = c.Users.Update(ctx, "alice", 1, wire.UserInput{Name: "alice", AccessString: "on ~a +@all"})
	if err != nil || u.Spec.PasswordCount != 1 || u.Version != 2 {
		t.Errorf("updated without passwords: %+v, %v", u, err)
	}
	u, err = c.Users.Update(ctx, "alice", 2, wire.UserInput{Name: "alice", AccessString: "on ~a +@all", Passwords: []wire.Secret{"a-long-password-1", "a-long-password-2"}})
	if err != nil || u.Spec.PasswordCount != 2 {
		t.Errorf("updated with passwords: %+v, %v", u, err)
	}
	if _, err := c.ACLs.Create(ctx, spec.ACL{Name: "app", UserNames: []string{"alice"}}); err != nil {
		t.Error(err)
	}
	var answered *client.Error
	if _, err := c.Users.Delete(ctx, "alice"); !errors.As(err, &answered) || answered.Type != wire.ProblemInUse || !strings.Contains(answered.Detail, "acls/app") {
		t.Errorf("deleted a user in use: %v", err)
	}
	if _, err := c.ParameterGroups.Create(ctx, spec.ParameterGroup{Name: "mine", Parameters: map[string]string{"timeout": "10"}}); err != nil {
		t.Error(err)
	}
	g, err := c.ParameterGroups.Patch(ctx, "mine", 1, map[string]any{"parameters": map[string]any{"timeout": nil, "maxclients": "50"}})
	if err != nil || fmt.Sprint(g.Spec.Parameters) != "map[maxclients:50]" {
		t.Errorf("%+v, %v", g, err)
	}
	groups, err := c.ParameterGroups.List(ctx)
	if err != nil || len(groups) != 2 {
		t.Errorf("%+v, %v", groups, err)
	}
	if h, err := c.Drain(ctx, "h1", true); err != nil || !h.Draining {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := c.Drain(ctx, "h1", false); err != nil || h.Draining {
		t.Errorf("%+v, %v", h, err)
	}
	if hosts, err := c.Hosts(ctx); err != nil || len(hosts) != 2 {
		t.Errorf("%+v, %v", hosts, err)
	}
	made, err := c.CreateToken(ctx, wire.NewToken{Role: wire.Read, Description: "for a test"})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := client.New(client.Config{URL: a.URL, Token: made.Secret, CA: a.CA})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if own, err := reader.OwnToken(ctx); err != nil || own.ID != made.ID || own.Role != wire.Read {
		t.Errorf("%+v, %v", own, err)
	}
	if _, err := reader.ACLs.Delete(ctx, "app"); !errors.As(err, &answered) || answered.Type != wire.ProblemForbidden {
		t.Errorf("deleted by one who may read: %v", err)
	}
	if err := c.RevokeToken(ctx, made.ID); err != nil {
		t.Error(err)
	}
	if _, err := reader.OwnToken(ctx); !errors.As(err, &answered) || answered.Type != wire.ProblemUnauthenticated {
		t.Errorf("after it was revoked: %v", err)
	}
}

// flaky fails the first tries in a way.
type flaky struct {
	next  http.RoundTripper
	fail  func(*http.Request) (*http.Response, error)
	times atomic.Int64
	seen  atomic.Int64
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	f.seen.Add(1)
	if f.times.Add(-1) >= 0 {
		return f.fail(r)
	}
	return f.next.RoundTrip(r)
}

func TestRetries(t *testing.T) {
	a := apitest.Start(t)
	answer := func(kind string, status int) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			w := http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/problem+json"}},
				Body: http.NoBody}
			w.Body = body(fmt.Sprintf(`{"type":%q,"status":%d,"detail":"no"}`, kind, status))
			return &w, nil
		}
	}
	broken := func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }
	get := func(c *client.Client) error { _, err := c.Hosts(t.Context()); return err }
	var made atomic.Int64
	create := func(c *client.Client) error {
		_, err := c.ACLs.Create(t.Context(), spec.ACL{Name: fmt.Sprintf("acl-%d", made.Add(1))})
		return err
	}
	// The answer is lost, not the request.
	lost := func(r *http.Request) (*http.Response, error) {
		resp, err := a.HTTP.Transport.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
			err = errors.New("connection reset")
		}
		return nil, err
	}
	drain := func(c *client.Client) error { _, err := c.Drain(t.Context(), "h1", true); return err }
	for _, k := range []struct {
		name string
		fail func(*http.Request) (*http.Response, error)
		do   func(*client.Client) error
		want int64 // tries
	}{
		{"busy, reading", answer(wire.ProblemBusy, 503), get, 3},
		{"busy, changing", answer(wire.ProblemBusy, 503), drain, 3},
		{"too many", answer(wire.ProblemTooMany, 429), drain, 3},
		{"unknown, reading", answer(wire.ProblemUnavailable, 503), get, 3},
		{"unknown, changing", answer(wire.ProblemUnavailable, 503), drain, 1},
		{"broken, reading", broken, get, 3},
		{"broken, changing", broken, drain, 1},
		{"unknown, creating", answer(wire.ProblemUnavailable, 503), create, 3},
		{"broken, creating", broken, create, 3},
		{"answer lost, creating", lost, create, 3},
		{"refused", answer(wire.ProblemForbidden, 403), get, 1},
	} {
		f := &flaky{next: a.HTTP.Transport, fail: k.fail}
		f.times.Store(2)
		c, err := client.New(client.Config{URL: a.URL, Token: wire.Secret(a.Tokens[wire.Admin]), Transport: f})
		if err != nil {
			t.Fatal(err)
		}
		err = k.do(c)
		if got := f.seen.Load(); got != k.want || (err == nil) != (k.want == 3) {
			t.Errorf("%s: %d tries, want %d; %v", k.name, got, k.want, err)
		}
	}
}

func TestNeverTrusts(t *testing.T) {
	a := apitest.Start(t)
	c, err := client.New(client.Config{URL: a.URL, Token: "rdt_x"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := c.Hosts(ctx); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with a CA that it does not know: %v", err)
	}
	for _, url := range []string{"", "http://127.0.0.1:1", "127.0.0.1:8443", "https://"} {
		if _, err := client.New(client.Config{URL: url, Token: "rdt_x"}); err == nil {
			t.Errorf("%q is taken for an API", url)
		}
	}
}

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/internal/etcdtest"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), etcdtest.Client(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func aCluster(name string) spec.Cluster {
	c := spec.NewCluster(name)
	c.NodeMemory, c.ACLName = 1<<30, spec.OpenAccess
	return c
}

func aUser(name string) spec.User {
	return spec.User{Name: name, AccessString: "on ~* +@all", PasswordHashes: []string{strings.Repeat("ab", 32)}}
}

// elect makes a fence that holds.
func elect(t *testing.T, s *Store) Fence {
	t.Helper()
	r, err := s.etcd.Put(t.Context(), "/redoubt-control/leader", "me")
	if err != nil {
		t.Fatal(err)
	}
	return Fence{Key: "/redoubt-control/leader", CreateRevision: r.Header.Revision}
}

func TestLifeOfACluster(t *testing.T) {
	s := open(t, Options{})
	ctx, f := t.Context(), elect(t, s)
	made := must(s.Clusters.Create(ctx, "alice", aCluster("main")))(t)
	if made.Version != 1 || made.Spec.SnapshotWindow == "" || made.Operation == "" {
		t.Fatalf("created: %+v", made)
	}
	op := must(s.Operations.Get(ctx, made.Operation))(t)
	if op.Kind != wire.OpCreate || op.State != wire.Pending || op.Resource != "clusters/main" || op.Version != 1 || op.By != "alice" {
		t.Errorf("operation: %+v", op)
	}
	if _, err := s.Clusters.Create(ctx, "alice", aCluster("main")); !errors.Is(err, ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	next := made.Spec
	next.NumReplicasPerShard = 2
	second := must(s.Clusters.Update(ctx, "bob", "main", 1, next))(t)
	if second.Version != 2 || second.Operation == "" || second.Spec.NumReplicasPerShard != 2 {
		t.Errorf("updated: %+v", second)
	}
	var conflict *VersionError
	for _, version := range []int64{0, 1, 3, -1} {
		if _, err := s.Clusters.Update(ctx, "bob", "main", version, made.Spec); !errors.As(err, &conflict) || conflict.Version != 2 {
			t.Errorf("update from version %d: %v", version, err)
		}
	}
	same := must(s.Clusters.Update(ctx, "bob", "main", 2, next))(t)
	if same.Version != 2 || same.Operation != "" {
		t.Errorf("an update that changes nothing: %+v", same)
	}
	next.Port = 7000
	if _, err := s.Clusters.Update(ctx, "bob", "main", 2, next); !problemAt(err, "port") {
		t.Errorf("port changed in place: %v", err)
	}
	// The reconciler reports.
	if err := s.Clusters.SetStatus(ctx, f, "main", json.RawMessage(`{"status":"modifying"}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.Operations.SetProgress(ctx, f, made.Operation, wire.Progress{Done: 1, Total: 3, Text: "starting nodes"}); err != nil {
		t.Fatal(err)
	}
	if op := must(s.Operations.Get(ctx, made.Operation))(t); op.State != wire.Running || op.Progress.Done != 1 {
		t.Errorf("progress: %+v", op)
	}
	if err := s.Operations.FinishUpTo(ctx, f, "clusters/main", 1, ""); err != nil {
		t.Fatal(err)
	}
	if op := must(s.Operations.Get(ctx, made.Operation))(t); op.State != wire.Done || op.Progress.Done != 3 || op.Ended.IsZero() {
		t.Errorf("finished: %+v", op)
	}
	if open := must(s.Operations.Open(ctx, ""))(t); len(open) != 1 || open[0].ID != second.Operation {
		t.Errorf("open operations: %+v", open)
	}
	if got := must(s.Clusters.Get(ctx, "main"))(t); got.Version != 2 || string(got.Status) != `{"status":"modifying"}` {
		t.Errorf("after the status: %+v", got)
	}
	deleteAndRemove(t, s, f, second.Operation)
}

// deleteAndRemove ends the cluster main, of which an update is still open.
func deleteAndRemove(t *testing.T, s *Store, f Fence, update string) {
	ctx := t.Context()
	if err := s.Clusters.Remove(ctx, f, "main"); err == nil {
		t.Error("removed, though nobody asked for that")
	}
	o := DeleteOptions{FinalSnapshotName: "last"}
	gone := must(s.Clusters.Delete(ctx, "bob", "main", o))(t)
	again := must(s.Clusters.Delete(ctx, "bob", "main", o))(t)
	if gone.Deleting == nil || gone.Operation == "" || again.Operation != gone.Operation {
		t.Errorf("deleted: %+v, again: %+v", gone, again)
	}
	snap := must(s.Snapshots.Get(ctx, "last"))(t)
	if snap.Spec.ClusterName != "main" {
		t.Errorf("final snapshot: %+v", snap)
	}
	var deleting *DeletingError
	if _, err := s.Clusters.Update(ctx, "bob", "main", 2, gone.Spec); !errors.As(err, &deleting) {
		t.Errorf("updated while it is being deleted: %v", err)
	}
	if _, err := s.Clusters.Create(ctx, "bob", aCluster("main")); !errors.As(err, &deleting) || deleting.Operation != gone.Operation {
		t.Errorf("created while it is being deleted: %v", err)
	}
	if _, err := s.Snapshots.Create(ctx, "bob", spec.Snapshot{Name: "late", ClusterName: "main"}); !problemAt(err, "cluster_name") {
		t.Errorf("snapshot of what is being deleted: %v", err)
	}
	if err := s.Clusters.Remove(ctx, f, "main"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Clusters.Get(ctx, "main"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the removal: %v", err)
	}
	if op := must(s.Operations.Get(ctx, gone.Operation))(t); op.State != wire.Done {
		t.Errorf("deletion: %+v", op)
	}
	if op := must(s.Operations.Get(ctx, update))(t); op.State != wire.Failed || !strings.Contains(op.Error, "deleted before") {
		t.Errorf("update that was overtaken: %+v", op)
	}
	if again := must(s.Clusters.Create(ctx, "bob", aCluster("main")))(t); again.Version != 1 {
		t.Errorf("created anew: %+v", again)
	}
}

func problemAt(err error, path string) bool {
	var p spec.Problems
	return errors.As(err, &p) && slices.ContainsFunc(p, func(one spec.Problem) bool { return one.Path == path })
}

// A creation that is sent again is answered as the first time; another one is not.
func TestCreateOnce(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	acl := func(tag string) spec.ACL { return spec.ACL{Name: "app", Tags: map[string]string{"for": tag}} }
	first := must(s.ACLs.CreateOnce(ctx, "me", "key", acl("a")))(t)
	again := must(s.ACLs.CreateOnce(ctx, "me", "key", acl("a")))(t)
	if again.Operation != first.Operation || again.Version != 1 || !again.Created.Equal(first.Created) {
		t.Errorf("sent again: %+v, the first time: %+v", again, first)
	}
	for name, made := range map[string]error{
		"another key":     second(s.ACLs.CreateOnce(ctx, "me", "other", acl("a"))),
		"no key":          second(s.ACLs.Create(ctx, "me", acl("a"))),
		"another token":   second(s.ACLs.CreateOnce(ctx, "you", "key", acl("a"))),
		"something other": second(s.ACLs.CreateOnce(ctx, "me", "key", acl("b"))),
	} {
		if !errors.Is(made, ErrExists) {
			t.Errorf("%s: %v", name, made)
		}
	}
	// Somebody may have changed it by the time that it is sent again.
	must(s.ACLs.Update(ctx, "you", "app", 1, acl("c")))(t)
	if now := must(s.ACLs.CreateOnce(ctx, "me", "key", acl("a")))(t); now.Version != 2 || now.Operation != first.Operation {
		t.Errorf("sent again after a change: %+v", now)
	}
	// One that was made by somebody else after a deletion is not the same.
	must(s.ACLs.Delete(ctx, "me", "app", DeleteOptions{}))(t)
	must(s.ACLs.Create(ctx, "you", acl("a")))(t)
	if _, err := s.ACLs.CreateOnce(ctx, "me", "key", acl("a")); !errors.Is(err, ErrExists) {
		t.Errorf("sent again after a deletion and another creation: %v", err)
	}
}

func TestReferences(t *testing.T) {
	s := open(t, Options{})
	ctx := t.Context()
	c := aCluster("main")
	c.ACLName, c.ParameterGroupName, c.SnapshotName = "app", "mine", "old"
	_, err := s.Clusters.Create(ctx, "me", c)
	for _, path := range []string{"acl_name", "parameter_group_name", "snapshot_name"} {
		if !problemAt(err, path) {
			t.Errorf("created without %s: %v", path, err)
		}
	}
	c.SnapshotName = ""
	if _, err := s.ACLs.Create(ctx, "me", spec.ACL{Name: "app", UserNames: []string{"alice", "bob"}}); !problemAt(err, "user_names[1]") {
		t.Errorf("ACL without its users: %v", err)
	}
	must(s.Users.Create(ctx, "me", aUser("alice")))(t)
	must(s.Users.Create(ctx, "me", aUser("bob")))(t)
	must(s.ACLs.Create(ctx, "me", spec.ACL{Name: "app", UserNames: []string{"bob", "alice"}}))(t)
	must(s.ParameterGroups.Create(ctx, "me", spec.ParameterGroup{Name: "mine", Parameters: map[string]string{"timeout": "5"}}))(t)
	must(s.Clusters.Create(ctx, "me", c))(t)
	var inUse *InUseError
	if _, err := s.Users.Delete(ctx, "me", "alice", DeleteOptions{}); !errors.As(err, &inUse) || !slices.Equal(inUse.By, []string{"acls/app"}) {
		t.Errorf("deleted a user of an ACL: %v", err)
	}
	if _, err := s.ACLs.Delete(ctx, "me", "app", DeleteOptions{}); !errors.As(err, &inUse) || !slices.Equal(inUse.By, []string{"clusters/main"}) {
		t.Errorf("deleted an ACL of a cluster: %v", err)
	}
	if _, err := s.ParameterGroups.Delete(ctx, "me", "mine", DeleteOptions{}); !errors.As(err, &inUse) {
		t.Errorf("deleted a parameter group of a cluster: %v", err)
	}
	acl := must(s.ACLs.Update(ctx, "me", "app", 1, spec.ACL{Name: "app", UserNames: []string{"bob"}}))(t)
	gone := must(s.Users.Delete(ctx, "me", "alice", DeleteOptions{}))(t)
	for _, id := range []string{acl.Operation, gone.Operation} {
		if op := must(s.Operations.Get(ctx, id))(t); op.State != wire.Done {
			t.Errorf("%+v is not done at once", op)
		}
	}
	old := int64(1)
	var conflict *VersionError
	if _, err := s.ACLs.Delete(ctx, "me", "app", DeleteOptions{Version: &old}); !errors.As(err, &conflict) {
		t.Errorf("deleted by an old version: %v", err)
	}
}

func TestBuiltIn(t *testing.T) {
	s := open(t, Options{})
	ctx := t.Context()
	u, a, g := must(s.Users.Get(ctx, "default"))(t), must(s.ACLs.Get(ctx, "open-access"))(t), must(s.ParameterGroups.Get(ctx, "default"))(t)
	_, err1 := s.Users.Update(ctx, "me", "default", 1, aUser("default"))
	_, err2 := s.ACLs.Update(ctx, "me", "open-access", 1, spec.ACL{Name: "open-access"})
	_, err3 := s.ParameterGroups.Update(ctx, "me", "default", 1, spec.ParameterGroup{Name: "default"})
	_, err4 := s.Users.Delete(ctx, "me", "default", DeleteOptions{})
	_, err5 := s.ACLs.Delete(ctx, "me", "open-access", DeleteOptions{})
	_, err6 := s.ParameterGroups.Delete(ctx, "me", "default", DeleteOptions{})
	for i, err := range []error{err1, err2, err3, err4, err5, err6} {
		if !errors.Is(err, ErrBuiltIn) {
			t.Errorf("%d: %v", i, err)
		}
	}
	for _, p := range []spec.Problems{u.Spec.Validate(), a.Spec.Validate(), g.Spec.Validate()} {
		if len(p) > 0 {
			t.Error(p)
		}
	}
	// Another start finds them.
	if _, err := Open(ctx, s.etcd, Options{}); err != nil {
		t.Error(err)
	}
	if again := must(s.Users.Get(ctx, "default"))(t); !again.Created.Equal(u.Created) {
		t.Error("the default user was made anew")
	}
}

// However changes meet, each version is made once and no reference dangles.
func TestConcurrentChanges(t *testing.T) {
	s := open(t, Options{})
	ctx := t.Context()
	must(s.ParameterGroups.Create(ctx, "me", spec.ParameterGroup{Name: "mine"}))(t)
	const workers, each = 4, 10
	var mu sync.Mutex
	made := map[int64]int{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := 0; i < each; {
				now, err := s.ParameterGroups.Get(ctx, "mine")
				if err != nil {
					t.Error(err)
					return
				}
				g := now.Spec
				g.Description = fmt.Sprintf("by %d, %d", w, i)
				next, err := s.ParameterGroups.Update(ctx, "me", "mine", now.Version, g)
				var conflict *VersionError
				if errors.As(err, &conflict) {
					continue
				}
				if err != nil || next.Version != now.Version+1 {
					t.Errorf("%+v, %v after version %d", next, err, now.Version)
					return
				}
				mu.Lock()
				made[next.Version]++
				mu.Unlock()
				i++
			}
		})
	}
	wg.Wait()
	last := must(s.ParameterGroups.Get(ctx, "mine"))(t)
	if len(made) != workers*each || last.Version != workers*each+1 {
		t.Errorf("%d versions were made, the last is %d", len(made), last.Version)
	}
	for v, n := range made {
		if n != 1 {
			t.Errorf("version %d was made %d times", v, n)
		}
	}
}

// A user is deleted and an ACL made with it, at the same time.
func TestReferencesRace(t *testing.T) {
	s := open(t, Options{})
	ctx := t.Context()
	for i := range 30 {
		name := fmt.Sprintf("u%d", i)
		must(s.Users.Create(ctx, "me", aUser(name)))(t)
		var made, deleted error
		var wg sync.WaitGroup
		wg.Go(func() {
			_, made = s.ACLs.Create(ctx, "me", spec.ACL{Name: name, UserNames: []string{name}})
		})
		wg.Go(func() { _, deleted = s.Users.Delete(ctx, "me", name, DeleteOptions{}) })
		wg.Wait()
		if (made == nil) == (deleted == nil) {
			t.Fatalf("made: %v, deleted: %v: exactly one must be refused", made, deleted)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFence(t *testing.T) {
	s := open(t, Options{})
	ctx, old := t.Context(), elect(t, s)
	made := must(s.Clusters.Create(ctx, "me", aCluster("main")))(t)
	must(s.Clusters.Delete(ctx, "me", "main", DeleteOptions{}))(t)
	must(s.ParameterGroups.Create(ctx, "me", spec.ParameterGroup{Name: "mine"}))(t)
	must(s.etcd.Delete(ctx, old.Key))(t)
	elect(t, s)
	for what, err := range map[string]error{
		"status":   s.Clusters.SetStatus(ctx, old, "main", json.RawMessage(`{}`)),
		"remove":   s.Clusters.Remove(ctx, old, "main"),
		"progress": s.Operations.SetProgress(ctx, old, made.Operation, wire.Progress{Done: 1}),
		"finish":   s.Operations.Finish(ctx, old, made.Operation, ""),
		"report":   s.Operations.Report(ctx, old, made.Operation, wire.Failed, wire.Progress{}, "x"),
		"note":     s.Events.Note(ctx, old, wire.Event{Resource: "clusters/main"}),
		"delete":   second(s.ParameterGroups.Delete(ctx, "me", "mine", DeleteOptions{Fence: &old})),
		"record":   s.Record(ctx, old, spec.Snapshot{Name: "automatic.main-2026-01-02-03-04-05", ClusterName: "main"}, nil),
	} {
		if !errors.Is(err, ErrFenced) {
			t.Errorf("%s under an old fence: %v", what, err)
		}
	}
	if got := must(s.Clusters.Get(ctx, "main"))(t); got.Status != nil {
		t.Error("a deposed reconciler wrote a status")
	}
}

// What the reconciler makes by itself is a resource, too, and is deleted like one.
func TestRecord(t *testing.T) {
	s := open(t, Options{})
	ctx, f := t.Context(), elect(t, s)
	snap := spec.Snapshot{Name: spec.AutomaticSnapshotName("main", time.Now()), ClusterName: "main"}
	for _, status := range []string{`{"status":"creating"}`, `{"status":"available"}`} {
		if err := s.Record(ctx, f, snap, json.RawMessage(status)); err != nil {
			t.Fatal(err)
		}
		if got := must(s.Snapshots.Get(ctx, snap.Name))(t); string(got.Status) != status || got.Version != 1 {
			t.Errorf("recorded: %+v", got)
		}
	}
	gone := must(s.Snapshots.Delete(ctx, "me", snap.Name, DeleteOptions{}))(t)
	if err := s.Snapshots.Remove(ctx, f, snap.Name); err != nil {
		t.Error(err)
	}
	if op := must(s.Operations.Get(ctx, gone.Operation))(t); op.State != wire.Done {
		t.Errorf("deletion: %+v", op)
	}
	if err := s.Record(ctx, f, spec.Snapshot{Name: "a/b"}, nil); err == nil {
		t.Error("any name is taken")
	}
	if _, err := s.Snapshots.Create(ctx, "me", snap); !problemAt(err, "name") {
		t.Errorf("somebody takes the name of an automatic snapshot: %v", err)
	}
}

func TestPages(t *testing.T) {
	s := open(t, Options{})
	ctx := t.Context()
	want := []string{"default"}
	for i := range 7 {
		name := fmt.Sprintf("g%d", i)
		want = append(want, name)
		must(s.ParameterGroups.Create(ctx, "me", spec.ParameterGroup{Name: name}))(t)
	}
	var got []string
	after := ""
	for {
		page, more, err := s.ParameterGroups.List(ctx, after, 3)
		if err != nil || len(page) > 3 {
			t.Fatal(len(page), err)
		}
		for _, r := range page {
			got = append(got, r.Spec.Name)
		}
		if !more {
			break
		}
		after = got[len(got)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages have %q, want %q", got, want)
	}
	ops, more, err := s.Operations.List(ctx, "", "", 5)
	if err != nil || !more || len(ops) != 5 || ops[0].Resource != "parameter-groups/g6" {
		t.Errorf("operations: %d, more %v, %v", len(ops), more, err)
	}
	rest, more, err := s.Operations.List(ctx, "", ops[4].ID, 5)
	if err != nil || more || len(rest) != 2 || rest[1].Resource != "parameter-groups/g0" {
		t.Errorf("operations, second page: %+v, more %v, %v", rest, more, err)
	}
	one, _, err := s.Events.List(ctx, "parameter-groups/g3", "", 5)
	if err != nil || len(one) != 1 || one[0].Reason != "CreateRequested" {
		t.Errorf("events: %+v, %v", one, err)
	}
}

func TestBounds(t *testing.T) {
	s := open(t, Options{MaxEvents: 20, MaxOperations: 10})
	ctx := t.Context()
	pending := must(s.Clusters.Create(ctx, "me", aCluster("main")))(t)
	version := int64(1)
	must(s.ParameterGroups.Create(ctx, "me", spec.ParameterGroup{Name: "g"}))(t)
	for i := range 60 {
		r := must(s.ParameterGroups.Update(ctx, "me", "g", version, spec.ParameterGroup{Name: "g", Description: fmt.Sprint(i)}))(t)
		version = r.Version
	}
	events, _, err := s.Events.List(ctx, "", "", 1000)
	if err != nil || len(events) > 22 || len(events) < 20 {
		t.Errorf("%d events are kept, %v", len(events), err)
	}
	ops, _, err := s.Operations.List(ctx, "", "", 1000)
	if err != nil || len(ops) > 12 || len(ops) < 10 {
		t.Errorf("%d operations are kept, %v", len(ops), err)
	}
	if op, err := s.Operations.Get(ctx, pending.Operation); err != nil || op.State != wire.Pending {
		t.Errorf("an operation that has not ended went: %v", err)
	}
	if events[0].Message == "" || !strings.Contains(events[0].Message, "version 61") {
		t.Errorf("the newest event is %+v", events[0])
	}
}

// Changes names what changes, also when only an operation begins.
func TestChanges(t *testing.T) {
	s := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan string, 100)
	done := make(chan error)
	go func() { done <- s.Changes(ctx, func(r string) { told <- r }) }()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Fatalf("told %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q has not been told", want)
		}
	}
	expect("")
	must(s.Clusters.Create(t.Context(), "me", aCluster("main")))(t)
	expect("clusters/main") // the operation
	expect("clusters/main") // the cluster
	op := must(s.Clusters.Request(t.Context(), "me", "main", wire.OpFailover, nil))(t)
	expect("clusters/main")
	f := elect(t, s)
	if err := s.Operations.Report(t.Context(), f, op.ID, wire.Running, wire.Progress{Text: "x"}, ""); err != nil {
		t.Fatal(err)
	}
	must(s.Users.Create(t.Context(), "me", aUser("alice")))(t)
	expect("users/alice")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

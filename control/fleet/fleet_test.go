package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

const patience = 20 * time.Second

func open(t *testing.T, o fleet.Options) (*fleet.Fleet, *clientv3.Client, *testenv.Etcd) {
	t.Helper()
	etcd := testenv.StartEtcd(t, 1, testenv.EtcdOptions{})
	cli := etcd.Client(t)
	return fleet.Open(cli, o), cli, etcd
}

func host(id, instance string) fleet.Host {
	return fleet.Host{ID: id, Instance: instance, AZ: "a", Address: "127.0.0.1", Started: time.Unix(1700000000, 0).UTC()}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func register(t *testing.T, f *fleet.Fleet, h fleet.Host) *fleet.Registration {
	t.Helper()
	r, err := f.Register(t.Context(), h)
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

func hosts(t *testing.T, f *fleet.Fleet) []string {
	t.Helper()
	all, err := f.Overview(t.Context())
	must(t, err)
	return slices.Sorted(maps.Keys(all.Hosts))
}

func TestRegister(t *testing.T) {
	f, cli, _ := open(t, fleet.Options{TTL: time.Second})
	first := register(t, f, host("h1", "one"))
	if got := hosts(t, f); !slices.Equal(got, []string{"h1"}) || !first.Registered() {
		t.Fatalf("hosts %v, registered %v", got, first.Registered())
	}

	// Another one is refused for as long as the first lives.
	_, err := f.Register(t.Context(), host("h1", "two"))
	var taken *fleet.HostTakenError
	if !errors.Is(err, fleet.ErrHostTaken) || !errors.As(err, &taken) || taken.Holder.Instance != "one" ||
		!strings.Contains(err.Error(), "h1 is taken by an agent at 127.0.0.1 in a") {
		t.Fatalf("second agent: %v", err)
	}
	// One without a name of its own, too, even beside another such.
	if _, err := f.Register(t.Context(), host("h1", "")); !errors.Is(err, fleet.ErrHostTaken) {
		t.Fatalf("agent without instance: %v", err)
	}

	// A lost lease is made up for.
	kv, err := cli.Get(t.Context(), "/redoubt-control/hosts/h1")
	must(t, err)
	lease := clientv3.LeaseID(kv.Kvs[0].Lease)
	_, err = cli.Revoke(t.Context(), lease)
	must(t, err)
	testenv.Eventually(t, patience, "h1 to be registered again", func(ctx context.Context) error {
		kv, err := cli.Get(ctx, "/redoubt-control/hosts/h1")
		if err == nil && (len(kv.Kvs) != 1 || clientv3.LeaseID(kv.Kvs[0].Lease) == lease) {
			err = fmt.Errorf("%v", kv.Kvs)
		}
		return err
	})

	must(t, first.Close())
	must(t, first.Close())
	if got := hosts(t, f); len(got) > 0 || first.Registered() || first.Err() != nil {
		t.Fatalf("after Close: hosts %v, registered %v, %v", got, first.Registered(), first.Err())
	}
	register(t, f, host("h1", "two")) // at once
	if _, err := f.Register(t.Context(), host("a/b", "x")); err == nil {
		t.Fatal("a host id with a slash was taken")
	}
}

// An agent that comes back takes over what its process before left behind.
func TestRegisterTakesOverItsOwn(t *testing.T) {
	f, _, _ := open(t, fleet.Options{TTL: time.Second})
	old := register(t, f, host("h1", "one"))
	register(t, f, host("h1", "one"))

	must(t, old.Close())
	if got := hosts(t, f); !slices.Equal(got, []string{"h1"}) {
		t.Fatalf("the end of the one before took %v along", got)
	}
}

// An agent that was away and finds its id taken stops claiming it.
func TestRegistrationEndsWhenTheIDWasTaken(t *testing.T) {
	f, cli, _ := open(t, fleet.Options{TTL: time.Second})
	r := register(t, f, host("h1", "one"))
	kv, err := cli.Get(t.Context(), "/redoubt-control/hosts/h1")
	must(t, err)
	lease, err := cli.Grant(t.Context(), 60)
	must(t, err)
	_, err = cli.Put(t.Context(), "/redoubt-control/hosts/h1", `{"id":"h1","instance":"two"}`, clientv3.WithLease(lease.ID))
	must(t, err)
	_, err = cli.Revoke(t.Context(), clientv3.LeaseID(kv.Kvs[0].Lease))
	must(t, err)
	select {
	case <-r.Done():
	case <-time.After(patience):
		t.Fatal("still registered")
	}
	if !errors.Is(r.Err(), fleet.ErrHostTaken) || r.Registered() {
		t.Fatalf("%v, registered %v", r.Err(), r.Registered())
	}
	if all, err := f.Overview(t.Context()); err != nil || all.Hosts["h1"].Instance != "two" {
		t.Fatalf("%+v, %v", all.Hosts, err)
	}
}

func assignment(node string, generation int64) *fleet.Assignment {
	return &fleet.Assignment{Cluster: "shop", Node: node, Goal: fleet.Run, Generation: generation, Port: 6379}
}

func TestApplyIsFenced(t *testing.T) {
	f, cli, _ := open(t, fleet.Options{})
	ctx := t.Context()
	_, err := cli.Put(ctx, "leader", "me")
	must(t, err)
	mine := []clientv3.Cmp{clientv3.Compare(clientv3.Value("leader"), "=", "me")}
	must(t, f.Apply(ctx, mine,
		fleet.Change{Host: "h1", Node: "n1", Assign: assignment("n1", 1)},
		fleet.Change{Host: "h2", Node: "n2", Assign: assignment("n2", 1)}))
	_, err = cli.Put(ctx, "leader", "you")
	must(t, err)
	err = f.Apply(ctx, mine, fleet.Change{Host: "h1", Node: "n1"}, fleet.Change{Host: "h1", Node: "n3", Assign: assignment("n3", 1)})
	if !errors.Is(err, fleet.ErrFenced) {
		t.Fatal(err)
	}
	if err := f.Drain(ctx, mine, "h1", true); !errors.Is(err, fleet.ErrFenced) {
		t.Fatal(err)
	}
	got, err := f.Assignments(ctx, "h1")
	if err != nil || len(got) != 1 || got[0].Node != "n1" {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []fleet.Change{{Host: "h/1", Node: "n"}, {Host: "h", Node: ""}, {Host: "h", Node: ".."}} {
		if err := f.Apply(ctx, nil, bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// last is what a watcher was told last.
type last[T any] struct {
	mu sync.Mutex
	v  T
}

func (l *last[T]) set(v T) { l.mu.Lock(); l.v = v; l.mu.Unlock() }
func (l *last[T]) get() T  { l.mu.Lock(); defer l.mu.Unlock(); return l.v }

// Watches go on over compaction, a dead etcd and one that comes back.
func TestWatch(t *testing.T) {
	f, cli, etcd := open(t, fleet.Options{TTL: 2 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	var all last[fleet.Overview]
	var mine last[[]fleet.Assignment]
	ended := make(chan error, 2)
	go func() { ended <- f.Watch(ctx, all.set) }()
	go func() { ended <- f.WatchAssignments(ctx, "h1", mine.set) }()

	register(t, f, host("h1", "one"))
	apply := func(generation int64) {
		t.Helper()
		must(t, f.Apply(t.Context(), nil,
			fleet.Change{Host: "h1", Node: "n1", Assign: assignment("n1", generation)},
			fleet.Change{Host: "h10", Node: "n2", Assign: assignment("n2", generation)}))
	}
	await := func(generation int64) {
		t.Helper()
		testenv.Eventually(t, patience, "both watches", func(context.Context) error {
			m, o := mine.get(), all.get()
			if len(m) != 1 || m[0].Generation != generation || o.Assigned["h1"]["n1"].Generation != generation ||
				o.Assigned["h10"]["n2"].Generation != generation || o.Hosts["h1"].AZ != "a" {
				return fmt.Errorf("%+v, %+v", m, o)
			}
			return nil
		})
	}
	apply(1)
	await(1)
	must(t, f.Drain(t.Context(), nil, "h1", true))
	testenv.Eventually(t, patience, "the drain", func(context.Context) error {
		if !all.get().Hosts["h1"].Draining {
			return errors.New("not draining")
		}
		return nil
	})

	etcd.Kill(0)
	etcd.Restart(0)
	etcd.WaitReady(0)
	apply(2)
	kv, err := cli.Get(t.Context(), "x")
	must(t, err)
	_, err = cli.Compact(t.Context(), kv.Header.Revision)
	must(t, err)
	await(2)
	must(t, f.Apply(t.Context(), nil, fleet.Change{Host: "h1", Node: "n1"}))
	testenv.Eventually(t, patience, "n1 to go", func(context.Context) error {
		if m, o := mine.get(), all.get(); len(m) > 0 || len(o.Assigned["h1"]) > 0 {
			return fmt.Errorf("%+v, %+v", m, o)
		}
		return nil
	})
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// What cannot be read is not taken for gone.
func TestWatchEndsOnCorruptValues(t *testing.T) {
	f, cli, _ := open(t, fleet.Options{})
	must(t, f.Apply(t.Context(), nil, fleet.Change{Host: "h1", Node: "n1", Assign: assignment("n1", 1)}))
	told := make(chan []fleet.Assignment, 10)
	ended := make(chan error, 1)
	go func() { ended <- f.WatchAssignments(t.Context(), "h1", func(a []fleet.Assignment) { told <- a }) }()
	if a := <-told; len(a) != 1 {
		t.Fatal(a)
	}
	_, err := cli.Put(t.Context(), "/redoubt-control/assigned/h1/n1", "{")
	must(t, err)
	if err := <-ended; !errors.Is(err, fleet.ErrCorrupt) || !strings.Contains(err.Error(), "assigned/h1/n1") {
		t.Fatal(err)
	}
	if len(told) > 0 {
		t.Fatalf("told %+v", <-told)
	}
}

func TestReporter(t *testing.T) {
	f, cli, _ := open(t, fleet.Options{})
	ctx := t.Context()
	_, err := cli.Put(ctx, "/redoubt-control/status/h1/old", "{}")
	must(t, err)
	_, err = cli.Put(ctx, "/redoubt-control/status/h10/n", "{}") // another host's
	must(t, err)
	r := f.Report("h1")
	const n = 150 // more than one transaction's
	statuses := func(state fleet.State) []fleet.Status {
		var all []fleet.Status
		for i := range n {
			all = append(all, fleet.Status{Node: fmt.Sprintf("n%d", i), State: state})
		}
		return all
	}
	await := func(want int, state fleet.State) {
		t.Helper()
		testenv.Eventually(t, patience, "statuses", func(ctx context.Context) error {
			all, err := f.Overview(ctx)
			if err == nil && (len(all.Statuses["h1"]) != want || all.Statuses["h1"]["n0"].State != state || len(all.Statuses["h10"]) != 1) {
				err = fmt.Errorf("%d statuses, n0 is %+v", len(all.Statuses["h1"]), all.Statuses["h1"]["n0"])
			}
			return err
		})
	}
	r.Set(statuses(fleet.Starting))
	await(n, fleet.Starting)

	// Changes are merged, and what does not change is not written.
	revision := func() int64 {
		resp, err := cli.Get(ctx, "x")
		must(t, err)
		return resp.Header.Revision
	}
	before := revision()
	for i := range 1000 {
		r.Set([]fleet.Status{{Node: "n0", State: fleet.Starting, PID: i}})
	}
	r.Set([]fleet.Status{{Node: "n0", State: fleet.Running}})
	await(1, fleet.Running)
	if wrote := revision() - before; wrote > 10 {
		t.Errorf("1001 changes were %d writes", wrote)
	}
	before = revision()
	r.Set([]fleet.Status{{Node: "n0", State: fleet.Running}})
	r.Set([]fleet.Status{{Node: "n0", State: fleet.Stopped}})
	must(t, r.Close(ctx)) // writes what is left
	must(t, r.Close(ctx))
	await(1, fleet.Stopped)
	if wrote := revision() - before; wrote > 1 {
		t.Errorf("one change was %d writes", wrote)
	}
}

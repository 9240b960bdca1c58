package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// world is everything that a Driver works with, over the model, in the time of a
// synctest bubble.
type world struct {
	t  *testing.T
	mu sync.Mutex
	*model
	clusters  map[string]*Cluster
	snapshots map[string]*Snapshot
	ops       []Operation
	events    []string
	users     map[string]spec.User
	accessAt  time.Time            // when users, ACLs and groups were changed last
	registry  *prometheus.Registry // of the process that drives, whenever it is elected
	acls      map[string]spec.ACL
	groups    map[string]map[string]string
	projected map[string]string
	purged    []string
	made      []string // snapshots, in order
	removed   []string
	long      Log // since the newest snapshot
	resync    time.Duration
	changed   []func(string)
	slow      string // cluster whose shards do not answer
	deposed   error
	flaky     bool
	writes    int
}

var errDeposedInTest = errors.New("deposed")

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, registry: prometheus.NewRegistry(), model: newModel(3, 3, 2), clusters: map[string]*Cluster{}, snapshots: map[string]*Snapshot{},
		users: map[string]spec.User{}, acls: map[string]spec.ACL{}, groups: map[string]map[string]string{}, projected: map[string]string{},
	}
	w.now = time.Now()
	return w
}

// write counts writes, and fails them when it should.
func (w *world) write() error {
	w.writes++
	switch {
	case w.deposed != nil:
		return w.deposed
	case w.flaky && w.writes%3 == 0:
		return errors.New("etcd is away")
	}
	return nil
}

func (w *world) tell(resource string) {
	for _, fn := range w.changed {
		go fn(resource)
	}
}

func (w *world) ask(c spec.Cluster, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.clusters[c.Name]
	if one == nil {
		one = &Cluster{Name: c.Name}
		w.clusters[c.Name] = one
		for i := range c.NumShards {
			w.shards[i] = &modelShard{}
		}
	}
	one.Version++
	one.Spec = c
	w.ops = append(w.ops, Operation{ID: fmt.Sprint(kind, one.Version), Kind: kind, Version: one.Version, State: OpPending, Started: time.Now()})
	w.tell("clusters/" + c.Name)
}

func (w *world) Clusters(context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.clusters)), nil
}

func (w *world) Cluster(_ context.Context, name string) (*Cluster, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.clusters[name]; c != nil {
		out := *c
		out.Status = clone(w.t, c.Status)
		return &out, nil
	}
	return nil, nil
}

func (w *world) SetClusterStatus(_ context.Context, name string, st spec.ClusterStatus) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.clusters[name]; c != nil {
		c.Status = clone(w.t, st)
	}
	return w.write()
}

func (w *world) RemoveCluster(_ context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(); err != nil {
		return err
	}
	delete(w.clusters, name)
	for i := range w.ops {
		if w.ops[i].Kind == "delete" {
			w.ops[i].State = OpDone
		}
	}
	return nil
}

func (w *world) Parameters(_ context.Context, group string) (Parameters, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Parameters{Values: maps.Clone(w.groups[group]), Changed: w.accessAt}, nil
}

func (w *world) Access(_ context.Context, acl string) (a Access, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.ACL, a.Changed = w.acls[acl], map[string]time.Time{"acls/" + acl: w.accessAt}
	for _, u := range a.ACL.UserNames {
		a.Users = append(a.Users, w.users[u])
		a.Changed["users/"+u] = w.accessAt
	}
	return a, nil
}

func (w *world) Snapshots(context.Context) (out []Snapshot, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(w.snapshots)) {
		out = append(out, *w.snapshots[n])
	}
	return out, nil
}

func (w *world) SetSnapshotStatus(_ context.Context, name string, st spec.SnapshotStatus) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.snapshots[name]; s != nil {
		s.Status = st
	}
	return w.write()
}

func (w *world) RecordSnapshot(_ context.Context, name string, st spec.SnapshotStatus) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.snapshots[name] == nil {
		w.snapshots[name] = &Snapshot{Name: name, Status: st}
		w.tell("snapshots/" + name)
	}
	return w.write()
}

func (w *world) DeleteSnapshot(_ context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.snapshots[name]; s != nil {
		s.Deleting = true
		w.tell("snapshots/" + name)
	}
	return w.write()
}

func (w *world) RemoveSnapshot(_ context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.snapshots, name)
	return w.write()
}

func (w *world) Operations(_ context.Context, resource string) (out []Operation, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.ops {
		if o.State != OpDone && o.State != OpFailed && strings.HasPrefix(resource, "clusters/") {
			out = append(out, o)
		}
	}
	return out, nil
}

func (w *world) SetOperation(_ context.Context, o Operation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.ops {
		if w.ops[i].ID == o.ID {
			w.ops[i] = o
		}
	}
	return w.write()
}

func (w *world) AddEvent(_ context.Context, resource string, e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, resource+" "+e.Reason+": "+e.Message)
	return nil
}

func (w *world) Watch(ctx context.Context, changed func(string)) error {
	w.mu.Lock()
	w.changed = append(w.changed, changed)
	w.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

type worldFleet struct{ *world }

func (w worldFleet) View(context.Context) (v View, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if w.alive(h) {
			v.Hosts = append(v.Hosts, h.Host)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.assigned)) {
		a := Assigned{Host: w.assigned[id].host, Assignment: w.assigned[id].Assignment}
		if st, ok := w.status[id]; ok {
			a.Status = &st
		}
		v.Assigned = append(v.Assigned, a)
	}
	return v, nil
}

func (w worldFleet) Assign(_ context.Context, host string, a fleet.Assignment) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(); err != nil {
		return err
	}
	w.assigned[a.Node] = &modelAssignment{host, a}
	return nil
}

func (w worldFleet) Unassign(_ context.Context, _, node string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.assigned, node)
	delete(w.status, node)
	return w.write()
}

func (w worldFleet) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}

type worldShards struct{ *world }

func (w worldShards) State(ctx context.Context, cluster string, shard int) (st etcdfence.State, err error) {
	if w.is(cluster) {
		<-ctx.Done()
		return st, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shards[shard]
	return etcdfence.State{Initialized: s.initialized, Tail: s.tail, Leader: w.leaderOf(s)}, nil
}

func (w worldShards) is(slow string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slow == slow
}

func (w worldShards) Nodes(context.Context, string) ([]etcdfence.NodeInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.registered(), nil
}

func (w worldShards) RequestHandover(_ context.Context, _ string, shard int, h etcdfence.Handover) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shards[shard]
	if h.Epoch != s.epoch {
		return fmt.Errorf("%w: epoch %d, not %d", etcdfence.ErrNoLeader, s.epoch, h.Epoch)
	}
	s.asked = &Handover{Shard: shard, To: h.To, Epoch: s.epoch}
	return w.write()
}

func (w worldShards) Project(_ context.Context, _ string, keys map[string]string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.projected = keys
	return nil
}

func (w worldShards) Watch(ctx context.Context, _ string, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}

type worldSnapshotter struct{ *world }

func (w worldSnapshotter) Initialize(_ context.Context, _ string, shard int, rdb []string, progress func(string)) error {
	progress("begins")
	time.Sleep(2 * time.Second)
	if slices.Contains(rdb, "s3://broken.rdb") {
		return fmt.Errorf("%w: not an RDB file", ErrPermanent)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shards[shard].initialized = true
	return nil
}

func (w worldSnapshotter) Create(_ context.Context, cluster, name string, _ func(string)) (spec.SnapshotStatus, error) {
	time.Sleep(3 * time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made = append(w.made, name)
	w.long = Log{Known: true, SnapshotSize: 1 << 20}
	return spec.SnapshotStatus{ClusterName: cluster, CreatedAt: time.Now(), URIs: []string{"s3://" + name + ".rdb"}}, nil
}

func (w worldSnapshotter) Remove(_ context.Context, _, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removed = append(w.removed, name)
	return nil
}

func (w worldSnapshotter) Purge(_ context.Context, cluster string, keep []string, _ func(string)) (map[string][]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.purged = append(w.purged, cluster)
	for _, s := range w.shards {
		s.initialized = false
	}
	moved := map[string][]string{}
	for _, k := range keep {
		moved[k] = []string{"s3://moved/" + k + ".rdb"}
	}
	return moved, nil
}

func (w worldSnapshotter) Log(context.Context, string) (Log, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.long, nil
}

// drive runs a driver in the world until stop is called.
func (w *world) drive() (d *Driver, stop func() error) {
	d = New(Config{
		Store: w, Fleet: worldFleet{w}, Shards: worldShards{w}, Snapshotter: worldSnapshotter{w},
		AtStart: func(name string) bool { return name == "databases" }, Fenced: func(err error) bool { return errors.Is(err, errDeposedInTest) },
		Policy: simPolicy, Metrics: w.registry, Resync: w.resync,
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return d, func() error { cancel(); return <-done }
}

// pass lets time go by, until a condition holds.
func (w *world) pass(what string, within int, until func() bool) {
	w.t.Helper()
	for range within {
		time.Sleep(time.Second)
		synctest.Wait()
		w.mu.Lock()
		w.step()
		ok := until()
		w.mu.Unlock()
		if ok {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		w.t.Log(e)
	}
	for _, c := range w.clusters {
		w.t.Logf("%s: %+v", c.Name, c.Status)
	}
	w.t.Fatalf("not within %d s: %s (operations %+v)", within, what, w.ops)
}

func (w *world) settled(name string) func() bool {
	return func() bool {
		c := w.clusters[name]
		return c != nil && c.Status.Status == spec.Available && c.Status.ObservedVersion == c.Version && len(c.Status.PendingChanges) == 0
	}
}

func shop() spec.Cluster {
	return spec.Cluster{Name: "shop", NumShards: 1, NumReplicasPerShard: 1, NodeMemory: 1 << 30, EngineVersion: "0.1.0", ACLName: "app", ParameterGroupName: "g"}
}

// TestDriverCarriesOut: from creation to deletion, with every third write failing.
func TestDriverCarriesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.flaky = true
		w.users["alice"] = spec.User{Name: "alice", AccessString: "on ~* +@all", PasswordHashes: []string{"ab"}}
		w.acls["app"] = spec.ACL{Name: "app", UserNames: []string{"alice"}}
		w.groups["g"] = map[string]string{"databases": "3", "timeout": "9"}
		_, stop := w.drive()
		w.ask(shop(), "create")
		w.pass("creation", 200, w.settled("shop"))
		for _, a := range w.assigned {
			if a.Parameters["databases"] != "3" || a.Parameters["timeout"] != "" {
				t.Errorf("parameters of %s: %v", a.Node, a.Parameters)
			}
		}
		if got := w.projected["users/alice"]; got != `{"rules":"#ab on ~* +@all"}` {
			t.Errorf("users/alice is %s", got)
		}
		if got := w.projected["users/default"]; got != `{"rules":"off"}` {
			t.Errorf("users/default is %s", got)
		}
		applied := func() bool {
			got := w.clusters["shop"].Status.Applied
			for _, ref := range []string{"users/alice", "acls/app", "parameter-groups/g"} {
				if at, ok := got[ref]; !ok || !at.Equal(w.accessAt) {
					return false
				}
			}
			return len(got) == 3
		}
		if !applied() {
			t.Errorf("applied: %v", w.clusters["shop"].Status.Applied)
		}
		w.mu.Lock()
		w.users["alice"], w.accessAt = spec.User{Name: "alice", AccessString: "on ~* +@read", PasswordHashes: []string{"ab"}}, w.accessAt.Add(time.Second)
		w.tell("users/alice")
		w.mu.Unlock()
		w.pass("a user's change", 60, applied)
		if got := w.projected["users/alice"]; got != `{"rules":"#ab on ~* +@read"}` {
			t.Errorf("users/alice is %s", got)
		}
		more := shop()
		more.NumReplicasPerShard, more.EngineVersion = 2, "0.2.0"
		w.ask(more, "update")
		w.pass("update", 300, w.settled("shop"))
		w.mu.Lock()
		if len(w.assigned) != 3 {
			t.Errorf("%d nodes", len(w.assigned))
		}
		w.clusters["shop"].Deleting = &Deleting{FinalSnapshotName: "last"}
		w.ops = append(w.ops, Operation{ID: "d", Kind: "delete", State: OpPending})
		w.tell("clusters/shop")
		w.mu.Unlock()
		w.pass("deletion", 300, func() bool { return len(w.clusters) == 0 && len(w.assigned) == 0 })
		w.pass("end of operations", 60, func() bool {
			return !slices.ContainsFunc(w.ops, func(o Operation) bool { return o.State != OpDone })
		})
		if s := w.snapshots["last"]; s == nil || s.Status.Status != spec.Available || s.Status.URIs[0] != "s3://moved/last.rdb" {
			t.Errorf("final snapshot: %+v", s)
		}
		if len(w.purged) == 0 {
			t.Error("nothing was purged")
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// TestDriverHandsOverWhenAsked: an operation failover moves the primary once.
func TestDriverHandsOverWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.drive()
		w.ask(shop(), "create")
		w.pass("creation", 200, w.settled("shop"))
		w.mu.Lock()
		was, epoch := w.shards[0].leader, w.shards[0].epoch
		w.ops = append(w.ops, Operation{ID: "f", Kind: opFailover, State: OpPending, Started: time.Now(), Arguments: map[string]string{"shard": "0"}})
		w.tell("clusters/shop")
		w.mu.Unlock()
		w.pass("failover", 60, func() bool { return w.ops[len(w.ops)-1].State == OpDone })
		for range 60 {
			w.pass("time", 1, func() bool { return true })
		}
		if s := w.shards[0]; s.leader == was || s.epoch != epoch+1 {
			t.Errorf("leader %s after %s, epoch %d after %d", s.leader, was, s.epoch, epoch)
		}
		_ = stop()
	})
}

// TestDriverSlowClusterHoldsUpNobody: one whose shards do not answer.
func TestDriverSlowClusterHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.slow = "slow"
		_, stop := w.drive()
		slow := shop()
		slow.Name = "slow"
		w.ask(slow, "create")
		w.ask(shop(), "create")
		w.pass("creation", 60, w.settled("shop"))
		_ = stop()
	})
}

// TestDriverEndsWhenDeposed: the first write that meets the fence ends Run, whoever's
// words say so.
func TestDriverEndsWhenDeposed(t *testing.T) {
	for _, deposed := range []error{errDeposedInTest, fmt.Errorf("write: %w", ErrDeposed)} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.deposed = deposed
			_, stop := w.drive()
			w.ask(shop(), "create")
			time.Sleep(time.Minute)
			if err := stop(); !errors.Is(err, ErrDeposed) {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

// TestDriverIsElectedAgain: a process that was elected, deposed and is elected again
// serves metrics while it is the elected one.
func TestDriverIsElectedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		served := func(want bool) {
			t.Helper()
			all, err := w.registry.Gather()
			if err != nil || (len(all) > 0) != want {
				t.Errorf("metrics are served: %v, %v, want %v", all, err, want)
			}
		}
		for range 2 {
			_, stop := w.drive()
			synctest.Wait()
			served(true)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
			served(false)
		}
	})
}

// TestDriverSaysWhyItCannotCreate: a file that no try will read.
func TestDriverSaysWhyItCannotCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.drive()
		c := shop()
		c.SnapshotURIs = []string{"s3://broken.rdb"}
		w.ask(c, "restore")
		w.pass("failure", 60, func() bool { return w.ops[0].State == OpFailed })
		if st := w.clusters["shop"].Status; st.Status != spec.CreateFailed || !strings.Contains(w.ops[0].Text, "not an RDB file") {
			t.Errorf("%+v %+v", st, w.ops[0])
		}
		_ = stop()
	})
}

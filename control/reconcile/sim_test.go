package reconcile

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
)

// sim is a control plane over a model, and a judge of what it does.
type sim struct {
	t *testing.T
	*model
	seed    uint64
	cluster Cluster
	ops     []Operation
	params  map[string]string
	gone    bool
	// what a control plane remembers while it runs
	asked      map[int]*Asked
	notServing map[string]notServing
	jobs       map[string]Job
	snapshots  []Snapshot
	// what the judge remembers
	names  map[string]bool
	served map[int]bool
	failed time.Time // when failures were last possible
	trace  []string
}

type notServing struct {
	generation int64
	since      time.Time
}

var simPolicy = Policy{
	HostGrace: 10 * time.Second, AgentGrace: 60 * time.Second, NodeGrace: 20 * time.Second,
	HandoverRetry: 5 * time.Second, SettledHost: 30 * time.Second, Lag: 200,
}

func newSim(t *testing.T, seed uint64, shards int) *sim {
	s := &sim{t: t, model: newModel(seed, 3, 2), seed: seed, names: map[string]bool{}, served: map[int]bool{}}
	s.cluster = Cluster{Name: "shop", Version: 1, Spec: spec.Cluster{
		Name: "shop", NumShards: shards, NodeMemory: 1 << 30, EngineVersion: "0.1.0",
	}}
	s.ops = []Operation{{ID: "1", Kind: "create", Version: 1, State: OpPending}}
	for i := range shards {
		s.shards[i] = &modelShard{}
	}
	s.forget()
	return s
}

// forget is a control plane that is started anew.
func (s *sim) forget() {
	s.asked, s.notServing, s.jobs = map[int]*Asked{}, map[string]notServing{}, map[string]Job{}
}

func (s *sim) observe() Input {
	in := Input{
		Now: s.now, Policy: simPolicy, Cluster: s.cluster, AtStart: s.params, Nodes: s.registered(),
		Shards: map[int]Shard{}, Jobs: s.jobs, Snapshots: s.snapshots, Operations: slices.Clone(s.ops),
	}
	for _, h := range s.hosts {
		in.Hosts = append(in.Hosts, Host{Host: h.Host, Alive: s.alive(h), Since: h.since})
	}
	ready := map[string]bool{}
	for _, n := range in.Nodes {
		ready[n.ID] = n.Role != roleLoading
	}
	for _, id := range slices.Sorted(maps.Keys(s.assigned)) {
		a := s.assigned[id]
		one := Assigned{Host: a.host, Assignment: a.Assignment}
		if st, ok := s.status[id]; ok {
			one.Status = &st
		}
		if w := s.notServing[id]; ready[id] {
			delete(s.notServing, id)
		} else if w.since.IsZero() || w.generation != a.Generation {
			s.notServing[id] = notServing{a.Generation, s.now}
		}
		one.NotServing = s.notServing[id].since
		in.Assigned = append(in.Assigned, one)
	}
	for i, sh := range s.shards {
		in.Shards[i] = Shard{Initialized: sh.initialized, Tail: sh.tail, Leader: s.leaderOf(sh), Asked: s.asked[i]}
	}
	return in
}

// control is one round of the control plane.
func (s *sim) control() []Action {
	in := s.observe()
	d := Decide(in)
	s.judge(in, d)
	if again := Decide(s.observe()); fmt.Sprint(again.Actions) != fmt.Sprint(d.Actions) {
		s.fail("not the same decision twice:\n%v\n%v", d.Actions, again.Actions)
	}
	if s.chance(s.maybe(0.05)) {
		return d.Actions // nothing of it was done
	}
	s.cluster.Status = clone(s.t, d.Status)
	for _, o := range d.Operations {
		for i := range s.ops {
			if s.ops[i].ID == o.ID {
				s.ops[i] = o
			}
		}
	}
	s.ops = slices.DeleteFunc(s.ops, func(o Operation) bool { return o.State == OpDone || o.State == OpFailed })
	for _, a := range d.Actions {
		if s.chance(s.maybe(0.1)) {
			break // it failed, or the control plane died
		}
		for range 1 + b2i(s.chance(s.maybe(0.1))) {
			s.do(a)
		}
	}
	return d.Actions
}

func (s *sim) do(a Action) {
	s.trace = append(s.trace, fmt.Sprintf("%s %v", s.now.Format("15:04:05"), a))
	switch a := a.(type) {
	case Assign:
		s.assigned[a.Node] = &modelAssignment{a.Host, a.Assignment}
	case Unassign:
		delete(s.assigned, a.Node)
		delete(s.status, a.Node)
	case Handover:
		if sh := s.shards[a.Shard]; sh.epoch == a.Epoch && sh.leader != "" {
			sh.asked = &a
		}
		tries := 1
		if was := s.asked[a.Shard]; was != nil && was.Epoch == a.Epoch {
			tries += was.Tries
		}
		s.asked[a.Shard] = &Asked{Epoch: a.Epoch, To: a.To, At: s.now, Tries: tries}
	case StartJob:
		switch a.Kind {
		case InitializeShard:
			s.shards[a.Shard].begins = s.now.Add(3 * time.Second)
			s.jobs[a.Key] = Job{Running: true}
			if s.chance(s.maybe(0.3)) {
				s.shards[a.Shard].begins = time.Time{}
				s.jobs[a.Key] = Job{Err: "it went wrong", RetryAt: s.now.Add(3 * time.Second)}
			}
		case PurgeCluster:
			s.jobs[a.Key] = Job{Done: true}
			for _, sh := range s.shards {
				sh.initialized, sh.begins = false, time.Time{}
			}
		}
	case CreateSnapshot:
		if !slices.ContainsFunc(s.snapshots, func(o Snapshot) bool { return o.Name == a.Name }) {
			s.snapshots = append(s.snapshots, Snapshot{Name: a.Name, Status: spec.SnapshotStatus{Status: spec.Available, Source: a.Source, CreatedAt: s.now}})
		}
	case DeleteSnapshot:
		s.snapshots = slices.DeleteFunc(s.snapshots, func(o Snapshot) bool { return o.Name == a.Name })
	case RemoveCluster:
		s.gone = true
	}
}

func clone(t *testing.T, st spec.ClusterStatus) (out spec.ClusterStatus) {
	b, err := json.Marshal(st)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	for _, l := range s.trace[max(0, len(s.trace)-60):] {
		s.t.Log(l)
	}
	s.t.Logf("status: %+v", s.cluster.Status)
	s.t.Fatalf("seed %d at %s: %s", s.seed, s.now.Format("15:04:05"), fmt.Sprintf(format, args...))
}

// judge holds a decision against what must never be decided.
func (s *sim) judge(in Input, d Decision) {
	was := map[string]Assigned{}
	for _, a := range in.Assigned {
		was[a.Node] = a
	}
	restarts := map[int]int{}
	touched := map[string]bool{}
	for _, a := range d.Actions {
		if a, ok := a.(Assign); ok {
			touched[a.Node] = true
		}
	}
	for _, a := range d.Actions {
		switch a := a.(type) {
		case Assign:
			if old, ok := was[a.Node]; ok {
				s.judgeChange(in, old, a, touched, restarts)
			} else {
				s.judgeNew(in, a, d)
			}
		case Handover:
			s.judgeHandover(in, a)
		case Unassign:
			if p, _ := s.find(a.Node); p != nil {
				s.fail("node %s is forgotten while it runs", a.Node)
			}
		case RemoveCluster:
			for _, h := range s.hosts {
				for id := range h.procs {
					if s.alive(h) {
						s.fail("the cluster is removed while %s runs", id)
					}
				}
			}
		}
	}
}

func (s *sim) judgeChange(in Input, old Assigned, a Assign, touched map[string]bool, restarts map[int]int) {
	if a.Generation != old.Generation+1 || a.Host != old.Host {
		s.fail("%v: generation %d after %d, host %s after %s", a, a.Generation, old.Generation, a.Host, old.Host)
	}
	if spec.CompareEngines(a.Engine, old.Engine) < 0 {
		s.fail("%v: engine %s after %s", a, a.Engine, old.Engine)
	}
	if s.cluster.Deleting != nil {
		return
	}
	l := in.Shards[a.Shard].Leader
	serving := map[string]bool{}
	for _, n := range in.Nodes {
		serving[n.ID] = n.Role != roleLoading
	}
	if !serving[a.Node] {
		return
	}
	if l != nil && l.NodeID == a.Node {
		s.fail("%v: it is the primary", a)
	}
	if l == nil {
		s.fail("%v: it serves and the shard has no primary", a)
	}
	if restarts[a.Shard]++; restarts[a.Shard] > 1 {
		s.fail("%v: a second node of the shard at the same time", a)
	}
	if !serving[l.NodeID] || touched[l.NodeID] {
		s.fail("%v: nobody else serves", a)
	}
	if p, _ := s.find(a.Node); p != nil && p.stuck {
		return // it only seems to serve
	}
	run := 0
	for _, o := range in.Assigned {
		if o.Cluster != a.Cluster || o.Shard != a.Shard || o.Goal != fleet.Run || o.Node == a.Node || touched[o.Node] {
			continue
		}
		run++
		if !serving[o.Node] && a.Goal == fleet.Run {
			s.fail("%v: %s does not follow the log at the time", a, o.Node)
		}
	}
	if a.Goal == fleet.Stop && run < 1+s.cluster.Spec.NumReplicasPerShard {
		s.fail("%v: then there are only %d", a, run)
	}
}

func (s *sim) judgeNew(in Input, a Assign, d Decision) {
	if s.names[a.Node] && s.assigned[a.Node] != nil {
		s.fail("%v: the name was given before", a)
	}
	if s.names[a.Node] && d.Status.Shards[a.Shard].LastNode == s.cluster.Status.Shards[a.Shard].LastNode {
		s.fail("%v: the name was given before", a)
	}
	s.names[a.Node] = true
	h := s.host(a.Host)
	c := &s.cluster.Spec
	if !s.alive(h) || h.Draining || !slices.Contains(h.Engines, a.Engine) || len(c.AvailabilityZones) > 0 && !slices.Contains(c.AvailabilityZones, h.AZ) {
		s.fail("%v: the host does not fit: %+v", a, h.Host)
	}
	used := a.Memory
	for _, o := range in.Assigned {
		left := slices.ContainsFunc(d.Actions, func(u Action) bool { return u == Action(Unassign{o.Host, o.Node}) })
		if o.Host != a.Host || left {
			continue
		}
		used += o.Memory
		if o.Port == a.Port {
			s.fail("%v: port %d is taken", a, a.Port)
		}
		if o.Cluster == a.Cluster && o.Shard == a.Shard && c.NumReplicasPerShard > 0 {
			s.fail("%v: %s is there", a, o.Node)
		}
	}
	if used > h.Memory {
		s.fail("%v: no memory", a)
	}
}

func (s *sim) judgeHandover(in Input, a Handover) {
	l := in.Shards[a.Shard].Leader
	if l == nil || l.Epoch != a.Epoch || l.NodeID != a.From || a.To == a.From {
		s.fail("%v: the leader is %+v", a, l)
	}
	to := s.assigned[a.To]
	p, _ := s.find(a.To)
	if to == nil || to.Goal != fleet.Run || p == nil || !s.follows(p) {
		if !s.faults {
			s.fail("%v: it is not ready", a)
		}
		return
	}
	from := s.assigned[a.From]
	if from != nil && spec.CompareEngines(to.Engine, from.Engine) < 0 {
		s.fail("%v: it has an older engine", a)
	}
	if from != nil && spec.CompareEngines(to.Engine, from.Engine) > 0 {
		for _, o := range in.Assigned {
			if o.Cluster == "shop" && o.Shard == a.Shard && o.Goal == fleet.Run && o.Node != a.From && o.Engine != to.Engine && o.Status != nil && s.alive(s.host(o.Host)) && s.cluster.Spec.NumReplicasPerShard > 0 && !s.faults && s.stays(o.Host) {
				s.fail("%v: replica %s still has engine %s", a, o.Node, o.Engine)
			}
		}
	}
}

func (s *sim) stays(host string) bool {
	h, c := s.host(host), &s.cluster.Spec
	return !h.Draining && (len(c.AvailabilityZones) == 0 || slices.Contains(c.AvailabilityZones, h.AZ))
}

// tick lets a second pass and the control plane act.
func (s *sim) tick() []Action {
	s.step()
	// What a failure brought down is seen to be down only when its lease has ended.
	if s.faults {
		s.failed = s.now
	}
	if s.now.Sub(s.failed) > 2*nodeTTL {
		for i := range s.shards {
			n := s.servers(i)
			if s.served[i] && n == 0 && s.cluster.Deleting == nil {
				s.fail("nobody serves shard %d any more", i)
			}
			s.served[i] = n > 0
		}
	} else {
		clear(s.served)
	}
	if s.chance(s.maybe(0.03)) {
		s.forget()
	}
	if s.chance(s.maybe(0.3)) {
		return nil
	}
	return s.control()
}

// change makes a random change of what is asked for.
func (s *sim) change() {
	c := &s.cluster.Spec
	s.cluster.Version++
	s.ops = append(s.ops, Operation{ID: fmt.Sprint(s.cluster.Version), Kind: "update", Version: s.cluster.Version, State: OpPending})
	what := ""
	switch s.rng.IntN(7) {
	case 0, 1:
		c.NumReplicasPerShard = s.rng.IntN(4)
		what = fmt.Sprint("replicas ", c.NumReplicasPerShard)
	case 2:
		c.NodeMemory = 1 << (30 + s.rng.IntN(2))
		what = fmt.Sprint("memory ", c.NodeMemory)
	case 3:
		s.params = map[string]string{"databases": fmt.Sprint(s.rng.IntN(3))}
		what = "parameters"
		if s.faults && s.chance(0.3) {
			s.params["bad"] = "1"
			what = "bad parameters"
		}
	case 4:
		c.EngineVersion = []string{"0.1.0", "0.2.0"}[s.rng.IntN(2)]
		what = "engine " + c.EngineVersion
	case 5:
		c.AvailabilityZones = [][]string{nil, {"a", "b"}, {"b", "c"}, {"a", "b", "c"}}[s.rng.IntN(4)]
		what = fmt.Sprint("azs ", c.AvailabilityZones)
	case 6:
		h := s.hosts[s.rng.IntN(len(s.hosts))]
		h.Draining = !h.Draining
		what = fmt.Sprint("draining ", h.ID, " ", h.Draining)
	}
	s.trace = append(s.trace, fmt.Sprintf("%s asked for: %s", s.now.Format("15:04:05"), what))
}

// feasible takes back what cannot be had.
func (s *sim) feasible() {
	s.params = maps.Clone(s.params)
	delete(s.params, "bad")
	s.mend()
	s.cluster.Version++
	c := &s.cluster.Spec
	c.NumReplicasPerShard = min(c.NumReplicasPerShard, 2)
	if spec.CompareEngines(c.EngineVersion, s.cluster.Status.EngineVersion) < 0 {
		c.EngineVersion = s.cluster.Status.EngineVersion
	}
	s.ops = append(s.ops, Operation{ID: fmt.Sprint(s.cluster.Version), Kind: "update", Version: s.cluster.Version, State: OpPending})
}

// settle waits until the cluster is as asked, and checks that it stays so.
func (s *sim) settle(within int) {
	quiet := 0
	for range within {
		if acts := s.tick(); len(acts) > 0 || s.cluster.Status.Status != spec.Available || s.cluster.Status.ObservedVersion != s.cluster.Version {
			quiet = 0
			continue
		}
		if quiet++; quiet > 45 {
			s.judgeSettled()
			return
		}
	}
	s.fail("not settled after %d s", within)
}

func (s *sim) judgeSettled() {
	c := &s.cluster.Spec
	if len(s.ops) > 0 {
		s.fail("operations are left: %+v", s.ops)
	}
	for i := range s.shards {
		zones := map[string]int{}
		n := 0
		for _, a := range s.assigned {
			if a.Shard != i {
				continue
			}
			n++
			h := s.host(a.host)
			zones[h.AZ]++
			if a.Engine != c.EngineVersion || a.Memory != c.NodeMemory || !maps.Equal(a.Parameters, s.params) || a.Goal != fleet.Run || !s.stays(a.host) {
				s.fail("node %+v is not as asked", a)
			}
			if p := h.procs[a.Node]; p == nil || p.a.Generation != a.Generation || !s.follows(p) {
				s.fail("node %s does not run as asked", a.Node)
			}
		}
		if n != 1+c.NumReplicasPerShard {
			s.fail("shard %d has %d nodes instead of %d", i, n, 1+c.NumReplicasPerShard)
		}
		allowed := c.AvailabilityZones
		if len(allowed) == 0 {
			allowed = []string{"a", "b", "c"}
		}
		for z, n := range zones {
			for _, o := range allowed {
				if n-zones[o] > 1 && slices.ContainsFunc(s.hosts, func(h *modelHost) bool { return h.AZ == o && !h.Draining }) {
					s.fail("shard %d has %d nodes in az %s and %d in az %s", i, n, z, zones[o], o)
				}
			}
		}
	}
}

func (s *sim) destroy() {
	s.cluster.Deleting = &Deleting{FinalSnapshotName: "last"}
	s.ops = append(s.ops, Operation{ID: "delete", Kind: "delete", State: OpPending})
	for range 600 {
		s.tick()
		if s.gone {
			if len(s.snapshots) != 1 || s.snapshots[0].Name != "last" {
				s.fail("no final snapshot: %+v", s.snapshots)
			}
			return
		}
	}
	s.fail("not deleted")
}

// seeds are what the simulations begin with: REDOUBT_TEST_SEED on, REDOUBT_TEST_ROUNDS
// many. A failure names its seed.
func seeds(t *testing.T, n int) (out []uint64) {
	first := 1
	for name, v := range map[string]*int{"REDOUBT_TEST_SEED": &first, "REDOUBT_TEST_ROUNDS": &n} {
		if text := os.Getenv(name); text != "" {
			if _, err := fmt.Sscan(text, v); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	t.Logf("seeds %d to %d", first, first+n-1)
	for i := range n {
		out = append(out, uint64(first+i))
	}
	return out
}

// TestPlannedChangesNeverStopServing: without failures but those of hand-overs and of
// the control plane itself, somebody serves every shard all the time, whatever is
// changed when.
func TestPlannedChangesNeverStopServing(t *testing.T) {
	for _, seed := range seeds(t, 40) {
		s := newSim(t, seed, 1+int(seed%3))
		s.planned = true
		s.settle(300)
		for range 6 {
			s.change()
			for range s.rng.IntN(60) {
				s.tick()
			}
		}
		s.feasible()
		s.settle(3000)
		s.destroy()
	}
}

// TestConvergesAfterFailures: whatever fails, nothing forbidden is decided, and some
// time after the failures have ended all is as asked.
func TestConvergesAfterFailures(t *testing.T) {
	for _, seed := range seeds(t, 60) {
		s := newSim(t, seed, 1+int(seed%3))
		s.faults = true
		for range 8 {
			for range s.rng.IntN(120) {
				s.tick()
			}
			s.change()
		}
		s.planned = true
		s.feasible()
		s.settle(3000)
		s.destroy()
	}
}

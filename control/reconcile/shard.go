package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/placement"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// shardDecider decides about the nodes of one shard.
type shardDecider struct {
	*decider
	i       int
	st      Shard
	wanted  int
	members []*member // all
	run     []*member // those that are to run
	started bool      // a planned step was taken: the next one waits
}

func (d *decider) shard(i int) {
	s := &shardDecider{decider: d, i: i, st: d.in.Shards[i], wanted: 1 + d.in.Cluster.Spec.NumReplicasPerShard, members: d.members(i)}
	s.total += s.wanted
	s.forget()
	for _, m := range s.members {
		if m.Goal == fleet.Run {
			s.run = append(s.run, m)
		}
	}
	s.classify()
	s.dethrone()
	s.add()
	victims := s.remove()
	s.update(victims)
	s.count(victims)
}

// forgetStopped drops the assignment of a node of which nothing is left.
func (d *decider) forgetStopped(m *member) bool {
	if m.Goal != fleet.Stop || m.Status == nil || m.Status.State != fleet.Stopped || m.Status.Generation < m.Generation {
		return false
	}
	d.fleet.Release(m.Host, m.Node)
	d.act(Unassign{Host: m.Host, Node: m.Node})
	return true
}

func (s *shardDecider) forget() {
	s.members = slices.DeleteFunc(s.members, s.forgetStopped)
	for _, m := range s.members {
		if m.Goal == fleet.Stop && m.alive() {
			s.pend("node %s stops", m.Node)
		}
	}
}

func (s *shardDecider) ready(m *member) bool { return m.ready(s.st.Tail, s.in.Policy.Lag) }

func (s *shardDecider) countClass(c class) (n int) {
	for _, m := range s.run {
		if m.class == c {
			n++
		}
	}
	return n
}

// classify puts each member that is to run in its class.
func (s *shardDecider) classify() {
	for _, m := range s.run {
		m.outdated = s.outdatedBy(m)
	}
	for _, m := range s.run {
		switch why := s.gone(m); {
		case why != "" && m.node == nil:
			m.class, m.why = lost, why
		case why != "":
			m.class, m.why = leaving, why
		case s.isBroken(m):
			m.class, m.why = broken, "it fails on host "+m.Host+": "+m.Status.Message
		default:
			if m.why = s.mustMove(m); m.why != "" {
				m.class = leaving
			}
		}
	}
	if m := s.sole(); m != nil && m.class == staying && m.outdated != "" {
		m.class, m.why = leaving, m.outdated
	}
	s.spread()
}

// gone says that a member's host is gone for so long that the member counts as gone
// with it; "" if not.
func (s *shardDecider) gone(m *member) string {
	if m.alive() {
		return ""
	}
	grace := s.in.Policy.HostGrace
	if m.node != nil { // the process lives
		grace = s.in.Policy.AgentGrace
	}
	if m.host == nil {
		return "host " + m.Host + " is gone"
	}
	if left := m.host.Since.Add(grace).Sub(s.in.Now); left > 0 {
		s.wake(left)
		return ""
	}
	return "host " + m.Host + " is gone"
}

// isBroken reports whether a member will not run where it is, and it is not for what
// every node of the shard is started with.
func (s *shardDecider) isBroken(m *member) bool {
	st := m.Status
	if st == nil || st.Generation < m.Generation || m.node != nil || m.outdated != "" || m.NotServing.IsZero() {
		return false
	}
	if st.State != fleet.Failed && st.State != fleet.BackingOff {
		return false
	}
	// Elsewhere it would fail as well if no other node runs as it is to be.
	others := slices.ContainsFunc(s.run, func(o *member) bool { return o != m && o.outdated == "" && s.ready(o) })
	if st.State == fleet.BackingOff && !others {
		return false
	}
	left := m.NotServing.Add(s.in.Policy.NodeGrace).Sub(s.in.Now)
	s.wake(left)
	return left <= 0
}

// mustMove says why a member has to go to another host; "" if it need not.
func (s *shardDecider) mustMove(m *member) string {
	c := &s.in.Cluster.Spec
	switch {
	case m.host == nil || !m.host.Alive:
		return ""
	case m.host.Draining:
		return "host " + m.Host + " is draining"
	case len(c.AvailabilityZones) > 0 && !slices.Contains(c.AvailabilityZones, m.az):
		return "az " + m.az + " is not among the cluster's"
	case m.outdated == "":
		return ""
	}
	if why := s.fleet.Fits(m.Host, m.Node, s.request(nil)); why != "" {
		return m.outdated + ", which host " + m.Host + " does not have room for (" + why + ")"
	}
	return ""
}

// sole is the member of a shard of one node that must not be restarted, since it is
// the one that serves: the primary, or whoever would become it.
func (s *shardDecider) sole() *member {
	if s.wanted > 1 || len(s.run) == 0 {
		return nil
	}
	score := func(m *member) int {
		switch {
		case m.leader:
			return 2
		case m.serving():
			return 1
		}
		return 0
	}
	m := slices.MaxFunc(s.run, func(a, b *member) int {
		return cmp.Or(cmp.Compare(score(a), score(b)), cmp.Compare(b.number(), a.number()))
	})
	if score(m) == 0 {
		return nil // it serves nobody
	}
	return m
}

// request is a node of the shard as it is to be. azs narrows down where.
func (s *shardDecider) request(azs []string) placement.Request {
	c := &s.in.Cluster.Spec
	if azs == nil {
		azs = c.AvailabilityZones
	}
	peers := map[string]int{}
	for _, m := range s.run {
		if m.class == staying {
			peers[m.az]++
		}
	}
	return placement.Request{
		Cluster: s.in.Cluster.Name, Shard: s.i, Engine: s.engine, Memory: c.NodeMemory,
		Port: c.Port, AZs: azs, Peers: peers,
	}
}

// spread makes one member leave whose zone has two more than another one with room.
func (s *shardDecider) spread() {
	if s.wanted != len(s.run) || slices.ContainsFunc(s.run, func(m *member) bool {
		return m.class != staying || m.outdated != "" || !s.ready(m)
	}) {
		return
	}
	peers := s.request(nil).Peers
	for _, z := range s.zones() {
		from := slices.MaxFunc(s.run, func(a, b *member) int {
			return cmp.Or(cmp.Compare(peers[a.az], peers[b.az]), cmp.Compare(b2i(b.leader), b2i(a.leader)), cmp.Compare(a.number(), b.number()))
		})
		if peers[from.az]-peers[z] < 2 {
			continue
		}
		if _, err := s.fleet.Place(s.request([]string{z})); err == nil {
			from.class, from.why = leaving, "az "+from.az+" has more than one node of the shard and az "+z+" has room"
			return
		}
	}
}

// zones are those that nodes may be in, with a host that has been there for a while.
func (s *shardDecider) zones() []string {
	settled := map[string]bool{}
	for _, h := range s.in.Hosts {
		allowed := s.in.Cluster.Spec.AvailabilityZones
		if !h.Alive || h.Draining || len(allowed) > 0 && !slices.Contains(allowed, h.AZ) {
			continue
		}
		if left := h.Since.Add(s.in.Policy.SettledHost).Sub(s.in.Now); left > 0 {
			s.wake(left)
			continue
		}
		settled[h.AZ] = true
	}
	return slices.Sorted(maps.Keys(settled))
}

// add assigns nodes that are missing: all that no member stands for, and one more at
// a time for those that are leaving.
func (s *shardDecider) add() {
	stay, leave := s.countClass(staying), s.countClass(leaving)
	missing, why := s.wanted-stay-leave, "the shard has too few nodes"
	if missing <= 0 {
		if leave == 0 || stay >= s.wanted || stay+leave > s.wanted {
			return
		}
		missing, why = 1, "to take the place of another one"
	}
	for range missing {
		if !s.addOne(why) {
			return
		}
	}
}

func (s *shardDecider) addOne(why string) bool {
	for _, m := range s.run {
		if m.class != staying && m.why != "" {
			why = "in the place of " + m.Node + ": " + m.why
			break
		}
	}
	r := s.request(nil)
	at, err := s.fleet.Place(r)
	if err != nil && s.wanted == 1 && s.countClass(leaving) > 0 {
		// There is one node before and after: two on one host for a moment lose nothing.
		r.Shared = true
		if shared, again := s.fleet.Place(r); again == nil && s.stays(shared.Host) {
			at, err = shared, nil
		}
	}
	if err != nil {
		s.block("shard %d: %v", s.i, err)
		return false
	}
	st := &s.status.Shards[s.i]
	st.LastNode = s.lastNumber() + 1
	a := fleet.Assignment{
		Cluster: s.in.Cluster.Name, Shard: s.i, Node: nodeName(s.in.Cluster.Name, s.i, st.LastNode),
		Goal: fleet.Run, Engine: s.engine, Port: at.Port, Memory: s.in.Cluster.Spec.NodeMemory, Parameters: s.in.AtStart,
	}
	s.assign(at.Host, a, s.in.Cluster.Spec.TLSEnabled, why)
	s.pend("node %s starts in az %s", a.Node, at.AZ)
	// It counts from now on, for the places of the next ones.
	m := &member{Assigned: Assigned{Host: at.Host, Assignment: a}, az: at.AZ}
	for i := range s.in.Hosts {
		if s.in.Hosts[i].ID == at.Host {
			m.host = &s.in.Hosts[i]
		}
	}
	m.Generation = 1
	s.run = append(s.run, m)
	return true
}

// stays reports whether a host has no reason of its own for a node to leave it.
func (s *shardDecider) stays(host string) bool {
	return !slices.ContainsFunc(s.in.Hosts, func(h Host) bool { return h.ID == host && (h.Draining || !h.Alive) })
}

// lastNumber is the largest number that a node of the shard was ever known to have.
func (s *shardDecider) lastNumber() int {
	last := s.status.Shards[s.i].LastNode
	seen := func(name string) {
		if n, ok := nodeNumber(name); ok {
			last = max(last, n)
		}
	}
	for _, a := range s.in.Assigned {
		if a.Cluster == s.in.Cluster.Name && a.Shard == s.i {
			seen(a.Node)
		}
	}
	for _, n := range s.in.Nodes {
		if n.Shard == s.i {
			seen(n.ID)
		}
	}
	return last
}

// dethrone asks a node for the shard that leads it and is not to run any more: it
// became the primary before it was stopped.
func (s *shardDecider) dethrone() {
	for _, m := range s.members {
		if to := s.successors(nil); m.leader && m.Goal == fleet.Stop && len(to) > 0 {
			s.handover(m, to, "node "+m.Node+" is to stop")
		}
	}
}

// handover asks for a hand-over to a member, unless one is under way.
func (s *shardDecider) handover(from *member, to []*member, why string) {
	if len(to) == 0 {
		s.pend("no replica is ready to take shard %d over from %s", s.i, from.Node)
		return
	}
	epoch := leaderEpoch(s.st.Leader)
	s.pend("shard %d is handed over by %s", s.i, from.Node)
	s.started = true
	tries := 0
	if a := s.st.Asked; a != nil && a.Epoch == epoch {
		if left := a.At.Add(s.in.Policy.HandoverRetry).Sub(s.in.Now); left > 0 {
			s.wake(left)
			return
		}
		tries = a.Tries
	}
	slices.SortFunc(to, func(a, b *member) int {
		return cmp.Or(cmp.Compare(b.node.Applied, a.node.Applied), cmp.Compare(a.number(), b.number()))
	})
	s.wake(s.in.Policy.HandoverRetry)
	s.act(Handover{Shard: s.i, From: from.Node, To: to[tries%len(to)].Node, Epoch: epoch, Why: why})
}

func leaderEpoch(l *etcdfence.Leader) int64 {
	if l == nil {
		return 0
	}
	return l.Epoch
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

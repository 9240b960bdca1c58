package reconcile

import (
	"cmp"
	"slices"

	"github.com/redoubtdb/redoubt/control/fleet"
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
	if !m.stopped() {
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

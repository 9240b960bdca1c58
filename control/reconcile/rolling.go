package reconcile

import (
	"cmp"
	"slices"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// remove stops members that are one too many, and returns all those that are. What
// does not serve goes at once; what serves goes when enough others are ready, one at a
// time; the primary goes after it has handed over.
func (s *shardDecider) remove() []*member {
	excess := len(s.run) - s.wanted
	if excess <= 0 {
		return nil
	}
	victims := s.byUselessness()[:excess]
	for _, v := range victims {
		why := v.why
		if why == "" {
			why = "the shard has more nodes than it is to have"
		}
		switch {
		case v.leader && v.class != lost:
			if !s.started && !s.upgrading(v, victims) {
				s.handover(v, s.successors(victims), why)
			}
		case v.serving() && s.started, !s.dispensable(v, victims):
			s.pend("node %s leaves when the others are ready", v.Node)
		default:
			s.started = s.started || v.serving()
			s.stop(v, why)
		}
	}
	return victims
}

// byUselessness orders members, those first that should go first.
func (s *shardDecider) byUselessness() []*member {
	zone := map[string]int{}
	for _, m := range s.run {
		if m.class == staying {
			zone[m.az]++
		}
	}
	all := slices.Clone(s.run)
	order := func(c class) int { return [...]int{staying: 0, leaving: 1, broken: 2, lost: 3}[c] }
	slices.SortFunc(all, func(a, b *member) int {
		return cmp.Or(
			cmp.Compare(order(b.class), order(a.class)),
			cmp.Compare(b2i(a.leader), b2i(b.leader)),
			cmp.Compare(zone[b.az], zone[a.az]),
			cmp.Compare(b2i(s.ready(a)), b2i(s.ready(b))),
			cmp.Compare(b2i(b.outdated != ""), b2i(a.outdated != "")),
			cmp.Compare(b.number(), a.number()),
		)
	})
	return all
}

// dispensable reports whether a member can go without anything being missed: it does
// not serve; or there is a primary, and either it cannot follow the log, with what it was
// started with, or all that are to stay do.
func (s *shardDecider) dispensable(v *member, victims []*member) bool {
	stuck := v.current() && !s.ready(v)
	return !v.serving() || s.led() && (stuck || s.othersReady(v, victims))
}

// upgrading reports whether a member that stays has the engine that the primary has
// and is to have a newer one: it could not read what a newer primary writes.
func (s *shardDecider) upgrading(primary *member, victims []*member) bool {
	return slices.ContainsFunc(s.run, func(m *member) bool {
		return m != primary && m.class == staying && m.Engine != s.engine && !slices.Contains(victims, m)
	})
}

// successors are the members that the shard can be handed over to: they stay, follow
// the log, and are as they are to be.
func (s *shardDecider) successors(victims []*member) (out []*member) {
	for _, m := range s.run {
		if !m.leader && m.class == staying && m.outdated == "" && s.ready(m) && !slices.Contains(victims, m) {
			out = append(out, m)
		}
	}
	return out
}

func (s *shardDecider) stop(m *member, why string) {
	a := m.Assignment
	a.Goal = fleet.Stop
	s.assign(m.Host, a, false, why)
	s.pend("node %s stops", m.Node)
	s.run = slices.DeleteFunc(s.run, func(o *member) bool { return o == m })
}

// update restarts members in place that are to be started with something else: those
// that do not serve first, then replicas, one at a time, each when all others follow
// the log; the primary hands over when it is the last one.
func (s *shardDecider) update(victims []*member) {
	var old []*member
	for _, m := range s.run {
		if m.outdated != "" && m.class == staying && !slices.Contains(victims, m) {
			old = append(old, m)
			s.pend("node %s gets %s", m.Node, m.outdated)
		}
	}
	if s.started {
		return
	}
	if len(old) == 0 {
		s.renew()
		return
	}
	slices.SortFunc(old, func(a, b *member) int {
		return cmp.Or(
			cmp.Compare(b2i(a.leader), b2i(b.leader)),
			cmp.Compare(b2i(a.serving()), b2i(b.serving())),
			cmp.Compare(b2i(s.ready(a)), b2i(s.ready(b))),
			cmp.Compare(a.number(), b.number()),
		)
	})
	m := old[0]
	switch {
	case !m.alive() || m.serving() && !m.current(): // it is being restarted already
	case m.leader:
		if s.othersReady(m, victims) {
			s.handover(m, s.successors(victims), m.outdated)
		}
	case !m.serving() || s.led() && (!s.ready(m) || s.othersReady(m, nil)):
		s.restart(m)
	}
}

// renew gives a member a new certificate before the one that it has expires. Nodes take
// it without a restart, so the primary keeps the shard; still one at a time, when all are
// ready, so that what may be wrong with it meets one node first.
func (s *shardDecider) renew() {
	for _, m := range s.run {
		if s.in.Cluster.Spec.TLSEnabled && m.alive() && expiring(m.TLS, s.in.Now) && s.othersReady(nil, nil) {
			s.assign(m.Host, m.Assignment, true, newCertificate)
			return
		}
	}
}

// led reports whether the primary is a member and serves.
func (s *shardDecider) led() bool {
	return slices.ContainsFunc(s.run, func(m *member) bool { return m.leader && s.ready(m) })
}

// othersReady reports whether all members but m, and those that go anyway, follow the
// log.
func (s *shardDecider) othersReady(m *member, except []*member) bool {
	return !slices.ContainsFunc(s.run, func(o *member) bool {
		return o != m && !slices.Contains(except, o) && !s.ready(o)
	})
}

func (s *shardDecider) restart(m *member) {
	c := &s.in.Cluster.Spec
	a := m.Assignment
	issue := c.TLSEnabled && (a.TLS == nil || expiring(a.TLS, s.in.Now))
	a.Engine, a.Memory, a.Parameters = s.engine, c.NodeMemory, s.in.AtStart
	if c.Port != 0 {
		a.Port = c.Port
	}
	if !c.TLSEnabled {
		a.TLS = nil
	}
	s.assign(m.Host, a, issue, m.outdated)
	s.started = true
}

// count takes note of how far the shard is.
func (s *shardDecider) count(victims []*member) {
	for _, m := range s.run {
		if slices.Contains(victims, m) {
			continue
		}
		switch {
		case m.class == staying && m.outdated == "" && s.ready(m):
			s.done++
		case m.class == staying && m.outdated == "":
			s.pend("node %s is %s", m.Node, m.stateText())
			if m.Status != nil && m.Status.Message != "" && m.Status.State != fleet.Running {
				s.block("node %s: %s", m.Node, m.Status.Message)
			}
		case m.why != "":
			s.pend("node %s is to be replaced: %s", m.Node, m.why)
		}
	}
	if s.st.Leader == nil {
		s.pend("shard %d has no primary", s.i)
	}
}

// stateText is what a member is doing, for people.
func (m *member) stateText() string {
	switch {
	case !m.alive():
		return "on host " + m.Host + ", which is not there"
	case m.Status == nil:
		return "not known to its agent yet"
	case m.Status.Generation < m.Generation:
		return "to be changed by its agent"
	case m.Status.State != fleet.Running:
		return string(m.Status.State)
	case m.node == nil:
		return "not registered yet"
	case m.node.Role == roleLoading:
		return roleLoading
	}
	return "behind the log"
}

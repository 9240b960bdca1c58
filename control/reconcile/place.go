package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/placement"
)

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
		Managed: true,
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

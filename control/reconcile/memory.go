package reconcile

import (
	"slices"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// memory is what a driver has seen and cannot see again: since when hosts are there
// or gone, since when nodes do not serve, which hand-overs it asked for. Without it
// all that happens is that patience begins anew.
type memory struct {
	mu      sync.Mutex
	hosts   map[string]*Host
	down    map[string]downSince // by node
	handed  map[shardKey]*Asked
	elected time.Time
}

type downSince struct {
	generation int64
	since      time.Time
}

type shardKey struct {
	cluster string
	shard   int
}

func newMemory() *memory {
	return &memory{hosts: map[string]*Host{}, down: map[string]downSince{}, handed: map[shardKey]*Asked{}}
}

// see takes note of the hosts that are there, and returns all that are known and hold
// assignments or live.
func (m *memory) see(now time.Time, live []fleet.Host, assigned []Assigned) []Host {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.elected.IsZero() {
		m.elected = now
	}
	there := map[string]bool{}
	for _, h := range live {
		there[h.ID] = true
		old := m.hosts[h.ID]
		one := &Host{Host: h, Alive: true, Since: now}
		if old == nil && h.Started.Before(now) && !h.Started.IsZero() {
			one.Since = h.Started
		}
		if old != nil && old.Alive {
			one.Since = old.Since
		}
		m.hosts[h.ID] = one
	}
	used := map[string]bool{}
	for _, a := range assigned {
		used[a.Host] = true
		if m.hosts[a.Host] == nil {
			// Gone before this control plane was elected: it is not known what it was.
			m.hosts[a.Host] = &Host{Host: fleet.Host{ID: a.Host}, Since: m.elected}
		}
	}
	var out []Host
	for id, h := range m.hosts {
		if h.Alive && !there[id] {
			h.Alive, h.Since = false, now
		}
		if !h.Alive && !used[id] {
			delete(m.hosts, id)
			continue
		}
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b Host) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

// notServing notes for assignments of a cluster since when their nodes do not serve.
func (m *memory) notServing(now time.Time, cluster string, assigned []Assigned, nodes []etcdfence.NodeInfo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	serving := map[string]bool{}
	for _, n := range nodes {
		serving[n.ID] = n.Role == rolePrimary || n.Role == roleReplica
	}
	known := map[string]bool{}
	for i := range assigned {
		a := &assigned[i]
		known[a.Node] = true
		if a.Cluster != cluster {
			continue
		}
		was, ok := m.down[a.Node]
		switch {
		case serving[a.Node]:
			delete(m.down, a.Node)
			continue
		case !ok || was.generation != a.Generation:
			was = downSince{a.Generation, now}
			m.down[a.Node] = was
		}
		a.NotServing = was.since
	}
	for n := range m.down {
		if !known[n] {
			delete(m.down, n)
		}
	}
}

func (m *memory) asked(cluster string, shard int) *Asked {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handed[shardKey{cluster, shard}]
}

// ask notes that a hand-over is asked for.
func (m *memory) ask(cluster string, h Handover, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := shardKey{cluster, h.Shard}
	tries := 1
	if was := m.handed[key]; was != nil && was.Epoch == h.Epoch {
		tries += was.Tries
	}
	m.handed[key] = &Asked{Epoch: h.Epoch, To: h.To, At: now, Tries: tries}
}

func (m *memory) forget(cluster string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.handed {
		if k.cluster == cluster {
			delete(m.handed, k)
		}
	}
}

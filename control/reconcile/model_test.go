package reconcile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// model is hosts, agents, nodes and shards, second by second, as far as the control
// plane can see and touch them.
type model struct {
	rng   *rand.Rand
	now   time.Time
	hosts []*modelHost
	// etcd
	assigned map[string]*modelAssignment // by node
	status   map[string]fleet.Status     // by node
	shards   map[int]*modelShard
	// chances of things going wrong, while they may
	faults  bool
	planned bool // only hand-overs and actions may fail
}

type modelHost struct {
	fleet.Host
	up, agent bool // the machine, and its agent
	lease     time.Time
	since     time.Time
	procs     map[string]*process
	view      map[string]fleet.Assignment // what the agent knows
	restarts  map[string]int
	retry     map[string]time.Time
}

type modelAssignment struct {
	host string
	fleet.Assignment
}

type process struct {
	a          fleet.Assignment // that it was started with
	started    time.Time
	serves     time.Time // when it has loaded
	applied    uint64
	registered time.Time // until when
	stuck      bool      // met entries of a newer engine
}

type modelShard struct {
	initialized bool
	begins      time.Time
	tail        uint64
	leader      string
	epoch       int64
	lease       time.Time
	asked       *Handover
	engines     []entryEngine
}

type entryEngine struct {
	from   uint64
	engine string
}

const (
	hostTTL = 5 * time.Second
	nodeTTL = 5 * time.Second
	termTTL = 2 * time.Second
)

func newModel(seed uint64, zones, perZone int) *model {
	m := &model{
		rng: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 5, 3, 0, 0, 0, time.UTC),
		assigned: map[string]*modelAssignment{}, status: map[string]fleet.Status{}, shards: map[int]*modelShard{},
	}
	for z := range zones {
		for i := range perZone {
			az := string(rune('a' + z))
			h := &modelHost{
				Host: fleet.Host{
					ID: fmt.Sprintf("%s%d", az, i), AZ: az, Address: fmt.Sprintf("10.0.%d.%d", z, i),
					Memory: 16 << 30, FirstPort: 6379, LastPort: 6399, Engines: []string{"0.1.0", "0.2.0"},
				},
				up: true, agent: true, procs: map[string]*process{}, view: map[string]fleet.Assignment{},
				restarts: map[string]int{}, retry: map[string]time.Time{},
			}
			m.hosts = append(m.hosts, h)
		}
	}
	return m
}

func (m *model) chance(p float64) bool { return m.rng.Float64() < p }

func (m *model) host(id string) *modelHost {
	for _, h := range m.hosts {
		if h.ID == id {
			return h
		}
	}
	return nil
}

// find is the process of a node, wherever it runs. It panics on two.
func (m *model) find(node string) (p *process, on *modelHost) {
	for _, h := range m.hosts {
		if q := h.procs[node]; q != nil {
			if p != nil {
				panic("node " + node + " runs on two hosts")
			}
			p, on = q, h
		}
	}
	return p, on
}

// step lets one second pass.
func (m *model) step() {
	m.now = m.now.Add(time.Second)
	if m.faults {
		m.breakThings()
	}
	for _, h := range m.hosts {
		was := m.alive(h)
		if h.up && h.agent {
			h.lease = m.now.Add(hostTTL)
		}
		if m.alive(h) != was || h.since.IsZero() {
			h.since = m.now
		}
		if h.up && h.agent {
			m.runAgent(h)
		}
	}
	for _, h := range m.hosts {
		for _, id := range slices.Sorted(maps.Keys(h.procs)) {
			m.runProcess(h.procs[id])
		}
	}
	for _, i := range slices.Sorted(maps.Keys(m.shards)) {
		m.runShard(i, m.shards[i])
	}
	for _, a := range m.assigned {
		if _, on := m.find(a.Node); on != nil && on.ID != a.host {
			panic("node " + a.Node + " runs where it is not assigned")
		}
	}
}

func (m *model) alive(h *modelHost) bool { return m.now.Before(h.lease) }

func (m *model) breakThings() {
	for _, h := range m.hosts {
		switch {
		case h.up && m.chance(0.004):
			h.up = false
			clear(h.procs)
		case !h.up && m.chance(0.03):
			h.up, h.agent = true, true
			clear(h.view)
		case h.up && h.agent && m.chance(0.005):
			h.agent = false
		case h.up && !h.agent && m.chance(0.05):
			h.agent = true
			clear(h.view)
		}
		for _, id := range slices.Sorted(maps.Keys(h.procs)) {
			if m.chance(0.003) {
				m.crash(h, id)
			}
		}
	}
}

// mend ends all failures.
func (m *model) mend() {
	m.faults = false
	for _, h := range m.hosts {
		if !h.up {
			clear(h.view)
		}
		h.up, h.agent, h.Draining = true, true, false
	}
}

func (m *model) crash(h *modelHost, id string) {
	delete(h.procs, id)
	h.restarts[id]++
	h.retry[id] = m.now.Add(time.Duration(min(h.restarts[id], 5)) * time.Second)
}

// runAgent does what an agent does: it learns of assignments late and carries them
// out.
func (m *model) runAgent(h *modelHost) {
	if m.chance(0.7) {
		clear(h.view)
		for _, a := range m.assigned {
			if a.host == h.ID {
				h.view[a.Node] = a.Assignment
			}
		}
		for _, id := range slices.Sorted(maps.Keys(h.procs)) {
			if _, known := h.view[id]; !known {
				m.stop(h, id)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.view)) {
		st, ok := m.carryOut(h, id, h.view[id])
		if a := m.assigned[id]; ok && a != nil && a.host == h.ID && m.chance(0.8) {
			m.status[id] = st
		}
	}
}

func (m *model) carryOut(h *modelHost, id string, a fleet.Assignment) (fleet.Status, bool) {
	st := fleet.Status{Node: id, Generation: a.Generation, Restarts: h.restarts[id], Engine: a.Engine}
	p := h.procs[id]
	switch {
	case a.Goal == fleet.Stop:
		if p != nil {
			m.stop(h, id)
		}
		st.State = fleet.Stopped
		return st, true
	case !slices.Contains(h.Engines, a.Engine):
		st.State, st.Message = fleet.Failed, "no such engine"
		return st, true
	case p != nil && p.a.Generation != a.Generation:
		m.stop(h, id)
		return st, false
	case p == nil && m.now.Before(h.retry[id]):
		st.State, st.RetryAt = fleet.BackingOff, h.retry[id]
		return st, true
	case p == nil:
		load := time.Duration(2+m.rng.IntN(8)) * time.Second
		if a.Parameters["bad"] != "" {
			load = time.Hour // it crashes before
		}
		p = &process{a: a, started: m.now, serves: m.now.Add(load)}
		h.procs[id] = p
	case a.Parameters["bad"] != "":
		m.crash(h, id)
		st.State = fleet.BackingOff
		return st, true
	}
	st.State, st.Started = fleet.Starting, p.started
	if m.now.Sub(p.started) > time.Second {
		st.State = fleet.Running
		h.restarts[id] = 0
	}
	return st, true
}

// stop ends a process as an agent does: a primary lets go of its shard.
func (m *model) stop(h *modelHost, id string) {
	if s := m.shards[h.procs[id].a.Shard]; s.leader == id {
		s.leader = ""
	}
	h.procs[id].registered = time.Time{}
	delete(h.procs, id)
}

func (m *model) runProcess(p *process) {
	p.registered = m.now.Add(nodeTTL)
	s := m.shards[p.a.Shard]
	if m.now.Before(p.serves) {
		return
	}
	// It reads on until it meets what it cannot read.
	to := s.tail
	if m.chance(0.2) {
		to = max(p.applied, to-min(to, 5)) // a little behind
	}
	p.stuck = false
	for _, e := range s.engines {
		if spec.CompareEngines(e.engine, p.a.Engine) > 0 && e.from <= to {
			to, p.stuck = e.from-1, true
			break
		}
	}
	p.applied = max(p.applied, to)
}

// follows reports whether a process serves as a replica or primary.
func (m *model) follows(p *process) bool { return !m.now.Before(p.serves) }

func (m *model) runShard(i int, s *modelShard) {
	if !s.initialized {
		if !s.begins.IsZero() && m.now.After(s.begins) {
			s.initialized = true
		}
		return
	}
	p, _ := m.find(s.leader)
	switch {
	case s.leader != "" && p != nil:
		s.lease = m.now.Add(termTTL)
	case s.leader != "" && m.now.After(s.lease):
		s.leader = ""
	}
	if h := s.asked; h != nil && h.Epoch == s.epoch && s.leader != "" && p != nil && !m.chance(m.maybe(0.3)) {
		if to, _ := m.find(h.To); to != nil && m.follows(to) {
			s.leader = ""
			if !to.stuck {
				m.promote(s, h.To, to)
			}
		}
		s.asked = nil
	}
	if s.leader == "" && m.chance(0.8) {
		var able []string
		for _, h := range m.hosts {
			for id, p := range h.procs {
				if p.a.Shard == i && m.follows(p) && !p.stuck {
					able = append(able, id)
				}
			}
		}
		slices.Sort(able)
		if len(able) > 0 {
			id := able[m.rng.IntN(len(able))]
			p, _ := m.find(id)
			m.promote(s, id, p)
		}
	}
	if p, _ := m.find(s.leader); p != nil {
		s.tail += uint64(m.rng.IntN(50))
		p.applied = s.tail
	}
}

// maybe is p while something may go wrong at all.
func (m *model) maybe(p float64) float64 {
	if m.faults || m.planned {
		return p
	}
	return 0
}

func (m *model) promote(s *modelShard, id string, p *process) {
	s.epoch++
	s.tail++
	s.leader, s.lease, s.asked = id, m.now.Add(termTTL), nil
	p.applied = s.tail
	if n := len(s.engines); n == 0 || spec.CompareEngines(p.a.Engine, s.engines[n-1].engine) > 0 {
		s.engines = append(s.engines, entryEngine{s.tail, p.a.Engine})
	}
}

// servers counts the processes of a shard that serve, the primary among them or not.
func (m *model) servers(shard int) (n int) {
	for _, h := range m.hosts {
		for _, p := range h.procs {
			if p.a.Shard == shard && m.follows(p) && !p.stuck {
				n++
			}
		}
	}
	return n
}

// registered is what nodes say of themselves.
func (m *model) registered() []etcdfence.NodeInfo {
	var out []etcdfence.NodeInfo
	for _, h := range m.hosts {
		for id, p := range h.procs {
			if !m.now.Before(p.registered) {
				continue
			}
			role := roleLoading
			switch {
			case m.shards[p.a.Shard].leader == id:
				role = rolePrimary
			case m.follows(p):
				role = roleReplica
			}
			out = append(out, etcdfence.NodeInfo{ID: id, AZ: h.AZ, Shard: p.a.Shard, Role: role, Applied: p.applied, Started: p.started, Version: p.a.Engine})
		}
	}
	slices.SortFunc(out, func(a, b etcdfence.NodeInfo) int { return compareText(a.ID, b.ID) })
	return out
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// leaderOf is the leader key.
func (m *model) leaderOf(s *modelShard) *etcdfence.Leader {
	if s.leader == "" {
		return nil
	}
	l := &etcdfence.Leader{NodeID: s.leader, Epoch: s.epoch}
	if a := m.assigned[s.leader]; a != nil {
		l.Address = m.host(a.host).Address + ":" + strconv.Itoa(a.Port)
	}
	return l
}

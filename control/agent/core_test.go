package agent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// world is hosts, processes and leases as they are in truth.
type world struct {
	t        *rapid.T
	now      time.Time
	core     *core
	assigned map[string]fleet.Assignment
	known    bool // by the agent
	procs    map[string]*fakeProc
	dead     map[string]bool // nodes whose last process ended without its lease having been settled
	folders  map[string]left // what is on the disk, without processes
	settles  map[string]bool // that the agent has under way
	exits    map[string]bool // ends of processes that the agent has not been told of
	next     int64
}

// fakeProc is a process; it is no process in the sense of the interface that matters
// here beyond its pid.
type fakeProc struct {
	process
	pid   int
	began time.Time
	asked time.Time // to end
}

func (p *fakeProc) PID() int         { return p.pid }
func (p *fakeProc) Began() time.Time { return p.began }

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, now: time.Unix(1_000_000, 0), assigned: map[string]fleet.Assignment{}, procs: map[string]*fakeProc{},
		dead: map[string]bool{}, folders: map[string]left{}, next: 1,
	}
	w.restartAgent()
	return w
}

// restartAgent forgets all that an agent only knows.
func (w *world) restartAgent() {
	w.core = newCore(pacing{first: time.Second, most: 8 * time.Second, stable: 30 * time.Second}, 5*time.Second, func() float64 { return 0.5 })
	w.settles, w.exits, w.known = map[string]bool{}, map[string]bool{}, false
	for name, l := range w.folders {
		if p := w.procs[name]; p != nil {
			l.process = p
			l.stopping = p.asked
		}
		w.core.found(name, l)
	}
}

func (w *world) tellAssignments() {
	w.known = true
	w.core.assign(slices.Collect(maps.Values(w.assigned)), w.now)
}

// act carries out what the core wants, as a driver does. fail makes starts fail.
func (w *world) act(fail func() bool) {
	for range 100 {
		steps, wake := w.core.next(w.now)
		if !wake.IsZero() && !wake.After(w.now) {
			w.t.Fatalf("asks to be asked again at once")
		}
		if len(steps) == 0 {
			return
		}
		for _, s := range steps {
			w.do(s, fail)
		}
	}
	w.t.Fatalf("does not come to rest")
}

func (w *world) do(s step, fail func() bool) {
	t, p := w.t, w.procs[s.node]
	switch s.verb {
	case start:
		switch {
		case p != nil:
			t.Fatalf("%s is started while its process %d runs", s.node, p.pid)
		case w.exits[s.node]:
			t.Fatalf("%s is started before its end is known", s.node)
		case w.dead[s.node]:
			t.Fatalf("%s is started before the lease of its process before is ended", s.node)
		case w.assigned[s.node].Goal != fleet.Run:
			t.Fatalf("%s is started, and is to be %q", s.node, w.assigned[s.node].Goal)
		}
		if fail() {
			w.core.startFailed(s.node, errors.New("port taken"), w.now)
			return
		}
		w.next++
		p := &fakeProc{pid: int(w.next), began: w.now}
		w.procs[s.node] = p
		w.folders[s.node] = left{launched: &s.assignment, starts: s.starts}
		w.core.started(s, p.pid, p.began)
	case renew:
		if p == nil && !w.exits[s.node] {
			t.Fatalf("%s has no process that could have a certificate", s.node)
		}
		if fail() {
			w.core.renewed(s, errors.New("disk full"), w.now)
			return
		}
		w.folders[s.node] = left{launched: &s.assignment, starts: s.starts}
		w.core.renewed(s, nil, w.now)
	case terminate:
		if p == nil && !w.exits[s.node] || p != nil && !p.asked.IsZero() {
			t.Fatalf("%s is asked to stop: %+v", s.node, p)
		}
		if p != nil {
			p.asked = w.now
		}
	case kill:
		if p != nil {
			w.end(s.node)
		}
	case settle:
		if p != nil || w.settles[s.node] {
			t.Fatalf("the lease of %s is ended while a process runs, or twice", s.node)
		}
		w.settles[s.node] = true
	case remove:
		if p != nil || w.assigned[s.node].Goal == fleet.Run {
			t.Fatalf("%s is removed", s.node)
		}
		delete(w.folders, s.node)
		w.core.removed(s.node, nil, w.now)
	}
}

// end ends a process, of which the agent is not told yet.
func (w *world) end(name string) {
	delete(w.procs, name)
	w.dead[name], w.exits[name] = true, true
}

// tell tells the agent of an end.
func (w *world) tell(name string) {
	delete(w.exits, name)
	w.core.exited(name, fleet.Exit{At: w.now, Code: -1, Signal: "SIGKILL"}, w.now)
}

// settled is the end of what settle has begun.
func (w *world) settled(name string) {
	delete(w.settles, name)
	if p := w.procs[name]; p != nil {
		w.t.Fatalf("the lease of %s was ended while process %d runs", name, p.pid)
	}
	delete(w.dead, name)
	w.core.settled(name)
}

func pick[V any](t *rapid.T, from map[string]V) string {
	if len(from) == 0 {
		t.Skip("none")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "node")
}

// Whatever happens, there is one process of a node at most, none is started before
// the lease of the one before is ended, and in the end exactly that runs which is
// assigned.
func TestCoreConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		mayFail := func() bool { return rapid.IntRange(0, 3).Draw(t, "start") == 0 }
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node")
				w.next++
				w.assigned[name] = fleet.Assignment{
					Node: name, Cluster: "c", Generation: w.next, Goal: rapid.SampledFrom([]fleet.Goal{fleet.Run, fleet.Run, fleet.Stop}).Draw(t, "goal"),
					Engine: rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "engine"),
					TLS:    &fleet.TLS{Certificate: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "certificate")},
				}
				w.tellAssignments()
			},
			"unassign": func(t *rapid.T) { delete(w.assigned, pick(t, w.assigned)); w.tellAssignments() },
			"crash":    func(t *rapid.T) { w.end(pick(t, w.procs)) },
			"told":     func(t *rapid.T) { w.tell(pick(t, w.exits)) },
			"settled":  func(t *rapid.T) { w.settled(pick(t, w.settles)) },
			"hears": func(t *rapid.T) {
				name := pick(t, w.procs)
				if w.procs[name].asked.IsZero() {
					t.Skip("was not asked")
				}
				w.end(name)
			},
			"time":    func(t *rapid.T) { w.now = w.now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "s")) * time.Second) },
			"restart": func(*rapid.T) { w.restartAgent() },
			"act":     func(*rapid.T) { w.act(mayFail) },
			"":        func(t *rapid.T) { w.checkStatuses() },
		})
		w.converge()
	})
}

// converge lets all that is under way come to its end, without further trouble.
func (w *world) converge() {
	w.tellAssignments()
	for range 50 {
		w.act(func() bool { return false })
		for _, name := range slices.Sorted(maps.Keys(w.exits)) {
			w.tell(name)
		}
		for _, name := range slices.Sorted(maps.Keys(w.settles)) {
			w.settled(name)
		}
		w.now = w.now.Add(time.Second)
	}
	for name, a := range w.assigned {
		p, status := w.procs[name], w.core.nodes[name].status(name)
		switch {
		case a.Goal == fleet.Stop && (p != nil || status.State != fleet.Stopped):
			w.t.Fatalf("%s is to stop: process %+v, %+v", name, p, status)
		case a.Goal == fleet.Run && (p == nil || needsRestart(*w.folders[name].launched, a) || *w.folders[name].launched.TLS != *a.TLS || status.PID != p.pid || status.Generation != a.Generation):
			w.t.Fatalf("%s is to run %+v: process %+v, %+v, %+v", name, a, p, w.folders[name], status)
		}
	}
	for name := range w.folders {
		if w.assigned[name].Goal != fleet.Run {
			w.t.Fatalf("%s is left", name)
		}
	}
	if len(w.core.nodes) != len(w.assigned) || len(w.procs) > len(w.assigned) {
		w.t.Fatalf("nodes %v, processes %v, assigned %v", w.core.nodes, w.procs, w.assigned)
	}
}

// checkStatuses: what is said of nodes is so.
func (w *world) checkStatuses() {
	for _, s := range w.core.statuses() {
		p := w.procs[s.Node]
		if runs := s.State == fleet.Starting || s.State == fleet.Running; runs && p == nil && !w.exits[s.Node] || !runs && p != nil || runs && s.PID == 0 {
			w.t.Fatalf("status %+v, process %+v", s, p)
		}
	}
}

func TestStatus(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCore(pacing{first: time.Second, most: time.Minute, stable: time.Minute}, time.Second, func() float64 { return 0 })
	want := func(what string, state fleet.State, message string) fleet.Status {
		t.Helper()
		s := c.statuses()[0]
		if s.State != state || s.Message != message {
			t.Fatalf("%s: %+v", what, s)
		}
		return s
	}
	c.assign([]fleet.Assignment{*run(1, "v1")}, now)
	c.next(now)
	c.startFailed("n", errors.New("no such engine"), now)
	if s := want("not startable", fleet.Failed, "no such engine"); !s.RetryAt.Equal(now.Add(500*time.Millisecond)) || s.Engine != "v1" {
		t.Fatalf("%+v", s)
	}
	now = now.Add(time.Second)
	steps, _ := c.next(now)
	c.started(steps[0], 42, now)
	if s := want("started", fleet.Starting, ""); s.PID != 42 || !s.Started.Equal(now) || s.Restarts != 0 {
		t.Fatalf("%+v", s)
	}
	c.answered("n", true)
	want("answers", fleet.Running, "")
	c.assign([]fleet.Assignment{*run(2, "v2")}, now)
	c.next(now)
	if s := want("changed", fleet.Running, "it was asked to hand over and stop"); s.Generation != 1 || s.Engine != "v1" {
		t.Fatalf("%+v", s)
	}
	c.exited("n", fleet.Exit{Code: 0}, now)
	c.next(now)
	want("ended as it was asked to", fleet.BackingOff, "it ended with exit code 0")
	c.settled("n")
	steps, _ = c.next(now)
	c.started(steps[0], 43, now)
	if s := want("started again", fleet.Starting, ""); s.Generation != 2 || s.Restarts != 1 {
		t.Fatalf("%+v", s)
	}
	for _, x := range []struct {
		exit    fleet.Exit
		state   fleet.State
		message string
	}{
		{fleet.Exit{Code: 2, Log: []string{"redoubt: bad flag", "Run help"}}, fleet.Failed, "it ended with exit code 2: bad flag"},
		{fleet.Exit{Code: 2, Log: []string{"panic: oh", "", "goroutine 1"}}, fleet.BackingOff, "it ended with exit code 2: panic: oh"},
		{fleet.Exit{Code: -1, Signal: "SIGSEGV", Log: []string{"a", "b"}}, fleet.BackingOff, "it was ended by SIGSEGV: b"},
		{fleet.Exit{Code: -1}, fleet.BackingOff, "it ended"},
	} {
		c.exited("n", x.exit, now)
		want(fmt.Sprint(x.exit), x.state, x.message)
		c.next(now)
		c.settled("n")
		now = now.Add(time.Hour)
		steps, _ = c.next(now)
		c.started(steps[0], 44, now)
	}
}

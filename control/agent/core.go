package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// core is what is known of a host's nodes, and what follows from it. It does no I/O:
// what happens is told by its methods, what is to be done is what next returns. It is
// used by one goroutine.
type core struct {
	pacing pacing
	grace  time.Duration // from SIGTERM to SIGKILL
	random func() float64

	known   bool
	leaving bool
	nodes   map[string]*node
}

// node is one node of core.
type node struct {
	facts
	ended    *fleet.Assignment // what the process that ended last was started with
	serving  bool
	pid      int
	began    time.Time
	starts   int
	failures int // in a row
	lastExit *fleet.Exit
	failed   bool   // it ended with Failed, not with BackingOff
	message  string // why it does not run
}

// step is one thing to do about one node.
type step struct {
	verb verb
	node string
	// assignment is what start and renew carry out, or what the process was started with
	// whose lease settle ends.
	assignment fleet.Assignment
	starts     int // for start: which one it is
}

func newCore(p pacing, grace time.Duration, random func() float64) *core {
	return &core{pacing: p, grace: grace, random: random, nodes: map[string]*node{}}
}

func (c *core) node(name string) *node {
	n := c.nodes[name]
	if n == nil {
		n = &node{}
		c.nodes[name] = n
	}
	return n
}

// left is what an earlier agent has left of a node.
type left struct {
	launched *fleet.Assignment // what its process was started with; nil: none was
	starts   int
	process  process // nil: it has ended
	// stopping is when the process was asked to end: a second SIGTERM would cut the
	// hand-over short. Zero: it was not.
	stopping time.Time
	unwanted bool // the process is to be killed
}

// found tells of a node that an earlier agent has left.
func (c *core) found(name string, l left) {
	n := c.node(name)
	n.folder, n.starts = true, l.starts
	switch {
	case l.process != nil:
		n.launched, n.pid, n.began, n.stopping = l.launched, l.process.PID(), l.process.Began(), l.stopping
		n.unwanted = l.unwanted
	case l.launched != nil:
		n.ended, n.unsettled = l.launched, true
		n.message = "it ended while no agent ran"
	}
}

// assign tells of all assignments.
func (c *core) assign(all []fleet.Assignment, now time.Time) {
	c.known = true
	before := map[string]bool{}
	for name, n := range c.nodes {
		before[name] = n.assigned != nil
		n.assigned = nil
	}
	for _, a := range all {
		n := c.node(a.Node)
		if n.generation != a.Generation {
			// Somebody has changed something: it may work now.
			n.failures, n.retryAt = 0, now
		}
		n.assigned, n.generation = &a, a.Generation
	}
	for name, n := range c.nodes {
		if n.assigned == nil && before[name] {
			n.failures, n.retryAt = 0, now
		}
	}
}

// started tells that start was carried out.
func (c *core) started(s step, pid int, began time.Time) {
	n := c.node(s.node)
	n.folder, n.launched, n.starts = true, &s.assignment, s.starts
	n.pid, n.began, n.serving = pid, began, false
	n.stopping, n.killed = time.Time{}, false
	n.failed, n.message = false, ""
}

// startFailed tells that it could not be: nothing runs.
func (c *core) startFailed(name string, err error, now time.Time) {
	n := c.node(name)
	n.folder = true
	n.failed, n.message = true, err.Error()
	n.backOff(c, 0, now)
}

// renewed tells that a process has the certificate of its assignment, or why not.
func (c *core) renewed(s step, err error, now time.Time) {
	n := c.node(s.node)
	if err != nil {
		n.backOff(c, 0, now)
		return
	}
	n.launched = &s.assignment
}

// exited tells that the process of a node has ended, for certain.
func (c *core) exited(name string, exit fleet.Exit, now time.Time) {
	n := c.node(name)
	asked := n.asked()
	n.ended, n.unsettled = n.launched, true
	n.launched, n.serving, n.lastExit = nil, false, &exit
	n.message, n.failed = describe(exit), exit.Code == exitUsage && !asked && strings.HasPrefix(said(exit), ownError)
	if asked {
		n.failures, n.retryAt = 0, now
	} else {
		n.backOff(c, now.Sub(n.began), now)
	}
	n.stopping, n.killed, n.unwanted, n.pid = time.Time{}, false, false, 0
}

// asked tells whether it is as it should be that the process ends.
func (n *node) asked() bool { return !n.stopping.IsZero() || n.unwanted }

// exitUsage is how `redoubt node` ends when its configuration is wrong, as does any Go
// program that panics; ownError begins the line in which it says why it ends.
const (
	exitUsage = 2
	ownError  = "redoubt: "
)

func (n *node) backOff(c *core, ran time.Duration, now time.Time) {
	var wait time.Duration
	n.failures, wait = c.pacing.after(n.failures, ran, c.random())
	n.retryAt = now.Add(wait)
}

// settled tells that the lease of the process that ended is no more.
func (c *core) settled(name string) {
	n := c.node(name)
	n.settling, n.unsettled = false, false
}

// answered tells whether a node's process serves.
func (c *core) answered(name string, serves bool) {
	if n := c.nodes[name]; n != nil && n.launched != nil {
		n.serving = serves
	}
}

// removed tells that a node's folder is gone, or why it is not.
func (c *core) removed(name string, err error, now time.Time) {
	n := c.node(name)
	if err != nil {
		n.failed, n.message = true, err.Error()
		n.backOff(c, 0, now)
		return
	}
	*n = node{facts: facts{assigned: n.assigned, generation: n.generation}, lastExit: n.lastExit}
}

// next is what to do now, and when to ask again at the latest; zero: when something
// has happened.
func (c *core) next(now time.Time) (steps []step, wake time.Time) {
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		n := c.nodes[name]
		n.known, n.leaving = c.known, c.leaving
		v, at := decide(n.facts, now, c.grace)
		if !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
		s := step{verb: v, node: name}
		switch v {
		case nothing:
			continue
		case start:
			s.assignment, s.starts = *n.assigned, n.starts+1
		case renew:
			s.assignment, s.starts = *n.assigned, n.starts
		case terminate:
			n.stopping = now
			if at := now.Add(c.grace); wake.IsZero() || at.Before(wake) {
				wake = at
			}
		case kill:
			n.killed = true
		case settle:
			s.assignment, n.settling = *n.ended, true
		case forget:
			delete(c.nodes, name)
		}
		steps = append(steps, s)
	}
	return steps, wake
}

// resume forgets what was under way when the driver ended.
func (c *core) resume() {
	for _, n := range c.nodes {
		n.settling = false
	}
}

// running are the nodes that have a process, by name.
func (c *core) running() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		if c.nodes[name].launched != nil {
			names = append(names, name)
		}
	}
	return names
}

// idle tells that nothing runs and no lease is to be ended any more.
func (c *core) idle() bool {
	for _, n := range c.nodes {
		if n.launched != nil || n.unsettled {
			return false
		}
	}
	return true
}

// statuses is how all nodes fare, by name.
func (c *core) statuses() []fleet.Status {
	all := make([]fleet.Status, 0, len(c.nodes))
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		all = append(all, c.nodes[name].status(name))
	}
	return all
}

func (n *node) status(name string) fleet.Status {
	s := fleet.Status{Node: name, Generation: n.generation, LastExit: n.lastExit, Message: n.message, Restarts: max(0, n.starts-1)}
	if n.assigned != nil {
		s.Engine = n.assigned.Engine
	}
	switch {
	case n.launched != nil:
		s.State, s.Message = fleet.Starting, ""
		if n.serving {
			s.State = fleet.Running
		}
		if n.assigned != nil && n.assigned.Goal != fleet.Stop && (needsRestart(*n.launched, *n.assigned) || renewable(*n.launched, *n.assigned)) {
			s.Generation = n.launched.Generation
		}
		s.PID, s.Started, s.Engine = n.pid, n.began, n.launched.Engine
		if !n.stopping.IsZero() {
			s.Message = "it was asked to hand over and stop"
		}
	case n.assigned != nil && n.assigned.Goal == fleet.Stop && !n.folder:
		s.State = fleet.Stopped
	case n.failed:
		s.State, s.RetryAt = fleet.Failed, n.retryAt
	default:
		s.State, s.RetryAt = fleet.BackingOff, n.retryAt
	}
	return s
}

// describe says how a process ended, and the last it wrote.
func describe(e fleet.Exit) string {
	text := fmt.Sprintf("it ended with exit code %d", e.Code)
	switch {
	case e.Signal != "":
		text = "it was ended by " + e.Signal
	case e.Code < 0:
		text = "it ended"
	}
	if why := strings.TrimPrefix(said(e), ownError); why != "" {
		text += ": " + why
	}
	return text
}

// said is the line of what a process wrote last that says most of why it ended: the
// last one in which redoubt or the Go runtime does, or else the last one.
func said(e fleet.Exit) string {
	for _, line := range slices.Backward(e.Log) {
		for _, prefix := range []string{ownError, "panic: ", "fatal error: "} {
			if strings.HasPrefix(line, prefix) {
				return line
			}
		}
	}
	if len(e.Log) == 0 {
		return ""
	}
	return e.Log[len(e.Log)-1]
}

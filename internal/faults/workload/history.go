package workload

import (
	"sync"
	"time"
)

// Never is the time of an answer that did not come: the operation may take
// effect at any later moment.
const Never = int64(1) << 62

// Clock counts nanoseconds from the start of a round; all times of a history are
// its.
type Clock struct{ start time.Time }

// NewClock starts at 0.
func NewClock() *Clock { return &Clock{start: time.Now()} }

// Now is the time since the start.
func (c *Clock) Now() int64 { return int64(time.Since(c.start)) }

// At is t on this clock.
func (c *Clock) At(t time.Time) int64 { return int64(t.Sub(c.start)) }

// Violation is a broken promise.
type Violation struct {
	At       int64  // when it was found
	Workload string // who found it
	What     string
	// Picture writes porcupine's page of the history; nil when there is none.
	Picture func(path string) error
}

func (v Violation) String() string {
	return time.Duration(v.At).Round(time.Millisecond).String() + " " + v.Workload + ": " + v.What
}

// maxViolations bounds what one broken promise can fill the report with.
const maxViolations = 100

// Violations gathers what was found. It is safe for concurrent use.
type Violations struct {
	mu    sync.Mutex
	list  []Violation
	more  int
	found chan struct{} // closed at the first
}

// NewViolations is an empty list.
func NewViolations() *Violations { return &Violations{found: make(chan struct{})} }

// Add notes one more.
func (v *Violations) Add(x Violation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.list) == 0 && v.more == 0 {
		close(v.found)
	}
	if len(v.list) == maxViolations {
		v.more++
		return
	}
	v.list = append(v.list, x)
}

// Found is closed once there is a violation.
func (v *Violations) Found() <-chan struct{} { return v.found }

// List returns what was found, and how many more there were than are kept.
func (v *Violations) List() (kept []Violation, more int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Violation(nil), v.list...), v.more
}

// Answer is one command that a node answered as the primary.
type Answer struct {
	Node         string
	Call, Return int64
	Write        bool
}

// Answers gathers all of a round.
type Answers struct {
	mu     sync.Mutex
	list   []Answer
	counts Counts

	unknowns []int64
}

// Unknowns returns when each operation of unknown outcome was given up.
func (a *Answers) Unknowns() []int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]int64(nil), a.unknowns...)
}

// Counts is how the operations of a round ended.
type Counts struct{ Done, Refused, Unknown int }

func (a *Answers) add(r Result, write bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.Outcome {
	case Done, Aborted:
		a.counts.Done++
		a.list = append(a.list, Answer{r.Node, r.Call, r.Return, write})
	case Refused:
		a.counts.Refused++
	case Unknown:
		a.counts.Unknown++
		a.unknowns = append(a.unknowns, r.Return)
	}
}

// List returns the answers in the order in which they came in.
func (a *Answers) List() []Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Answer(nil), a.list...)
}

// Counts returns how the operations ended so far.
func (a *Answers) Counts() Counts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts
}

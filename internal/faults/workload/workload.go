package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Workload is one kind of use of a shard.
type Workload interface {
	// Name is one word, part of its keys and of reports.
	Name() string
	// Clients is how many clients run it at once.
	Clients() int
	// Run is client number n, until ctx ends.
	Run(ctx context.Context, n int, c *Client)
	// Check judges the whole history after all clients have ended and the shard
	// is healed. c is connected to the primary. What it finds it adds to the
	// round's violations; the error is for what kept it from judging.
	Check(ctx context.Context, c *Client) error
	// Operations is how many operations were recorded and are judged.
	Operations() int
}

// Env is what the clients of one round share.
type Env struct {
	Targets []Target
	Prefix  string // of all keys of the round
	Seed    uint64
	Think   time.Duration // mean pause of a client between two requests
	Clock   *Clock
	Answers *Answers
	Trace   *Trace // nil: nothing is written down
	*Violations

	mu        sync.Mutex
	processes int
}

// Think is Env.Think by default: with it the clients keep two cores busy.
const Think = 10 * time.Millisecond

// NewEnv is an Env whose clock starts now.
func NewEnv(targets []Target, prefix string, seed uint64) *Env {
	return &Env{
		Targets: targets, Prefix: prefix, Seed: seed, Think: Think,
		Clock: NewClock(), Answers: &Answers{}, Violations: NewViolations(),
	}
}

func (e *Env) newProcess() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.processes++
	return e.processes
}

// NewClient is a client of the primary.
func (e *Env) NewClient() *Client {
	id := e.newProcess()
	return &Client{env: e, process: id, at: id, pause: lookAround, replyIn: replyTimeout, pingIn: replyTimeout, Rand: rand.New(rand.NewPCG(e.Seed, uint64(id)))}
}

// NewReplicaClient is a client that stays with one node and accepts reads that
// are behind.
func (e *Env) NewReplicaClient(t Target) *Client {
	c := e.NewClient()
	c.only = &t
	return c
}

// Report adds a violation found now.
func (e *Env) Report(workload, format string, args ...any) {
	e.Add(Violation{At: e.Clock.Now(), Workload: workload, What: fmt.Sprintf(format, args...)})
}

// reportError adds a violation when the server answered command with an error
// that it had no reason for, and tells whether it did.
func (e *Env) reportError(workload string, r Result, command ...any) bool {
	if r.Outcome != Done || r.Err == nil {
		return false
	}
	e.Report(workload, "%s was answered with %v", strings.TrimSpace(fmt.Sprintln(command...)), r.Err)
	return true
}

// Run runs all clients of the workloads until ctx ends and all of them have
// returned.
func (e *Env) Run(ctx context.Context, all []Workload) {
	var wg sync.WaitGroup
	for _, w := range all {
		for n := range w.Clients() {
			c := e.NewClient()
			wg.Go(func() {
				defer c.Close()
				w.Run(ctx, n, c)
			})
		}
	}
	wg.Wait()
}

// key names a key of the round.
func (e *Env) key(workload string, parts ...any) string {
	return e.Prefix + workload + ":" + fmt.Sprint(parts...)
}

// keyLife is how long a key is used before another takes its place.
const keyLife = 5 * time.Second

// generation numbers the lives of keys, the same for all clients of a round.
func (e *Env) generation() int64 { return e.Clock.Now() / int64(keyLife) }

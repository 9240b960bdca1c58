package workload

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"
)

// Probe writes with hardly a pause, looks for the primary most eagerly and soon
// leaves a node that says nothing: it is what write outages are measured with. Its counter must end between the number
// of acknowledged increments and that plus those of unknown outcome.
type Probe struct {
	env            *Env
	acked, unknown atomic.Int64
}

// NewProbe is the workload of one round.
func NewProbe(env *Env) *Probe { return &Probe{env: env} }

// Name is "probe".
func (w *Probe) Name() string { return "probe" }

// Clients is two, so that one of them is looking while the other waits for an
// answer that does not come.
func (w *Probe) Clients() int { return 2 }

// Operations is how many increments were sent.
func (w *Probe) Operations() int { return int(w.acked.Load() + w.unknown.Load()) }

// Run increments until ctx ends.
func (w *Probe) Run(ctx context.Context, _ int, c *Client) {
	c.LookEvery(2 * time.Millisecond)
	c.GiveUpAfter(500*time.Millisecond, 100*time.Millisecond)
	for c.Connect(ctx) && c.sleep(ctx, time.Millisecond) {
		switch r := c.Write("INCR", w.env.key(w.Name())); r.Outcome {
		case Done:
			w.acked.Add(1)
		case Unknown:
			w.unknown.Add(1)
		}
	}
}

// Check compares the counter with what was acknowledged.
func (w *Probe) Check(ctx context.Context, c *Client) error {
	r, err := c.Ask(ctx, "GET", w.env.key(w.Name()))
	if err != nil {
		return err
	}
	n, _ := strconv.ParseInt(r.String(), 10, 64)
	if acked, unknown := w.acked.Load(), w.unknown.Load(); n < acked || n > acked+unknown {
		w.env.Report(w.Name(), "the counter is %d after %d acknowledged increments and %d of unknown outcome", n, acked, unknown)
	}
	return nil
}

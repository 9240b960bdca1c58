package workload

import (
	"context"
	"strconv"
	"sync/atomic"
)

// QuietKey is a key that no workload writes. The faults write it, each a larger
// number than the one before, at the primary that took over.
const QuietKey = "nemesis:takeover"

// restlessFor is how many reads a restless reader makes at one node.
const restlessFor = 20

// Quiet only reads, and only QuietKey: a primary that was deposed and does not
// know it holds no such read back, and tells the past. Steady readers stay with a
// node until it refuses them; a restless one finds the new primary early.
type Quiet struct {
	env   *Env
	reads atomic.Int64
	floor atomic.Int64 // the largest number that was read
}

// NewQuiet is the workload of one round.
func NewQuiet(env *Env) *Quiet { return &Quiet{env: env} }

// Name is "quiet".
func (w *Quiet) Name() string { return "quiet" }

// Clients is four, the last of them restless.
func (w *Quiet) Clients() int { return 4 }

// Operations is how many reads were answered.
func (w *Quiet) Operations() int { return int(w.reads.Load()) }

// Run reads until ctx ends.
func (w *Quiet) Run(ctx context.Context, n int, c *Client) {
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		if n == w.Clients()-1 && i%restlessFor == 0 {
			c.leave()
			continue
		}
		floor := w.floor.Load()
		if r := c.Read("GET", QuietKey); r.Outcome == Done {
			w.judge(r, floor)
		}
	}
}

// judge compares what was read with what somebody had read before it was asked
// for.
func (w *Quiet) judge(r Result, floor int64) {
	w.reads.Add(1)
	number, _ := strconv.ParseInt(r.String(), 10, 64)
	if number < floor {
		w.env.Report(w.Name(), "stale read: %s answered %d, after %d had been read elsewhere", r.Node, number, floor)
	}
	for {
		known := w.floor.Load()
		if number <= known || w.floor.CompareAndSwap(known, number) {
			return
		}
	}
}

// Check has nothing left to judge.
func (w *Quiet) Check(context.Context, *Client) error { return nil }

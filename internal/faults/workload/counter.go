package workload

import (
	"context"
	"fmt"
	"strconv"

	"github.com/anishathalye/porcupine"
)

// Counters adds to and reads single numbers: INCR, INCRBY, DECR, GET.
type Counters struct {
	env *Env
	ops operations
}

// NewCounters is the workload of one round.
func NewCounters(env *Env) *Counters { return &Counters{env: env} }

// Name is "counter".
func (w *Counters) Name() string { return "counter" }

// Clients share few keys, so that operations on one key overlap.
func (w *Counters) Clients() int { return 4 }

// Operations is how many operations were recorded.
func (w *Counters) Operations() int { return w.ops.count() }

// counterOp is an operation on one counter. The output of a get is the string
// read, "" for none; that of an add is the new number.
type counterOp struct {
	kind string // get, add
	by   int64
}

// Run adds to and reads counters at random.
func (w *Counters) Run(ctx context.Context, _ int, c *Client) {
	for c.Connect(ctx) && c.Think(ctx) {
		key := w.env.key(w.Name(), w.env.generation(), "-", c.Rand.IntN(2))
		switch p := c.Rand.IntN(100); {
		case p < 35 || w.ops.crowded(key):
			w.get(c, key)
		case p < 55:
			w.add(c, key, 1, "INCR", key)
		case p < 70:
			w.add(c, key, -1, "DECR", key)
		default:
			// Amounts of its own tell which of several additions is missing.
			by := 2 + c.Rand.Int64N(10_000)
			w.add(c, key, by, "INCRBY", key, by)
		}
	}
}

func (w *Counters) get(c *Client, key string) Result {
	r := c.Read("GET", key)
	w.env.reportError(w.Name(), r, "GET", key)
	w.ops.addRead(key, r, counterOp{kind: "get"}, r.String())
	return r
}

func (w *Counters) add(c *Client, key string, by int64, command ...any) {
	r := c.Write(command...)
	w.env.reportError(w.Name(), r, command...)
	w.ops.addWrite(key, r, counterOp{kind: "add", by: by}, r.Int())
}

// Check judges every counter on its own.
func (w *Counters) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(key string) Result { return w.get(c, key) })
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), counterModel)
}

// counter is the state of one: a counter that nobody has added to does not
// exist, while one that is back at 0 does.
type counter struct {
	exists bool
	n      int64
}

// String is what GET answers.
func (s counter) String() string {
	if !s.exists {
		return ""
	}
	return strconv.FormatInt(s.n, 10)
}

// counterModel is a number. The output of an operation of unknown outcome is nil.
var counterModel = porcupine.Model{
	Init: func() any { return counter{} },
	Step: func(state, input, output any) (bool, any) {
		now, op := state.(counter), input.(counterOp)
		if op.kind == "get" {
			return output.(string) == now.String(), now
		}
		next := counter{exists: true, n: now.n + op.by}
		return output == nil || output.(int64) == next.n, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(counterOp)
		if op.kind == "get" {
			return fmt.Sprintf("get -> %v", output)
		}
		return fmt.Sprintf("add %d -> %v", op.by, output)
	},
}

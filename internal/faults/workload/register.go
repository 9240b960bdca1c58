package workload

import (
	"context"
	"fmt"

	"github.com/anishathalye/porcupine"
)

// Registers reads and writes single strings: GET, SET, SETNX, GETSET, and
// compare-and-set by WATCH, GET, MULTI, SET, EXEC.
type Registers struct {
	env *Env
	ops operations
}

// NewRegisters is the workload of one round.
func NewRegisters(env *Env) *Registers { return &Registers{env: env} }

// Name is "register".
func (w *Registers) Name() string { return "register" }

// Clients share few keys, so that operations on one key overlap.
func (w *Registers) Clients() int { return 6 }

// Operations is how many operations were recorded.
func (w *Registers) Operations() int { return w.ops.count() }

// registerOp is an operation on one register; its output is the value read, ""
// for none, or for SETNX whether it was set.
type registerOp struct {
	kind  string // get, set, setnx, getset, cas
	value string // written
	old   string // of cas: the value that was expected
}

// Run reads and writes registers at random.
func (w *Registers) Run(ctx context.Context, n int, c *Client) {
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		key := w.env.key(w.Name(), w.env.generation(), "-", c.Rand.IntN(3))
		op := registerOp{kind: "get", value: fmt.Sprintf("%d.%d", n, i)}
		switch p := c.Rand.IntN(100); {
		case p < 45:
			w.record(key, c.Read("GET", key), op)
		case p < 70:
			op.kind = "set"
			w.record(key, c.Write("SET", key, op.value), op)
		case p < 78:
			op.kind = "setnx"
			w.record(key, c.Write("SETNX", key, op.value), op)
		case p < 88:
			op.kind = "getset"
			w.record(key, c.Write("GETSET", key, op.value), op)
		default:
			w.compareAndSet(c, key, op.value)
		}
	}
}

func (w *Registers) record(key string, r Result, op registerOp) {
	switch {
	case r.Err != nil && r.Outcome == Done:
		w.env.Report(w.Name(), "%s %s was answered with %v", op.kind, key, r.Err)
	case op.kind == "setnx":
		w.ops.addWrite(key, r, op, r.Int() == 1)
	case op.kind == "get":
		w.ops.addRead(key, r, op, r.String())
	default:
		w.ops.addWrite(key, r, op, r.String())
	}
}

// compareAndSet replaces what it reads unless somebody else writes meanwhile.
func (w *Registers) compareAndSet(c *Client, key, value string) {
	if r := c.Read("WATCH", key); r.Outcome != Done {
		return
	}
	read := c.Read("GET", key)
	w.record(key, read, registerOp{kind: "get"})
	if read.Outcome != Done {
		return
	}
	op := registerOp{kind: "cas", value: value, old: read.String()}
	r := c.Exec(true, Cmd("SET", key, value))
	w.ops.addWrite(key, r, op, r.Outcome == Done)
}

// Check judges every register on its own.
func (w *Registers) Check(ctx context.Context, _ *Client) error {
	return w.ops.checkKeys(ctx, w.env, w.Name(), registerModel)
}

// registerModel is a string that is "" while it does not exist. The output of an
// operation of unknown outcome is nil.
var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		value, op := state.(string), input.(registerOp)
		next := value
		switch op.kind {
		case "set":
			return true, op.value
		case "setnx":
			if value == "" {
				next = op.value
			}
			return output == nil || output.(bool) == (value == ""), next
		case "getset":
			return output == nil || output.(string) == value, op.value
		case "cas":
			if value == op.old {
				next = op.value
			}
			if output != nil && !output.(bool) {
				return true, value // WATCH may give a false alarm, but must not miss a change
			}
			return output == nil || value == op.old, next
		}
		return output.(string) == value, value
	},
	DescribeOperation: func(input, output any) string {
		op := input.(registerOp)
		return fmt.Sprintf("%s %s (was %s) -> %v", op.kind, op.value, op.old, output)
	},
}

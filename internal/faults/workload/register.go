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
// for none, for setnx whether it was set, for cas whether EXEC ran.
type registerOp struct {
	kind  string // get, set, setnx, getset, cas
	value string // written
	old   string // of cas: the value that was expected
}

// Run reads and writes registers at random.
func (w *Registers) Run(ctx context.Context, n int, c *Client) {
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		key := w.env.key(w.Name(), w.env.generation(), "-", c.Rand.IntN(3))
		value := fmt.Sprintf("%d.%d", n, i)
		switch p := c.Rand.IntN(100); {
		case p < 45 || w.ops.crowded(key):
			w.get(c, key)
		case p < 70:
			r := c.Write("SET", key, value)
			w.env.reportError(w.Name(), r, "SET", key, value)
			w.ops.addWrite(key, r, registerOp{kind: "set", value: value}, "")
		case p < 78:
			r := c.Write("SETNX", key, value)
			w.env.reportError(w.Name(), r, "SETNX", key, value)
			w.ops.addWrite(key, r, registerOp{kind: "setnx", value: value}, r.Int() == 1)
		case p < 88:
			r := c.Write("GETSET", key, value)
			w.env.reportError(w.Name(), r, "GETSET", key, value)
			w.ops.addWrite(key, r, registerOp{kind: "getset", value: value}, r.String())
		default:
			w.compareAndSet(c, key, value)
		}
	}
}

func (w *Registers) get(c *Client, key string) Result {
	r := c.Read("GET", key)
	w.env.reportError(w.Name(), r, "GET", key)
	w.ops.addRead(key, r, registerOp{kind: "get"}, r.String())
	return r
}

// compareAndSet replaces what it reads unless somebody else writes meanwhile.
func (w *Registers) compareAndSet(c *Client, key, value string) {
	r := c.Watch(key)
	w.env.reportError(w.Name(), r, "WATCH", key)
	if r.Outcome != Done {
		return
	}
	read := w.get(c, key)
	if read.Outcome != Done {
		return
	}
	r = c.Exec(true, Cmd("SET", key, value))
	w.env.reportError(w.Name(), r, "MULTI SET", key, value, "EXEC")
	w.ops.addWrite(key, r, registerOp{kind: "cas", value: value, old: read.String()}, r.Outcome == Done)
}

// Check judges every register on its own.
func (w *Registers) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(key string) Result { return w.get(c, key) })
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), registerModel)
}

// registerModel is a string that is "" while it does not exist. The output of an
// operation of unknown outcome is nil.
var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		return [][]porcupine.Operation{withoutUnseen(ops)}
	},
	Step: func(state, input, output any) (bool, any) {
		value, op := state.(string), input.(registerOp)
		switch op.kind {
		case "set":
			return true, op.value
		case "setnx":
			if value == "" {
				return output == nil || output.(bool), op.value
			}
			return output == nil || !output.(bool), value
		case "getset":
			return output == nil || output.(string) == value, op.value
		case "cas":
			if output != nil && !output.(bool) {
				return true, value // WATCH may give a false alarm, but must not miss a change
			}
			if value == op.old {
				return true, op.value
			}
			return output == nil, value
		}
		return output.(string) == value, value
	},
	DescribeOperation: func(input, output any) string {
		op := input.(registerOp)
		return fmt.Sprintf("%s %s (was %s) -> %v", op.kind, op.value, op.old, output)
	},
}

// withoutUnseen leaves out the writes of unknown outcome whose value nobody was
// answered, once the register is known to exist. That changes no verdict: in an
// order that explains all answers nobody reads between such a write and the next
// one, so the order explains them without it, too. Each of them would double the
// number of orders to try.
func withoutUnseen(ops []porcupine.Operation) []porcupine.Operation {
	seen := map[any]bool{}
	exists := Never // when somebody had been told of a value or had written one
	for _, o := range ops {
		op := o.Input.(registerOp)
		seen[op.old] = true
		if op.kind == "get" || op.kind == "getset" {
			seen[o.Output] = true
		}
		empty := op.kind == "get" && o.Output == "" || op.kind == "cas" && o.Output == false
		if o.Output != nil && !empty {
			exists = min(exists, o.Return)
		}
	}
	var kept []porcupine.Operation
	for _, o := range ops {
		if o.Output != nil || o.Call <= exists || seen[o.Input.(registerOp).value] {
			kept = append(kept, o)
		}
	}
	return kept
}

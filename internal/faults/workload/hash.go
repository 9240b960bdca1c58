package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/anishathalye/porcupine"
)

// Hashes reads and writes hashes of a few fields: HSET of one field and of two,
// HSETNX, HINCRBY, HDEL, HGET, HMGET, HGETALL.
type Hashes struct {
	env *Env
	ops operations
}

// NewHashes is the workload of one round.
func NewHashes(env *Env) *Hashes { return &Hashes{env: env} }

// Name is "hash".
func (w *Hashes) Name() string { return "hash" }

// Clients share few keys, so that operations on one key overlap.
func (w *Hashes) Clients() int { return 4 }

// Operations is how many operations were recorded.
func (w *Hashes) Operations() int { return w.ops.count() }

// The fields of a hash: strings, and last a number that only HINCRBY writes.
const (
	hashFields  = 3
	numberField = hashFields - 1
)

var hashFieldNames = [hashFields]string{"a", "b", "n"}

// hashValue is the value of every field; "" for one that is not there.
type hashValue [hashFields]string

// hashOp is an operation on one hash. The output of a get is a hashValue of the
// fields named; that of the others is the number that the server answers.
type hashOp struct {
	kind   string // get, set, setnx, del, incr
	named  [hashFields]bool
	values hashValue // written
	by     int64     // of incr
}

// Run reads and writes hashes at random.
func (w *Hashes) Run(ctx context.Context, n int, c *Client) {
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		key := w.env.key(w.Name(), w.env.generation(), "-", c.Rand.IntN(2))
		w.one(c, key, fmt.Sprintf("%d.%d", n, i))
	}
}

// one asks for one operation.
func (w *Hashes) one(c *Client, key, value string) {
	field := c.Rand.IntN(numberField)
	name := hashFieldNames[field]
	switch p := c.Rand.IntN(100); {
	case p < 20:
		w.getAll(c, key)
	case p < 35:
		w.getSome(c, key)
	case p < 45 || w.ops.crowded(key):
		w.getOne(c, key, c.Rand.IntN(hashFields))
	case p < 57:
		op := hashOp{kind: "set"}
		op.put(field, value)
		w.write(c, key, op, "HSET", key, name, value)
	case p < 68:
		op := hashOp{kind: "set"}
		op.put(0, value+"a")
		op.put(1, value+"b")
		w.write(c, key, op, "HSET", key, "a", value+"a", "b", value+"b")
	case p < 76:
		op := hashOp{kind: "setnx"}
		op.put(field, value)
		w.write(c, key, op, "HSETNX", key, name, value)
	case p < 90:
		op := hashOp{kind: "incr", by: 1 + c.Rand.Int64N(10_000)}
		w.write(c, key, op, "HINCRBY", key, hashFieldNames[numberField], op.by)
	case p < 95:
		op := hashOp{kind: "del"}
		op.named[field] = true
		w.write(c, key, op, "HDEL", key, name)
	default:
		op := hashOp{kind: "del"}
		op.named[field], op.named[numberField] = true, true
		w.write(c, key, op, "HDEL", key, name, hashFieldNames[numberField])
	}
}

func (op *hashOp) put(field int, value string) { op.named[field], op.values[field] = true, value }

func (w *Hashes) write(c *Client, key string, op hashOp, command ...any) {
	r := c.Write(command...)
	w.env.reportError(w.Name(), r, command...)
	w.ops.addWrite(key, r, op, r.Int())
}

func (w *Hashes) getOne(c *Client, key string, field int) {
	op := hashOp{kind: "get"}
	op.named[field] = true
	r := c.Read("HGET", key, hashFieldNames[field])
	w.env.reportError(w.Name(), r, "HGET", key, hashFieldNames[field])
	var got hashValue
	got[field] = r.String()
	w.ops.addRead(key, r, op, got)
}

func (w *Hashes) getSome(c *Client, key string) {
	r := c.Read("HMGET", key, "a", "b", "n")
	w.env.reportError(w.Name(), r, "HMGET", key)
	w.noteAll(key, r, hashOfList)
}

func (w *Hashes) getAll(c *Client, key string) Result {
	r := c.Read("HGETALL", key)
	w.env.reportError(w.Name(), r, "HGETALL", key)
	w.noteAll(key, r, hashOfPairs)
	return r
}

// noteAll records an answer that tells the values of all fields.
func (w *Hashes) noteAll(key string, r Result, parse func(any) (hashValue, error)) {
	if r.Outcome != Done || r.Err != nil {
		return
	}
	got, err := parse(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%s: %v", key, err)
		return
	}
	w.ops.addRead(key, r, hashOp{kind: "get", named: [hashFields]bool{true, true, true}}, got)
}

// hashOfList takes HMGET's reply apart.
func hashOfList(reply any) (hashValue, error) {
	var h hashValue
	list, _ := reply.([]any)
	if len(list) != hashFields {
		return h, fmt.Errorf("HMGET of %d fields was answered with %v", hashFields, reply)
	}
	for i, v := range list {
		h[i], _ = v.(string)
	}
	return h, nil
}

// hashOfPairs takes HGETALL's reply apart.
func hashOfPairs(reply any) (hashValue, error) {
	var h hashValue
	list, ok := reply.([]any)
	if !ok || len(list)%2 != 0 {
		return h, fmt.Errorf("HGETALL was answered with %v", reply)
	}
	for ; len(list) > 0; list = list[2:] {
		i := slices.Index(hashFieldNames[:], fmt.Sprint(list[0]))
		value, _ := list[1].(string)
		switch {
		case i < 0:
			return h, fmt.Errorf("HGETALL knows a field %v, which nobody has set", list[0])
		case value == "":
			return h, errors.New("HGETALL has an empty field, which nobody has set")
		case h[i] != "":
			return h, fmt.Errorf("HGETALL has the field %v twice: %v", list[0], reply)
		}
		h[i] = value
	}
	return h, nil
}

// Check judges every hash on its own.
func (w *Hashes) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(key string) Result { return w.getAll(c, key) })
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), hashModel)
}

// hashModel is a hashValue. The output of an operation of unknown outcome is nil.
var hashModel = porcupine.Model{
	Init: func() any { return hashValue{} },
	Step: func(state, input, output any) (bool, any) {
		now, op := state.(hashValue), input.(hashOp)
		if op.kind == "get" {
			return output.(hashValue) == now.only(op.named), now
		}
		next, answer := now.after(op)
		return output == nil || output.(int64) == answer, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(hashOp)
		return fmt.Sprintf("%s %v %q %d -> %q", op.kind, op.named, op.values, op.by, output)
	},
}

// only is h without the fields that are not named.
func (h hashValue) only(named [hashFields]bool) hashValue {
	for i := range h {
		if !named[i] {
			h[i] = ""
		}
	}
	return h
}

// after is h after a write, and the server's answer to it: the number of fields
// that came or went, or incr's new number.
func (h hashValue) after(op hashOp) (next hashValue, answer int64) {
	if op.kind == "incr" {
		n, _ := strconv.ParseInt(h[numberField], 10, 64) // "" is 0, as for HINCRBY
		h[numberField] = strconv.FormatInt(n+op.by, 10)
		return h, n + op.by
	}
	for i, named := range op.named {
		if !named {
			continue
		}
		there := h[i] != ""
		if there == (op.kind == "del") {
			answer++
		}
		if op.kind != "setnx" || !there {
			h[i] = op.values[i] // del's are ""
		}
	}
	return h, answer
}

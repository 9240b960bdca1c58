package workload

import (
	"math/rand/v2"
	"time"
)

// expiryField is the only field of a hash that expires.
const expiryField = "f"

// lookAt draws what a reader asks.
func lookAt(r *rand.Rand) expiryOp {
	if r.IntN(4) == 0 {
		return expiryOp{kind: "pttl"}
	}
	return expiryOp{kind: "get"}
}

// changeTo draws a write of a hash or of a string.
func changeTo(r *rand.Rand, clock *Clock, hash bool, value string) expiryOp {
	after, at := ending{ttl: drawTTL(r)}, clock.moment(drawTTL(r))
	p := r.IntN(100)
	if hash {
		switch {
		case p < 40:
			return expiryOp{kind: "hset", value: value}
		case p < 70:
			return expiryOp{kind: "expire", end: after}
		case p < 90:
			return expiryOp{kind: "expire", end: at}
		}
		return expiryOp{kind: "persist"}
	}
	switch {
	case p < 25:
		return expiryOp{kind: "set", value: value, end: after}
	case p < 33:
		return expiryOp{kind: "set", value: value, end: ending{ttl: time.Duration(1+r.IntN(3)) * time.Second}}
	case p < 37:
		return expiryOp{kind: "set", value: value}
	case p < 47:
		return expiryOp{kind: "set", value: value, end: ending{keep: true}}
	case p < 60:
		return expiryOp{kind: "expire", end: after}
	case p < 70:
		return expiryOp{kind: "expire", end: at}
	case p < 76:
		return expiryOp{kind: "persist"}
	case p < 85:
		return expiryOp{kind: "getex", end: after}
	case p < 89:
		return expiryOp{kind: "getex"}
	}
	return expiryOp{kind: "incr"}
}

// drawTTL is from 100 ms to 3 s, mostly short.
func drawTTL(r *rand.Rand) time.Duration {
	u := r.Float64()
	return time.Duration(100+2900*u*u*u) * time.Millisecond
}

// wall returns two bounds of how far the wall clock is ahead of this one. Its
// reading is between two of this one: the process may be held up anywhere.
func (c *Clock) wall() (least, most int64) {
	before := c.Now()
	now := time.Now().UnixNano()
	return now - c.Now(), now - before
}

// moment is the ending d from now.
func (c *Clock) moment(d time.Duration) ending {
	ms := time.Now().Add(d).UnixMilli()
	least, most := c.wall()
	ns := ms * int64(time.Millisecond)
	return ending{unix: ms, from: ns - most, to: ns - least}
}

// command is op as Redis has it.
func (k *expiryKey) command(op expiryOp) []any {
	switch op.kind {
	case "get":
		if k.hash {
			return Cmd("HGET", k.name, expiryField)
		}
		return Cmd("GET", k.name)
	case "pttl":
		return Cmd("PTTL", k.name)
	case "set":
		return append(Cmd("SET", k.name, op.value), op.end.option()...)
	case "hset":
		return Cmd("HSET", k.name, expiryField, op.value)
	case "incr":
		return Cmd("INCR", k.name)
	case "getex":
		if op.end == (ending{}) {
			return Cmd("GETEX", k.name, "PERSIST")
		}
		return append(Cmd("GETEX", k.name), op.end.option()...)
	case "expire":
		if op.end.unix > 0 {
			return Cmd("PEXPIREAT", k.name, op.end.unix)
		}
		return Cmd("PEXPIRE", k.name, op.end.ttl.Milliseconds())
	}
	return Cmd("PERSIST", k.name)
}

// option is an ending as an option of SET and GETEX.
func (e ending) option() []any {
	switch {
	case e.keep:
		return Cmd("KEEPTTL")
	case e.ttl > 0 && e.ttl%time.Second == 0:
		return Cmd("EX", int64(e.ttl/time.Second))
	case e.ttl > 0:
		return Cmd("PX", e.ttl.Milliseconds())
	}
	return nil
}

// answer is a result as the model has it: a string, or a number.
func (op expiryOp) answer(r Result) any {
	switch op.kind {
	case "get", "getex", "set":
		return r.String()
	}
	return r.Int()
}

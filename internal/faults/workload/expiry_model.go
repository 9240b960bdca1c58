package workload

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// expirySkew is by how much a server's idea of the time may differ from the
// clients': it counts milliseconds, and a key lives through its last one.
const expirySkew = int64(5 * time.Millisecond)

// life is what a key may hold, and until when. Its end lies between from and to,
// as the moment at which the server set it lies between call and return; both are
// Never without an expiry. The zero life is an absent key.
type life struct {
	value    string
	from, to int64
}

// immortal is a value without an expiry.
func immortal(value string) life { return life{value, Never, Never} }

func (s life) mayLive(call int64) bool { return s.value != "" && call <= s.to+expirySkew }
func (s life) mayBeGone(ret int64) bool {
	return s.value == "" || ret >= s.from-expirySkew
}

func (s life) String() string {
	switch {
	case s.value == "":
		return "absent"
	case s.from == Never:
		return s.value + " for good"
	case s.to == Never:
		return fmt.Sprintf("%s until %.4fs or later", s.value, time.Duration(s.from).Seconds())
	}
	return s.value + " until " + between(s.from, s.to)
}

// expiryOp is a command on a key that may expire.
type expiryOp struct {
	kind  string // get, pttl, set, hset, incr, getex, expire, persist
	value string // written by set, hset
	end   ending // given by set, getex, expire
}

// ending is what a command does to a key's expiry: nothing (keep), a time to live,
// a moment, or, the zero ending, none from then on.
type ending struct {
	keep     bool
	ttl      time.Duration
	unix     int64 // milliseconds
	from, to int64 // what unix is on the round's clock
}

// life is what value becomes of, written between call and ret over old.
func (e ending) life(value string, old life, call, ret int64) life {
	switch {
	case e.keep:
		return life{value, old.from, old.to}
	case e.ttl > 0:
		return life{value, call + int64(e.ttl), min(Never, ret+int64(e.ttl))}
	case e.unix > 0:
		return life{value, e.from, e.to}
	}
	return immortal(value)
}

// onLiving is what a key becomes when the command finds it to be s; ok reports
// whether answer is the right one then. Any command may be answered with nil,
// which is for an unknown outcome.
func (op expiryOp) onLiving(s life, call, ret int64, answer any) (next life, ok bool) {
	is := func(want any) bool { return answer == nil || answer == want }
	switch op.kind {
	case "get":
		return s, is(s.value)
	case "pttl":
		return s, op.isRemaining(s, call, ret, answer)
	case "set":
		return op.end.life(op.value, s, call, ret), is("OK")
	case "hset":
		return life{op.value, s.from, s.to}, is(int64(0))
	case "incr":
		n, err := strconv.ParseInt(s.value, 10, 64)
		return life{strconv.FormatInt(n+1, 10), s.from, s.to}, err == nil && is(n+1)
	case "getex":
		return op.end.life(s.value, s, call, ret), is(s.value)
	case "expire":
		return op.end.life(s.value, s, call, ret), is(int64(1))
	case "persist":
		if s.from == Never {
			return s, is(int64(0))
		}
		return immortal(s.value), is(int64(1))
	}
	panic("no such kind: " + op.kind)
}

// isRemaining reports whether PTTL of s may be answered so between call and ret.
func (op expiryOp) isRemaining(s life, call, ret int64, answer any) bool {
	if answer == nil || s.from == Never {
		return answer == nil || answer == int64(-1)
	}
	ms, ok := answer.(int64)
	left := ms * int64(time.Millisecond)
	return ok && ms >= 0 && call+left <= s.to+expirySkew && ret+left >= s.from-expirySkew
}

// onAbsent is onLiving for a key that the command does not find.
func (op expiryOp) onAbsent(call, ret int64, answer any) (next life, ok bool) {
	is := func(want any) bool { return answer == nil || answer == want }
	switch op.kind {
	case "get", "getex":
		return life{}, is("")
	case "pttl":
		return life{}, is(int64(-2))
	case "set":
		return op.end.life(op.value, immortal(""), call, ret), is("OK")
	case "hset":
		return immortal(op.value), is(int64(1))
	case "incr":
		return immortal("1"), is(int64(1))
	case "expire", "persist":
		return life{}, is(int64(0))
	}
	panic("no such kind: " + op.kind)
}

// step is what a key may be after op was answered, when it was one of lives
// before. There is nothing that it may be when the answer is wrong.
func step(lives []life, op expiryOp, call, ret int64, answer any) []life {
	var next []life
	add := func(s life, ok bool) {
		if ok && !slices.Contains(next, s) {
			next = append(next, s)
		}
	}
	for _, s := range lives {
		if s.mayLive(call) {
			add(op.onLiving(s, call, ret, answer))
		}
		if s.mayBeGone(ret) {
			add(op.onAbsent(call, ret, answer))
		}
	}
	return next
}

// phase is what a key may be from a moment between call and ret until the next
// phase. ret is Never while the write that begins it has no answer.
type phase struct {
	call, ret int64
	lives     []life
}

// begin is the phase of a write that was sent at call and may never happen.
func (p phase) begin(op expiryOp, call int64) phase {
	lives := slices.Clone(p.lives)
	for _, s := range step(p.lives, op, call, Never, nil) {
		if !slices.Contains(lives, s) {
			lives = append(lives, s)
		}
	}
	return phase{call, Never, lives}
}

// during returns the phases that a command between call and ret may have met.
func during(phases []phase, call, ret int64) []phase {
	first := 0
	for i, p := range phases {
		if p.call > ret {
			return phases[first:i]
		}
		if p.ret < call {
			first = i
		}
	}
	return phases[first:]
}

// misread says what is wrong with an answer of the primary; "" when nothing is.
func misread(phases []phase, op expiryOp, call, ret int64, answer any) string {
	early, late := false, false
	for _, p := range during(phases, call, ret) {
		if len(step(p.lives, op, call, ret, answer)) > 0 {
			return ""
		}
		for _, s := range p.lives {
			_, living := op.onLiving(s, call, ret, answer)
			_, absent := op.onAbsent(call, ret, answer)
			late = late || living && s.value != ""
			early = early || absent && s.value != ""
		}
	}
	value, _ := answer.(string)
	_, wrote := latestEnd(phases, value, ret)
	switch {
	case late:
		return "the key is there after its end"
	case early:
		return "the key is gone before its end"
	case op.kind == "pttl":
		return "another time is left"
	case op.kind == "get" && wrote:
		return "the value was overwritten"
	case op.kind == "get" && value != "":
		return "nobody wrote this value"
	}
	return "nothing explains this answer"
}

// misshown says what is wrong with a value that is read on a replica; "" when
// nothing is. A replica may be behind, but knows the time.
func misshown(phases []phase, value string, call, ret int64) string {
	latest, wrote := latestEnd(phases, value, ret)
	switch {
	case value == "":
		return ""
	case !wrote:
		return "nobody wrote this value"
	case call > latest+expirySkew:
		return fmt.Sprintf("the key is there %v after its end", time.Duration(call-latest).Round(time.Millisecond))
	}
	return ""
}

// latestEnd is until when value may be seen at most, by what had been sent at ret.
func latestEnd(phases []phase, value string, ret int64) (latest int64, wrote bool) {
	for _, p := range phases {
		for _, s := range p.lives {
			if s.value == value && value != "" && p.call <= ret {
				latest, wrote = max(latest, s.to), true
			}
		}
	}
	return latest, wrote
}

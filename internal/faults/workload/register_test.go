package workload

import (
	"fmt"
	"testing"
	"time"
)

func TestRegisterModel(t *testing.T) {
	get := registerOp{kind: "get"}
	set := func(v string) registerOp { return registerOp{kind: "set", value: v} }
	setnx := func(v string) registerOp { return registerOp{kind: "setnx", value: v} }
	getset := func(v string) registerOp { return registerOp{kind: "getset", value: v} }
	cas := func(old, v string) registerOp { return registerOp{kind: "cas", old: old, value: v} }
	judgeAll(t, registerModel, []verdict{
		{"nothing was written", true, history{op(1, 2, get, ""), op(3, 4, get, "")}},
		{"one after the other", true, history{
			op(1, 2, set("a"), ""), op(3, 4, get, "a"), op(5, 6, getset("b"), "a"), op(7, 8, setnx("c"), false),
			op(9, 10, cas("b", "d"), true), op(11, 12, cas("b", "e"), false), op(13, 14, get, "d")}},
		{"the first of two that overlap", true, history{op(1, 9, set("a"), ""), op(2, 8, set("b"), ""), op(10, 11, get, "a")}},
		{"the second of two that overlap", true, history{op(1, 9, set("a"), ""), op(2, 8, set("b"), ""), op(10, 11, get, "b")}},
		{"both of two that overlap, back and forth", false, history{
			op(1, 9, set("a"), ""), op(2, 8, set("b"), ""), op(10, 11, get, "b"), op(12, 13, get, "a")}},
		{"an acknowledged write is lost", false, history{op(1, 2, set("a"), ""), op(3, 4, set("b"), ""), op(5, 6, get, "a")}},
		{"a register is lost", false, history{op(1, 2, set("a"), ""), op(3, 4, get, "")}},
		{"a stale read", false, history{
			op(1, 2, set("a"), ""), op(3, 9, set("b"), ""), op(4, 5, get, "b"), op(6, 7, get, "a")}},
		{"a read of what is being written", true, history{op(1, 9, set("a"), ""), op(2, 3, get, "a"), op(4, 5, get, "a")}},
		{"a read of what will be written", false, history{op(1, 2, get, "a"), op(3, 4, set("a"), "")}},
		{"a value from nowhere", false, history{op(1, 2, set("a"), ""), op(3, 4, get, "x")}},
		{"two found it empty", false, history{op(1, 9, setnx("a"), true), op(2, 8, setnx("b"), true)}},
		{"nobody found it empty", false, history{op(1, 9, setnx("a"), false), op(2, 8, setnx("b"), false)}},
		{"two took the same value away", false, history{
			op(1, 2, set("a"), ""), op(3, 9, getset("b"), "a"), op(4, 8, getset("c"), "a")}},
		{"two replaced the same value", false, history{
			op(1, 2, set("a"), ""), op(3, 9, cas("a", "b"), true), op(4, 8, cas("a", "c"), true)}},
		{"WATCH gave a false alarm", true, history{op(1, 2, set("a"), ""), op(3, 4, cas("a", "b"), false), op(5, 6, get, "a")}},
		{"an aborted EXEC ran", false, history{op(1, 2, set("a"), ""), op(3, 4, cas("a", "b"), false), op(5, 6, get, "b")}},

		{"unknown, and never", true, history{op(1, 2, set("a"), ""), lost(3, set("b")), op(5, 6, get, "a")}},
		{"unknown, and at once", true, history{op(1, 2, set("a"), ""), lost(3, set("b")), op(5, 6, get, "b")}},
		{"unknown, and late", true, history{
			op(1, 2, set("a"), ""), lost(3, set("b")), op(5, 6, get, "a"), op(7, 8, set("c"), ""), op(9, 10, get, "b")}},
		{"unknown, and before it was sent", false, history{op(1, 2, set("a"), ""), op(3, 4, get, "b"), lost(5, set("b"))}},
		{"unknown, seen and gone again", false, history{
			op(1, 2, set("a"), ""), lost(3, set("b")), op(5, 6, get, "b"), op(7, 8, get, "a")}},
		{"unknown, and twice", false, history{
			op(1, 2, set("a"), ""), lost(3, set("b")), op(5, 6, get, "b"), op(7, 8, set("c"), ""), op(9, 10, get, "b")}},
		{"unknown, and never seen but in the way", true, history{lost(1, set("a")), op(3, 4, setnx("b"), false), op(5, 6, get, "a")}},
		{"unknown, and overwritten unseen", true, history{
			lost(1, set("a")), op(3, 4, setnx("b"), false), op(5, 6, set("c"), ""), op(7, 8, get, "c")}},
		{"unknown, and in the way after a false alarm of WATCH", true, history{
			op(1, 2, cas("", "b"), false), lost(3, set("a")), op(5, 6, setnx("c"), false)}},
		{"unknown, and nothing else explains that the register exists", false, history{
			op(3, 4, setnx("b"), false), lost(5, set("a")), op(7, 8, get, "")}},
		{"unknown EXEC, and late", true, history{
			op(1, 2, set("a"), ""), lost(3, cas("a", "b")), op(5, 6, get, "a"), op(7, 8, get, "b")}},
		{"unknown EXEC over a change that it must have seen", false, history{
			op(1, 2, set("a"), ""), lost(5, cas("a", "b")), op(3, 4, set("c"), ""), op(7, 8, get, "c"), op(9, 10, get, "b")}},
	})
}

func TestRegisters(t *testing.T) {
	env := shard(t, nil, nil)
	w := NewRegisters(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

func TestRegistersFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
	}{
		{"writes are acknowledged and lost", sometimes("SET", func([]string) []string { return sayOK })},
		{"reads are stale", sometimes("GET", func([]string) []string { return eval("return false") })},
		{"WATCH watches nothing", always("WATCH", func([]string) []string { return sayOK })},
		{"SETNX overwrites", sometimes("SETNX", func(c []string) []string {
			return eval("redis.call('SET', KEYS[1], ARGV[1]) return 1", c[1], c[2])
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewRegisters(env), time.Second, "no order of the")
		})
	}
}

// registerReference is a string variable.
type registerReference struct {
	value string
	seen  []string
}

func (s *registerReference) choose(d dice, i int) (any, bool) {
	op := registerOp{value: fmt.Sprint("v", i)}
	switch d.IntN(6) {
	case 0:
		op.kind = "set"
	case 1:
		op.kind = "setnx"
	case 2:
		op.kind = "getset"
	case 3:
		op.kind, op.old = "cas", s.value
		if n := len(s.seen); n > 0 && d.IntN(2) == 0 {
			op.old = s.seen[d.IntN(n)]
		}
	default:
		return s.readAll(), false
	}
	return op, true
}

func (s *registerReference) readAll() any { return registerOp{kind: "get"} }

func (s *registerReference) apply(input any) any {
	op, before := input.(registerOp), s.value
	output, write := any(before), op.kind != "get"
	switch op.kind {
	case "set":
		output = ""
	case "setnx":
		write = before == ""
		output = write
	case "cas":
		write = before == op.old
		output = write
	}
	if write {
		s.value = op.value
		s.seen = append(s.seen, op.value)
	}
	return output
}

func (s *registerReference) forge(d dice, input, output any) any {
	switch op := input.(registerOp); {
	case op.kind == "set":
		return nil // says nothing
	case op.kind == "cas" && output == true:
		return nil // a false alarm, if nobody has seen its value
	}
	if set, ok := output.(bool); ok {
		return !set
	}
	others := []string{"another"}
	for _, v := range append(s.seen, "") {
		if v != output {
			others = append(others, v)
		}
	}
	return others[d.IntN(len(others))]
}

func (s *registerReference) alien(any) any { return "another" }

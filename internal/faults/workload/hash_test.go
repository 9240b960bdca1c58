package workload

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestHashModel(t *testing.T) {
	all := hashOp{kind: "get", named: [hashFields]bool{true, true, true}}
	one := func(field int) hashOp {
		op := hashOp{kind: "get"}
		op.named[field] = true
		return op
	}
	put := func(kind string, values hashValue) hashOp {
		op := hashOp{kind: kind}
		for i, v := range values {
			if v != "" {
				op.put(i, v)
			}
		}
		return op
	}
	set := func(a, b string) hashOp { return put("set", hashValue{a, b}) }
	setnx := func(a, b string) hashOp { return put("setnx", hashValue{a, b}) }
	del := func(a, b, n bool) hashOp { return hashOp{kind: "del", named: [hashFields]bool{a, b, n}} }
	incr := func(n int64) hashOp { return hashOp{kind: "incr", by: n} }
	judgeAll(t, hashModel, []verdict{
		{"nothing was written", true, history{op(1, 2, all, hashValue{}), op(3, 4, del(true, false, true), int64(0))}},
		{"one after the other", true, history{
			op(1, 2, set("x", ""), int64(1)), op(3, 4, set("y", "z"), int64(1)), op(5, 6, setnx("w", ""), int64(0)),
			op(7, 8, incr(5), int64(5)), op(9, 10, all, hashValue{"y", "z", "5"}), op(11, 12, del(true, false, true), int64(2)),
			op(13, 14, setnx("w", ""), int64(1)), op(15, 16, incr(3), int64(3)), op(17, 18, all, hashValue{"w", "z", "3"}),
			op(19, 20, one(1), hashValue{"", "z"})}},
		{"two that overlap", true, history{
			op(1, 9, set("x", "x"), int64(0)), op(2, 8, set("y", "y"), int64(2)), op(10, 11, all, hashValue{"x", "x"})}},
		{"a part of each of two that overlap", false, history{
			op(1, 9, set("x", "x"), int64(0)), op(2, 8, set("y", "y"), int64(2)), op(10, 11, all, hashValue{"x", "y"})}},
		{"half of an HSET", false, history{op(1, 9, set("x", "y"), int64(2)), op(2, 3, all, hashValue{"x"})}},
		{"an acknowledged HSET is lost", false, history{op(1, 2, set("x", ""), int64(1)), op(3, 4, all, hashValue{})}},
		{"an acknowledged HDEL is lost", false, history{
			op(1, 2, set("x", ""), int64(1)), op(3, 4, del(true, false, false), int64(1)), op(5, 6, one(0), hashValue{"x"})}},
		{"an HSET counts a field that was there", false, history{op(1, 2, set("x", ""), int64(1)), op(3, 4, set("y", ""), int64(1))}},
		{"an HDEL counts a field that was not there", false, history{op(1, 2, set("x", ""), int64(1)), op(3, 4, del(true, true, false), int64(2))}},
		{"an HSETNX overwrites", false, history{op(1, 2, set("x", ""), int64(1)), op(3, 4, setnx("y", ""), int64(1))}},
		{"a refused HSETNX is there", false, history{
			op(1, 2, set("x", ""), int64(1)), op(3, 4, setnx("y", ""), int64(0)), op(5, 6, one(0), hashValue{"y"})}},
		{"an increment is done twice", false, history{op(1, 2, incr(5), int64(5)), op(3, 4, one(2), hashValue{"", "", "10"})}},
		{"an increment is lost", false, history{op(1, 9, incr(5), int64(5)), op(2, 8, incr(7), int64(7))}},
		{"a stale read", false, history{
			op(1, 2, set("x", ""), int64(1)), op(3, 9, set("y", ""), int64(0)), op(4, 5, one(0), hashValue{"y"}), op(6, 7, all, hashValue{"x"})}},
		{"a value from nowhere", false, history{op(1, 2, set("x", ""), int64(1)), op(3, 4, one(0), hashValue{"y"})}},

		{"unknown, and never", true, history{lost(1, set("x", "y")), op(3, 4, all, hashValue{})}},
		{"unknown, and at once", true, history{lost(1, set("x", "y")), op(3, 4, all, hashValue{"x", "y"})}},
		{"unknown, and late", true, history{
			lost(1, set("x", "y")), op(3, 4, set("v", "w"), int64(2)), op(5, 6, all, hashValue{"v", "w"}), op(7, 8, all, hashValue{"x", "y"})}},
		{"unknown, and half of it", false, history{lost(1, set("x", "y")), op(3, 4, one(0), hashValue{"x"}), op(5, 6, one(1), hashValue{})}},
		{"unknown, seen and gone again", false, history{
			lost(1, set("x", "")), op(3, 4, all, hashValue{"x"}), op(5, 6, all, hashValue{})}},
		{"unknown HDEL, and late", true, history{
			op(1, 2, set("x", ""), int64(1)), lost(3, del(true, false, false)), op(5, 6, one(0), hashValue{"x"}), op(7, 8, one(0), hashValue{})}},
		{"unknown HDEL, and undone", false, history{
			op(1, 2, set("x", ""), int64(1)), lost(3, del(true, false, false)), op(5, 6, one(0), hashValue{}), op(7, 8, one(0), hashValue{"x"})}},
		{"unknown HINCRBY, and twice", false, history{lost(1, incr(5)), op(3, 4, one(2), hashValue{"", "", "5"}), op(5, 6, one(2), hashValue{"", "", "10"})}},
	})
}

func TestHashReplies(t *testing.T) {
	for _, tt := range []struct {
		reply any
		want  hashValue
		err   string
	}{
		{[]any{}, hashValue{}, ""},
		{[]any{"n", "5", "a", "x"}, hashValue{"x", "", "5"}, ""},
		{[]any{"a", "x", "b"}, hashValue{}, "was answered with"},
		{"a", hashValue{}, "was answered with"},
		{[]any{"c", "x"}, hashValue{}, "nobody has set"},
		{[]any{"a", ""}, hashValue{}, "nobody has set"},
		{[]any{"a", "x", "a", "y"}, hashValue{}, "twice"},
	} {
		got, err := hashOfPairs(tt.reply)
		expectError(t, tt.reply, err, tt.err)
		if err == nil && got != tt.want {
			t.Errorf("%v: %q, want %q", tt.reply, got, tt.want)
		}
	}
	if _, err := hashOfList([]any{"x", nil}); err == nil {
		t.Error("HMGET may answer with a field too few")
	}
}

// expectError fails the test unless err says what, or there is none and what is "".
func expectError(t *testing.T, about any, err error, what string) {
	t.Helper()
	switch {
	case what == "" && err != nil:
		t.Errorf("%v: %v", about, err)
	case what != "" && (err == nil || !strings.Contains(err.Error(), what)):
		t.Errorf("%v: error %v, want one that says %q", about, err, what)
	}
}

func TestHashes(t *testing.T) {
	env := lyingServer(t, asPrimary)
	w := NewHashes(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

func TestHashesFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
		what string
	}{
		{"a deletion is acknowledged and lost", sometimes("HDEL", func(c []string) []string {
			return eval("return redis.call('HEXISTS', KEYS[1], ARGV[1])", c[1], c[2])
		}), "no order of the"},
		{"an increment is done twice", sometimes("HINCRBY", func(c []string) []string {
			return eval("redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) return redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])", c[1], c[2], c[3])
		}), "no order of the"},
		{"one field of two is set", sometimes("HSET", func(c []string) []string {
			return eval("local n = redis.call('HEXISTS', KEYS[1], ARGV[3]) return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) + 1 - n",
				c[1], c[2], c[3], c[len(c)-2])
		}), "no order of the"},
		{"a field from nowhere", sometimes("HGETALL", func([]string) []string { return say("c", "x") }), "nobody has set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewHashes(env), 700*time.Millisecond, tt.what)
		})
	}
}

// hashReference is a map.
type hashReference map[string]string

func (s hashReference) choose(d dice, i int) (any, bool) {
	var op hashOp
	field := d.IntN(numberField)
	op.put(field, fmt.Sprint("v", i))
	switch d.IntN(9) {
	case 0:
		op.kind = "set"
	case 1:
		op.kind = "set"
		op.put(1-field, fmt.Sprint("w", i))
	case 2:
		op.kind = "setnx"
	case 3, 4:
		op = hashOp{kind: "incr", by: int64(1 + i)}
	case 5:
		op = hashOp{kind: "del"}
		op.named[d.IntN(hashFields)], op.named[d.IntN(hashFields)] = true, true
	case 6:
		op = hashOp{kind: "get"}
		op.named[d.IntN(hashFields)] = true
		return op, false
	default:
		return s.readAll(), false
	}
	return op, true
}

func (s hashReference) readAll() any {
	return hashOp{kind: "get", named: [hashFields]bool{true, true, true}}
}

func (s hashReference) apply(input any) any {
	op := input.(hashOp)
	if op.kind == "incr" {
		n, _ := strconv.ParseInt(s["n"], 10, 64)
		s["n"] = strconv.FormatInt(n+op.by, 10)
		return n + op.by
	}
	before := maps.Clone(s)
	var read hashValue
	for i, name := range hashFieldNames {
		if !op.named[i] {
			continue
		}
		switch op.kind {
		case "get":
			read[i] = s[name]
		case "del":
			delete(s, name)
		case "setnx":
			if _, there := s[name]; there {
				return int64(0)
			}
			s[name] = op.values[i]
		case "set":
			s[name] = op.values[i]
		}
	}
	switch op.kind {
	case "get":
		return read
	case "del":
		return int64(len(before) - len(s))
	}
	return int64(len(s) - len(before))
}

func (s hashReference) forge(d dice, input, output any) any {
	if n, ok := output.(int64); ok {
		return n + 1
	}
	h := output.(hashValue)
	for i, named := range input.(hashOp).named {
		if !named {
			continue
		}
		if h[i] == "" || d.IntN(2) == 0 {
			h[i] += "0"
		} else {
			h[i] = ""
		}
		break
	}
	return h
}

func (s hashReference) alien(output any) any {
	h := output.(hashValue)
	for i := range h {
		h[i] = "another"
	}
	return h
}

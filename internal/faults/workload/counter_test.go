package workload

import (
	"strconv"
	"testing"
	"time"
)

func TestCounterModel(t *testing.T) {
	get := counterOp{kind: "get"}
	add := func(n int64) counterOp { return counterOp{kind: "add", by: n} }
	judgeAll(t, counterModel, []verdict{
		{"nothing was added", true, history{op(1, 2, get, "")}},
		{"nothing was added, and it is there", false, history{op(1, 2, get, "0")}},
		{"one after the other", true, history{
			op(1, 2, add(1), int64(1)), op(3, 4, add(41), int64(42)), op(5, 6, add(-1), int64(41)), op(7, 8, get, "41")}},
		{"back at 0 is not gone", true, history{op(1, 2, add(1), int64(1)), op(3, 4, add(-1), int64(0)), op(5, 6, get, "0")}},
		{"back at 0 and gone", false, history{op(1, 2, add(1), int64(1)), op(3, 4, add(-1), int64(0)), op(5, 6, get, "")}},
		{"two that overlap, either way", true, history{op(1, 9, add(5), int64(12)), op(2, 8, add(7), int64(7)), op(10, 11, get, "12")}},
		{"two that overlap, and one lost", false, history{op(1, 9, add(5), int64(5)), op(2, 8, add(7), int64(7))}},
		{"an acknowledged addition is lost", false, history{op(1, 2, add(5), int64(5)), op(3, 4, add(7), int64(12)), op(5, 6, get, "5")}},
		{"an addition is done twice", false, history{op(1, 2, add(5), int64(5)), op(3, 4, get, "10")}},
		{"a stale read", false, history{
			op(1, 9, add(5), int64(5)), op(2, 3, get, "5"), op(4, 5, get, "")}},
		{"a number from nowhere", false, history{op(1, 2, add(5), int64(5)), op(3, 4, get, "6")}},
		{"no number", false, history{op(1, 2, add(5), int64(5)), op(3, 4, get, "five")}},

		{"unknown, and never", true, history{lost(1, add(5)), op(3, 4, add(7), int64(7)), op(5, 6, get, "7")}},
		{"unknown, and at once", true, history{lost(1, add(5)), op(3, 4, add(7), int64(12)), op(5, 6, get, "12")}},
		{"unknown, and late", true, history{
			lost(1, add(5)), op(3, 4, add(7), int64(7)), op(5, 6, get, "7"), op(7, 8, get, "12")}},
		{"unknown, and before it was sent", false, history{op(1, 2, get, "5"), lost(3, add(5))}},
		{"unknown, seen and gone again", false, history{
			lost(1, add(5)), op(3, 4, get, "5"), op(5, 6, get, ""), op(7, 8, add(7), int64(7))}},
		{"unknown, and twice", false, history{lost(1, add(5)), op(3, 4, get, "5"), op(5, 6, get, "10")}},
		{"two unknown, and one of them", true, history{lost(1, add(5)), lost(2, add(7)), op(3, 4, get, "7")}},
		{"two unknown, and neither nor both", false, history{lost(1, add(5)), lost(2, add(7)), op(3, 4, get, "6")}},
	})
}

func TestCounters(t *testing.T) {
	env := shard(t, nil, nil)
	w := NewCounters(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

func TestCountersFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
	}{
		{"an addition is acknowledged and lost", sometimes("INCR", func(c []string) []string {
			return eval("return (redis.call('GET', KEYS[1]) or 0) + 1", c[1])
		})},
		{"an addition is done twice", sometimes("INCRBY", func(c []string) []string {
			return eval("local n = redis.call('INCRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', KEYS[1], ARGV[1]) return n", c[1], c[2])
		})},
		{"reads are stale", sometimes("GET", func([]string) []string { return eval("return false") })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewCounters(env), 700*time.Millisecond, "no order of the")
		})
	}
}

// counterReference is everything that was ever added.
type counterReference struct{ added []int64 }

func (s *counterReference) choose(d dice, i int) (any, bool) {
	amounts := []int64{1, -1, int64(2 + i)}
	switch n := d.IntN(5); {
	case n < len(amounts):
		return counterOp{kind: "add", by: amounts[n]}, true
	default:
		return s.readAll(), false
	}
}

func (s *counterReference) readAll() any { return counterOp{kind: "get"} }

func (s *counterReference) apply(input any) any {
	op := input.(counterOp)
	if op.kind == "add" {
		s.added = append(s.added, op.by)
	}
	sum := int64(0)
	for _, n := range s.added {
		sum += n
	}
	switch {
	case op.kind == "add":
		return sum
	case len(s.added) == 0:
		return ""
	}
	return strconv.FormatInt(sum, 10)
}

func (s *counterReference) forge(d dice, _, output any) any {
	wrong := int64(1 + d.IntN(5))
	switch output := output.(type) {
	case int64:
		return output + wrong
	case string:
		n, _ := strconv.ParseInt(output, 10, 64)
		return []any{strconv.FormatInt(n+wrong, 10), strconv.FormatInt(n-wrong, 10)}[d.IntN(2)]
	}
	panic(output)
}

func (s *counterReference) alien(any) any { return "1000000007" }

package workload

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

func TestSortedSetModel(t *testing.T) {
	// z is the scores of the first members; 0 is one that is not there.
	z := func(scores ...int64) (v zsetValue) {
		for i, n := range scores {
			if n != 0 {
				v[i] = scored(n)
			}
		}
		return v
	}
	set := func(kind string, member int, by int64) zsetOp { return zsetOp{kind: kind, member: member, by: by} }
	ask := func(kind string, member int) zsetOp { return zsetOp{kind: kind, member: member} }
	two := func(a, b int64) zsetOp { return zsetOp{kind: "addtwo", by: a, and: b} }
	between := func(from, to int64) zsetOp { return zsetOp{kind: "between", by: from, and: to} }
	all, popmin, popmax := ask("all", 0), ask("popmin", 0), ask("popmax", 0)
	added := op(1, 2, two(5, 7), int64(2))
	judgeAll(t, zsetModel, []verdict{
		{"nothing was added", true, history{
			op(1, 2, all, z()), op(3, 4, popmin, z()), op(5, 6, popmax, z()), op(7, 8, ask("rem", 1), int64(0)),
			op(9, 10, ask("score", 1), score{}), op(11, 12, ask("rank", 1), int64(-1)), op(13, 14, ask("card", 0), int64(0))}},
		{"one after the other", true, history{
			added, op(3, 4, set("add", 0, 9), int64(0)), op(5, 6, all, z(9, 7)), op(7, 8, set("add", 2, 8), int64(1)),
			op(9, 10, ask("rank", 0), int64(2)), op(11, 12, ask("rank", 2), int64(1)), op(13, 14, between(7, 8), z(0, 7, 8)),
			op(15, 16, popmin, z(0, 7)), op(17, 18, popmax, z(9)), op(19, 20, ask("card", 0), int64(1)), op(21, 22, ask("rem", 2), int64(1))}},
		{"GT, NX and INCR", true, history{
			added, op(3, 4, set("gt", 0, 5), int64(0)), op(5, 6, set("gt", 0, 6), int64(1)), op(7, 8, set("gt", 2, 1), int64(1)),
			op(9, 10, set("nx", 0, 9), int64(0)), op(11, 12, set("nx", 3, 9), int64(1)), op(13, 14, set("incr", 1, -3), scored(4)),
			op(15, 16, all, z(6, 4, 1, 9))}},
		{"an increment of what is not there", true, history{op(1, 2, set("incr", 0, 3), scored(3)), op(3, 4, all, z(3))}},
		{"a score of 0", true, history{
			op(1, 2, set("add", 0, 0), int64(1)), op(3, 4, ask("score", 0), scored(0)), op(5, 6, ask("card", 0), int64(1))}},
		{"the same score", true, history{
			op(1, 2, two(5, 5), int64(2)), op(3, 4, ask("rank", 0), int64(0)), op(5, 6, popmax, z(0, 5)), op(7, 8, popmin, z(5))}},
		{"two pops that overlap", true, history{added, op(3, 9, popmin, z(0, 7)), op(4, 8, popmin, z(5))}},
		{"two pops of the same", false, history{added, op(3, 9, popmin, z(5)), op(4, 8, popmin, z(5))}},
		{"a pop of the other", false, history{added, op(3, 4, popmin, z(0, 7))}},
		{"popped and still there", false, history{added, op(3, 4, popmin, z(5)), op(5, 6, all, z(5, 7))}},
		{"an acknowledged ZADD is lost", false, history{added, op(3, 4, all, z(5))}},
		{"an acknowledged change is lost", false, history{added, op(3, 4, set("add", 0, 9), int64(0)), op(5, 6, ask("score", 0), scored(5))}},
		{"an acknowledged ZREM is lost", false, history{added, op(3, 4, ask("rem", 0), int64(1)), op(5, 6, ask("rank", 0), int64(0))}},
		{"half of a ZADD", false, history{op(1, 9, two(5, 7), int64(2)), op(2, 3, all, z(5))}},
		{"a ZADD counts a member that was there", false, history{added, op(3, 4, two(1, 2), int64(1))}},
		{"GT lowers", false, history{added, op(3, 4, set("gt", 0, 3), int64(1))}},
		{"GT lowers without a word", false, history{added, op(3, 4, set("gt", 0, 3), int64(0)), op(5, 6, all, z(3, 7))}},
		{"NX changes", false, history{added, op(3, 4, set("nx", 0, 3), int64(0)), op(5, 6, all, z(3, 7))}},
		{"an increment is done twice", false, history{added, op(3, 4, set("incr", 0, 2), scored(7)), op(5, 6, all, z(9, 7))}},
		{"an increment is lost", false, history{added, op(3, 9, set("incr", 0, 2), scored(7)), op(4, 8, set("incr", 0, 3), scored(8))}},
		{"a wrong rank", false, history{added, op(3, 4, ask("rank", 1), int64(0))}},
		{"a range that lacks one", false, history{added, op(3, 4, between(5, 7), z(5))}},
		{"a range of too many", false, history{added, op(3, 4, between(6, 7), z(5, 7))}},
		{"a stale read", false, history{
			added, op(3, 9, set("add", 0, 9), int64(0)), op(4, 5, all, z(9, 7)), op(6, 7, all, z(5, 7))}},

		{"unknown ZADD, and never", true, history{lost(1, two(5, 7)), op(3, 4, all, z())}},
		{"unknown ZADD, and late", true, history{lost(1, two(5, 7)), op(3, 4, all, z()), op(5, 6, all, z(5, 7))}},
		{"unknown ZADD, and half of it", false, history{lost(1, two(5, 7)), op(3, 4, all, z(5))}},
		{"unknown ZINCRBY, and twice", false, history{lost(1, set("incr", 0, 5)), op(3, 4, all, z(5)), op(5, 6, all, z(10))}},
		{"unknown ZPOPMIN, and never", true, history{added, lost(3, popmin), op(5, 6, all, z(5, 7))}},
		{"unknown ZPOPMIN, and late", true, history{added, lost(3, popmin), op(5, 6, popmin, z(5)), op(7, 8, all, z())}},
		{"unknown ZPOPMIN, of the other", false, history{added, lost(3, popmin), op(5, 6, all, z(5))}},
		{"unknown ZREM, seen and undone", false, history{added, lost(3, ask("rem", 0)), op(5, 6, all, z(0, 7)), op(7, 8, all, z(5, 7))}},
	})
}

func TestSortedSetReplies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parse func(any) (any, error)
		reply any
		want  any
		err   string
	}{
		{"number", zsetNumber, int64(3), int64(3), ""},
		{"number", zsetNumber, "3", nil, "no number"},
		{"number", zsetNumber, nil, nil, "no number"},
		{"score", zsetScore, "-3", scored(-3), ""},
		{"score", zsetScore, nil, score{}, ""},
		{"score", zsetScore, int64(3), nil, "no score"},
		{"score", zsetScore, "3.5", nil, "no score"},
		{"rank", zsetRank, int64(3), int64(3), ""},
		{"rank", zsetRank, nil, int64(-1), ""},
		{"only", zsetOnly, []any{}, zsetValue{}, ""},
		{"only", zsetOnly, []any{"m1", "2"}, zsetValue{1: scored(2)}, ""},
		{"only", zsetOnly, []any{"m1", "2", "m2", "3"}, nil, "more than one"},
		{"only", zsetOnly, nil, nil, "no list"},
		{"all", zsetAll, []any{"m1", "2", "m0", "3", "m2", "3"}, zsetValue{scored(3), scored(2), scored(3)}, ""},
		{"all", zsetAll, []any{"m1", "2", "m0", "1"}, nil, "m0 comes after m1"},
		{"all", zsetAll, []any{"m1", "2", "m0", "2"}, nil, "m0 comes after m1"},
		{"all", zsetAll, []any{"m1", "2", "m1", "3"}, nil, "twice"},
		{"all", zsetAll, []any{"m1", "2", "m1"}, nil, "no list"},
		{"all", zsetAll, []any{"m4", "2"}, nil, "nobody has added"},
		{"all", zsetAll, []any{"m1", "x"}, nil, "no score"},
		{"all", zsetAll, "m1", nil, "no list"},
	} {
		got, err := tt.parse(tt.reply)
		expectError(t, tt.reply, err, tt.err)
		if err == nil && got != tt.want {
			t.Errorf("%s of %v: %v, want %v", tt.name, tt.reply, got, tt.want)
		}
	}
}

func TestSortedSets(t *testing.T) {
	env := lyingServer(t, asPrimary)
	w := NewSortedSets(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

func TestSortedSetsFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
		what string
	}{
		{"an addition is acknowledged and lost", sometimes("ZADD", func(c []string) []string {
			return eval("if ARGV[1] == 'INCR' then return '1' end if ARGV[1] == 'GT' then return 1 end return redis.call('EXISTS', KEYS[1])", c[1:]...)
		}), "no order of the"},
		{"GT is left out", always("ZADD", func(c []string) []string {
			if c[2] == "GT" {
				return slices.Delete(slices.Clone(c), 2, 3)
			}
			return c
		}), "no order of the"},
		{"an increment is done twice", sometimes("ZINCRBY", func(c []string) []string {
			return eval("local n = redis.call('ZINCRBY', KEYS[1], ARGV[1], ARGV[2]) redis.call('ZINCRBY', KEYS[1], ARGV[1], ARGV[2]) return n", c[1:]...)
		}), "no order of the"},
		{"a pop does not remove", always("ZPOPMIN", func(c []string) []string { return []string{"ZRANGE", c[1], "0", "0", "WITHSCORES"} }), "no order of the"},
		{"a pop of the other end", always("ZPOPMAX", func(c []string) []string { return []string{"ZPOPMIN", c[1]} }), "no order of the"},
		{"a removal is acknowledged and lost", sometimes("ZREM", func(c []string) []string {
			return eval("return redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0", c[1:]...)
		}), "no order of the"},
		{"the wrong order", sometimes("ZRANGE", func([]string) []string { return say("m1", "5", "m0", "4") }), "m0 comes after m1"},
		{"a member from nowhere", sometimes("ZRANGE", func([]string) []string { return say("x", "5") }), "nobody has added"},
		{"an error", sometimes("ZADD", func([]string) []string { return eval("return redis.error_reply('ERR no')") }), "was answered with ERR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewSortedSets(env), 700*time.Millisecond, tt.what)
		})
	}
}

// zsetReference is the members that are there, in order.
type zsetReference struct{ sorted []zsetMember }

type zsetMember struct {
	member int
	n      int64
}

func (s *zsetReference) choose(d dice, i int) (any, bool) {
	op := zsetOp{member: d.IntN(zsetMembers), by: int64(d.IntN(10)), and: int64(i)}
	switch d.IntN(10) {
	case 0, 1, 2:
		op.kind = []string{"add", "addtwo", "gt", "nx"}[d.IntN(4)]
	case 3, 4:
		op.kind = "incr"
	case 5:
		op.kind = "rem"
	case 6:
		op.kind = []string{"popmin", "popmax"}[d.IntN(2)]
	case 7, 8:
		op.kind = []string{"score", "rank", "card", "between"}[d.IntN(4)]
		return op, false
	default:
		return s.readAll(), false
	}
	return op, true
}

func (s *zsetReference) readAll() any { return zsetOp{kind: "all"} }

func (s *zsetReference) find(member int) int {
	return slices.IndexFunc(s.sorted, func(m zsetMember) bool { return m.member == member })
}

// set returns how many came.
func (s *zsetReference) set(member int, n int64) int64 {
	gone := s.remove(member)
	s.sorted = append(s.sorted, zsetMember{member, n})
	slices.SortFunc(s.sorted, func(a, b zsetMember) int { return cmp.Or(cmp.Compare(a.n, b.n), a.member-b.member) })
	return 1 - gone
}

// remove returns how many went.
func (s *zsetReference) remove(member int) int64 {
	i := s.find(member)
	if i < 0 {
		return 0
	}
	s.sorted = slices.Delete(slices.Clone(s.sorted), i, i+1)
	return 1
}

// part is some of the members as a zsetValue.
func (s *zsetReference) part(some []zsetMember) (z zsetValue) {
	for _, m := range some {
		z[m.member] = scored(m.n)
	}
	return z
}

func (s *zsetReference) apply(input any) any {
	op := input.(zsetOp)
	i := s.find(op.member)
	switch op.kind {
	case "add":
		return s.set(op.member, op.by)
	case "addtwo":
		return s.set(op.member, op.by) + s.set(op.other(), op.and)
	case "gt":
		if i >= 0 && op.by <= s.sorted[i].n {
			return int64(0)
		}
		s.set(op.member, op.by)
		return int64(1)
	case "nx":
		if i >= 0 {
			return int64(0)
		}
		return s.set(op.member, op.by)
	case "incr":
		n := op.by
		if i >= 0 {
			n += s.sorted[i].n
		}
		s.set(op.member, n)
		return scored(n)
	case "rem":
		return s.remove(op.member)
	case "popmin", "popmax":
		if len(s.sorted) == 0 {
			return zsetValue{}
		}
		took := s.sorted[:1]
		if op.kind == "popmax" {
			took = s.sorted[len(s.sorted)-1:]
		}
		s.remove(took[0].member)
		return s.part(took)
	case "score":
		if i < 0 {
			return score{}
		}
		return scored(s.sorted[i].n)
	case "rank":
		return int64(i)
	case "card":
		return int64(len(s.sorted))
	case "between":
		var some []zsetMember
		for _, m := range s.sorted {
			if m.n >= op.by && m.n <= op.and {
				some = append(some, m)
			}
		}
		return s.part(some)
	}
	return s.part(s.sorted)
}

func (s *zsetReference) forge(d dice, _, output any) any {
	switch output := output.(type) {
	case int64:
		return output + 1
	case score:
		output.n++
		return output
	case zsetValue:
		m := &output[d.IntN(zsetMembers)]
		if !m.there || d.IntN(2) == 0 {
			*m = scored(m.n + 1)
		} else {
			*m = score{}
		}
		return output
	}
	panic(output)
}

func (s *zsetReference) alien(output any) any {
	switch output := output.(type) {
	case int64:
		return output + 1_000_000
	case score:
		return scored(-1_000_000)
	}
	z := output.(zsetValue)
	z[0] = scored(-1_000_000)
	return z
}

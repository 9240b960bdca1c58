package workload

import (
	"slices"
	"testing"
	"time"
)

func TestSetModel(t *testing.T) {
	const a, b, c = members(1), members(2), members(4)
	x := func(kind string, named members) setOp { return setOp{kind: kind, named: named} }
	y := func(kind string, named members) setOp { return setOp{kind: kind, which: 1, named: named} }
	pop := func(count int64) setOp { return setOp{kind: "pop", count: count} }
	add, rem, move := func(m members) setOp { return x("add", m) }, func(m members) setOp { return x("rem", m) }, func(m members) setOp { return x("move", m) }
	all, both := x("get", allMembers), setOp{kind: "both"}
	pair := func(x, y members) members { return members(0).with(0, x).with(1, y) }
	added := op(1, 2, add(a|b), int64(2))
	judgeAll(t, setModel, []verdict{
		{"nothing was added", true, history{
			op(1, 2, all, members(0)), op(3, 4, rem(a), int64(0)), op(5, 6, pop(1), members(0)), op(7, 8, move(a), int64(0)),
			op(9, 10, x("card", 0), members(0)), op(11, 12, x("random", 0), members(0)), op(13, 14, both, members(0))}},
		{"one after the other", true, history{
			added, op(3, 4, add(b|c), int64(1)), op(5, 6, rem(a), int64(1)), op(7, 8, move(b), int64(1)), op(9, 10, both, pair(c, b)),
			op(11, 12, y("add", c), int64(1)), op(13, 14, x("union", 0), b|c), op(15, 16, x("inter", 0), c),
			op(17, 18, x("get", a|c), c), op(19, 20, y("card", 0), members(2)), op(21, 22, y("random", 0), b), op(23, 24, pop(2), c)}},
		{"a move of what both have", true, history{
			added, op(3, 4, y("add", a), int64(1)), op(5, 6, move(a), int64(1)), op(7, 8, both, pair(b, a))}},
		{"a pop of one of two", true, history{added, op(3, 4, pop(1), b), op(5, 6, all, a)}},
		{"a pop of two of three", true, history{added, op(3, 4, add(c), int64(1)), op(5, 6, pop(2), a|c), op(7, 8, all, b)}},
		{"two pops that overlap", true, history{added, op(3, 9, pop(1), b), op(4, 8, pop(1), a), op(10, 11, all, members(0))}},
		{"two pops of the same", false, history{added, op(3, 9, pop(1), b), op(4, 8, pop(1), b)}},
		{"a pop of too few", false, history{added, op(3, 4, pop(2), a)}},
		{"a pop of nothing", false, history{added, op(3, 4, pop(1), members(0))}},
		{"popped and still there", false, history{added, op(3, 4, pop(1), b), op(5, 6, all, a|b)}},
		{"another is popped than is answered", false, history{added, op(3, 4, pop(1), b), op(5, 6, all, b)}},
		{"an acknowledged SADD is lost", false, history{added, op(3, 4, all, a)}},
		{"an acknowledged SREM is lost", false, history{added, op(3, 4, rem(a), int64(1)), op(5, 6, x("get", a), a)}},
		{"half of an SADD", false, history{op(1, 9, add(a|b), int64(2)), op(2, 3, all, a)}},
		{"half of an SMOVE", false, history{added, op(3, 9, move(a), int64(1)), op(4, 5, both, pair(b, 0))}},
		{"an SMOVE that copies", false, history{added, op(3, 4, move(a), int64(1)), op(5, 6, both, pair(a|b, a))}},
		{"an SADD counts a member that was there", false, history{added, op(3, 4, add(b|c), int64(2))}},
		{"an SREM counts a member that was not there", false, history{added, op(3, 4, rem(a|c), int64(2))}},
		{"a random member that is not there", false, history{added, op(3, 4, x("random", 0), c)}},
		{"a stale read", false, history{added, op(3, 9, add(c), int64(1)), op(4, 5, all, a|b|c), op(6, 7, all, a|b)}},
		{"a wrong count", false, history{added, op(3, 4, x("card", 0), members(1))}},
		{"a union that lacks one", false, history{added, op(3, 4, y("add", c), int64(1)), op(5, 6, x("union", 0), a|b)}},
		{"an intersection of too many", false, history{added, op(3, 4, x("inter", 0), a)}},

		{"unknown SADD, and never", true, history{lost(1, add(a)), op(3, 4, all, members(0))}},
		{"unknown SADD, and late", true, history{lost(1, add(a)), op(3, 4, all, members(0)), op(5, 6, all, a)}},
		{"unknown SADD, and twice", false, history{lost(1, add(a)), op(3, 4, rem(a), int64(1)), op(5, 6, all, a)}},
		{"unknown SPOP, and never", true, history{added, lost(3, pop(1)), op(5, 6, all, a|b)}},
		{"unknown SPOP of one", true, history{added, lost(3, pop(1)), op(5, 6, all, a)}},
		{"unknown SPOP of the other", true, history{added, lost(3, pop(1)), op(5, 6, all, b)}},
		{"unknown SPOP, not yet told of which", true, history{added, lost(3, pop(1)), op(5, 6, x("card", 0), members(1)), op(7, 8, all, b)}},
		{"unknown SPOP of two", false, history{added, lost(3, pop(1)), op(5, 6, all, members(0))}},
		{"unknown SPOP, of one and then the other", false, history{added, lost(3, pop(1)), op(5, 6, all, a), op(7, 8, all, b)}},
		{"unknown SPOP, seen and undone", false, history{
			added, lost(3, pop(1)), op(5, 6, x("card", 0), members(1)), op(7, 8, all, a|b)}},
		{"unknown SMOVE, and half of it", false, history{added, lost(3, move(a)), op(5, 6, both, pair(b, 0))}},
	})
}

func TestSetReplies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parse func(any) (members, error)
		reply any
		want  members
		err   string
	}{
		{"members", membersOfReply, []any{"m5", "m0"}, 33, ""},
		{"members", membersOfReply, []any{}, 0, ""},
		{"members", membersOfReply, "m1", 2, ""},
		{"members", membersOfReply, nil, 0, ""},
		{"members", membersOfReply, []any{"m6"}, 0, "nobody has added"},
		{"members", membersOfReply, []any{nil}, 0, "nobody has added"},
		{"members", membersOfReply, int64(1), 0, "nobody has added"},
		{"members", membersOfReply, []any{"m1", "m1"}, 0, "twice"},
		{"some", someOfReply(4), int64(1), 4, ""},
		{"some", someOfReply(4), int64(0), 0, ""},
		{"some", someOfReply(5), []any{int64(0), int64(1)}, 4, ""},
		{"some", someOfReply(5), []any{int64(0)}, 0, "2 members"},
		{"some", someOfReply(4), int64(2), 0, "neither"},
		{"some", someOfReply(4), nil, 0, "neither"},
		{"card", cardOfReply, int64(6), 6, ""},
		{"card", cardOfReply, int64(7), 0, "7 members of 6"},
		{"card", cardOfReply, int64(-1), 0, "-1 members of 6"},
		{"card", cardOfReply, nil, 0, "members of 6"},
		{"both", bothOfReply, []any{[]any{"m0"}, []any{"m1"}}, 1 | 2<<setMembers, ""},
		{"both", bothOfReply, []any{[]any{"m0"}}, 0, "two commands"},
		{"both", bothOfReply, []any{[]any{"m9"}, []any{}}, 0, "nobody has added"},
		{"both", bothOfReply, []any{[]any{}, []any{"m9"}}, 0, "nobody has added"},
	} {
		got, err := tt.parse(tt.reply)
		expectError(t, tt.reply, err, tt.err)
		if err == nil && got != tt.want {
			t.Errorf("%s of %v: %v, want %v", tt.name, tt.reply, got, tt.want)
		}
	}
}

func TestSets(t *testing.T) {
	env := lyingServer(t, asPrimary)
	w := NewSets(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

func TestSetsFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
		what string
	}{
		{"an addition is acknowledged and lost", sometimes("SADD", func(c []string) []string {
			return eval("local n = 0 for i, m in ipairs(ARGV) do n = n + 1 - redis.call('SISMEMBER', KEYS[1], m) end return n", c[1:]...)
		}), "no order of the"},
		{"a pop does not remove", sometimes("SPOP", func(c []string) []string { return []string{"SRANDMEMBER", c[1]} }), "no order of the"},
		{"a pop takes two", always("SPOP", func(c []string) []string {
			return eval("local m = redis.call('SPOP', KEYS[1]) redis.call('SPOP', KEYS[1]) return m", c[1])
		}), "no order of the"},
		{"a move copies", sometimes("SMOVE", func(c []string) []string {
			return eval("local n = redis.call('SISMEMBER', KEYS[1], ARGV[2]) if n == 1 then redis.call('SADD', ARGV[1], ARGV[2]) end return n", c[1:]...)
		}), "no order of the"},
		{"a removal is acknowledged and lost", sometimes("SREM", func(c []string) []string {
			return eval("local n = 0 for i, m in ipairs(ARGV) do n = n + redis.call('SISMEMBER', KEYS[1], m) end return n", c[1:]...)
		}), "no order of the"},
		{"a member from nowhere", sometimes("SMEMBERS", func([]string) []string { return say("x") }), "nobody has added"},
		{"an error", sometimes("SADD", func([]string) []string { return eval("return redis.error_reply('ERR no')") }), "was answered with ERR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewSets(env), 700*time.Millisecond, tt.what)
		})
	}
}

// setReference is both sets, as sorted lists of names.
type setReference [2][]string

func (s *setReference) choose(d dice, _ int) (any, bool) {
	op := setOp{which: d.IntN(2), named: memberBit(d.IntN(setMembers))}
	switch d.IntN(10) {
	case 0, 1, 2:
		op.kind, op.named = "add", op.named|memberBit(d.IntN(setMembers))
	case 3:
		op.kind, op.named = "rem", op.named|memberBit(d.IntN(setMembers))
	case 4:
		op.kind = "move"
	case 5, 6:
		op.kind, op.named, op.count = "pop", 0, int64(1+d.IntN(2))
	case 7:
		op.kind = "get"
		return op, false
	case 8:
		op.kind = []string{"card", "random", "union", "inter"}[d.IntN(4)]
		return op, false
	default:
		return s.readAll(), false
	}
	return op, true
}

func (s *setReference) readAll() any { return setOp{kind: "both"} }

func (s *setReference) apply(input any) any {
	op := input.(setOp)
	set := &s[op.which]
	masked := func(names []string) (m members) {
		for i := range setMembers {
			if slices.Contains(names, memberName(i)) {
				m |= memberBit(i)
			}
		}
		return m
	}
	remove := func(name string) int64 {
		before := len(*set)
		*set = slices.DeleteFunc(slices.Clone(*set), func(s string) bool { return s == name })
		return int64(before - len(*set))
	}
	add := func(set *[]string, name string) int64 {
		if slices.Contains(*set, name) {
			return 0
		}
		*set = append(slices.Clone(*set), name)
		slices.Sort(*set)
		return 1
	}
	n := int64(0)
	switch op.kind {
	case "add":
		for _, name := range op.named.names() {
			n += add(set, name)
		}
	case "rem":
		for _, name := range op.named.names() {
			n += remove(name)
		}
	case "move":
		name := op.named.names()[0]
		if n = remove(name); n == 1 {
			add(&s[1-op.which], name)
		}
	case "pop":
		took := (*set)[:min(int(op.count), len(*set))]
		*set = (*set)[len(took):]
		return masked(took)
	case "get":
		return masked(*set) & op.named
	case "card":
		return members(len(*set))
	case "random":
		return masked((*set)[:min(1, len(*set))])
	case "union":
		return masked(slices.Concat(s[0], s[1]))
	case "inter":
		return masked(s[0]) & masked(s[1])
	case "both":
		return masked(s[0]) | masked(s[1])<<setMembers
	}
	return n
}

func (s *setReference) forge(d dice, input, output any) any {
	if n, ok := output.(int64); ok {
		return n + 1
	}
	m, op := output.(members), input.(setOp)
	switch op.kind {
	case "pop", "random":
		// One member is as good as another; one is not as good as none.
		if m == 0 {
			return memberBit(d.IntN(setMembers))
		}
		return members(0)
	case "card":
		return m + 1
	case "get":
		return m ^ op.named
	}
	return m ^ memberBit(d.IntN(setMembers))
}

func (s *setReference) alien(output any) any { return output.(members) | 1<<15 }

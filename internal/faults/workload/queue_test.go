package workload

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestQueueModel(t *testing.T) {
	push := func(values ...string) queueOp { return queueOp{kind: "push", values: listOf(values...)} }
	finish := func(value string) queueOp { return queueOp{kind: "finish", values: listOf(value)} }
	pop, take, giveBack := queueOp{kind: "pop"}, queueOp{kind: "take"}, queueOp{kind: "return"}
	all, length, look := queueOp{kind: "all"}, queueOp{kind: "len"}, queueOp{kind: "range"}
	left := func(waiting, taken list) queueValue { return queueValue{waiting, taken} }
	pushed := op(1, 2, push("a", "b"), int64(2))
	judgeAll(t, queueModel, []verdict{
		{"nothing was pushed", true, history{
			op(1, 2, pop, ""), op(3, 4, take, ""), op(5, 6, giveBack, ""), op(7, 8, finish("a"), int64(0)),
			op(9, 10, length, int64(0)), op(11, 12, look, list("")), op(13, 14, all, queueValue{})}},
		{"one after the other", true, history{
			pushed, op(3, 4, push("c"), int64(3)), op(5, 6, look, listOf("c", "b", "a")), op(7, 8, pop, "a"),
			op(9, 10, take, "b"), op(11, 12, all, left("c ", "b ")), op(13, 14, take, "c"), op(15, 16, all, left("", "c b ")),
			op(17, 18, giveBack, "c"), op(19, 20, finish("b"), int64(1)), op(21, 22, finish("b"), int64(0)), op(23, 24, pop, "c")}},
		{"given back, to be the next", true, history{
			pushed, op(3, 4, take, "a"), op(5, 6, giveBack, "a"), op(7, 8, pop, "a"), op(9, 10, pop, "b")}},
		{"two pushes that overlap", true, history{
			op(1, 9, push("a"), int64(2)), op(2, 8, push("b"), int64(1)), op(10, 11, pop, "b"), op(12, 13, pop, "a")}},
		{"a pop that waits for a push", true, history{op(1, 9, pop, "a"), op(2, 8, push("a"), int64(1))}},
		{"a pop before the push", false, history{op(1, 2, pop, "a"), op(3, 4, push("a"), int64(1))}},
		{"last in, first out", false, history{pushed, op(3, 4, pop, "b")}},
		{"pushes in another order", false, history{
			op(1, 2, push("a"), int64(1)), op(3, 4, push("b"), int64(2)), op(5, 6, look, listOf("a", "b"))}},
		{"popped twice", false, history{pushed, op(3, 9, pop, "a"), op(4, 8, pop, "a")}},
		{"popped and still there", false, history{pushed, op(3, 4, pop, "a"), op(5, 6, length, int64(2))}},
		{"an acknowledged push is lost", false, history{pushed, op(3, 4, pop, "a"), op(5, 6, pop, "")}},
		{"half of a push", false, history{op(1, 9, push("a", "b"), int64(2)), op(2, 3, look, listOf("a"))}},
		{"half of a move", false, history{pushed, op(3, 9, take, "a"), op(4, 5, all, left("b ", ""))}},
		{"a move that copies", false, history{pushed, op(3, 4, take, "a"), op(5, 6, all, left("b a ", "a "))}},
		{"a removal is lost", false, history{
			pushed, op(3, 4, take, "a"), op(5, 6, finish("a"), int64(1)), op(7, 8, all, left("b ", "a "))}},
		{"a value from nowhere", false, history{pushed, op(3, 4, pop, "c")}},

		{"unknown push, and never", true, history{lost(1, push("a")), op(3, 4, pop, "")}},
		{"unknown push, and late", true, history{lost(1, push("a")), op(3, 4, push("b"), int64(1)), op(5, 6, all, left("a b ", ""))}},
		{"unknown push, and twice", false, history{lost(1, push("a")), op(3, 4, pop, "a"), op(5, 6, pop, "a")}},
		{"unknown pop, and never", true, history{pushed, lost(3, pop), op(5, 6, pop, "a"), op(7, 8, pop, "b")}},
		{"unknown pop, and at once", true, history{pushed, lost(3, pop), op(5, 6, pop, "b")}},
		{"unknown pop, and late", true, history{pushed, lost(3, pop), op(5, 6, pop, "a"), op(7, 8, pop, "")}},
		{"unknown pop, and two are gone", false, history{pushed, lost(3, pop), op(5, 6, pop, "")}},
		{"unknown pop, and the wrong one is gone", false, history{pushed, lost(3, pop), op(5, 6, look, listOf("a"))}},
		{"unknown pop, seen and undone", false, history{
			pushed, lost(3, pop), op(5, 6, length, int64(1)), op(7, 8, length, int64(2))}},
		{"unknown take, and at once", true, history{pushed, lost(3, take), op(5, 6, all, left("b ", "a "))}},
	})
}

func TestList(t *testing.T) {
	l := listOf("a", "b", "c")
	if value, rest := l.head(); value != "a" || rest != listOf("b", "c") {
		t.Errorf("head: %q, %q", value, rest)
	}
	if value, rest := l.tail(); value != "c" || rest != listOf("a", "b") {
		t.Errorf("tail: %q, %q", value, rest)
	}
	if got := l.values(); !slices.Equal(got, []string{"a", "b", "c"}) || l.len() != 3 {
		t.Errorf("values: %q, %d", got, l.len())
	}
	for value, want := range map[string]list{"a": "b c ", "b": "a c ", "c": "a b "} {
		if rest, found := l.without(value); rest != want || !found {
			t.Errorf("without %s: %q, %v", value, rest, found)
		}
	}
	if rest, found := listOf("aa", "b").without("a"); rest != "aa b " || found {
		t.Errorf("without part of a value: %q, %v", rest, found)
	}
	var empty list
	for _, take := range []func() (string, list){empty.head, empty.tail} {
		if value, rest := take(); value != "" || rest != "" {
			t.Errorf("of an empty list: %q, %q", value, rest)
		}
	}
	if empty.values() != nil || empty.len() != 0 {
		t.Errorf("an empty list: %q, %d", empty.values(), empty.len())
	}
}

func TestQueueReplies(t *testing.T) {
	for _, tt := range []struct {
		reply any
		want  queueValue
		err   string
	}{
		{[]any{[]any{}, []any{}}, queueValue{}, ""},
		{[]any{[]any{"b", "a"}, []any{"c"}}, queueValue{"b a ", "c "}, ""},
		{[]any{[]any{"b", ""}, []any{}}, queueValue{}, "nobody has pushed"},
		{[]any{[]any{}, []any{"a b"}}, queueValue{}, "nobody has pushed"},
		{[]any{"a", []any{}}, queueValue{}, "no list"},
		{[]any{[]any{}}, queueValue{}, "two commands"},
		{nil, queueValue{}, "two commands"},
	} {
		got, err := parseQueue(tt.reply)
		expectError(t, tt.reply, err, tt.err)
		if err == nil && got != tt.want {
			t.Errorf("%v: %q, want %q", tt.reply, got, tt.want)
		}
	}
}

func TestParcels(t *testing.T) {
	done, refused, unknown := Result{Outcome: Done}, Result{Outcome: Refused}, Result{Outcome: Unknown}
	failed := Result{Outcome: Done, Err: errors.New("ERR")}
	p := newParcels()
	pushed := func(r Result, values ...string) {
		p.push(values)
		p.pushed(values, r)
	}
	removed := func(r Result, value string, found bool, what string) {
		t.Helper()
		expectError(t, value, p.removed(r, value, found), what)
	}
	compare := func(waiting, taken list, what string) {
		t.Helper()
		expectError(t, waiting+"|"+taken, p.compare(queueValue{waiting, taken}), what)
	}
	pushed(done, "a", "b")
	pushed(refused, "r")
	pushed(unknown, "u")
	pushed(failed, "f")
	compare("b a ", "", "")
	compare("a ", "b ", "")
	compare("u f a ", "b ", "")
	compare("a ", "", "1 were acknowledged and are neither there nor popped, and only 0 pops had no answer: b")
	compare("a ", "b a ", "a is there 2 times")
	compare("r a ", "b ", "r is there and was refused")
	compare("x a ", "b ", "x is there and was never pushed")
	removed(refused, "", false, "")
	removed(done, "", false, "")
	removed(done, "a", false, "") // somebody else had it
	compare("b ", "", "are neither there nor popped")
	removed(done, "a", true, "")
	compare("b ", "", "")
	compare("b a ", "", "a is there and came out of the queue")
	removed(done, "a", true, "a came out of the queue twice")
	removed(done, "x", true, "x came out of the queue and was never pushed")
	removed(done, "u", true, "")
	removed(unknown, "", false, "")
	compare("", "", "")
	pushed(done, "c")
	compare("", "", "2 were acknowledged and are neither there nor popped, and only 1 pops had no answer: b c")
	removed(failed, "", false, "")
	compare("", "", "")
	removed(done, "r", true, "")
	compare("", "", "r came out of the queue and was refused")
}

func TestQueues(t *testing.T) {
	env := lyingServer(t, asPrimary)
	w := NewQueues(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

func TestQueuesFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
		what string
	}{
		{"a push is acknowledged and lost", sometimes("LPUSH", func(c []string) []string {
			return eval("return redis.call('LLEN', KEYS[1]) + #ARGV", c[1:]...)
		}), "are neither there nor popped"},
		{"a pop does not remove", sometimes("RPOP", func(c []string) []string { return []string{"LINDEX", c[1], "-1"} }), "came out of the queue"},
		{"the newest is popped", sometimes("RPOP", func(c []string) []string { return []string{"LPOP", c[1]} }), "no order of the"},
		{"a blocking pop takes two", always("BRPOP", func(c []string) []string {
			return eval("local v = redis.call('RPOP', KEYS[1]) redis.call('RPOP', KEYS[1]) return v and {KEYS[1], v}", c[1])
		}), "are neither there nor popped"},
		{"a move copies", sometimes("LMOVE", func(c []string) []string {
			return eval("local v = redis.call('LINDEX', KEYS[1], -1) if v then redis.call('LPUSH', ARGV[1], v) end return v", c[1], c[2])
		}), "no order of the"},
		{"a removal is acknowledged and lost", sometimes("LREM", func(c []string) []string {
			return eval("return redis.call('LPOS', KEYS[1], ARGV[2]) and 1 or 0", c[1:]...)
		}), "came out of the queue"}, // and is still there, or comes out once more before that is looked for
		{"a value from nowhere", sometimes("LRANGE", func([]string) []string { return say("") }), "nobody has pushed"},
		{"an error", sometimes("LPUSH", func([]string) []string { return eval("return redis.error_reply('ERR no')") }), "was answered with ERR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewQueues(env), 700*time.Millisecond, tt.what)
		})
	}
}

// queueReference is two slices, from the oldest to the newest.
type queueReference struct{ waiting, taken []string }

func (s *queueReference) choose(d dice, i int) (any, bool) {
	value := string(rune('A' + i%26))
	for n := i / 26; n > 0; n /= 26 {
		value += string(rune('a' + n%26))
	}
	switch d.IntN(10) {
	case 0, 1, 2:
		return queueOp{kind: "push", values: listOf(value)}, true
	case 3:
		return queueOp{kind: "push", values: listOf(value+"0", value+"1")}, true
	case 4, 5:
		return queueOp{kind: "pop"}, true
	case 6:
		return queueOp{kind: "take"}, true
	case 7:
		if d.IntN(3) == 0 {
			return queueOp{kind: "return"}, true
		}
		if len(s.taken) > 0 {
			value = s.taken[d.IntN(len(s.taken))]
		}
		return queueOp{kind: "finish", values: listOf(value)}, true
	case 8:
		return queueOp{kind: []string{"len", "range"}[d.IntN(2)]}, false
	}
	return s.readAll(), false
}

func (s *queueReference) readAll() any { return queueOp{kind: "all"} }

func (s *queueReference) apply(input any) any {
	op := input.(queueOp)
	newestFirst := func(values []string) list {
		values = slices.Clone(values)
		slices.Reverse(values)
		return listOf(values...)
	}
	switch op.kind {
	case "push":
		s.waiting = append(s.waiting, op.values.values()...)
		return int64(len(s.waiting))
	case "pop", "take":
		if len(s.waiting) == 0 {
			return ""
		}
		value := s.waiting[0]
		s.waiting = s.waiting[1:]
		if op.kind == "take" {
			s.taken = append(s.taken, value)
		}
		return value
	case "return":
		n := len(s.taken)
		if n == 0 {
			return ""
		}
		value := s.taken[n-1]
		s.taken = s.taken[:n-1]
		s.waiting = append([]string{value}, s.waiting...)
		return value
	case "finish":
		i := slices.Index(s.taken, op.values.values()[0])
		if i < 0 {
			return int64(0)
		}
		s.taken = slices.Delete(slices.Clone(s.taken), i, i+1)
		return int64(1)
	case "len":
		return int64(len(s.waiting))
	case "range":
		return newestFirst(s.waiting)
	}
	return queueValue{newestFirst(s.waiting), newestFirst(s.taken)}
}

func (s *queueReference) forge(d dice, _, output any) any {
	switch output := output.(type) {
	case int64:
		return output + 1
	case string:
		return output + "0"
	case list:
		if _, rest := output.tail(); output != "" && d.IntN(2) == 0 {
			return rest
		}
		return output + listOf("another")
	case queueValue:
		if d.IntN(2) == 0 {
			output.taken += listOf("another")
		} else {
			output.waiting += listOf("another")
		}
		return output
	}
	panic(output)
}

func (s *queueReference) alien(output any) any {
	switch output := output.(type) {
	case int64:
		return output + 1_000_000
	case list:
		return output + listOf("another")
	}
	q := output.(queueValue)
	q.taken += listOf("another")
	return q
}

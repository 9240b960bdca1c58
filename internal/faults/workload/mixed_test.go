package workload

import (
	"strings"
	"testing"
	"time"
)

func TestMixedModel(t *testing.T) {
	const a, b, c = tag("00000001"), tag("10000001"), tag("00000002")
	read := mixedOp{kind: "read"}
	write := func(t tag) mixedOp { return mixedOp{kind: "write", tag: t} }
	// after is what is there after writes, and answer what the last was answered.
	after := func(writes ...tag) mixedValue {
		var m mixedValue
		for _, w := range writes {
			m.count++
			m.last = w
			m.newest[w[0]-'0'] = w
		}
		return m
	}
	answer := func(count int64, first bool) mixedAnswer { return mixedAnswer{count, first} }
	written := op(1, 2, write(a), answer(1, true))
	judgeAll(t, mixedModel, []verdict{
		{"nothing was written", true, history{op(1, 2, read, after())}},
		{"one after the other", true, history{
			written, op(3, 4, write(b), answer(2, true)), op(5, 6, read, after(a, b)),
			op(7, 8, write(c), answer(3, false)), op(9, 10, read, after(a, b, c))}},
		{"two that overlap", true, history{
			op(1, 9, write(a), answer(2, true)), op(2, 8, write(b), answer(1, true)), op(10, 11, read, after(b, a))}},
		{"two that overlap, seen in both orders", false, history{
			op(1, 9, write(a), answer(2, true)), op(2, 8, write(b), answer(1, true)), op(10, 11, read, after(a, b))}},
		{"an acknowledged write is lost", false, history{written, op(3, 4, write(b), answer(2, true)), op(5, 6, read, after(a))}},
		{"a write is done twice", false, history{written, op(3, 4, read, after(a, a))}},
		{"two writes were the first", false, history{written, op(3, 4, write(c), answer(2, true))}},
		{"part of a write is seen", false, history{
			written, op(3, 9, write(b), answer(2, true)), op(4, 5, read, mixedValue{count: 2, last: a, newest: after(a).newest})}},
		{"a stale read", false, history{
			written, op(3, 9, write(b), answer(2, true)), op(4, 5, read, after(a, b)), op(6, 7, read, after(a))}},
		{"a write from nowhere", false, history{written, op(3, 4, read, after(a, b))}},

		{"unknown, and never", true, history{lost(1, write(a)), op(3, 4, read, after())}},
		{"unknown, and at once", true, history{lost(1, write(a)), op(3, 4, read, after(a))}},
		{"unknown, and late", true, history{
			lost(1, write(a)), op(3, 4, write(b), answer(1, true)), op(5, 6, read, after(b)), op(7, 8, read, after(b, a))}},
		{"unknown, seen and gone again", false, history{lost(1, write(a)), op(3, 4, read, after(a)), op(5, 6, read, after())}},
		{"unknown, and twice", false, history{lost(1, write(a)), op(3, 4, read, after(a)), op(5, 6, read, after(a, a))}},
	})
}

func TestParseMixed(t *testing.T) {
	hash := func(count string, tags ...any) []any {
		h := []any{"n", count}
		for _, t := range tags {
			h = append(h, t.(string)[:1], t)
		}
		return h
	}
	const a, b = "00000001", "10000001"
	two := mixedValue{count: 2, last: b, newest: [mixedWriters]tag{a, b}}
	for _, tt := range []struct {
		name  string
		reply any
		want  mixedValue
		err   string
	}{
		{"nothing", []any{nil, int64(0), []any{}, nil, int64(0), ""}, mixedValue{}, ""},
		{"two writes", []any{"2", int64(3), hash("2", a, b), b, int64(16), b}, two, ""},
		{"count is behind", []any{"1", int64(3), hash("2", a, b), b, int64(16), b}, mixedValue{}, "disagree"},
		{"the hash's count is behind", []any{"2", int64(3), hash("1", a, b), b, int64(16), b}, mixedValue{}, "disagree"},
		{"the hash is of another length", []any{"2", int64(2), hash("2", a, b), b, int64(16), b}, mixedValue{}, "disagree"},
		{"the hash misses the last", []any{"2", int64(2), hash("2", a), b, int64(16), b}, mixedValue{}, "disagree"},
		{"last is behind", []any{"2", int64(3), hash("2", a, b), a, int64(16), b}, mixedValue{}, "disagree"},
		{"last is gone", []any{"2", int64(3), hash("2", a, b), nil, int64(16), ""}, mixedValue{}, "disagree"},
		{"log is behind", []any{"2", int64(3), hash("2", a, b), b, int64(8), a}, mixedValue{}, "disagree"},
		{"log has half a write", []any{"2", int64(3), hash("2", a, b), b, int64(12), b}, mixedValue{}, "disagree"},
		{"a field from nowhere", []any{"2", int64(3), []any{"n", "2", "9", a}, b, int64(16), b}, mixedValue{}, "nobody has written"},
		{"another's field", []any{"2", int64(3), []any{"n", "2", "1", a}, b, int64(16), b}, mixedValue{}, "nobody has written"},
		{"no hash", []any{"2", int64(3), nil, b, int64(16), b}, mixedValue{}, "HGETALL was answered with"},
		{"too few", []any{"2"}, mixedValue{}, "six commands"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseMixed(tt.reply)
			expectError(t, tt.reply, err, tt.err)
			if err == nil && got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestParseMixedAnswer(t *testing.T) {
	for _, tt := range []struct {
		reply any
		want  mixedAnswer
		err   string
	}{
		{[]any{int64(3), int64(1), int64(3), "OK", int64(24)}, mixedAnswer{3, true}, ""},
		{[]any{int64(3), int64(0), int64(3), "OK", int64(24)}, mixedAnswer{3, false}, ""},
		{[]any{int64(3), int64(0), int64(2), "OK", int64(24)}, mixedAnswer{}, "disagree"},
		{[]any{int64(3), int64(0), int64(3), nil, int64(24)}, mixedAnswer{}, "disagree"},
		{[]any{int64(3), int64(0), int64(3), "OK", int64(16)}, mixedAnswer{}, "disagree"},
		{[]any{int64(3)}, mixedAnswer{}, "five commands"},
	} {
		got, err := parseMixedAnswer(tt.reply)
		expectError(t, tt.reply, err, tt.err)
		if err == nil && got != tt.want {
			t.Errorf("%v: %v, want %v", tt.reply, got, tt.want)
		}
	}
}

func TestFates(t *testing.T) {
	const done, unknown, refused = tag("00000001"), tag("00000002"), tag("00000003")
	f := fates{done: Done, unknown: Unknown, refused: Refused}
	for _, tt := range []struct {
		log string
		err string
	}{
		{string(done), ""},
		{string(unknown + done), ""},
		{string(unknown), "1 writes are wrong: 00000001 was acknowledged and is not there"},
		{string(done + done), "1 writes are wrong: 00000001 is there 2 times"},
		{string(done + unknown + unknown), "1 writes are wrong: 00000002 is there 2 times"},
		{string(done + refused), "1 writes are wrong: 00000003 is there and was refused"},
		{string(done + "00000004"), "1 writes are wrong: 00000004 is there and was never sent"},
		{string(done + "0000"), `1 writes are wrong: "0000" is half a write`},
		{string(done + done + refused), "2 writes are wrong: 00000001 is there 2 times; 00000003 is there and was refused"},
	} {
		expectError(t, tt.log, f.compare(tt.log), tt.err)
	}
}

func TestMixed(t *testing.T) {
	env := shard(t, nil, nil)
	w := NewMixed(env)
	runFor(t, env, w, 1500*time.Millisecond)
	expectClean(t, env, w)
	if n := w.looks.Load(); n < 100 {
		t.Errorf("%d looks at copies", n)
	}
}

func TestMixedFindsLies(t *testing.T) {
	const sum = "return redis.call('STRLEN', KEYS[1]) + #ARGV[1]"
	for _, tt := range []struct {
		name             string
		primary, replica lie
		what             string
	}{
		{name: "part of a write is lost", what: "disagree",
			primary: sometimes("APPEND", func(c []string) []string { return eval(sum, c[1], c[2]) })},
		{name: "part of a write is done twice", what: "disagree",
			primary: sometimes("INCR", func(c []string) []string {
				return eval("local n = redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[1]) return n", c[1])
			})},
		{name: "part of a write on a replica", what: "read of the copy on node-1",
			replica: sometimes("STRLEN", func(c []string) []string { return eval("return redis.call('STRLEN', KEYS[1]) + 8", c[1]) })},
		{name: "the log holds another's write", what: "was acknowledged and is not there",
			primary: always("APPEND", func(c []string) []string {
				return eval("redis.call('SET', KEYS[1], string.rep('x', redis.call('STRLEN', KEYS[1])) .. ARGV[1]) return redis.call('STRLEN', KEYS[1])", c[1], c[2])
			})},
		{name: "a write is answered with an error", what: "was answered with ERR",
			primary: sometimes("HINCRBY", func([]string) []string { return eval("return redis.error_reply('ERR no')") })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := shard(t, tt.primary, tt.replica)
			runFor(t, env, NewMixed(env), 700*time.Millisecond)
			expectFound(t, env, tt.what)
		})
	}
}

// mixedReference is the log alone; all the rest follows from it.
type mixedReference struct{ log string }

func (s *mixedReference) choose(d dice, i int) (any, bool) {
	if d.IntN(2) == 0 {
		return s.readAll(), false
	}
	return mixedOp{kind: "write", tag: newTag(d.IntN(mixedWriters), i)}, true
}

func (s *mixedReference) readAll() any { return mixedOp{kind: "read"} }

func (s *mixedReference) apply(input any) any {
	op := input.(mixedOp)
	if op.kind == "write" {
		first := true
		for log := s.log; log != ""; log = log[tagSize:] {
			first = first && !strings.HasPrefix(log, op.tag.writer())
		}
		s.log += string(op.tag)
		return mixedAnswer{count: int64(len(s.log) / tagSize), first: first}
	}
	m := mixedValue{count: int64(len(s.log) / tagSize)}
	for log := s.log; log != ""; log = log[tagSize:] {
		m.last = tag(log[:tagSize])
		m.newest[log[0]-'0'] = m.last
	}
	return m
}

func (s *mixedReference) forge(d dice, _, output any) any {
	switch output := output.(type) {
	case mixedAnswer:
		if d.IntN(2) == 0 {
			output.count++
		} else {
			output.first = !output.first
		}
		return output
	case mixedValue:
		switch d.IntN(3) {
		case 0:
			output.count++
		case 1:
			output.last = "another"
		default:
			output.newest[d.IntN(mixedWriters)] = "another"
		}
		return output
	}
	panic(output)
}

func (s *mixedReference) alien(output any) any {
	m := output.(mixedValue)
	m.last = "another"
	return m
}

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

// replies is a list of them, with its numbers as servers answer them.
func replies(list ...any) []any {
	for i, v := range list {
		if n, ok := v.(int); ok {
			list[i] = int64(n)
		}
	}
	return list
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
		{"nothing", replies(nil, 0, []any{}, nil, 0, "", 0, nil, 0, nil, 0), mixedValue{}, ""},
		{"two writes", replies("2", 3, hash("2", a, b), b, 16, b, 2, b, 2, "2", 2), two, ""},
		{"count is behind", replies("1", 3, hash("2", a, b), b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"the hash's count is behind", replies("2", 3, hash("1", a, b), b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"the hash is of another length", replies("2", 2, hash("2", a, b), b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"the hash misses the last", replies("2", 2, hash("2", a), b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"last is behind", replies("2", 3, hash("2", a, b), a, 16, b, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"last is gone", replies("2", 3, hash("2", a, b), nil, 16, "", 2, nil, 2, "2", 2), mixedValue{}, "disagree"},
		{"log is behind", replies("2", 3, hash("2", a, b), b, 8, a, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"log has half a write", replies("2", 3, hash("2", a, b), b, 12, b, 2, b, 2, "2", 2), mixedValue{}, "disagree"},
		{"list is behind", replies("2", 3, hash("2", a, b), b, 16, b, 1, a, 2, "2", 2), mixedValue{}, "disagree"},
		{"list has another's", replies("2", 3, hash("2", a, b), b, 16, b, 2, a, 2, "2", 2), mixedValue{}, "disagree"},
		{"list is gone", replies("2", 3, hash("2", a, b), b, 16, b, 2, nil, 2, "2", 2), mixedValue{}, "disagree"},
		{"set is behind", replies("2", 3, hash("2", a, b), b, 16, b, 2, b, 1, "2", 2), mixedValue{}, "disagree"},
		{"sorted set is behind", replies("2", 3, hash("2", a, b), b, 16, b, 2, b, 2, "1", 2), mixedValue{}, "disagree"},
		{"sorted set is gone", replies("2", 3, hash("2", a, b), b, 16, b, 2, b, 2, nil, 2), mixedValue{}, "disagree"},
		{"stream is ahead", replies("2", 3, hash("2", a, b), b, 16, b, 2, b, 2, "2", 3), mixedValue{}, "disagree"},
		{"a field from nowhere", replies("2", 3, []any{"n", "2", "9", a}, b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "nobody has written"},
		{"another's field", replies("2", 3, []any{"n", "2", "1", a}, b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "nobody has written"},
		{"no hash", replies("2", 3, nil, b, 16, b, 2, b, 2, "2", 2), mixedValue{}, "HGETALL was answered with"},
		{"too few", []any{"2"}, mixedValue{}, "eleven commands"},
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
		{replies(3, 1, 3, "OK", 24, 3, 1, "3", "1-1"), mixedAnswer{3, true}, ""},
		{replies(3, 0, 3, "OK", 24, 3, 1, "3", "1-1"), mixedAnswer{3, false}, ""},
		{replies(3, 0, 2, "OK", 24, 3, 1, "3", "1-1"), mixedAnswer{}, "disagree"},
		{replies(3, 0, 3, nil, 24, 3, 1, "3", "1-1"), mixedAnswer{}, "disagree"},
		{replies(3, 0, 3, "OK", 16, 3, 1, "3", "1-1"), mixedAnswer{}, "disagree"},
		{replies(3, 0, 3, "OK", 24, 2, 1, "3", "1-1"), mixedAnswer{}, "disagree"},
		{replies(3, 0, 3, "OK", 24, 3, 0, "3", "1-1"), mixedAnswer{}, "disagree"},
		{replies(3, 0, 3, "OK", 24, 3, 1, "4", "1-1"), mixedAnswer{}, "disagree"},
		{replies(3, 0, 3, "OK", 24, 3, 1, "3", nil), mixedAnswer{}, "disagree"},
		{replies(3), mixedAnswer{}, "nine commands"},
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
		{name: "an element is another's", what: "was acknowledged and is not there",
			primary: sometimes("LPUSH", func(c []string) []string {
				return eval("redis.call('LSET', KEYS[1], -1, string.rep('x', 8)) return redis.call('LPUSH', KEYS[1], ARGV[1])", c[1], c[2])
			})},
		{name: "a member is lost", what: "disagree",
			primary: sometimes("SADD", func([]string) []string { return eval("return 1") })},
		{name: "a score counts twice", what: "disagree",
			primary: sometimes("ZINCRBY", func(c []string) []string {
				return eval("local n = redis.call('ZINCRBY', KEYS[1], 1, ARGV[1]) redis.call('ZINCRBY', KEYS[1], 1, ARGV[1]) return n", c[1], c[3])
			})},
		{name: "an entry on a replica is missing", what: "read of the copy on node-1",
			replica: sometimes("XLEN", func(c []string) []string { return eval("return redis.call('XLEN', KEYS[1]) - 1", c[1]) })},
		{name: "a write is answered with an error", what: "was answered with ERR",
			primary: sometimes("HINCRBY", func([]string) []string { return eval("return redis.error_reply('ERR no')") })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := shard(t, tt.primary, tt.replica)
			runUntilFound(t, env, NewMixed(env), 700*time.Millisecond, tt.what)
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

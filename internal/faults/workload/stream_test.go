package workload

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEntryModel(t *testing.T) {
	add, del, see, ack, owner := entryOp{kind: "add"}, entryOp{kind: "del"}, entryOp{kind: "see"}, entryOp{kind: "ack"}, entryOp{kind: "owner"}
	by := func(kind string, c consumer) entryOp { return entryOp{kind: kind, by: c} }
	const nobody, one, two = consumer(0), consumer(1), consumer(2)
	added, delivered := op(1, 2, add, true), op(3, 4, by("deliver", one), true)
	judgeAll(t, entryModel, []verdict{
		{"never added", true, history{
			op(1, 2, see, false), op(3, 4, del, int64(0)), op(5, 6, by("skip", one), true), op(7, 8, by("mine", one), ""),
			op(9, 10, owner, nobody), op(11, 12, ack, int64(0)), op(13, 14, by("claim", one), false)}},
		{"one after the other", true, history{
			added, op(3, 4, see, true), op(5, 6, by("deliver", one), true), op(7, 8, by("skip", two), true), op(9, 10, by("mine", one), "there"),
			op(11, 12, owner, one), op(13, 14, by("claim", two), true), op(15, 16, by("mine", one), ""), op(17, 18, by("mine", two), "there"),
			op(19, 20, ack, int64(1)), op(21, 22, ack, int64(0)), op(23, 24, owner, nobody), op(25, 26, by("claim", one), false),
			op(27, 28, see, true), op(29, 30, del, int64(1)), op(31, 32, see, false)}},
		{"deleted while pending", true, history{
			added, delivered, op(5, 6, del, int64(1)), op(7, 8, by("mine", one), "deleted"), op(9, 10, owner, one), op(11, 12, ack, int64(1))}},
		{"deleted and then claimed", true, history{
			added, delivered, op(5, 6, del, int64(1)), op(7, 8, by("claim", two), false), op(9, 10, owner, nobody), op(11, 12, ack, int64(0))}},
		{"deleted before it was delivered", true, history{added, op(3, 4, del, int64(1)), op(5, 6, by("skip", one), true)}},
		{"a question that waits for it", true, history{op(1, 9, by("deliver", one), true), op(2, 8, add, true)}},
		{"two questions that overlap", true, history{added, op(3, 9, by("skip", one), true), op(4, 8, by("deliver", two), true)}},
		{"an acknowledged XADD is lost", false, history{added, op(3, 4, see, false)}},
		{"shown and gone", false, history{lost(1, add), op(3, 4, see, true), op(5, 6, see, false)}},
		{"there before it was added", false, history{op(1, 2, see, true), op(3, 4, add, true)}},
		{"an acknowledged XDEL is lost", false, history{added, op(3, 4, del, int64(1)), op(5, 6, see, true)}},
		{"an XDEL that deletes twice", false, history{added, op(3, 4, del, int64(1)), op(5, 6, del, int64(1))}},
		{"an XDEL that finds nothing", false, history{added, op(3, 4, del, int64(0))}},
		{"delivered twice", false, history{added, delivered, op(5, 6, by("deliver", two), true)}},
		{"delivered after its deletion", false, history{added, op(3, 4, del, int64(1)), op(5, 6, by("deliver", one), true)}},
		{"delivered after its acknowledgement", false, history{added, delivered, op(5, 6, ack, int64(1)), op(7, 8, by("deliver", one), true)}},
		{"not delivered", false, history{added, op(3, 4, by("skip", one), true)}},
		{"a delivery is lost", false, history{added, delivered, op(5, 6, by("mine", one), "")}},
		{"a delivery is lost, and nobody has it", false, history{added, delivered, op(5, 6, owner, nobody)}},
		{"a delivery is lost, and acknowledged", false, history{added, delivered, op(5, 6, ack, int64(0))}},
		{"another's without a claim", false, history{added, delivered, op(5, 6, by("mine", two), "there")}},
		{"another has it without a claim", false, history{added, delivered, op(5, 6, owner, two)}},
		{"both have it after a claim", false, history{added, delivered, op(5, 6, by("claim", two), true), op(7, 8, by("mine", one), "there")}},
		{"a claim that finds nothing", false, history{added, delivered, op(5, 6, by("claim", two), false)}},
		{"a claim of what was acknowledged", false, history{added, delivered, op(5, 6, ack, int64(1)), op(7, 8, by("claim", two), true)}},
		{"acknowledged and still there", false, history{added, delivered, op(5, 6, ack, int64(1)), op(7, 8, by("mine", one), "there")}},
		{"acknowledged twice", false, history{added, delivered, op(5, 9, ack, int64(1)), op(6, 8, ack, int64(1))}},

		{"unknown XADD, and never", true, history{lost(1, add), op(3, 4, see, false)}},
		{"unknown XADD, and late", true, history{lost(1, add), op(3, 4, see, false), op(5, 6, see, true)}},
		{"unknown XADD, and once more", false, history{lost(1, add), op(3, 4, see, true), op(5, 6, del, int64(1)), op(7, 8, see, true)}},
		{"unknown delivery, and to nobody", true, history{added, lost(3, by("deliver", one)), op(5, 6, by("deliver", two), true)}},
		{"unknown delivery", true, history{added, lost(3, by("deliver", one)), op(5, 6, by("skip", two), true), op(7, 8, by("mine", one), "there")}},
		{"unknown delivery, and to another", false, history{added, lost(3, by("deliver", one)), op(5, 6, by("skip", two), true), op(7, 8, owner, two)}},
		{"unknown XACK, and never", true, history{added, delivered, lost(5, ack), op(7, 8, owner, one)}},
		{"unknown XACK, and late", true, history{added, delivered, lost(5, ack), op(7, 8, owner, one), op(9, 10, owner, nobody)}},
		{"unknown XACK, seen and undone", false, history{added, delivered, lost(5, ack), op(7, 8, owner, nobody), op(9, 10, owner, one)}},
		{"unknown claim, and late", true, history{
			added, delivered, lost(5, by("claim", two)), op(7, 8, by("mine", one), "there"), op(9, 10, by("mine", two), "there")}},
	})
}

func TestDisorder(t *testing.T) {
	d := func(seq uint64, after, before int64) dated { return dated{streamID{1, seq}, after, before} }
	for _, tt := range []struct {
		name string
		ids  []dated
		ok   bool
	}{
		{"nothing", nil, true},
		{"one after the other", []dated{d(2, 3, 4), d(1, 1, 2)}, true},
		{"overlapping", []dated{d(1, 1, 9), d(2, 2, 3), d(3, 1, 9)}, true},
		{"the other way round", []dated{d(1, 3, 4), d(2, 1, 2)}, false},
		{"the other way round, with one between", []dated{d(1, 5, 6), d(2, 1, 9), d(3, 3, 4)}, false},
		{"never known to be there", []dated{d(1, 3, 4), d(2, 1, Never)}, true},
	} {
		if _, _, ok := disorder(tt.ids); ok != tt.ok {
			t.Errorf("%s: in order: %v, want %v", tt.name, ok, tt.ok)
		}
	}
}

func TestStreamReplies(t *testing.T) {
	entry := func(id string, fields ...any) []any { return []any{id, fields} }
	for _, tt := range []struct {
		reply any
		want  []shownEntry
		err   string
	}{
		{[]any{}, nil, ""},
		{nil, nil, ""},
		{[]any{entry("1-2", "v", "a"), []any{"1-3", nil}}, []shownEntry{{streamID{1, 2}, "a"}, {streamID{1, 3}, ""}}, ""},
		{[]any{entry("1-2", "v", "a"), entry("1-2", "v", "b")}, nil, "1-2 comes after 1-2"},
		{[]any{entry("2-0", "v", "a"), entry("1-9", "v", "b")}, nil, "1-9 comes after 2-0"},
		{[]any{entry("1-2", "v")}, nil, "nobody has added"},
		{[]any{entry("1-2", "w", "a")}, nil, "nobody has added"},
		{[]any{entry("1-2", "v", "a", "v", "b")}, nil, "nobody has added"},
		{[]any{entry("1", "v", "a")}, nil, "no id"},
		{[]any{entry("0-0", "v", "a")}, nil, "no id"},
		{[]any{[]any{"1-2"}}, nil, "no entry"},
		{"1-2", nil, "no list of entries"},
	} {
		got, err := parseEntries(tt.reply)
		expectError(t, tt.reply, err, tt.err)
		if err == nil && !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.reply, got, tt.want)
		}
	}
	one := []any{entry("1-2", "v", "a")}
	if got, err := parseReadEntries([]any{[]any{"k", one}}); err != nil || len(got) != 1 {
		t.Errorf("one stream: %v, %v", got, err)
	}
	for _, reply := range []any{[]any{}, one, "k", []any{[]any{"k", one}, []any{"l", one}}} {
		if got, err := parseReadEntries(reply); err == nil {
			t.Errorf("%v passed: %v", reply, got)
		}
	}
	row := func(id, consumer string) []any { return []any{id, consumer, int64(5), int64(1)} }
	if got, err := parsePending([]any{row("1-2", "c1"), row("1-3", "c2")}); err != nil || !slices.Equal(got, []shownPending{{streamID{1, 2}, 1}, {streamID{1, 3}, 2}}) {
		t.Errorf("pending: %v, %v", got, err)
	}
	for what, reply := range map[string]any{
		"comes after":          []any{row("1-2", "c1"), row("1-2", "c1")},
		"who is nobody":        []any{row("1-2", "x")},
		"no pending entry":     []any{[]any{"1-2"}},
		"no id":                []any{row("x", "c1")},
		"no list of pending":   nil,
		"1-2 is pending with ": []any{row("1-2", "c0")},
	} {
		_, err := parsePending(reply)
		expectError(t, reply, err, what)
	}
}

func TestStreamBook(t *testing.T) {
	b := newStreamBook()
	show := func(seq uint64, value string, before int64, what string) {
		t.Helper()
		_, err := b.show(shownEntry{streamID{1, seq}, value}, before)
		expectError(t, value, err, what)
	}
	length := func(call, returned, least, most int64) {
		t.Helper()
		if l, m := b.length(call, returned); l != least || m != most {
			t.Errorf("length %d to %d in %d..%d, want %d to %d", l, m, call, returned, least, most)
		}
	}
	wrong := func(what ...string) {
		t.Helper()
		got := b.wrong()
		if !slices.EqualFunc(got, what, strings.Contains) {
			t.Errorf("wrong: %q, want %q", got, what)
		}
	}
	b.send("a", 10)
	b.send("u", 15)
	length(11, 12, 0, 1)
	length(11, 18, 0, 2)
	show(1, "a", 20, "")
	show(1, "a", 30, "")
	length(21, 22, 1, 2)
	show(1, "b", 20, "b is there and was never added")
	show(2, "a", 20, "a is there twice: 1-1 and 1-2")
	show(1, "u", 20, "1-1 is u, and was a before")
	show(7, "", 20, "was never shown")
	show(1, "", 20, "") // deleted, says a reply; whether that is so the model judges
	b.deletion("a", 40)
	length(35, 41, 0, 2)
	b.deletionDone("a", Result{Call: 40, Return: 50})
	length(45, 46, 0, 2)
	length(51, 52, 0, 1)
	b.send("r", 60)
	b.refuse("r", streamID{1, 1}, Result{Call: 60, Return: 61})
	show(9, "r", 70, "r is there and was refused")
	length(71, 72, 0, 1)
	wrong()
	b.send("s", 60)
	b.refuse("s", streamID{1, 5}, Result{Call: 60, Return: 62})
	wrong("the id 1-5 was refused as too small")
	b.send("c", 80)
	show(3, "c", 90, "")
	if id := b.newest(); id != (streamID{1, 3}) {
		t.Errorf("newest: %v", id)
	}
	expectError(t, "c", b.deliver("c", 1, Result{Call: 100, Return: 101}), "")
	expectError(t, "a", b.deliver("a", 2, Result{Call: 102, Return: 103}), "")
	expectError(t, "a", b.deliver("a", 1, Result{Call: 104, Return: 105}), "1-1: a was delivered as new to c2 and to c1")
	wrong("1-3 was delivered before 1-1", "the id 1-5")
	b.send("d", 110)
	show(2, "d", 120, "")
	wrong("1-3 was added before 1-2", "1-3 was delivered before 1-1", "the id 1-5")
	for range maxUnknown {
		if b.crowded() {
			t.Error("crowded too soon")
		}
		b.undecide()
	}
	if !b.crowded() {
		t.Error("not crowded")
	}
}

func TestStreams(t *testing.T) {
	env := lyingServer(t, asPrimary)
	w := NewStreams(env)
	runFor(t, env, w, time.Second)
	expectClean(t, env, w)
}

// everyThird tells a lie in place of every third command of a name that has an
// argument.
func everyThird(name, argument string, change func([]string) []string) lie {
	return every(3, func(c []string) bool { return c[0] == name && slices.Contains(c, argument) }, change)
}

func TestStreamsFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
		what string
	}{
		{"an XADD is acknowledged and lost", everyThird("XADD", "*", func(c []string) []string {
			return eval("local id = redis.call('XADD', KEYS[1], '*', 'v', ARGV[1]) redis.call('XDEL', KEYS[1], id) return id", c[1], c[4])
		}), "no order of the"},
		{"an XADD is done twice", everyThird("XADD", "*", func(c []string) []string {
			return eval("redis.call('XADD', KEYS[1], '*', 'v', ARGV[1]) return redis.call('XADD', KEYS[1], '*', 'v', ARGV[1])", c[1], c[4])
		}), "is there twice"},
		{"an id goes back", everyThird("XADD", "*", func(c []string) []string {
			return eval("redis.call('XADD', KEYS[1], '*', 'v', ARGV[1]) return '1-1'", c[1], c[4])
		}), "1-1"},
		{"an id is refused for nothing", always("XADD", func(c []string) []string {
			if c[2] == "*" {
				return c
			}
			return eval("return redis.error_reply('ERR The ID specified in XADD is equal or smaller than the target stream top item')")
		}), "was refused as too small"},
		{"a deletion is acknowledged and lost", sometimes("XDEL", func(c []string) []string {
			return eval("return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])", c[1], c[2])
		}), "no order of the"},
		{"an entry is left out", sometimes("XRANGE", func(c []string) []string {
			return eval("local l = redis.call('XRANGE', KEYS[1], ARGV[1], '+') table.remove(l, 1) return l", c[1], c[2])
		}), "no order of the"},
		{"a wrong length", sometimes("XLEN", func(c []string) []string { return eval("return redis.call('XLEN', KEYS[1]) + 20", c[1]) }), "XLEN is"},
		{"the wrong order", always("XRANGE", func(c []string) []string { return []string{"XREVRANGE", c[1], c[3], c[2]} }), "comes after"},
		{"delivered again", everyThird("XREADGROUP", ">", func(c []string) []string {
			return eval("redis.call('XGROUP', 'SETID', KEYS[1], 'g', '0') return redis.call('XREADGROUP', 'GROUP', 'g', ARGV[1], 'STREAMS', KEYS[1], '>')", c[len(c)-2], c[3])
		}), "was delivered as new to"},
		{"not delivered", everyThird("XREADGROUP", ">", func(c []string) []string {
			return eval("redis.call('XREADGROUP', 'GROUP', 'g', 'x', 'COUNT', 1, 'STREAMS', KEYS[1], '>') return false", c[len(c)-2])
		}), "no order of the"},
		{"delivered without a trace", everyThird("XREADGROUP", ">", func(c []string) []string {
			return eval("return redis.call('XREADGROUP', 'GROUP', 'g', ARGV[1], 'NOACK', 'STREAMS', KEYS[1], '>')", c[len(c)-2], c[3])
		}), "no order of the"},
		{"an acknowledgement is lost", sometimes("XACK", func(c []string) []string {
			return eval("return #redis.call('XPENDING', KEYS[1], 'g', ARGV[1], ARGV[1], 1)", c[1], c[3])
		}), "no order of the"},
		{"a claim is lost", sometimes("XCLAIM", func(c []string) []string { return []string{"XRANGE", c[1], c[5], c[5]} }), "no order of the"},
		{"an error", sometimes("XADD", func([]string) []string { return eval("return redis.error_reply('ERR no')") }), "was answered with ERR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := lyingServer(t, tt.lie)
			runUntilFound(t, env, NewStreams(env), 700*time.Millisecond, tt.what)
		})
	}
}

package workload

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func ms(n int64) int64 { return n * int64(time.Millisecond) }

// until is a value that ends between two milliseconds.
func until(value string, from, to int64) life { return life{value, ms(from), ms(to)} }

// TestStep: what a key is after a command between 1000 and 1010 ms.
func TestStep(t *testing.T) {
	const call, ret = 1000, 1010
	absent := life{}
	px := ending{ttl: 500 * time.Millisecond}
	at := ending{unix: 1, from: ms(1700), to: ms(1701)}
	keep := ending{keep: true}
	long := until("7", 5000, 5010)
	ended := until("7", 900, 910)
	ending := until("7", 1002, 1005)
	set := func(e any) []life {
		switch e := e.(type) {
		case nil:
			return nil
		case life:
			return []life{e}
		}
		return e.([]life)
	}
	for _, tt := range []struct {
		name   string
		lives  any
		op     expiryOp
		answer any
		want   any
	}{
		{"GET", long, expiryOp{kind: "get"}, "7", long},
		{"GET of another", long, expiryOp{kind: "get"}, "8", nil},
		{"GET too early gone", long, expiryOp{kind: "get"}, "", nil},
		{"GET after the end", ended, expiryOp{kind: "get"}, "", absent},
		{"GET still there", ended, expiryOp{kind: "get"}, "7", nil},
		{"GET at the end, there", ending, expiryOp{kind: "get"}, "7", ending},
		{"GET at the end, gone", ending, expiryOp{kind: "get"}, "", absent},
		{"GET at the end, else", ending, expiryOp{kind: "get"}, "8", nil},
		{"GET a little before", until("7", 1014, 1014), expiryOp{kind: "get"}, "", absent},
		{"GET well before", until("7", 1016, 1016), expiryOp{kind: "get"}, "", nil},
		{"GET a little after", until("7", 995, 996), expiryOp{kind: "get"}, "7", until("7", 995, 996)},
		{"GET well after", until("7", 993, 994), expiryOp{kind: "get"}, "7", nil},
		{"GET of none", absent, expiryOp{kind: "get"}, "", absent},
		{"GET of none, there", absent, expiryOp{kind: "get"}, "7", nil},
		{"GET of one of two", []life{long, immortal("8")}, expiryOp{kind: "get"}, "8", immortal("8")},
		{"GET of two alike", []life{long, immortal("7")}, expiryOp{kind: "get"}, "7", []life{long, immortal("7")}},

		{"PTTL", long, expiryOp{kind: "pttl"}, int64(4000), long},
		{"PTTL too much", long, expiryOp{kind: "pttl"}, int64(4016), nil},
		{"PTTL as much as may be", long, expiryOp{kind: "pttl"}, int64(4015), long},
		{"PTTL too little", long, expiryOp{kind: "pttl"}, int64(3984), nil},
		{"PTTL as little as may be", long, expiryOp{kind: "pttl"}, int64(3985), long},
		{"PTTL none", long, expiryOp{kind: "pttl"}, int64(-1), nil},
		{"PTTL gone", long, expiryOp{kind: "pttl"}, int64(-2), nil},
		{"PTTL for good", immortal("7"), expiryOp{kind: "pttl"}, int64(-1), immortal("7")},
		{"PTTL for good, some", immortal("7"), expiryOp{kind: "pttl"}, int64(5), nil},
		{"PTTL after the end", ended, expiryOp{kind: "pttl"}, int64(-2), absent},
		{"PTTL after the end, some", ended, expiryOp{kind: "pttl"}, int64(0), nil},
		{"PTTL of nonsense", long, expiryOp{kind: "pttl"}, "4000", nil},

		{"SET", long, expiryOp{kind: "set", value: "9"}, "OK", immortal("9")},
		{"SET refused", long, expiryOp{kind: "set", value: "9"}, "", nil},
		{"SET PX", absent, expiryOp{kind: "set", value: "9", end: px}, "OK", until("9", 1500, 1510)},
		{"SET PX over", long, expiryOp{kind: "set", value: "9", end: px}, "OK", until("9", 1500, 1510)},
		{"SET KEEPTTL", long, expiryOp{kind: "set", value: "9", end: keep}, "OK", until("9", 5000, 5010)},
		{"SET KEEPTTL of none", absent, expiryOp{kind: "set", value: "9", end: keep}, "OK", immortal("9")},
		{"SET KEEPTTL after the end", ended, expiryOp{kind: "set", value: "9", end: keep}, "OK", immortal("9")},
		{"SET KEEPTTL at the end", ending, expiryOp{kind: "set", value: "9", end: keep}, "OK", []life{until("9", 1002, 1005), immortal("9")}},

		{"HSET", long, expiryOp{kind: "hset", value: "9"}, int64(0), until("9", 5000, 5010)},
		{"HSET, new", long, expiryOp{kind: "hset", value: "9"}, int64(1), nil},
		{"HSET of none", absent, expiryOp{kind: "hset", value: "9"}, int64(1), immortal("9")},
		{"HSET of none, old", absent, expiryOp{kind: "hset", value: "9"}, int64(0), nil},
		{"INCR", long, expiryOp{kind: "incr"}, int64(8), until("8", 5000, 5010)},
		{"INCR from nothing", long, expiryOp{kind: "incr"}, int64(1), nil},
		{"INCR at the end", ending, expiryOp{kind: "incr"}, int64(8), until("8", 1002, 1005)},
		{"INCR at the end, from nothing", ending, expiryOp{kind: "incr"}, int64(1), immortal("1")},
		{"INCR after the end", ended, expiryOp{kind: "incr"}, int64(1), immortal("1")},

		{"PEXPIRE", immortal("7"), expiryOp{kind: "expire", end: px}, int64(1), until("7", 1500, 1510)},
		{"PEXPIRE of none", immortal("7"), expiryOp{kind: "expire", end: px}, int64(0), nil},
		{"PEXPIRE after the end", ended, expiryOp{kind: "expire", end: px}, int64(0), absent},
		{"PEXPIRE after the end, alive", ended, expiryOp{kind: "expire", end: px}, int64(1), nil},
		{"PEXPIREAT", long, expiryOp{kind: "expire", end: at}, int64(1), until("7", 1700, 1701)},
		{"PERSIST", long, expiryOp{kind: "persist"}, int64(1), immortal("7")},
		{"PERSIST without need", immortal("7"), expiryOp{kind: "persist"}, int64(0), immortal("7")},
		{"PERSIST without need, done", immortal("7"), expiryOp{kind: "persist"}, int64(1), nil},
		{"PERSIST not done", long, expiryOp{kind: "persist"}, int64(0), nil},
		{"PERSIST after the end", ended, expiryOp{kind: "persist"}, int64(0), absent},
		{"GETEX PX", immortal("7"), expiryOp{kind: "getex", end: px}, "7", until("7", 1500, 1510)},
		{"GETEX PERSIST", long, expiryOp{kind: "getex"}, "7", immortal("7")},
		{"GETEX after the end", ended, expiryOp{kind: "getex", end: px}, "", absent},
		{"GETEX too early gone", long, expiryOp{kind: "getex", end: px}, "", nil},

		{"unknown INCR", ending, expiryOp{kind: "incr"}, nil, []life{until("8", 1002, 1005), immortal("1")}},
		{"unknown PEXPIRE", long, expiryOp{kind: "expire", end: px}, nil, until("7", 1500, 1510)},
		{"unknown PTTL", long, expiryOp{kind: "pttl"}, nil, long},
	} {
		got := step(set(tt.lives), tt.op, ms(call), ms(ret), tt.answer)
		if !slices.Equal(got, set(tt.want)) {
			t.Errorf("%s: %v answered with %v becomes %v, want %v", tt.name, tt.lives, tt.answer, got, tt.want)
		}
	}
}

// TestBegin: a write that was sent may happen at any later time, or never.
func TestBegin(t *testing.T) {
	before := phase{0, ms(1), []life{until("7", 5000, 5010)}}
	p := before.begin(expiryOp{kind: "set", value: "9", end: ending{ttl: time.Second}}, ms(1000))
	want := []life{before.lives[0], {"9", ms(2000), Never}}
	if p.call != ms(1000) || p.ret != Never || !slices.Equal(p.lives, want) {
		t.Errorf("%+v, want %v", p, want)
	}
	p = before.begin(expiryOp{kind: "incr"}, ms(1000))
	want = []life{before.lives[0], until("8", 5000, 5010), immortal("1")}
	if !slices.Equal(p.lives, want) {
		t.Errorf("%+v, want %v", p, want)
	}
}

// TestMisread: a key was absent, then 7 for a second, then 8 for a second, and a
// write of 9 is on its way.
func TestMisread(t *testing.T) {
	phases := []phase{
		{0, 0, []life{{}}},
		{ms(1000), ms(1010), []life{until("7", 2000, 2010)}},
		{ms(1500), ms(1510), []life{until("8", 2500, 2510)}},
	}
	phases = append(phases, phases[2].begin(expiryOp{kind: "set", value: "9"}, ms(3000)))
	get, pttl := expiryOp{kind: "get"}, expiryOp{kind: "pttl"}
	for _, tt := range []struct {
		call, ret int64
		op        expiryOp
		answer    any
		want      string
	}{
		{0, 10, get, "", ""},
		{0, 10, get, "7", "nobody wrote"},
		{990, 1005, get, "", ""},
		{990, 1005, get, "7", ""},
		{1005, 1009, get, "", ""},
		{1011, 1012, get, "", "gone before its end"},
		{1011, 1012, get, "7", ""},
		{1011, 1499, get, "8", "nobody wrote"},
		{1011, 1501, get, "8", ""},
		{1511, 1512, get, "7", "was overwritten"},
		{1505, 1512, get, "7", ""},
		{1511, 1512, get, "8", ""},
		{1511, 1512, pttl, int64(999), ""},
		{1511, 1512, pttl, int64(1020), "another time is left"},
		{1511, 1512, pttl, int64(-1), "another time is left"},
		{1511, 1512, pttl, int64(-2), "gone before its end"},
		{2501, 2502, get, "8", ""},
		{2501, 2502, get, "", ""},
		{2516, 2517, get, "8", "there after its end"},
		{2516, 2517, get, "", ""},
		{2516, 2517, get, "7", "was overwritten"},
		{2516, 2517, pttl, int64(-2), ""},
		{2990, 3001, get, "9", ""},
		{9000, 9001, get, "9", ""},
		{9000, 9001, get, "", ""},
		{9000, 9001, get, "8", "there after its end"},
		{1600, 1610, expiryOp{kind: "expire", end: ending{ttl: 1}}, int64(0), "gone before its end"},
		{1600, 1610, expiryOp{kind: "expire", end: ending{ttl: 1}}, int64(3), "nothing explains"},
		{2600, 2610, expiryOp{kind: "persist"}, int64(1), "there after its end"},
	} {
		got := misread(phases, tt.op, ms(tt.call), ms(tt.ret), tt.answer)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s in %d..%d answered with %v: %q, want %q", tt.op.kind, tt.call, tt.ret, tt.answer, got, tt.want)
		}
	}
}

// TestMisshown: the same key on a replica, where 8 was given another second.
func TestMisshown(t *testing.T) {
	phases := []phase{
		{0, 0, []life{{}}},
		{ms(1000), ms(1010), []life{until("7", 2000, 2010)}},
		{ms(1500), ms(1510), []life{until("8", 2500, 2510)}},
		{ms(2000), ms(2010), []life{until("8", 3000, 3010)}},
		{ms(2100), ms(2110), []life{immortal("9")}},
	}
	for _, tt := range []struct {
		call, ret int64
		value     string
		want      string
	}{
		{0, 10, "", ""},
		{1600, 1610, "", ""},
		{1600, 1610, "7", ""},
		{2014, 2015, "7", ""},
		{2016, 2017, "7", "there 6ms after its end"},
		{2016, 2017, "8", ""},
		{3014, 3015, "8", ""},
		{3016, 3017, "8", "after its end"},
		{9000, 9001, "9", ""},
		{0, 999, "7", "nobody wrote"},
		{0, 1000, "7", ""},
		{1600, 1610, "5", "nobody wrote"},
	} {
		got := misshown(phases, tt.value, ms(tt.call), ms(tt.ret))
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%q in %d..%d: %q, want %q", tt.value, tt.call, tt.ret, got, tt.want)
		}
	}
}

// TestMoment: an absolute ending is the same moment on both clocks, and known well
// unless the process was held up just then.
func TestMoment(t *testing.T) {
	c := NewClock()
	width := Never
	for range 10 {
		first, before := time.Now().Add(time.Second).UnixMilli(), c.Now()
		e := c.moment(time.Second)
		last, after := time.Now().Add(time.Second).UnixMilli(), c.Now()
		if e.unix < first || e.unix > last {
			t.Errorf("a second from now is %d, not between %d and %d", e.unix, first, last)
		}
		if e.from > after+ms(1000) || e.to < before+ms(1000)-ms(1) {
			t.Errorf("a second from %d..%d is %d..%d", before, after, e.from, e.to)
		}
		if e.from > e.to {
			t.Errorf("%d..%d is no time", e.from, e.to)
		}
		width = min(width, e.to-e.from)
	}
	if width > ms(1) {
		t.Errorf("a moment is not known better than by %v", time.Duration(width))
	}
}

package command_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
	"github.com/redoubtdb/redoubt/wal"
)

func TestStreamEffects(t *testing.T) {
	const add4 = "XADD s 1-0 f v; XADD s 2-0 f v; XADD s 3-0 f v; XADD s 4-0 f v"
	const group = add4 + "; XGROUP CREATE s g 0"
	const read2 = group + "; XREADGROUP GROUP g c COUNT 2 STREAMS s >"
	tests := []struct{ setup, request, want string }{
		{"", "XADD s * f v", "XADD s 1700000000000-0 f v"},
		{"XADD s 1700000000000-5 f v", "XADD s * f v", "XADD s 1700000000000-6 f v"},
		{"XADD s 1800000000000-5 f v", "XADD s * f v", "XADD s 1800000000000-6 f v"},
		{"XADD s 5-18446744073709551615 f v", "XADD s 6-* f v", "XADD s 6-0 f v"},
		{"XADD s 5-7 f v", "XADD s 5-* f v g w", "XADD s 5-8 f v g w"},
		{"XADD s 5-7 f v", "XADD s 5-7 f v", ""},
		{"", "XADD s NOMKSTREAM 1 f v", ""},
		{"", "XADD s 7 f v", "XADD s 7-0 f v"},
		{add4, "XADD s MAXLEN 3 5 f v", "XADD s MAXLEN = 3 5-0 f v"},
		{add4, "XADD s MINID = 3 NOMKSTREAM 5 f v", "XADD s MAXLEN = 3 5-0 f v"},
		{add4, "XADD s MAXLEN ~ 3 5 f v", "XADD s 5-0 f v"},
		{add4 + "; XADD s 5 f v; XADD s 6 f v; XADD s 7 f v", "XADD s MAXLEN ~ 0 8 f v", "XADD s MAXLEN = 0 8-0 f v"},
		{add4 + "; XADD s 5 f v; XADD s 6 f v; XADD s 7 f v", "XADD s MAXLEN ~ 1 8 f v", "XADD s MAXLEN = 1 8-0 f v"},
		{add4, "XTRIM s MAXLEN 1", "XTRIM s MAXLEN = 1"},
		{add4, "XTRIM s MINID 3-0", "XTRIM s MAXLEN = 2"},
		{add4, "XTRIM s MAXLEN ~ 1", ""},
		{add4, "XTRIM s MAXLEN ~ 0 LIMIT 3", ""},
		{add4, "XTRIM s MAXLEN ~ 0 LIMIT 4", "XTRIM s MAXLEN = 0"},
		{add4, "XDEL s 9 2-0 2-0 1", "XDEL s 2-0 1"},
		{add4, "XDEL s 9", ""},
		{add4, "XSETID s 7 ENTRIESADDED 9 MAXDELETEDID 3", "XSETID s 7 ENTRIESADDED 9 MAXDELETEDID 3"},
		{add4, "XSETID s 3", ""},

		{"", "XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE s g 0-0 MKSTREAM ENTRIESREAD -1"},
		{add4, "XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE s g 4-0 ENTRIESREAD -1"},
		{add4, "XGROUP CREATE s g 2 ENTRIESREAD 2", "XGROUP CREATE s g 2-0 ENTRIESREAD 2"},
		{group, "XGROUP CREATE s g 0", ""},
		{group, "XGROUP SETID s g $ ENTRIESREAD 3", "XGROUP SETID s g 4-0 ENTRIESREAD 3"},
		{group, "XGROUP DESTROY s g", "XGROUP DESTROY s g"},
		{group, "XGROUP DESTROY s h", ""},
		{group, "XGROUP CREATECONSUMER s g c", "XCLAIM s g c 0 TIME 1700000000000"},
		{read2, "XGROUP CREATECONSUMER s g c", ""},
		{read2, "XGROUP DELCONSUMER s g c", "XGROUP DELCONSUMER s g c"},
		{read2, "XGROUP DELCONSUMER s g d", ""},

		{add4, "XREAD STREAMS s 0", ""},
		{group, "XREADGROUP GROUP g c COUNT 2 STREAMS s >",
			"XCLAIM s g c 0 1-0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID; XGROUP SETID s g 2-0 ENTRIESREAD 2"},
		{group, "XREADGROUP GROUP g c NOACK STREAMS s >", "XCLAIM s g c 0 TIME 1700000000000; XGROUP SETID s g 4-0 ENTRIESREAD 4"},
		{read2, "XREADGROUP GROUP g c NOACK STREAMS s >", "XGROUP SETID s g 4-0 ENTRIESREAD 4"},
		{group + "; XGROUP SETID s g $", "XREADGROUP GROUP g c STREAMS s >", "XCLAIM s g c 0 TIME 1700000000000"},
		{read2 + "; XGROUP SETID s g $", "XREADGROUP GROUP g c STREAMS s >", ""},
		{read2, "XREADGROUP GROUP g c STREAMS s 0", "XCLAIM s g c 0 1-0 2-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID"},
		{read2 + "; XCLAIM s g c 0 1-0 RETRYCOUNT 7", "XREADGROUP GROUP g c STREAMS s 0",
			"XCLAIM s g c 0 1-0 TIME 1700000000000 RETRYCOUNT 8 FORCE JUSTID; XCLAIM s g c 0 2-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID"},
		{read2 + "; XDEL s 1-0 2-0", "XREADGROUP GROUP g c STREAMS s 0", ""},
		{read2 + "; XGROUP SETID s g 0", "XREADGROUP GROUP g d COUNT 1 STREAMS s >",
			"XCLAIM s g d 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID; XGROUP SETID s g 1-0 ENTRIESREAD 1"},

		{read2, "XACK s g 1-0 9-0 2 1-0", "XACK s g 1-0 2"},
		{read2, "XACK s g 9-0", ""},
		{read2, "XCLAIM s g d 0 1-0 3-0", "XCLAIM s g d 0 1-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID"},
		{read2, "XCLAIM s g d 0 1-0 JUSTID", "XCLAIM s g d 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID"},
		{read2, "XCLAIM s g d 0 3-0 FORCE", "XCLAIM s g d 0 3-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID"},
		{read2, "XCLAIM s g d 0 1-0 IDLE 1000 RETRYCOUNT 5 LASTID 3",
			"XCLAIM s g d 0 1-0 TIME 1699999999000 RETRYCOUNT 5 FORCE JUSTID; XCLAIM s g d 0 TIME 1700000000000; XGROUP SETID s g 3-0 ENTRIESREAD 2"},
		{read2, "XCLAIM s g d 1000 1-0", "XCLAIM s g d 0 TIME 1700000000000"},
		{read2, "XCLAIM s g c 1000 1-0", ""},
		{read2 + "; XDEL s 1-0", "XCLAIM s g c 0 1-0 2-0", "XCLAIM s g c 0 2-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID; XACK s g 1-0"},
		{read2 + "; XDEL s 1-0", "XAUTOCLAIM s g d 0 0", "XACK s g 1-0; XCLAIM s g d 0 2-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID"},
		{read2, "XAUTOCLAIM s g d 1000 0", "XCLAIM s g d 0 TIME 1700000000000"},
		{read2, "XAUTOCLAIM s g c 1000 0", ""},
		{"XADD s 1-0 f v; PEXPIREAT s 1600000000000", "XLEN s", ""},
		{group, "XINFO STREAM s FULL", ""},
	}
	for _, tt := range tests {
		s := newSubject(t, 1, testNow, 2)
		s.strict = true
		for r := range strings.SplitSeq(tt.setup, "; ") {
			if r != "" {
				s.do(raw(strings.Fields(r)...))
			}
		}
		s.do(raw(strings.Fields(tt.request)...))
		if got := s.effects(); got != tt.want {
			t.Errorf("%q after %q:\neffects %q\nwant    %q", tt.request, tt.setup, got, tt.want)
		}
		if err := s.checkReplica(); err != nil {
			t.Errorf("%q after %q: %v", tt.request, tt.setup, err)
		}
	}
}

// TestStreamCountsOverflow: counts that overflow where they are counted, as in Redis,
// do not make effects that cannot be applied.
func TestStreamCountsOverflow(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.strict = true
	const most = "9223372036854775807"
	for _, r := range []string{
		"XADD s 1 f v", "XSETID s 1 ENTRIESADDED " + most, "XADD s 2 f v", "XADD s 3 f v", "XGROUP CREATE s g 0 ENTRIESREAD " + most,
		"XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XREADGROUP GROUP g c STREAMS s >", "XGROUP CREATE s h 0",
		"XREADGROUP GROUP h c STREAMS s >", "XCLAIM s g c 0 1-0 RETRYCOUNT " + most, "XCLAIM s g d 0 1-0", "XREADGROUP GROUP g d STREAMS s 0",
		"XAUTOCLAIM s g c 0 -", "XINFO STREAM s FULL", "XINFO GROUPS s",
	} {
		if reply, _ := s.do(raw(strings.Fields(r)...)); reply[0] == '-' {
			t.Errorf("%s: %s", r, reply)
		}
	}
	if err := s.checkReplica(); err != nil {
		t.Error(err)
	}
}

// TestConsumerTimesOnReplicas: XINFO CONSUMERS says nearly the same after a failover.
func TestConsumerTimesOnReplicas(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	at := func(ms int64, request string) {
		s.ctx.Now = testNow + ms
		if reply, _ := s.do(raw(strings.Fields(request)...)); reply[0] == '-' {
			t.Fatalf("%s: %s", request, reply)
		}
	}
	at(0, "XADD s 1-0 f v")
	at(10, "XGROUP CREATE s g 0")
	at(20, "XGROUP CREATECONSUMER s g early")
	at(30, "XREADGROUP GROUP g reader STREAMS s >")
	at(40, "XREADGROUP GROUP g nothing STREAMS s >")
	at(50, "XCLAIM s g claimer 0 1-0 IDLE 1000")
	at(60, "XAUTOCLAIM s g auto 0 0")
	at(70, "XREADGROUP GROUP g nothing STREAMS s >") // is no effect
	want := map[string]string{"early": "20 -1", "reader": "30 30", "nothing": "70 -1", "claimer": "50 50", "auto": "60 60"}
	for ks, odd := range map[*keyspace.Keyspace]map[string]string{
		s.ks: nil, s.replica: {"nothing": "40 -1", "claimer": "50 -950"},
	} {
		ref, _ := ks.DB(0).Lookup([]byte("s"))
		ref.Stream().Group([]byte("g")).EachConsumer(func(c *keyspace.StreamConsumer) bool {
			active := c.ActiveTime
			if active != keyspace.NeverActive {
				active -= testNow
			}
			expected := want[string(c.Name())]
			if o, ok := odd[string(c.Name())]; ok {
				expected = o
			}
			if got := fmt.Sprint(c.SeenTime-testNow, " ", active); got != expected {
				t.Errorf("consumer %s (replica %v): seen and active at %s, want %s", c.Name(), odd != nil, got, expected)
			}
			return true
		})
	}
}

// TestStreamsReplayAfterSnapshot: at any time, what a snapshot holds and the effects
// after it make the same data.
func TestStreamsReplayAfterSnapshot(t *testing.T) {
	for seed := range uint64(20) {
		s := newSubject(t, seed, testNow, 2)
		gen := &generator{Rand: rand.New(rand.NewPCG(seed, 9)), now: testNow, requests: slices.Concat(slices.Repeat(streamRequests, 10), genericRequests)}
		var after *command.Replayer
		var loaded *keyspace.Keyspace
		for i := range 800 {
			s.ctx.Now = testNow + int64(i)
			if i%200 == 100 {
				loaded = throughRDB(t, s.ks)
				after = command.NewReplayer(s.table, loaded, nil)
			}
			s.do(raw(gen.request()...))
			if after == nil || s.unit.Empty() {
				continue
			}
			if err := wal.EachUnit(s.unit.AppendTo(nil), after.Apply); err != nil {
				t.Fatalf("seed %d: %q: %v", seed, s.ctx.Args, err)
			}
			if i%10 == 0 && loaded.Digest() != s.ks.Digest() {
				t.Fatalf("seed %d: another digest after %q", seed, s.ctx.Args)
			}
		}
		if loaded.Digest() != s.ks.Digest() {
			t.Fatalf("seed %d: another digest at the end", seed)
		}
	}
}

// throughRDB saves and loads.
func throughRDB(t *testing.T, ks *keyspace.Keyspace) *keyspace.Keyspace {
	t.Helper()
	var b bytes.Buffer
	if _, err := rdb.Save(&b, ks, rdb.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	back := keyspace.New(keyspace.Config{})
	if _, err := rdb.Load(&b, back, rdb.LoadOptions{Size: -1}); err != nil {
		t.Fatal(err)
	}
	return back
}

// TestStreamsOf72: where Redis 7.0 cannot be asked, because 7.2 is another.
func TestStreamsOf72(t *testing.T) {
	s := newSubject(t, 1, testNow, 3)
	for _, r := range []string{"XADD s 1 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g active STREAMS s >", "XREADGROUP GROUP g quiet STREAMS s >"} {
		s.do(raw(strings.Fields(r)...))
	}
	s.ctx.Now += 50
	reply, _ := s.do(raw("XINFO", "CONSUMERS", "s", "g"))
	got := strings.ReplaceAll(string(reply), "\r\n", " ")
	want := "*2 %4 $4 name $6 active $7 pending :1 $4 idle :50 $8 inactive :50 %4 $4 name $5 quiet $7 pending :0 $4 idle :50 $8 inactive :-1 "
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	reply, _ = s.do(raw("XINFO", "STREAM", "s", "FULL"))
	v, err := commandtest.Parse(reply)
	if err != nil {
		t.Fatal(err)
	}
	consumers := find(find(v, "groups").Elems[0], "consumers").Elems
	if len(consumers) != 2 || find(consumers[0], "active-time").Text != fmt.Sprint(int64(testNow)) || find(consumers[1], "active-time").Text != "-1" {
		t.Errorf("%s", reply)
	}
	for _, c := range []struct{ request, want string }{
		{"XREAD STREAMS a b 0", "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.\r\n"},
		{"XREADGROUP GROUP g c STREAMS a b >", "-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.\r\n"},
		{"XREAD BLOCK 9223372036854775807 STREAMS a 0", "-ERR timeout is out of range\r\n"},
		{"XDEL s 1", ":1\r\n"},
		{"XSETID s 0-5", "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n"},
	} {
		if reply, _ := s.do(raw(strings.Fields(c.request)...)); string(reply) != c.want {
			t.Errorf("%s: %q", c.request, reply)
		}
	}
}

// TestReadingEndsAtTheReplyLimit: what no reply has room for is not delivered, nor
// recorded.
func TestReadingEndsAtTheReplyLimit(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	for i := range 100 {
		s.do(raw("XADD", "s", fmt.Sprint(i+1), "f", strings.Repeat("v", 100)))
	}
	s.do(raw("XGROUP", "CREATE", "s", "g", "0"))
	s.out.Limit = 2000
	s.do(raw("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "s", "s", ">", ">", ">"))
	ref, _ := s.ks.DB(0).Lookup([]byte("s"))
	if n := ref.Stream().Group([]byte("g")).PendingLen(); !s.out.Over || n < 5 || n > 20 {
		t.Errorf("%d entries are pending, over the limit: %v", n, s.out.Over)
	}
	if err := s.checkReplica(); err != nil {
		t.Error(err)
	}
	s.out.Over = false
	for _, r := range []string{"XREADGROUP GROUP g c STREAMS s 0", "XREAD STREAMS s s 0 0", "XRANGE s - +"} {
		if s.do(raw(strings.Fields(r)...)); !s.out.Over && r != "XREADGROUP GROUP g c STREAMS s 0" {
			t.Errorf("%s is within the limit", r)
		}
		s.out.Over = false
	}
	if err := s.checkReplica(); err != nil {
		t.Error(err)
	}
}

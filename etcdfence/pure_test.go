package etcdfence

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"pgregory.net/rapid"
)

func TestKeys(t *testing.T) {
	k := newKeys("prod", 3)
	for _, c := range []struct{ got, want string }{
		{k.leader, "/redoubt/prod/shards/0003/leader"},
		{k.sealed, "/redoubt/prod/shards/0003/sealed"},
		{k.handover, "/redoubt/prod/shards/0003/handover"},
		{k.node("a"), "/redoubt/prod/nodes/a"},
		{k.entry(42), "/redoubt/prod/shards/0003/log/00000000000000000042"},
		{k.entry(math.MaxUint64), "/redoubt/prod/shards/0003/log/18446744073709551615"},
		{k.entryAfter(42), k.entry(43)},
		{k.entryAfter(math.MaxUint64), "/redoubt/prod/shards/0003/log0"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if got, want := k.entrySize(10), int64(len(k.entry(1))+10); got != want {
		t.Errorf("entry size %d, want %d", got, want)
	}
}

func FuzzSeq(f *testing.F) {
	k := newKeys("c", 1)
	for _, s := range []string{"00000000000000000001", "18446744073709551616", "+0000000000000000001", "1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, digits string) {
		seq, ok := k.seq([]byte(k.log + digits))
		if ok != (ok && k.entry(seq) == k.log+digits) {
			t.Fatalf("%q was read as %d, whose key is %s", digits, seq, k.entry(seq))
		}
	})
}

func TestSeqOrderIsKeyOrder(t *testing.T) {
	k := newKeys("c", 1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		if got, ok := k.seq([]byte(k.entry(a))); !ok || got != a {
			t.Fatalf("%d came back as %d, %v", a, got, ok)
		}
		if (a < b) != (k.entry(a) < k.entry(b)) {
			t.Fatalf("%d and %d sort the other way as keys", a, b)
		}
	})
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "node-1.eu_west": true, strings.Repeat("x", 63): true,
		"": false, strings.Repeat("x", 64): false, "a/b": false, "ä": false, "a b": false, "\x00": false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

func TestSealedJSON(t *testing.T) {
	s := Sealed{Seq: 9, Epoch: 7, Chain: 0xab, EpochBase: 5, Segment: "k.seg", Time: time.Unix(1700000000, 0).UTC()}
	const want = `{"seq":9,"epoch":7,"chain":"00000000000000ab","epoch_base":5,"segment":"k.seg","time":"2023-11-14T22:13:20Z"}`
	if got := mustJSON(s); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	back, err := parseSealed(&mvccpb.KeyValue{Value: []byte(want)})
	if err != nil || back != s {
		t.Fatalf("came back as %+v, %v", back, err)
	}
	for _, bad := range []string{``, `{}`, `{"chain":"xyz"}`, `{"chain":"1","epoch":-1}`, `{"chain":"1","epoch_base":-1}`, `{"seq":-1,"chain":"1"}`} {
		if _, err := parseSealed(&mvccpb.KeyValue{Value: []byte(bad)}); !errors.Is(err, wal.ErrCorrupt) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzSealed(f *testing.F) {
	f.Add([]byte(`{"seq":9,"epoch":7,"chain":"00000000000000ab","epoch_base":5,"time":"2023-11-14T22:13:20Z"}`))
	f.Add([]byte(`{"chain":"1","seq":1.5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSealed(&mvccpb.KeyValue{Value: b})
		if err != nil {
			return
		}
		if _, err := json.Marshal(s); err != nil {
			return // a year JSON has no form for; we never write one
		}
		again, err := parseSealed(&mvccpb.KeyValue{Value: []byte(mustJSON(s))})
		if err != nil || !again.sameLog(s) || !again.Time.Equal(s.Time) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
	})
}

// at makes wal positions and entries for the tables below.
func at(seq uint64, epoch int64) wal.Position {
	return wal.Position{Seq: seq, Epoch: epoch, Chain: seq*1000 + uint64(epoch)}
}

func entryAt(seq uint64, epoch int64) *wal.Entry {
	p := at(seq, epoch)
	return &wal.Entry{Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain}
}

func TestMayLead(t *testing.T) {
	sealed := func(seq uint64, epoch int64) *sealedAt { return &sealedAt{sealedAtPos(at(seq, epoch)), 50} }
	for _, c := range []struct {
		name    string
		b       ballot
		applied wal.Position
		want    error
	}{
		{"new shard", ballot{sealed: &sealedAt{}}, wal.Position{}, nil},
		{"at the tail of the head", ballot{sealed: sealed(3, 5), applied: entryAt(8, 5)}, at(8, 5), nil},
		{"at the sealed end", ballot{sealed: sealed(8, 5)}, at(8, 5), nil},
		{"no shard", ballot{}, wal.Position{}, ErrNotInitialized},
		{"led", ballot{sealed: sealed(8, 5), leader: &Leader{NodeID: "x"}}, at(8, 5), ErrLeaderExists},
		{"one behind", ballot{sealed: sealed(3, 5), applied: entryAt(8, 5), next: true}, at(8, 5), ErrNotCaughtUp},
		{"behind, the rest sealed and trimmed", ballot{sealed: sealed(9, 5)}, at(8, 5), ErrNotCaughtUp},
		{"nothing applied, all sealed and trimmed", ballot{sealed: sealed(9, 5)}, wal.Position{}, ErrNotCaughtUp},
		{"ahead of the log", ballot{sealed: sealed(3, 5)}, at(8, 5), ErrDiverged},
		{"other entry at the tail", ballot{sealed: sealed(3, 5), applied: entryAt(8, 6)}, at(8, 5), ErrDiverged},
		{"other entry at the sealed end", ballot{sealed: sealed(8, 6)}, at(8, 5), ErrDiverged},
	} {
		if got := mayLead(c.b, c.applied); !errors.Is(got, c.want) || (c.want == nil) != (got == nil) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJudgeAppend(t *testing.T) {
	const ours, known = 100, 50
	e := entryAt(9, ours)
	sealed := func(seq uint64, rev int64) *sealedAt { return &sealedAt{sealedAtPos(at(seq, 5)), rev} }
	for _, c := range []struct {
		name string
		a    appendAnswer
		want verdict
	}{
		{"went through", appendAnswer{succeeded: true}, committed},
		{"had gone through", appendAnswer{leaderRev: ours, entry: entryAt(9, ours), sealed: sealed(3, known)}, committed},
		{"had gone through before the fence", appendAnswer{leaderRev: 120, entry: entryAt(9, ours), sealed: sealed(3, known)}, committed},
		{"fenced, nobody leads", appendAnswer{leaderRev: 0, sealed: sealed(3, known)}, fencedOff},
		{"fenced by the next leader", appendAnswer{leaderRev: 120, sealed: sealed(3, known)}, fencedOff},
		{"fenced, the next leader wrote there", appendAnswer{leaderRev: 120, entry: entryAt(9, 120), sealed: sealed(3, known)}, fencedOff},
		{"fenced, sealed over", appendAnswer{leaderRev: 120, sealed: sealed(12, 60)}, fencedOff},
		{"trimmed meanwhile", appendAnswer{leaderRev: ours, sealed: sealed(8, 60)}, askAgain},
		{"not ours under our epoch", appendAnswer{leaderRev: ours, entry: entryAt(9, 7), sealed: sealed(3, known)}, impossible},
		{"trimmed before it was committed", appendAnswer{leaderRev: ours, sealed: sealed(9, 60)}, impossible},
		{"refused for nothing", appendAnswer{leaderRev: ours, sealed: sealed(3, known)}, impossible},
		{"no sealed pointer", appendAnswer{leaderRev: ours}, impossible},
	} {
		got, err := judgeAppend(e, ours, known, c.a)
		if got != c.want || (err != nil) != (c.want == impossible) {
			t.Errorf("%s: got %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

func TestJudgeTrim(t *testing.T) {
	const ours, known = 100, 50
	want := sealedAtPos(at(9, 5))
	later := want
	later.Time = later.Time.Add(time.Hour)
	for _, c := range []struct {
		name string
		a    trimAnswer
		want verdict
	}{
		{"went through", trimAnswer{succeeded: true}, committed},
		{"had gone through", trimAnswer{leaderRev: ours, sealed: &sealedAt{want, 60}}, committed},
		{"had gone through, said at another time", trimAnswer{leaderRev: ours, sealed: &sealedAt{later, 60}}, committed},
		{"fenced", trimAnswer{leaderRev: 0, sealed: &sealedAt{sealedAtPos(at(3, 5)), known}}, fencedOff},
		{"an earlier trim had gone through", trimAnswer{leaderRev: ours, sealed: &sealedAt{sealedAtPos(at(5, 5)), 60}}, askAgain},
		{"refused for nothing", trimAnswer{leaderRev: ours, sealed: &sealedAt{sealedAtPos(at(3, 5)), known}}, impossible},
		{"no sealed pointer", trimAnswer{leaderRev: ours}, impossible},
	} {
		got, err := judgeTrim(want, ours, known, c.a)
		if got != c.want || (err != nil) != (c.want == impossible) {
			t.Errorf("%s: got %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

func TestMayTrim(t *testing.T) {
	known, tail := sealedAtPos(at(3, 5)), at(9, 7)
	for _, c := range []struct {
		name string
		next wal.Position
		good bool
	}{
		{"forward", at(5, 6), true},
		{"to the tail", at(9, 7), true},
		{"nowhere", at(3, 5), false},
		{"backward", at(2, 5), false},
		{"over what is not committed", at(10, 7), false},
		{"to another tail", at(9, 6), false},
		{"epoch back", at(5, 4), false},
		{"epoch ahead", at(5, 8), false},
	} {
		if err := mayTrim(known, tail, sealedAtPos(c.next)); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDeadline(t *testing.T) {
	after := func(s float64) instant { return instant{}.add(time.Duration(s * float64(time.Second))) }

	d := newDeadline(after(2))
	if !d.alive(after(1.9)) || d.left(after(1.5)) != 500*time.Millisecond {
		t.Fatalf("before the deadline: alive %v, left %v", d.alive(after(1.9)), d.left(after(1.5)))
	}
	if !d.extend(after(1), after(3)) || d.left(after(1)) != 2*time.Second {
		t.Fatal("a renewal in time did not extend")
	}
	if !d.extend(after(1), after(2)) || d.left(after(1)) != 2*time.Second {
		t.Fatal("an answer to an older renewal took the deadline back")
	}
	if d.alive(after(3)) {
		t.Fatal("alive at the deadline itself")
	}
	if d.extend(after(1), after(9)) || d.alive(after(1)) || d.left(after(1)) != 0 {
		t.Fatal("a deadline that had passed came back")
	}

	d = newDeadline(after(2))
	if d.extend(after(2.5), after(4)) || d.alive(after(1)) {
		t.Fatal("a renewal that came back too late revived the lease")
	}

	d = newDeadline(after(2))
	d.end()
	if d.alive(after(0)) || d.extend(after(0), after(4)) {
		t.Fatal("alive after end")
	}
}

func TestDeadlineWatchesBothClocks(t *testing.T) {
	limit := instant{mono: time.Minute, wall: time.Minute}
	for _, c := range []struct {
		name  string
		now   instant
		alive bool
		left  time.Duration
	}{
		{"neither has passed", instant{59 * time.Second, 50 * time.Second}, true, time.Second},
		{"both have", instant{time.Hour, time.Hour}, false, 0},
		{"the machine was suspended", instant{59 * time.Second, time.Hour}, false, 0},
		{"the wall clock was set back", instant{time.Minute, -time.Hour}, false, 0},
		{"the wall clock was set back, in time", instant{50 * time.Second, -time.Hour}, true, 10 * time.Second},
	} {
		d := newDeadline(limit)
		if left := d.left(c.now); left != c.left {
			t.Errorf("%s: left %v, want %v", c.name, left, c.left)
		}
		if extended := d.extend(c.now, limit); extended != c.alive {
			t.Errorf("%s: extended %v", c.name, extended)
		}
		if alive := newDeadline(limit).alive(c.now); alive != c.alive {
			t.Errorf("%s: alive %v", c.name, alive)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Now()
	c := newClock(func() time.Time { return now })
	now = now.Add(time.Second)
	if got := c.read(); got != (instant{time.Second, time.Second}) {
		t.Fatalf("after a second %v", got)
	}
	if got := newClock(time.Now).read(); got.mono < 0 || got.mono > time.Minute {
		t.Fatalf("the real clock says %v", got)
	}
}

func TestHeadIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x headIndex
		model := map[uint64]int64{} // what is known, a contiguous run
		var first, next uint64 = 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				seq := next + rapid.SampledFrom([]uint64{0, 0, 0, 0, 3}).Draw(t, "skip")
				size := rapid.Int64Range(1, 1000).Draw(t, "size")
				if seq != next || len(model) == 0 {
					clear(model)
					first = seq
				}
				model[seq] = size
				next = seq + 1
				x.add(seq, size)
			},
			"add known": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				x.add(rapid.Uint64Range(first, next-1).Draw(t, "seq"), 5000)
			},
			"drop": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, next+2).Draw(t, "seq")
				if seq >= first && len(model) > 0 {
					for ; first <= seq && first < next; first++ {
						delete(model, first)
					}
				}
				if len(model) == 0 {
					next = max(next, x.next())
				}
				x.dropThrough(seq)
			},
			"": func(t *rapid.T) {
				var sum int64
				for seq, size := range model {
					sum += size
					if c := x.cut(seq, seq); c.bytes != size || len(c.sizes) != 1 {
						t.Fatalf("entry %d has %+v, want %d", seq, c, size)
					}
				}
				if x.bytes != sum || len(x.sizes) != len(model) {
					t.Fatalf("%d entries, %d bytes; want %d, %d", len(x.sizes), x.bytes, len(model), sum)
				}
				if all := x.cut(x.first, math.MaxUint64-1); all.bytes != sum {
					t.Fatalf("copy has %d bytes, want %d", all.bytes, sum)
				}
			},
		})
	})
}

func TestPager(t *testing.T) {
	p := pager{target: 4 << 20}
	if p.next() != pageFirst {
		t.Fatalf("first page asks for %d", p.next())
	}
	for range 10 {
		p.got(int(p.next()), p.next()*200)
	}
	if p.next() != pageMost {
		t.Fatalf("pages of small entries ask for %d", p.next())
	}
	p.got(100, 100<<20)
	if p.next() != 4 {
		t.Fatalf("pages of 1 MiB entries ask for %d", p.next())
	}
	for range 5 {
		p.failed()
	}
	p.got(0, 0)
	if p.next() != 1 {
		t.Fatalf("after failures pages ask for %d", p.next())
	}
}

func TestCompactor(t *testing.T) {
	c := compactor{every: time.Second, idle: 3 * time.Second}
	for i, step := range []struct{ trim, seen, want int64 }{
		{0, 10, 0},
		{20, 21, 0},  // trimmed: next tick
		{20, 25, 20}, // one tick later
		{20, 26, 0},  // nothing new
		{30, 31, 0},
		{40, 41, 30}, // behind the newest trim
		{40, 50, 40},
		{40, 60, 0},
		{40, 70, 0},
		{40, 80, 0},  // idle for three: anything seen will do
		{40, 90, 80}, // one tick later
		{40, 91, 0},
	} {
		got := c.tick(step.trim, step.seen)
		if got != step.want {
			t.Fatalf("tick %d: got %d, want %d", i, got, step.want)
		}
		if got != 0 {
			c.compacted(got)
		}
	}
}

func TestPermanent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("anything"), false},
		{rpctypes.ErrTimeout, false},
		{rpctypes.ErrLeaderChanged, false},
		{rpctypes.ErrNoSpace, false},
		{rpctypes.ErrTooManyRequests, false},
		{rpctypes.ErrAuthOldRevision, false},
		{rpctypes.ErrInvalidAuthToken, false},
		{rpctypes.ErrGRPCTimeoutDueToLeaderFail, false},
		{rpctypes.ErrLeaseNotFound, true},
		{rpctypes.ErrPermissionDenied, true},
		{rpctypes.ErrRequestTooLarge, true},
		{rpctypes.ErrGRPCRequestTooLarge, true},
		{rpctypes.ErrCompacted, true},
	} {
		if got := permanent(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestInitialize(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.open()
		st, err := s.State(e.ctx())
		e.ok(err)
		if st.Initialized || st.Leader != nil || st.Tail != 0 {
			t.Fatalf("state of no shard: %+v", st)
		}
		_, err = s.Campaign(e.ctx(), Candidate{NodeID: "a"}, wal.Position{})
		e.isErr(err, ErrNotInitialized)
		e.isErr(s.Follow(e.ctx(), wal.Position{}, &recorder{}), ErrNotInitialized)
		e.isErr(s.ReadHead(e.ctx(), 1, 5, nil), ErrNotInitialized)
		if err := s.Initialize(e.ctx(), Sealed{Epoch: 5, EpochBase: 4}); err == nil {
			t.Fatal("an epoch base below the log's epoch was accepted")
		}

		first := Sealed{Seq: 7, Epoch: 3, Chain: 99, EpochBase: 1000, Segment: "x.seg", Time: time.Unix(1700000000, 0).UTC()}
		e.ok(s.Initialize(e.ctx(), first))
		e.isErr(s.Initialize(e.ctx(), Sealed{}), ErrInitialized)
		st, err = s.State(e.ctx())
		e.ok(err)
		if !st.Initialized || st.Sealed != first || st.Tail != 7 || st.HeadEntries != 0 || st.SealedRev == 0 {
			t.Fatalf("state %+v", st)
		}
	})
}

func TestInitializeAnswerLost(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	f.once("trim", answerLost) // it puts the sealed pointer
	e.ok(e.openWith(f.cli).Initialize(e.ctx(), Sealed{}))
	if f.sent("trim") != 2 {
		t.Fatalf("sent %d times", f.sent("trim"))
	}
}

// After recovery into a new etcd, whose revisions start again, epochs go on.
func TestEpochBase(t *testing.T) {
	e := newEnv(t)
	const base = int64(1) << 40
	s := e.init(Sealed{Seq: 5, Epoch: base - 3, Chain: 55, EpochBase: base})
	applied := wal.Position{Seq: 5, Epoch: base - 3, Chain: 55}
	term := e.campaign(s, "a", applied)
	if term.Epoch() <= base {
		t.Fatalf("epoch %d after base %d", term.Epoch(), base)
	}
	pos := e.append(term, "six")
	e.trim(term, pos)
	if got := term.Sealed().EpochBase; got != base {
		t.Fatalf("trim left epoch base %d", got)
	}
	st, err := s.State(e.ctx())
	e.ok(err)
	if st.Sealed.EpochBase != base || st.Leader.Epoch != term.Epoch() {
		t.Fatalf("state %+v, leader %+v", st, st.Leader)
	}
	e.ok(term.Resign(e.ctx()))
	again := e.campaign(e.open(), "b", pos)
	if again.Epoch() <= term.Epoch() {
		t.Fatalf("epoch %d after %d", again.Epoch(), term.Epoch())
	}

	// A base that was set too low is found out, and no leader stays behind.
	low := newEnv(t)
	s = low.init(Sealed{})
	resp, err := low.cli.Put(low.ctx(), s.k.sealed, mustJSON(Sealed{Seq: 5, Epoch: base, Chain: 55, EpochBase: 0}))
	low.ok(err)
	_, err = s.Campaign(low.ctx(), Candidate{NodeID: "a"}, wal.Position{Seq: 5, Epoch: base, Chain: 55})
	low.isErr(err, wal.ErrEpoch)
	st, err = s.State(low.ctx())
	low.ok(err)
	if st.Leader != nil || st.SealedRev != resp.Header.Revision {
		t.Fatalf("state %+v, leader %+v", st, st.Leader)
	}
}

func TestCampaignNeedsTheWholeLog(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	one := e.append(term, "one")
	three := e.append(term, "two", "three")

	_, err := e.open().Campaign(e.ctx(), Candidate{NodeID: "b"}, three)
	e.isErr(err, ErrLeaderExists)
	e.ok(term.Resign(e.ctx()))

	refused := func(applied wal.Position, want error) {
		t.Helper()
		f := newFaults(t, e.cli)
		_, err := e.openWith(f.cli).Campaign(e.ctx(), Candidate{NodeID: "b"}, applied)
		e.isErr(err, want)
		if len(f.leases) != 0 {
			t.Fatal("a lease was granted to a candidate that cannot win")
		}
	}
	refused(wal.Position{}, ErrNotCaughtUp)
	refused(one, ErrNotCaughtUp)
	refused(wal.Position{Seq: 3, Epoch: three.Epoch, Chain: three.Chain + 1}, ErrDiverged)
	refused(wal.Position{Seq: 4, Epoch: three.Epoch, Chain: 1}, ErrDiverged)

	term = e.campaign(e.open(), "b", three)
	if term.Tail() != three {
		t.Fatalf("tail %v, applied %v", term.Tail(), three)
	}
	e.trim(term, three)
	e.ok(term.Resign(e.ctx()))
	// log/<applied+1> is absent for each of these; the sealed pointer tells.
	refused(wal.Position{}, ErrNotCaughtUp)
	refused(one, ErrNotCaughtUp)
	e.campaign(e.open(), "c", three)
}

// The candidate was caught up when it looked. Then somebody else led, appended,
// sealed and trimmed, all before its transaction arrived: log/<applied+1> is
// absent, as it was.
func TestCampaignComparesTheSealedPointer(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	slow := e.openWith(f.cli)
	f.once("campaign", func(send sendFunc) (clientv3.OpResponse, error) {
		term := e.campaign(e.open(), "fast", wal.Position{})
		e.trim(term, e.append(term, "one", "two"))
		e.ok(term.Resign(e.ctx()))
		return send()
	})
	_, err := slow.Campaign(e.ctx(), Candidate{NodeID: "slow"}, wal.Position{})
	e.isErr(err, ErrNotCaughtUp)
	st, err := slow.State(e.ctx())
	e.ok(err)
	if st.Leader != nil {
		t.Fatalf("leader %+v", st.Leader)
	}
}

// The same, with the entries still in the head.
func TestCampaignComparesTheNextEntry(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	slow := e.openWith(f.cli)
	f.once("campaign", func(send sendFunc) (clientv3.OpResponse, error) {
		term := e.campaign(e.open(), "fast", wal.Position{})
		e.append(term, "one")
		e.ok(term.Resign(e.ctx()))
		return send()
	})
	_, err := slow.Campaign(e.ctx(), Candidate{NodeID: "slow"}, wal.Position{})
	e.isErr(err, ErrNotCaughtUp)
}

// The head moved while it was measured; the candidate still has everything.
func TestCampaignTriesAgainAfterATrim(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	first := e.campaign(e.open(), "a", wal.Position{})
	one := e.append(first, "one")
	two := e.append(first, "two")
	e.ok(first.Resign(e.ctx()))

	candidate := e.openWith(f.cli)
	f.once("campaign", func(send sendFunc) (clientv3.OpResponse, error) {
		other := e.campaign(e.open(), "b", two)
		e.trim(other, one)
		e.ok(other.Resign(e.ctx()))
		return send()
	})
	term := e.campaign(candidate, "c", two)
	if got, want := term.HeadBytes(), e.storedBytes(candidate); got != want || term.Sealed().Seq != 1 {
		t.Fatalf("term counts %d bytes, etcd holds %d; sealed %+v", got, want, term.Sealed())
	}
	e.append(term, "three")
	e.wantLog("2:two", "3:three")
}

func TestCampaignSurvivesFaults(t *testing.T) {
	for name, fault := range map[string]func(sendFunc) (clientv3.OpResponse, error){
		"answer lost": answerLost, "request lost": requestLost, "sent twice": sentTwice,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := newFaults(t, e.cli)
			e.init(Sealed{})
			f.once("campaign", fault)
			term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
			e.append(term, "one")
			e.wantLog("1:one")
			st, err := e.open().State(e.ctx())
			e.ok(err)
			if st.Leader == nil || st.Leader.Epoch != term.Epoch() {
				t.Fatalf("leader %+v, term's epoch %d", st.Leader, term.Epoch())
			}
		})
	}
}

// A candidate that gives up leaves neither key nor lease, even when its
// transaction went through without its knowing.
func TestCampaignGivenUp(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	ctx, cancel := context.WithCancel(e.ctx())
	f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		if op != "campaign" {
			return send()
		}
		cancel()
		return answerLost(send)
	})
	_, err := e.openWith(f.cli).Campaign(ctx, Candidate{NodeID: "a"}, wal.Position{})
	e.isErr(err, context.Canceled)
	st, err := e.open().State(e.ctx())
	e.ok(err)
	if st.Leader != nil || len(f.leases) != 1 || f.live(e) != 0 {
		t.Fatalf("leader %+v; %d leases of %d left", st.Leader, f.live(e), len(f.leases))
	}
}

func TestCampaignTakesTooLong(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	f.once("campaign", func(send sendFunc) (clientv3.OpResponse, error) {
		clock.advance(longLease)
		return send()
	})
	_, err := e.openWith(f.cli).Campaign(e.ctx(), Candidate{NodeID: "a"}, wal.Position{})
	e.isErr(err, ErrLeaseLost)
	st, err := e.open().State(e.ctx())
	e.ok(err)
	if st.Leader != nil {
		t.Fatalf("leader %+v", st.Leader)
	}
}

func TestDriftMarginBeyondTheLease(t *testing.T) {
	e := newEnv(t)
	e.opts.DriftMargin = time.Hour
	_, err := e.init(Sealed{}).Campaign(e.ctx(), Candidate{NodeID: "a"}, wal.Position{})
	if err == nil {
		t.Fatal("a lease without any time in it was accepted")
	}
}

// Of any number of candidates exactly one wins, each time.
func TestCampaignRace(t *testing.T) {
	e := newEnv(t)
	e.init(Sealed{})
	const candidates, rounds = 8, 5
	var tail wal.Position
	var lastEpoch int64
	for round := range rounds {
		terms := make([]*Term, candidates)
		errs := make([]error, candidates)
		var wg sync.WaitGroup
		for i := range candidates {
			wg.Go(func() {
				terms[i], errs[i] = e.open().Campaign(e.ctx(), Candidate{NodeID: fmt.Sprint("n", i)}, tail)
			})
		}
		wg.Wait()
		var won *Term
		for i := range candidates {
			switch {
			case terms[i] != nil && won != nil:
				t.Fatalf("round %d has two winners", round)
			case terms[i] != nil:
				won = terms[i]
			case !errors.Is(errs[i], ErrLeaderExists):
				t.Fatalf("round %d: candidate %d: %v", round, i, errs[i])
			}
		}
		if won == nil {
			t.Fatalf("round %d has no winner", round)
		}
		if won.Epoch() <= lastEpoch {
			t.Fatalf("epoch %d after %d", won.Epoch(), lastEpoch)
		}
		lastEpoch = won.Epoch()
		tail = e.append(won, fmt.Sprint(round))
		e.ok(won.Close())
	}
	e.wantLog("1:0", "2:1", "3:2", "4:3", "5:4")
}

// A head learnt by following is not read again to campaign, and what was missed
// is made up for.
func TestCampaignMeasuresOnlyWhatItHasNotMet(t *testing.T) {
	e := newEnv(t)
	e.init(Sealed{})
	term := e.campaign(e.open(), "a", wal.Position{})
	two := e.append(term, "1", "22")
	tail := e.append(term, "333", "4444", "55555")
	e.ok(term.Resign(e.ctx()))
	for name, from := range map[string]wal.Position{"all met": {}, "start missed": two} {
		t.Run(name, func(t *testing.T) {
			e := &env{TB: t, cli: e.cli, cluster: e.cluster, opts: e.opts}
			f := newFaults(t, e.cli)
			s := e.openWith(f.cli)
			stop := errors.New("caught up")
			err := s.Follow(e.ctx(), from, &recorder{entry: func(x *wal.Entry) error {
				if x.Seq == tail.Seq {
					return stop
				}
				return nil
			}})
			e.isErr(err, stop)
			reads := f.sent("read")
			term := e.campaign(s, "b", tail)
			if got, want := term.HeadBytes(), e.storedBytes(s); got != want {
				t.Fatalf("term counts %d bytes, etcd holds %d", got, want)
			}
			want := 1 // the ballot
			if from.Seq > 0 {
				want = 2 // and the start of the head
			}
			if got := f.sent("read") - reads; got != want {
				t.Fatalf("the campaign read %d times, want %d", got, want)
			}
			e.ok(term.Close())
		})
	}
}

// A candidate that has followed the log votes at once: with the lease that was
// prepared, one request.
func TestCampaignPrepared(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	old := e.campaign(e.open(), "old", wal.Position{})
	tail := e.append(old, "one", "two")
	s := e.openWith(f.cli)
	e.followTo(s, wal.Position{}, tail)
	e.ok(s.Prepare(e.ctx()))
	e.ok(old.Resign(e.ctx()))
	reads := f.sent("read")
	term := e.campaign(s, "b", tail)
	if f.sent("read") != reads || f.sent("campaign") != 1 || len(f.leases) != 1 {
		t.Fatalf("%d reads, %d votes, %d leases", f.sent("read")-reads, f.sent("campaign"), len(f.leases))
	}
	if left := term.LeaseLeft(); left > longLease-longLease/10 {
		t.Fatalf("%v left of a lease of %v: not counted from the grant", left, longLease)
	}
}

// A prepared lease that has waited for long is not campaigned with.
func TestCampaignPreparedTooEarly(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	var later atomic.Int64
	e.opts.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	s := e.openWith(f.cli)
	e.ok(s.Prepare(e.ctx()))
	later.Store(int64(longLease/2 + time.Second))
	term := e.campaign(s, "a", wal.Position{})
	if left := term.LeaseLeft(); len(f.leases) != 2 || left < longLease/2 {
		t.Fatalf("%d leases, %v left", len(f.leases), left)
	}
}

// What Follow was told is out of date by the time of the campaign: the vote brings
// what is true, and decides as if it had been read first.
func TestCampaignAfterAnOldFollow(t *testing.T) {
	e := newEnv(t)
	e.init(Sealed{})
	old := e.campaign(e.open(), "old", wal.Position{})
	one := e.append(old, "one")
	f := newFaults(t, e.cli)
	s := e.openWith(f.cli)
	e.followTo(s, wal.Position{}, one)
	three := e.append(old, "two", "three")
	candidate := func(applied wal.Position, want error) {
		t.Helper()
		_, err := s.Campaign(e.ctx(), Candidate{NodeID: "b"}, applied)
		e.isErr(err, want)
	}
	candidate(one, ErrLeaderExists)
	e.ok(old.Resign(e.ctx()))
	candidate(one, ErrNotCaughtUp)
	wrong := three
	wrong.Chain++
	candidate(wrong, ErrDiverged)
	if st, err := e.open().State(e.ctx()); err != nil || st.Leader != nil || f.live(e) != 0 {
		t.Fatalf("leader %+v, %v, %d leases after lost campaigns", st.Leader, err, f.live(e))
	}

	again := e.campaign(e.open(), "c", three)
	e.trim(again, three)
	e.ok(again.Resign(e.ctx()))
	candidate(one, ErrNotCaughtUp)
	if term := e.campaign(s, "b", three); term.Sealed().Seq != three.Seq || term.HeadEntries() != 0 {
		t.Fatalf("sealed %+v, %d entries in the head", term.Sealed(), term.HeadEntries())
	}
}

// followTo follows the log until the entry at to has come.
func (e *env) followTo(s *Shard, from, to wal.Position) {
	e.Helper()
	ctx, cancel := context.WithCancel(e.ctx())
	defer cancel()
	err := s.Follow(ctx, from, &until{seq: to.Seq, reached: cancel})
	if ctx.Err() == nil {
		e.Fatal(err)
	}
}

// until is a Handler that waits for an entry.
type until struct {
	recorder
	seq     uint64
	reached func()
}

func (u *until) CaughtUp(tail uint64) {
	if tail >= u.seq {
		u.reached()
	}
}

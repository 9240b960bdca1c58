package etcdfence

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Unix(1700000000, 0)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

// The deadline counts from before the grant was sent, not from its answer.
func TestDeadlineCountsFromBeforeTheGrant(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	f.grant = func() { clock.advance(10 * time.Second) } // the answer was on its way for so long
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	if got, want := term.LeaseLeft(), longLease-longLease/10-10*time.Second; got != want {
		t.Fatalf("lease left %v, want %v", got, want)
	}
}

// The deadline counts from before a renewal was sent, not from its answer.
func TestDeadlineCountsFromBeforeTheRenewal(t *testing.T) {
	e := newEnv(t)
	e.opts.LeaseTTL = time.Second
	e.opts.DriftMargin = 100 * time.Millisecond
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	renewed := make(chan struct{}, 100)
	f.onRenew(func(send func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error) {
		resp, err := send()
		clock.advance(300 * time.Millisecond)
		renewed <- struct{}{}
		return resp, err
	})
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	<-renewed
	<-renewed
	<-renewed // by now the second has been taken note of
	// Each renewal was sent when the clock had moved 300 ms since the one before.
	if got, most := term.LeaseLeft(), 900*time.Millisecond-300*time.Millisecond; got > most || !term.Valid() {
		t.Fatalf("lease left %v, at most %v is true; valid %v", got, most, term.Valid())
	}
}

// What etcd grants counts, not what was asked for.
func TestGrantedTTLCounts(t *testing.T) {
	e := newEnv(t)
	e.opts.LeaseTTL = time.Millisecond
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	if term.lease.ttl < time.Second || term.LeaseLeft() > term.lease.ttl {
		t.Fatalf("ttl %v, left %v", term.lease.ttl, term.LeaseLeft())
	}
}

// Renewal keeps a term for much longer than its lease.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		t.Parallel()
		e := newEnvWith(t, cli)
		e.opts.LeaseTTL = 2 * time.Second
		term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
		select {
		case <-term.Lost():
			t.Fatalf("lost: %v", term.Err())
		case <-time.After(4500 * time.Millisecond):
		}
		if !term.Valid() || term.LeaseLeft() <= 0 || term.Err() != nil {
			t.Fatalf("valid %v, left %v, err %v", term.Valid(), term.LeaseLeft(), term.Err())
		}
		e.append(term, "one")
	})
}

// A primary that was stopped past its lease answers nothing when it goes on,
// though it has heard of nothing, and what it had in its queue is fenced.
func TestStalePrimary(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	s := e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	stale := e.campaign(e.openWith(f.cli), "stale", wal.Position{})
	pos := e.append(stale, "one")
	queued := next(stale, "two")

	clock.advance(longLease - longLease/10 - time.Nanosecond)
	if !stale.Valid() {
		t.Fatal("not valid before the deadline")
	}
	clock.advance(time.Nanosecond)
	if stale.Valid() || stale.LeaseLeft() != 0 {
		t.Fatal("valid at the deadline")
	}
	e.isErr(stale.Err(), ErrLeaseLost)
	lostWithin(t, stale, time.Second)
	clock.advance(-time.Hour)
	if stale.Valid() {
		t.Fatal("a term that was lost came back")
	}
	e.isErr(stale.Append(e.ctx(), queued), wal.ErrFenced)
	e.isErr(stale.Trim(e.ctx(), sealedAtPos(pos)), wal.ErrFenced)

	// It lets go of its lease when it notices, so the next need not wait a minute.
	r := &recorder{}
	e.follow(s, wal.Position{}, r)
	r.awaitEvent(t, "nobody")
	e.append(e.campaign(s, "b", pos), "other two")
	e.wantLog("1:one", "2:other two")
}

// A renewal whose answer comes after the deadline does not bring the term back.
func TestRenewalAnsweredTooLate(t *testing.T) {
	e := newEnv(t)
	e.opts.LeaseTTL = time.Second
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	f.onRenew(func(send func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error) {
		resp, err := send()
		clock.advance(900 * time.Millisecond)
		return resp, err
	})
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	lostWithin(t, term, 10*time.Second)
	e.isErr(term.Err(), ErrLeaseLost)
	if term.Valid() {
		t.Fatal("valid")
	}
}

// Renewals that fail are tried again in time.
func TestRenewalFailsForAWhile(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.opts.LeaseTTL = 2 * time.Second
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	var mu sync.Mutex
	tries := 0
	renewed := make(chan struct{}, 100)
	f.onRenew(func(send func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error) {
		mu.Lock()
		tries++
		bad := tries%3 != 0
		mu.Unlock()
		if bad {
			return nil, rpctypes.ErrNoLeader
		}
		renewed <- struct{}{}
		return send()
	})
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	for range 4 {
		select {
		case <-renewed:
		case <-term.Lost():
			t.Fatalf("lost: %v", term.Err())
		}
	}
	if !term.Valid() {
		t.Fatal("not valid")
	}
}

// Nobody calls Valid and no renewal gets through: Lost is closed all the same,
// before etcd ends the lease.
func TestDeadlineIsNoticedWithoutAsking(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.opts.LeaseTTL = time.Second
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	f.onRenew(func(func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error) {
		return nil, errors.New("no way through")
	})
	start := time.Now()
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	lostWithin(t, term, 10*time.Second)
	if took := time.Since(start); took < 900*time.Millisecond-50*time.Millisecond {
		t.Fatalf("lost after %v already", took)
	}
	e.isErr(term.Err(), ErrLeaseLost)
}

// A lease that is revoked from outside is noticed at the next renewal.
func TestRevokedLeaseIsNoticed(t *testing.T) {
	t.Parallel()
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		e.opts.LeaseTTL = time.Second
		s := e.init(Sealed{})
		term := e.campaign(s, "a", wal.Position{})
		e.ok(s.RevokeLeader(e.ctx(), "somebody else"))
		if st, err := s.State(e.ctx()); err != nil || st.Leader == nil {
			t.Fatalf("another node's revocation hit the leader: %+v, %v", st, err)
		}
		e.ok(s.RevokeLeader(e.ctx(), "a"))
		lostWithin(t, term, 10*time.Second)
		e.isErr(term.Err(), ErrLeaseLost)
		e.ok(s.RevokeLeader(e.ctx(), "a")) // nobody leads: nothing to do
	})
}

func TestResignAndClose(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	pos := e.append(term, "one")
	for range 2 {
		e.ok(term.Resign(e.ctx()))
		e.ok(term.Close())
	}
	if term.Valid() || term.LeaseLeft() != 0 {
		t.Fatal("valid after resigning")
	}
	e.isErr(term.Err(), ErrResigned)
	e.isErr(term.Append(e.ctx(), next(term, "two")), wal.ErrFenced)
	e.isErr(term.Trim(e.ctx(), sealedAtPos(pos)), ErrResigned)
	e.campaign(e.open(), "b", pos) // at once, though the lease was a minute
}

func TestValidIsCheap(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	if n := testing.AllocsPerRun(100, func() { term.Valid() }); n != 0 {
		t.Fatalf("Valid allocates %v times", n)
	}
}

func BenchmarkValid(b *testing.B) {
	e := newEnv(b)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	b.ResetTimer()
	for range b.N {
		if !term.Valid() {
			b.Fatal("lost")
		}
	}
}

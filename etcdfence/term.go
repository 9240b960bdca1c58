package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Term is a node's time as a shard's leader, from a won campaign until its
// lease ends, it is fenced or gives up. It is a wal.Writer. It owns three
// goroutines: renewal, the watch over the deadline, and compaction; Close or
// Resign ends them.
type Term struct {
	s         *Shard
	epoch     int64
	createRev int64 // of the leader key: the fence
	lease     lease
	deadline  *deadline

	lost     chan struct{}
	lostOnce sync.Once
	cause    error              // why the term ended; set before lost is closed
	ctx      context.Context    // ends with the term
	cancel   context.CancelFunc // of ctx
	closing  context.Context    // ends when Close or Resign begins
	close    context.CancelFunc // of closing
	wg       sync.WaitGroup

	appendMu sync.Mutex // one append at a time; guards buf and unsure
	buf      []byte
	unsure   bool       // an answer about the entry after tail was lost
	trimMu   sync.Mutex // one trim at a time
	endMu    sync.Mutex // one revocation at a time; guards revoked
	revoked  bool

	mu      sync.Mutex
	tail    wal.Position // last entry known to be committed
	sealed  sealedAt
	head    headIndex // exactly the entries after sealed up to tail
	seenRev int64     // newest etcd revision met
	trimRev int64     // revision of the last trim
}

var _ wal.Writer = (*Term)(nil)

func newTerm(s *Shard, l lease, epoch int64, tail wal.Position, sealed sealedAt, head headIndex, limit instant) *Term {
	t := &Term{
		s: s, epoch: epoch, createRev: epoch - sealed.EpochBase, lease: l,
		deadline: newDeadline(limit), lost: make(chan struct{}),
		tail: tail, sealed: sealed, head: head,
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.closing, t.close = context.WithCancel(context.Background())
	t.observeHead()
	t.wg.Go(t.keepAlive)
	t.wg.Go(t.watchDeadline)
	t.wg.Go(t.compact)
	return t
}

// Epoch is the term's fencing token: larger than that of every term before.
func (t *Term) Epoch() int64 { return t.epoch }

// Valid reports whether the node may answer as primary now. It is cheap
// enough for every reply: two loads and a look at the clock. Call it after the
// command ran and before its reply leaves. Once false it stays false.
func (t *Term) Valid() bool {
	if broken.Is(broken.LeaseIgnored) || t.deadline.alive(t.s.clk.read()) {
		return true
	}
	t.lose(ErrLeaseLost)
	return false
}

// LeaseLeft is how long the local deadline is away; 0 once the term is lost.
func (t *Term) LeaseLeft() time.Duration { return t.deadline.left(t.s.clk.read()) }

// Lost is closed when the term has ended: the deadline passed, an append or
// trim was fenced, or it was given up.
func (t *Term) Lost() <-chan struct{} { return t.lost }

// Err is why the term ended: wraps ErrLeaseLost, wal.ErrFenced or ErrResigned;
// nil before Lost is closed.
func (t *Term) Err() error {
	select {
	case <-t.lost:
		return t.cause
	default:
		return nil
	}
}

// Tail is the last entry known to be committed. After Campaign it is what the
// candidate had applied.
func (t *Term) Tail() wal.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tail
}

// Sealed is the sealed pointer as this term last wrote or read it.
func (t *Term) Sealed() Sealed {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sealed.Sealed
}

// HeadBytes is how many bytes the head's keys and values have in etcd. While
// the outcome of an append or trim is unknown, the append is not counted yet
// and what the trim takes away still is.
func (t *Term) HeadBytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head.bytes
}

// HeadEntries is how many entries the head holds.
func (t *Term) HeadEntries() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.head.sizes)
}

// HeadLimit is the bound of HeadBytes.
func (t *Term) HeadLimit() int64 {
	if broken.Is(broken.UnboundedHead) {
		return math.MaxInt64
	}
	return t.s.o.HeadLimit
}

// Resign gives up the shard: from its first moment on Valid is false, then the
// lease is ended, so that another node may lead at once. Commit what should be
// kept before. When ctx ends first the lease lives until it expires.
func (t *Term) Resign(ctx context.Context) error {
	t.lose(ErrResigned)
	t.close()
	t.wg.Wait()
	t.leaveSizes()
	return t.endLease(ctx)
}

// Close ends the term like Resign, trying to end the lease for as long as it
// could last. It is idempotent.
func (t *Term) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), t.lease.ttl)
	defer cancel()
	return t.Resign(ctx)
}

// lose ends the term, once: nobody may answer for the shard on its account
// after this.
func (t *Term) lose(cause error) {
	t.deadline.end()
	t.lostOnce.Do(func() {
		t.cause = cause
		close(t.lost)
		t.cancel()
		if !errors.Is(cause, ErrResigned) {
			t.s.log.Warn("lost the shard", "epoch", t.epoch, "why", cause)
		}
	})
}

// fenced ends the term and wraps why into wal.ErrFenced.
func (t *Term) fenced(format string, args ...any) error {
	err := fmt.Errorf("%w: epoch %d: %w", wal.ErrFenced, t.epoch, fmt.Errorf(format, args...))
	t.lose(err)
	return err
}

// over is the error of a call on a term that has ended; what says how far the
// call got.
func (t *Term) over(what string) error {
	if errors.Is(t.Err(), wal.ErrFenced) {
		return fmt.Errorf("%s: %w", what, t.Err())
	}
	return fmt.Errorf("%s: %w: epoch %d: %w", what, wal.ErrFenced, t.epoch, t.Err())
}

// bind returns a context that ends with ctx or with the term.
func (t *Term) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(t.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// attemptTimeout bounds one fenced request: short enough that several fit into
// a lease.
func (t *Term) attemptTimeout() time.Duration { return attemptTimeout(t.lease.ttl) }

// keepAlive renews the lease until the term is lost, then ends the lease:
// whoever waits to lead need not wait for it to expire.
func (t *Term) keepAlive() {
	sent, ttl := t.lease.sent, t.lease.ttl
	var b backoff.Backoff
	for t.ctx.Err() == nil {
		if backoff.Sleep(t.ctx, renewEvery(ttl)-t.s.clk.read().since(sent)) != nil {
			break
		}
		asked := t.s.clk.read()
		granted, rev, err := t.s.renew(t.ctx, t.lease.id, renewTimeout(ttl))
		switch {
		case err == nil:
			b.Reset()
			sent, ttl = t.s.countFrom(asked), granted
			t.saw(rev)
			to := sent.add(ttl - margin(t.s.o.DriftMargin, ttl))
			if !t.deadline.extend(t.s.clk.read(), to) && !broken.Is(broken.LeaseIgnored) {
				t.lose(fmt.Errorf("%w: renewed too late", ErrLeaseLost))
			}
		case leaseGone(err):
			t.lose(fmt.Errorf("%w: %w", ErrLeaseLost, err))
		case t.ctx.Err() == nil:
			t.s.log.Warn("lease not renewed, trying again", "left", t.LeaseLeft(), "err", err)
			_ = backoff.Sleep(t.ctx, b.Next())
		}
	}
	ctx, cancel := context.WithTimeout(t.closing, t.lease.ttl)
	defer cancel()
	if err := t.endLease(ctx); err != nil && t.closing.Err() == nil {
		t.s.log.Warn("lease stays until it expires", "epoch", t.epoch, "err", err)
	}
}

// endLease revokes the lease, once it succeeds.
func (t *Term) endLease(ctx context.Context) error {
	t.endMu.Lock()
	defer t.endMu.Unlock()
	if t.revoked {
		return nil
	}
	if err := t.s.revoke(ctx, t.lease.id); err != nil {
		return err
	}
	t.revoked = true
	return nil
}

// watchDeadline notices the deadline when nobody asks Valid.
func (t *Term) watchDeadline() {
	for t.Valid() {
		if backoff.Sleep(t.ctx, max(t.LeaseLeft(), time.Millisecond)) != nil {
			return
		}
	}
}

// saw remembers the newest etcd revision met.
func (t *Term) saw(rev int64) {
	t.mu.Lock()
	t.seenRev = max(t.seenRev, rev)
	t.mu.Unlock()
}

// leaveSizes leaves to the shard what the term knows of the head, which nobody has
// told Follow: a campaign that soon follows need not measure it.
func (t *Term) leaveSizes() {
	t.mu.Lock()
	head := t.head.cut(t.head.first, t.head.next()-1)
	t.mu.Unlock()
	t.s.learnHead(head)
}

// observeHead tells the observer; without the lock held.
func (t *Term) observeHead() {
	t.mu.Lock()
	n, bytes := len(t.head.sizes), t.head.bytes
	t.mu.Unlock()
	t.s.o.Metrics.Head(n, bytes)
}

// adopt takes over a sealed pointer that is newer than the known one. The
// caller has made sure that this term wrote it.
func (t *Term) adopt(sealed sealedAt) {
	t.mu.Lock()
	if sealed.rev > t.sealed.rev {
		t.sealed = sealed
		t.head.dropThrough(sealed.Seq)
		t.trimRev = sealed.rev
	}
	t.mu.Unlock()
	t.s.learnSealed(sealed.Seq)
	t.observeHead()
}

func (t *Term) isLeader() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(t.s.k.leader), "=", t.createRev)
}

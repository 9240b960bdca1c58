package wal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
)

// Writer makes entries durable. etcdfence.Term is the one for production.
type Writer interface {
	// Append makes e the next entry of the log. It returns nil once e is
	// committed on the quorum, and resolves unknown outcomes itself.
	// ErrHeadFull: nothing was stored and the same entry may be tried again.
	// Any other error ends the writer's epoch: whether e is in the log is then
	// for the next primary to find out.
	Append(ctx context.Context, e *Entry) error
}

// AppenderConfig tunes an Appender.
type AppenderConfig struct {
	// MaxBatch is how many payload bytes of units one entry takes at most; a
	// single larger unit gets an entry of its own. Default 128 KiB, measured
	// best for three members (DESIGN section 9).
	MaxBatch int
	// MaxQueue is how many payload bytes may wait before WaitRoom blocks.
	// Default 64 MiB.
	MaxQueue int64
	// Now is the wall clock that entries are stamped with. Default time.Now.
	Now func() time.Time
	// Committed is called after each committed entry with the position after
	// it, in order, from one goroutine. It must not block.
	Committed func(p Position)
	// Appended observes each successful append. It must not block.
	Appended func(AppendStats)
}

// AppendStats describes one successful append.
type AppendStats struct {
	Latency time.Duration // from the request to the quorum's answer
	Units   int           // commands and transactions in the entry
	Bytes   int           // payload bytes, uncompressed
}

// batch is one entry in the making; its seq is fixed when it is opened.
type batch struct {
	seq     uint64
	units   int
	payload []byte
}

// Appender writes a shard's log by group commit: one append is in flight, and
// what is added meanwhile goes out together in the next. Order in the log is
// the order of Add. It owns one goroutine; Close ends it.
type Appender struct {
	w      Writer
	cfg    AppenderConfig
	epoch  int64
	cancel context.CancelFunc
	wake   chan struct{} // capacity 1: something was added
	done   chan struct{} // closed when the goroutine has ended

	queued    atomic.Int64  // payload bytes added and not committed
	committed atomic.Uint64 // seq of tail, for readers without the lock

	mu      sync.Mutex
	tail    Position
	full    []*batch // closed batches, oldest first
	open    *batch   // takes the next unit; its seq follows the last of full
	free    []byte   // payload memory of the last committed batch
	err     error
	room    chan struct{} // closed when queued falls below MaxQueue; nil: nobody waits
	waiters []waiter
}

type waiter struct {
	seq uint64
	ch  chan struct{}
}

// NewAppender starts an Appender that continues the log after tail under
// epoch. The caller has appended the epoch's opening entry already.
func NewAppender(w Writer, epoch int64, tail Position, cfg AppenderConfig) *Appender {
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = 128 << 10
	}
	if cfg.MaxQueue <= 0 {
		cfg.MaxQueue = 64 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &Appender{
		w: w, cfg: cfg, epoch: epoch, cancel: cancel, tail: tail,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		open: &batch{seq: tail.Seq + 1},
	}
	a.committed.Store(tail.Seq)
	go a.run(ctx)
	return a
}

// Add queues a unit and returns the seq of the entry it will be in. The unit's
// bytes are copied. Add never blocks: callers bound the queue with WaitRoom
// before they execute. Once the Appender has ended, Add returns the reason.
func (a *Appender) Add(u *Unit) (uint64, error) {
	if broken.Is(broken.SplitTransaction) && u.Len() > 1 {
		return a.addSplit(u)
	}
	size := u.Size()
	if size > MaxPayload {
		return 0, fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, size, MaxPayload)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return 0, a.err
	}
	if a.open.units > 0 && len(a.open.payload)+size > a.cfg.MaxBatch {
		a.closeBatch()
	}
	before := len(a.open.payload)
	a.open.payload = u.AppendTo(a.open.payload)
	a.open.units++
	a.queued.Add(int64(len(a.open.payload) - before))
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return a.open.seq, nil
}

// closeBatch moves the open batch to the queue and opens the next.
func (a *Appender) closeBatch() {
	a.full = append(a.full, a.open)
	a.open = &batch{seq: a.open.seq + 1, payload: a.free[:0]}
	a.free = nil
}

// WaitRoom blocks while more than MaxQueue bytes wait to be committed.
func (a *Appender) WaitRoom(ctx context.Context) error {
	for a.queued.Load() > a.cfg.MaxQueue {
		a.mu.Lock()
		if a.room == nil {
			a.room = make(chan struct{})
		}
		room := a.room
		// Looked at again under the lock: the commit that made room may have
		// passed before anyone could be told.
		if a.queued.Load() <= a.cfg.MaxQueue {
			a.mu.Unlock()
			return nil
		}
		a.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.done:
			return a.Err()
		}
	}
	return nil
}

// QueuedBytes is how many payload bytes were added and are not committed.
func (a *Appender) QueuedBytes() int64 { return a.queued.Load() }

// Committed is the seq of the last committed entry.
func (a *Appender) Committed() uint64 { return a.committed.Load() }

// Tail is the position after the last committed entry.
func (a *Appender) Tail() Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tail
}

// Executed is the seq that the last added unit is or was in; equal to
// Committed when nothing waits.
func (a *Appender) Executed() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open.units > 0 {
		return a.open.seq
	}
	return a.open.seq - 1
}

// WaitCommitted blocks until entry seq is committed.
func (a *Appender) WaitCommitted(ctx context.Context, seq uint64) error {
	a.mu.Lock()
	if a.tail.Seq >= seq {
		a.mu.Unlock()
		return nil
	}
	w := waiter{seq: seq, ch: make(chan struct{})}
	a.waiters = append(a.waiters, w)
	a.mu.Unlock()
	select {
	case <-w.ch:
		return nil
	case <-ctx.Done():
		a.dropWaiter(w)
		return ctx.Err()
	case <-a.done:
		if a.Committed() >= seq {
			return nil
		}
		return a.Err()
	}
}

func (a *Appender) dropWaiter(w waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.waiters {
		if a.waiters[i].ch == w.ch {
			a.waiters = append(a.waiters[:i], a.waiters[i+1:]...)
			return
		}
	}
}

// Drain blocks until everything added so far is committed.
func (a *Appender) Drain(ctx context.Context) error {
	return a.WaitCommitted(ctx, a.Executed())
}

// Done is closed when the Appender has ended; Err then tells why.
func (a *Appender) Done() <-chan struct{} { return a.done }

// Err is why the Appender ended, nil while it runs.
func (a *Appender) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Close stops the Appender and waits for its goroutine. What is queued is not
// appended: Drain first to keep it. It is idempotent.
func (a *Appender) Close() error {
	a.fail(ErrClosed)
	a.cancel()
	<-a.done
	if err := a.Err(); !errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

func (a *Appender) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
}

func (a *Appender) run(ctx context.Context) {
	defer close(a.done)
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return
		}
		for b := a.take(); b != nil; b = a.take() {
			latency, err := a.append(ctx, b)
			if err != nil {
				a.fail(err)
				return
			}
			a.gather(ctx, b.units, latency)
		}
	}
}

// gather waits a little, while something is queued already, for those who have
// just been answered to write again. Without it, clients that wait for each
// reply fall into two groups that take turns, and every append carries half of
// what it could. It ends when as many have come as were answered, or after half
// an append's latency; nobody waits when nothing is queued.
func (a *Appender) gather(ctx context.Context, answered int, latency time.Duration) {
	a.mu.Lock()
	queued, full := a.open.units, len(a.full)
	a.mu.Unlock()
	if d := gatherFor(queued, full, latency); d > 0 {
		a.waitUnits(ctx, queued+answered, d)
	}
}

// gatherFor is how long to wait for those just answered, with so many units in
// the open batch and so many full batches behind them.
func gatherFor(queued, full int, latency time.Duration) time.Duration {
	if queued == 0 || full > 0 || latency < gatherFrom {
		return 0
	}
	return min(latency/2, gatherMax)
}

// waitUnits waits until the open batch holds so many units or is full, at most
// for d.
func (a *Appender) waitUnits(ctx context.Context, want int, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-a.wake:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
		a.mu.Lock()
		enough := a.open.units >= want || len(a.full) > 0
		a.mu.Unlock()
		if enough {
			return
		}
	}
}

// take removes the oldest batch, or the open one; nil when nothing waits.
func (a *Appender) take() *batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.full) == 0 {
		ended := a.err != nil && !broken.Is(broken.PlainAppend)
		if a.open.units == 0 || ended {
			return nil
		}
		a.closeBatch()
	}
	b := a.full[0]
	a.full[0] = nil
	a.full = a.full[1:]
	return b
}

// gatherFrom is the latency of appends from which gathering pays. With quicker
// ones, those of a single member, no gain could be measured, so nobody waits.
const gatherFrom = 600 * time.Microsecond

// gatherMax bounds gather's wait where appends are slow.
const gatherMax = time.Millisecond

// Bounds of the wait between two attempts while the head is full. Trimming
// comes every second at most, so polling faster would not help.
const (
	fullRetryMin = 20 * time.Millisecond
	fullRetryMax = time.Second
)

func (a *Appender) append(ctx context.Context, b *batch) (time.Duration, error) {
	e := a.Tail().Next(KindEffects, a.epoch, a.cfg.Now().UnixMilli(), b.payload)
	wait := fullRetryMin
	for {
		start := time.Now()
		err := a.w.Append(ctx, e)
		if err == nil {
			latency := time.Since(start)
			a.commit(e, b, latency)
			return latency, nil
		}
		if !errors.Is(err, ErrHeadFull) {
			return 0, fmt.Errorf("append entry %d: %w", e.Seq, err)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, ErrClosed
		}
		wait = min(wait*2, fullRetryMax)
	}
}

func (a *Appender) commit(e *Entry, b *batch, latency time.Duration) {
	a.mu.Lock()
	a.tail = e.Position()
	a.committed.Store(e.Seq)
	left := a.queued.Add(-int64(len(b.payload)))
	if a.room != nil && left <= a.cfg.MaxQueue {
		close(a.room)
		a.room = nil
	}
	keep := a.waiters[:0]
	for _, w := range a.waiters {
		if w.seq <= e.Seq {
			close(w.ch)
		} else {
			keep = append(keep, w)
		}
	}
	a.waiters = keep
	if cap(b.payload) <= 2*a.cfg.MaxBatch {
		a.free = b.payload
	}
	a.mu.Unlock()
	if a.cfg.Committed != nil {
		a.cfg.Committed(e.Position())
	}
	if a.cfg.Appended != nil {
		a.cfg.Appended(AppendStats{Latency: latency, Units: b.units, Bytes: len(b.payload)})
	}
}

package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// ErrBehind: segments that the Auditor had not read yet were cleaned up. It then
// knows nothing of the rest of the log, good or bad.
var ErrBehind = errors.New("audit: fell behind the clean-up of segments")

// Options say what is watched.
type Options struct {
	Endpoints []string // of etcd's members, around all proxies
	Cluster   string
	Shard     int
	Segments  *s3segments.Shard // around all proxies
	HeadLimit int64             // bytes; 0: the head's bytes are not judged

	Clock      *workload.Clock
	Violations *workload.Violations
}

// Auditor is a witness of one shard's log. Its methods may be called
// concurrently. It owns three goroutines, which Close ends.
type Auditor struct {
	o         Options
	prefix    string           // of the shard's keys
	logConn   *clientv3.Client // for the entries
	keysConn  *clientv3.Client // for the keys: a stream of its own
	shard     *etcdfence.Shard
	snapshots *snapshot.Repo

	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	closed error // what closing the clients gave

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of what is below; nil: nobody waits
	history *history
	ended   error  // why the log is not followed any more
	behind  error  // ended, when it is no violation
	trouble error  // what etcd or S3 last failed with
	keysRev int64  // revision up to which the keys were seen
	most    int64  // largest bytes of the head
	tail    uint64 // last entry that was seen in the head
	seals   []etcdfence.Sealed
	sealed  uint64 // segments compared
}

// Start begins to watch. The shard need not exist yet.
func Start(o Options) (*Auditor, error) {
	a := &Auditor{
		o: o, prefix: shardPrefix(o.Cluster, o.Shard), history: newHistory(),
		snapshots: snapshot.Open(o.Segments.Store(), o.Cluster, snapshot.Options{}),
	}
	var err error
	if a.logConn, err = dial(o.Endpoints); err != nil {
		return nil, err
	}
	if a.keysConn, err = dial(o.Endpoints); err != nil {
		return nil, errors.Join(err, a.logConn.Close())
	}
	a.shard = etcdfence.Open(a.logConn, o.Cluster, o.Shard, etcdfence.Options{Spill: o.Segments})
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.wg.Go(func() { a.followLog(ctx) })
	a.wg.Go(func() { a.watchKeys(ctx) })
	a.wg.Go(func() { a.checkSeals(ctx) })
	return a, nil
}

// dial makes a client that notices members that have gone silent.
func dial(endpoints []string) (*clientv3.Client, error) {
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 2 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second, // the least gRPC takes
	})
	if err != nil {
		return nil, fmt.Errorf("audit: connect to etcd: %w", err)
	}
	return cli, nil
}

// Close ends the watching and waits for it to have ended. Its error is what kept
// the Auditor from judging: ErrBehind. It is idempotent.
func (a *Auditor) Close() error {
	a.once.Do(func() {
		a.cancel()
		a.wg.Wait()
		for _, cli := range []*clientv3.Client{a.logConn, a.keysConn} {
			if err := cli.Close(); err != nil && !errors.Is(err, context.Canceled) {
				a.closed = errors.Join(a.closed, fmt.Errorf("audit: close etcd client: %w", err))
			}
		}
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.behind, a.closed)
}

// CatchUp returns when everything up to entry tail was judged: the entries, the
// shard's keys in etcd as they are by now, and the segments. It fails when ctx
// ends, saying what it waits for, and when the log is not followed any more: for
// a violation, or ErrBehind.
func (a *Auditor) CatchUp(ctx context.Context, tail uint64) error {
	err := a.wait(ctx, func() (bool, error) {
		if a.history.pos.Seq >= tail {
			return true, nil
		}
		return false, a.ended
	})
	if err != nil {
		return a.lag(tail, "entries", err)
	}
	rev, err := a.newestRevision(ctx)
	if err != nil {
		return a.lag(tail, "keys in etcd", err)
	}
	if err := a.wait(ctx, func() (bool, error) { return a.keysRev >= rev, nil }); err != nil {
		return a.lag(tail, "keys in etcd", err)
	}
	err = a.wait(ctx, func() (bool, error) { return len(a.seals) == 0 || a.seals[0].Seq > tail, nil })
	if err != nil {
		return a.lag(tail, "segments", err)
	}
	return nil
}

// lag says what a CatchUp could not wait for.
func (a *Auditor) lag(tail uint64, what string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err = fmt.Errorf("audit: catch up with entry %d: %s: stands at %v: %w", tail, what, a.history.pos, err)
	if a.trouble != nil {
		err = fmt.Errorf("%w (last failure: %v)", err, a.trouble)
	}
	return err
}

// Digest is what DEBUG DIGEST of a node is that has applied the same entries.
func (a *Auditor) Digest() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history.digest()
}

// Position is the place in the log that Digest is of.
func (a *Auditor) Position() wal.Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history.pos
}

// Epochs returns the epochs that were opened, in the log's order.
func (a *Auditor) Epochs() []Epoch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Epoch(nil), a.history.epochs...)
}

// Entries is how many entries were judged.
func (a *Auditor) Entries() uint64 { return a.Position().Seq }

// Effects is how many effects they hold.
func (a *Auditor) Effects() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history.effects
}

// Bytes is how many bytes of payload they hold.
func (a *Auditor) Bytes() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history.bytes
}

// Segments is how many segments were compared with the entries.
func (a *Auditor) Segments() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sealed
}

// MaxHead is the largest number of bytes that the keys and values of the head
// had in etcd at any revision that was seen.
func (a *Auditor) MaxHead() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.most
}

func (a *Auditor) report(all ...*finding) {
	for _, f := range all {
		a.o.Violations.Add(workload.Violation{At: a.o.Clock.Now(), Workload: f.check, What: f.what})
	}
}

// change applies fn to what the Auditor knows and wakes who waits for it.
func (a *Auditor) change(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// wait blocks until done, called with the lock held, says so or fails.
func (a *Auditor) wait(ctx context.Context, done func() (bool, error)) error {
	for {
		a.mu.Lock()
		ok, err := done()
		if a.changed == nil {
			a.changed = make(chan struct{})
		}
		changed := a.changed
		a.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// failed remembers what went wrong for the moment, and waits before the next try.
// It returns false when ctx ends first.
func (a *Auditor) failed(ctx context.Context, b *backoff, err error) bool {
	a.change(func() { a.trouble = err })
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff spaces out tries: doubling from 20 ms to half a second, so that what
// comes back is noticed soon.
type backoff struct{ wait time.Duration }

func (b *backoff) next() time.Duration {
	b.wait = min(max(2*b.wait, 20*time.Millisecond), 500*time.Millisecond)
	return b.wait
}

func (b *backoff) reset() { b.wait = 0 }

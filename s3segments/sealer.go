package s3segments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/wal"
)

const (
	// DefaultSegmentSize is SealerConfig.Size in bytes when it is not set.
	DefaultSegmentSize = 8 << 20
	// DefaultSegmentAge is SealerConfig.Age when it is not set.
	DefaultSegmentAge = 10 * time.Second
)

// Head is the part of the log that is not sealed, as the shard's primary sees
// it: in etcd, under its own term.
type Head interface {
	// ReadHead calls fn for the committed entries from..to in order, spilled
	// ones resolved, with the bytes each takes in the head. An error of fn ends
	// it and is returned.
	ReadHead(ctx context.Context, from, to uint64, fn func(e *wal.Entry, stored int) error) error
	// Trim moves the sealed pointer to p and deletes the entries up to it, in
	// one transaction fenced by the term. segment is the key of the segment
	// that ends with p, sealed at the given time. Trimming to where the pointer
	// already is does nothing. wal.ErrFenced: the term is over.
	Trim(ctx context.Context, p wal.Position, segment string, at time.Time) error
}

// SealerConfig says what a Sealer seals, and when.
type SealerConfig struct {
	Shard  *Shard
	Head   Head
	Epoch  int64        // of the primary's term
	Sealed wal.Position // the sealed pointer when the term began

	// Size is how many bytes of head make a segment. Age is how long the oldest
	// entry waits at most, unless S3 is away.
	Size int64
	Age  time.Duration
}

// Sealer packs a primary's committed entries into segments. It is made for one
// term and used up with it. Run does the work; the other methods may be called
// from anywhere.
type Sealer struct {
	shard   *Shard
	head    Head
	epoch   int64
	limits  limits
	backoff backoff
	log     *slog.Logger
	wake    chan struct{} // the plan may have changed

	// Of Run's goroutine alone.
	ready *sealedSegment // built, and not yet trimmed to

	mu       sync.Mutex
	backlog  backlog
	changed  chan struct{} // closed when sealed moves, or failed or stopped changes
	segments int64
	bytes    int64
	failed   error
	failedAt time.Time
	stopped  error
}

// sealedSegment is a segment on its way from the head to S3.
type sealedSegment struct {
	key      string
	header   Header
	body     []byte // nil once uploaded
	size     int64  // of the body
	stored   int64  // bytes its entries take in the head
	uploaded bool   // acknowledged by S3
	began    time.Time
}

// NewSealer makes a Sealer; Run starts it.
func NewSealer(c SealerConfig) *Sealer {
	s := &Sealer{
		shard:   c.Shard,
		head:    c.Head,
		epoch:   c.Epoch,
		limits:  limits{size: c.Size, age: c.Age},
		log:     c.Shard.store.log,
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		backlog: backlog{sealed: c.Sealed, committed: c.Sealed},
	}
	if s.limits.size <= 0 {
		s.limits.size = DefaultSegmentSize
	}
	if s.limits.age <= 0 {
		s.limits.age = DefaultSegmentAge
	}
	return s
}

// Committed tells that the log is committed up to p, and that this took so
// many more bytes of the head. Positions may be told of together: a new
// primary's first call is for all that it found in the head. It does not block.
func (s *Sealer) Committed(p wal.Position, bytes int64) {
	s.mu.Lock()
	first := s.backlog.empty()
	s.backlog.commit(p, bytes, time.Now())
	due := first || s.backlog.bytes >= s.limits.size
	s.mu.Unlock()
	if due {
		s.nudge()
	}
}

func (s *Sealer) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run seals until ctx ends or the term is over, and returns ctx's cause or
// wal.ErrFenced. Whatever else fails is tried again, with backoff; Stats tells.
// It is called once.
func (s *Sealer) Run(ctx context.Context) error {
	err := s.run(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = err
	s.broadcast()
	return err
}

func (s *Sealer) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for failures := 0; ; {
		s.mu.Lock()
		now := time.Now()
		seal, wait := plan(s.backlog, s.limits, now)
		mark := s.backlog.committed
		s.mu.Unlock()
		if !seal {
			timer.Stop()
			if wait > 0 {
				timer.Reset(wait)
			}
			select {
			case <-s.wake:
			case <-timer.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		err := s.sealOne(ctx, mark.Seq, now)
		switch {
		case err == nil:
			failures = 0
			continue
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, wal.ErrFenced):
			return err
		}
		failures++
		s.fail(err)
		if cause := sleep(ctx, s.backoff.after(failures)); cause != nil {
			return cause
		}
	}
}

// sealOne brings one segment from the head to S3 and trims the head. A step
// that failed before is where it goes on: a segment is not built again, nor
// uploaded again once S3 has acknowledged it.
func (s *Sealer) sealOne(ctx context.Context, to uint64, now time.Time) error {
	if s.ready == nil {
		seg, err := s.build(ctx, to, now)
		if err != nil {
			return err
		}
		s.ready = seg
	}
	seg := s.ready
	if broken.Is(broken.TrimFirst) { // trimming once more, below, changes nothing
		if err := s.trim(ctx, seg); err != nil {
			return err
		}
	}
	if !seg.uploaded {
		if err := s.upload(ctx, seg); err != nil {
			var damaged *DamagedError
			if errors.Is(err, ErrExists) || errors.As(err, &damaged) {
				s.ready = nil // the log may have moved on to where the name is another
			}
			return err
		}
		seg.uploaded = true
		seg.body = nil
	}
	// Invariant 8: only now, with the segment durable, may its entries leave etcd.
	if err := s.trim(ctx, seg); err != nil {
		return err
	}
	s.ready = nil
	s.advance(seg, to, now)
	return nil
}

// trim lets the segment's entries leave etcd.
func (s *Sealer) trim(ctx context.Context, seg *sealedSegment) error {
	if err := s.head.Trim(ctx, seg.header.End, seg.key, seg.header.Created); err != nil {
		return fmt.Errorf("trim to entry %d: %w", seg.header.Last(), err)
	}
	return nil
}

// errFull ends reading the head when a segment has enough.
var errFull = errors.New("s3segments: segment is full")

// build reads the head from the sealed position on, up to a segment's size.
func (s *Sealer) build(ctx context.Context, to uint64, now time.Time) (*sealedSegment, error) {
	s.mu.Lock()
	base := s.backlog.sealed
	s.mu.Unlock()
	w := NewWriter(Header{Cluster: s.shard.store.cluster, Shard: s.shard.n, Epoch: s.epoch, Base: base, Created: now})
	seg := &sealedSegment{began: now}
	err := s.head.ReadHead(ctx, base.Seq+1, to, func(e *wal.Entry, stored int) error {
		if err := w.Add(e); err != nil {
			return err
		}
		seg.stored += int64(stored)
		if max(seg.stored, w.Size()) >= s.limits.size {
			return errFull
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return nil, fmt.Errorf("seal from entry %d: %w", base.Seq+1, err)
	}
	if seg.body, seg.header, err = w.Finish(); err != nil {
		return nil, fmt.Errorf("seal entries %d to %d: %w", base.Seq+1, to, err)
	}
	seg.size = int64(len(seg.body))
	seg.key = segmentKey(s.shard.n, seg.header.First(), seg.header.Last(), s.epoch)
	return seg, nil
}

// upload makes the segment durable in S3.
func (s *Sealer) upload(ctx context.Context, seg *sealedSegment) error {
	err := s.shard.store.Put(ctx, seg.key, seg.body, PutOptions{IfNoneMatch: true, Metadata: seg.header.metadata(seg.body)})
	if errors.Is(err, ErrExists) {
		return s.adopt(ctx, seg)
	}
	return err
}

// adopt takes a segment that is already there under the name, from an earlier
// try of this term, if it holds the same entries.
func (s *Sealer) adopt(ctx context.Context, seg *sealedSegment) error {
	body, err := s.shard.store.Get(ctx, seg.key)
	if err != nil {
		return err
	}
	h := seg.header
	r, err := s.shard.open(SegmentInfo{Key: seg.key, First: h.First(), Last: h.Last(), Epoch: h.Epoch}, body)
	if err != nil {
		return err
	}
	end, err := r.Read(h.Base, h.Last(), func(*wal.Entry) error { return nil })
	if err != nil {
		return blame(seg.key, err)
	}
	if end != h.End {
		return fmt.Errorf("%w: %s ends with %v, the head with %v", ErrExists, seg.key, end, h.End)
	}
	s.log.Info("segment was there already", "segment", seg.key)
	return nil
}

func (s *Sealer) advance(seg *sealedSegment, mark uint64, markAt time.Time) {
	h := seg.header
	s.mu.Lock()
	s.backlog.advance(h.End, seg.stored, mark, markAt)
	s.segments++
	s.bytes += seg.size
	if s.failed != nil {
		s.log.Info("sealing goes on", "segment", seg.key, "after", time.Since(s.failedAt).Round(time.Millisecond))
	}
	s.failed, s.failedAt = nil, time.Time{}
	s.broadcast()
	s.mu.Unlock()
	s.shard.store.metrics.Sealed(h.Last()-h.Base.Seq, seg.size, time.Since(seg.began))
	s.log.Debug("sealed", "segment", seg.key, "bytes", seg.size)
}

func (s *Sealer) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failedAt = time.Now()
		s.log.Warn("sealing failed, trying on", "err", err)
	}
	s.failed = err
	s.broadcast()
}

// broadcast wakes those who wait for a change. The caller has the lock.
func (s *Sealer) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// SealNow seals everything committed so far without waiting for size or age,
// as before a hand-over. Errors: ErrStopped when Run has ended; ctx's cause,
// with why sealing fails at present.
func (s *Sealer) SealNow(ctx context.Context) error {
	s.mu.Lock()
	target := s.backlog.committed.Seq
	s.backlog.flush = max(s.backlog.flush, target)
	s.mu.Unlock()
	s.nudge()
	for {
		s.mu.Lock()
		done, stopped, failed, changed := s.backlog.sealed.Seq >= target, s.stopped, s.failed, s.changed
		s.mu.Unlock()
		switch {
		case done:
			return nil
		case stopped != nil:
			return fmt.Errorf("%w: %w", ErrStopped, stopped)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("seal up to entry %d: %w", target, errors.Join(context.Cause(ctx), failed))
		}
	}
}

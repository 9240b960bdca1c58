package s3segments

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redoubtdb/redoubt/wal"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// fetchers is how many segments are fetched at once.
const fetchers = 8

// Read calls fn for the entries after from up to and with to, in order, each
// checked to follow the one before, the first to follow from. It returns the
// position after the last entry that fn took. Segments ahead are fetched in
// parallel meanwhile, within a bound of bytes.
//
// A segment that is damaged or gone is replaced by others that hold the same
// entries, if there are any. Errors: *MissingError; *DamagedError; wal.ErrChain
// when from is of another history; wal.ErrNewerFormat; those of S3; an error of
// fn, as it is.
func (s *Shard) Read(ctx context.Context, from wal.Position, to uint64, fn func(*wal.Entry) error) (wal.Position, error) {
	if to <= from.Seq {
		return from, nil
	}
	infos, err := s.List(ctx)
	if err != nil {
		return from, fmt.Errorf("list segments: %w", err)
	}
	return s.ReadSegments(ctx, infos, from, to, fn)
}

// ReadSegments is Read with the segments already listed.
func (s *Shard) ReadSegments(ctx context.Context, infos []SegmentInfo, from wal.Position, to uint64, fn func(*wal.Entry) error) (wal.Position, error) {
	var damage error
	for pos := from; ; {
		if pos.Seq >= to {
			return pos, nil
		}
		chain, err := Chain(infos, pos.Seq+1, to)
		if err != nil {
			return pos, errors.Join(damage, err)
		}
		pos, err = s.readChain(ctx, chain, pos, to, fn)
		var d *DamagedError
		if !errors.As(err, &d) {
			return pos, err
		}
		rest := slices.DeleteFunc(slices.Clone(infos), func(i SegmentInfo) bool { return i.Key == d.Key })
		if _, cerr := Chain(rest, pos.Seq+1, to); cerr != nil {
			return pos, errors.Join(damage, err)
		}
		s.store.log.Warn("reading other segments instead of a damaged one", "err", err)
		infos, damage = rest, errors.Join(damage, err)
	}
}

// fetched is a segment on its way.
type fetched struct {
	info SegmentInfo
	body []byte
	err  error
	done chan struct{}
}

// readChain reads the segments of a chain in order. It returns when all that
// it started has ended.
func (s *Shard) readChain(ctx context.Context, chain []SegmentInfo, pos wal.Position, to uint64, fn func(*wal.Entry) error) (wal.Position, error) {
	ctx, cancel := context.WithCancel(ctx)
	budget := semaphore.NewWeighted(s.prefetch)
	queue := make(chan *fetched, len(chain))
	var g errgroup.Group
	g.Go(func() error {
		s.fetch(ctx, chain, budget, queue)
		return nil
	})
	defer func() {
		cancel()
		_ = g.Wait() // fetch reports through the queue
	}()
	for f := range queue {
		<-f.done
		switch {
		case ctx.Err() != nil:
			return pos, context.Cause(ctx)
		case f.err != nil:
			return pos, f.err
		}
		var err error
		if pos, err = s.readSegment(f, pos, to, fn); err != nil {
			return pos, err
		}
		f.body = nil
		budget.Release(s.weight(f.info))
	}
	if pos.Seq < to { // fetch has stopped early
		return pos, context.Cause(ctx)
	}
	return pos, nil
}

// weight is what a segment takes of the prefetch budget; the largest takes all.
func (s *Shard) weight(i SegmentInfo) int64 { return min(max(i.Size, 0), s.prefetch) }

// fetch gets the segments of a chain in parallel and queues them in order,
// each as soon as the budget has room for it.
func (s *Shard) fetch(ctx context.Context, chain []SegmentInfo, budget *semaphore.Weighted, queue chan<- *fetched) {
	defer close(queue)
	var g errgroup.Group
	g.SetLimit(fetchers)
	for _, info := range chain {
		if budget.Acquire(ctx, s.weight(info)) != nil {
			break
		}
		f := &fetched{info: info, done: make(chan struct{})}
		queue <- f // has room for the whole chain
		g.Go(func() error {
			defer close(f.done)
			f.body, f.err = s.store.Get(ctx, info.Key)
			if errors.Is(f.err, ErrNotFound) || errors.Is(f.err, ErrDamaged) {
				f.err = &DamagedError{info.Key, f.err}
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in the queue
}

// readSegment reads one fetched segment's entries.
func (s *Shard) readSegment(f *fetched, pos wal.Position, to uint64, fn func(*wal.Entry) error) (wal.Position, error) {
	r, err := s.open(f.info, f.body)
	if err != nil {
		return pos, err
	}
	pos, err = r.Read(pos, to, fn)
	var fault *readError
	if errors.As(err, &fault) {
		err = blame(f.info.Key, fault.err)
	}
	return pos, err
}

// open reads a segment's frame and checks that it is what its name says.
func (s *Shard) open(info SegmentInfo, body []byte) (*Reader, error) {
	r, err := NewReader(body)
	if err != nil {
		return nil, blame(info.Key, err)
	}
	h := r.Header()
	if h.Cluster != s.store.cluster || h.Shard != s.n || h.First() != info.First || h.Last() != info.Last || h.Epoch != info.Epoch {
		return nil, &DamagedError{info.Key, fmt.Errorf("%w: it holds entries %d to %d of epoch %d of shard %d of cluster %q",
			wal.ErrCorrupt, h.First(), h.Last(), h.Epoch, h.Shard, h.Cluster)}
	}
	return r, nil
}

// blame names the object that an error was found in. A newer format is no
// damage: reading something else instead would hide what was written.
func blame(key string, err error) error {
	if errors.Is(err, wal.ErrNewerFormat) {
		return fmt.Errorf("segment %s: %w", key, err)
	}
	return &DamagedError{key, err}
}

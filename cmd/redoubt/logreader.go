package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// Where an entry was read from.
const (
	inSegment = "segment"
	inHead    = "head"
)

// maxTurns bounds how often a reader is sent from the head to segments and back
// without getting on.
const maxTurns = 10

// logReader reads a shard's log wherever it is, while it is being written,
// sealed and trimmed.
type logReader struct {
	fence    *etcdfence.Shard
	segments *s3segments.Shard
}

func (s *session) reader() *logReader { return &logReader{s.fence(), s.segments()} }

// oldest is the first entry that can be read.
func (l *logReader) oldest(ctx context.Context, sealed uint64) (uint64, error) {
	infos, err := l.segments.List(ctx)
	if err != nil {
		return 0, err
	}
	first := sealed + 1
	for _, s := range infos {
		first = min(first, s.First)
	}
	return first, nil
}

// position is the place in the log after entry seq.
func (l *logReader) position(ctx context.Context, seq uint64) (wal.Position, error) {
	for turn := 0; ; turn++ {
		st, err := l.fence.State(ctx)
		switch {
		case err != nil:
			return wal.Position{}, err
		case seq == 0:
			return wal.Position{}, nil
		case seq == st.Sealed.Seq:
			return st.Sealed.Position(), nil
		case seq < st.Sealed.Seq:
			return l.sealedPosition(ctx, seq)
		case seq > st.Tail:
			return wal.Position{}, fmt.Errorf("the log ends at entry %d: entry %d %w", st.Tail, seq, errNotFound)
		}
		var pos wal.Position
		err = l.fence.ReadHead(ctx, seq, seq, func(e *wal.Entry, _ int) error {
			pos = e.Position()
			return nil
		})
		if !errors.Is(err, etcdfence.ErrTrimmed) || turn == maxTurns {
			return pos, err
		}
	}
}

// sealedPosition is position for an entry that later segments follow.
func (l *logReader) sealedPosition(ctx context.Context, seq uint64) (wal.Position, error) {
	infos, err := l.segments.List(ctx)
	if err != nil {
		return wal.Position{}, err
	}
	chain, err := s3segments.Chain(infos, seq+1, seq+1)
	if err != nil {
		return wal.Position{}, err
	}
	base, err := l.base(ctx, chain[0])
	if err != nil || base.Seq == seq {
		return base, err
	}
	return l.segments.ReadSegments(ctx, chain, base, seq, func(*wal.Entry) error { return nil })
}

// base is the place in the log before a segment's first entry.
func (l *logReader) base(ctx context.Context, s s3segments.SegmentInfo) (wal.Position, error) {
	body, err := l.segments.Store().Get(ctx, s.Key)
	if err != nil {
		return wal.Position{}, err
	}
	r, err := s3segments.NewReader(body)
	if errors.Is(err, wal.ErrNewerFormat) {
		return wal.Position{}, fmt.Errorf("segment %s: %w", s.Key, err)
	}
	if err != nil {
		return wal.Position{}, &s3segments.DamagedError{Key: s.Key, Err: err}
	}
	return r.Header().Base, nil
}

// read calls fn for the entries after pos up to and with to, each checked to
// follow the one before, and returns the place after the last one. It ends
// early where the log ends.
func (l *logReader) read(ctx context.Context, pos wal.Position, to uint64, fn func(e *wal.Entry, in string) error) (wal.Position, error) {
	for turn := 0; pos.Seq < to; turn++ {
		before := pos.Seq
		st, err := l.fence.State(ctx)
		if err != nil {
			return pos, err
		}
		if pos.Seq < st.Sealed.Seq {
			pos, err = l.segments.Read(ctx, pos, min(to, st.Sealed.Seq), func(e *wal.Entry) error { return fn(e, inSegment) })
			if err != nil || pos.Seq >= to {
				return pos, err
			}
		}
		err = l.fence.ReadHead(ctx, pos.Seq+1, to, func(e *wal.Entry, _ int) error {
			if err := pos.Check(e); err != nil {
				return fmt.Errorf("head: %w", err)
			}
			pos = e.Position()
			return fn(e, inHead)
		})
		if !errors.Is(err, etcdfence.ErrTrimmed) {
			return pos, err
		}
		if pos.Seq > before {
			turn = 0
		} else if turn >= maxTurns {
			return pos, fmt.Errorf("entry %d is neither in the head nor in segments: %w", pos.Seq+1, err)
		}
	}
	return pos, nil
}

// follow calls fn for the entries after pos, without end; caughtUp is called when
// all that is known was delivered.
func (l *logReader) follow(ctx context.Context, pos wal.Position, fn func(e *wal.Entry, in string) error, caughtUp func() error) error {
	for {
		err := l.fence.Follow(ctx, pos, &followHandler{fn: fn, caughtUp: caughtUp, pos: &pos})
		if !errors.Is(err, etcdfence.ErrTrimmed) {
			return err
		}
		st, err := l.fence.State(ctx)
		if err != nil {
			return err
		}
		pos, err = l.segments.Read(ctx, pos, st.Sealed.Seq, func(e *wal.Entry) error { return fn(e, inSegment) })
		if err != nil {
			return err
		}
	}
}

// followHandler is the etcdfence.Handler of follow.
type followHandler struct {
	fn       func(e *wal.Entry, in string) error
	caughtUp func() error
	pos      *wal.Position
	err      error
}

func (h *followHandler) Entry(e *wal.Entry) error {
	if h.err != nil {
		return h.err
	}
	*h.pos = e.Position()
	return h.fn(e, inHead)
}

func (h *followHandler) Leader(*etcdfence.Leader) {}

func (h *followHandler) CaughtUp(uint64) {
	if err := h.caughtUp(); err != nil {
		h.err = err
	}
}

package audit

import (
	"context"
	"errors"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// checkSeals judges one after the other the sealed pointers that were seen, until
// ctx ends. It is DESIGN invariant 8 from the outside: at the moment when entries
// leave etcd, a segment that holds them is in S3.
func (a *Auditor) checkSeals(ctx context.Context) {
	var b backoff
	for {
		var next etcdfence.Sealed
		err := a.wait(ctx, func() (bool, error) {
			if len(a.seals) == 0 {
				return false, nil
			}
			next = a.seals[0]
			return true, nil
		})
		if err != nil {
			return
		}
		compared, err := a.checkSeal(ctx, next)
		var f *finding
		if err != nil && !errors.As(err, &f) {
			if !a.failed(ctx, &b, err) {
				return
			}
			continue
		}
		b.reset()
		if f != nil {
			a.report(f)
		}
		a.change(func() {
			a.seals = a.seals[1:]
			if compared {
				a.sealed++
			}
		})
	}
}

// checkSeal judges one sealed pointer. Its error is a *finding, or what kept it
// from judging.
func (a *Auditor) checkSeal(ctx context.Context, s etcdfence.Sealed) (compared bool, _ error) {
	body, err := a.o.Segments.Store().Get(ctx, s.Segment)
	switch {
	case errors.Is(err, s3segments.ErrNotFound):
		covered, err := a.covered(ctx, s.Seq)
		if err == nil && !covered {
			err = found(checkSegments, "the log is sealed up to %v, and %s is not in S3", s.Position(), s.Segment)
		}
		return false, err
	case errors.Is(err, s3segments.ErrDamaged):
		return false, found(checkSegments, "%s: %v", s.Segment, err)
	case err != nil:
		return false, err
	}
	known := false
	err = a.wait(ctx, func() (bool, error) {
		known = a.history.pos.Seq >= s.Seq
		return known || a.ended != nil, nil
	})
	if err != nil || !known {
		return false, err
	}
	return true, a.compare(s, body)
}

// compare judges a segment that a sealed pointer names against the entries that
// were seen.
func (a *Auditor) compare(s etcdfence.Sealed, body []byte) error {
	r, err := s3segments.NewReader(body)
	if err != nil {
		return found(checkSegments, "%s: %v", s.Segment, err)
	}
	h := r.Header()
	a.mu.Lock()
	base, _ := a.history.at(h.Base.Seq)
	end, ok := a.history.at(s.Seq)
	a.mu.Unlock()
	if !ok || end != s.Position() {
		return found(checkSegments, "the log is sealed up to %v, its entry %d was %v", s.Position(), s.Seq, end)
	}
	// The running checksum at the end stands for all that is before it.
	at, err := r.Read(base, h.Last(), func(*wal.Entry) error { return nil })
	switch {
	case err != nil:
		return found(checkSegments, "%s: %v", s.Segment, err)
	case at != end:
		return found(checkSegments, "%s ends with %v, the log is sealed up to %v", s.Segment, at, end)
	}
	return nil
}

// covered reports whether a snapshot holds everything up to entry seq, so that
// segments below may be gone.
func (a *Auditor) covered(ctx context.Context, seq uint64) (bool, error) {
	all, err := a.snapshots.List(ctx)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if s.Manifest == nil {
			continue
		}
		if part, err := s.Manifest.Find(a.o.Shard); err == nil && part.Position.Seq >= seq {
			return true, nil
		}
	}
	return false, nil
}

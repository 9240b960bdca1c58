package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/wal"
)

// mark is a position that something claims to be on the log.
type mark struct {
	pos    wal.Position
	object string
	isSnap bool
}

// walVerifier walks along a log.
type walVerifier struct {
	s        *session
	l        *logReader
	progress *progress
	report   walReport
	marks    map[uint64][]mark // by seq, until they are met
	epoch    int64             // of the last entry
}

func (v *walVerifier) find(object, format string, args ...any) {
	v.report.Findings = append(v.report.Findings, finding{object, fmt.Sprintf(format, args...)})
}

// verify fills in the report; an error is what kept it from looking.
func (v *walVerifier) verify(ctx context.Context) error {
	st, err := v.s.state(ctx)
	if err != nil {
		return err
	}
	infos, err := v.s.segments().List(ctx)
	if err != nil {
		return err
	}
	snapshots, err := v.s.repo().List(ctx)
	if err != nil {
		return err
	}
	v.report.Last = st.Tail
	v.report.First = st.Sealed.Seq + 1
	for _, s := range infos {
		v.report.First = min(v.report.First, s.First)
	}
	v.report.Segments = len(infos)
	v.markSnapshots(ctx, snapshots, st.Tail)
	v.checkStart(snapshots)
	pos, err := v.walkSegments(ctx, infos, st.Sealed)
	if err != nil {
		return err
	}
	if pos, err = v.walkHead(ctx, pos, st.Tail); err != nil {
		return err
	}
	v.report.Chain = fmt.Sprintf("%016x", pos.Chain)
	v.report.OK = len(v.report.Findings) == 0
	return nil
}

// markSnapshots notes where the snapshots stand.
func (v *walVerifier) markSnapshots(ctx context.Context, all []snapshot.Summary, tail uint64) {
	for _, sum := range all {
		object := v.s.store.URL("snapshots/" + sum.Name + "/manifest.json")
		if sum.Err != nil {
			v.find(object, "%v", sum.Err)
			continue
		}
		part, err := sum.Manifest.Find(v.s.shard)
		if err != nil {
			continue // of other shards
		}
		pos := wal.Position(part.Position)
		if pos.Seq > tail {
			// Of a log that had gone further; or made since the tail was read.
			if st, err := v.s.fence().State(ctx); err == nil && pos.Seq > st.Tail {
				v.find(object, "stands at %v, and the log ends at entry %d", pos, st.Tail)
			}
			continue
		}
		v.mark(mark{pos: pos, object: object, isSnap: true})
	}
}

func (v *walVerifier) mark(m mark) { v.marks[m.pos.Seq] = append(v.marks[m.pos.Seq], m) }

// checkStart makes sure that the data before the oldest entry is somewhere.
func (v *walVerifier) checkStart(all []snapshot.Summary) {
	if v.report.First == 1 {
		return
	}
	for _, sum := range all {
		if sum.Err != nil {
			continue
		}
		if part, err := sum.Manifest.Find(v.s.shard); err == nil && part.Position.Seq+1 >= v.report.First {
			return
		}
	}
	v.find(v.s.store.URL("shards/"), "the log begins at entry %d, and no snapshot holds what was before", v.report.First)
}

// reached notes a place on the log and compares it with what claims to be there.
func (v *walVerifier) reached(pos wal.Position) {
	for _, m := range v.marks[pos.Seq] {
		if m.pos != pos {
			v.find(m.object, "stands at %v, the log has %v", m.pos, pos)
		} else if m.isSnap {
			v.report.Snapshots++
		}
	}
	delete(v.marks, pos.Seq)
}

// entry counts an entry that was read and follows the one before.
func (v *walVerifier) entry(e *wal.Entry) {
	v.report.Entries++
	v.report.Bytes += int64(len(e.Payload))
	if e.Epoch != v.epoch {
		v.epoch = e.Epoch
		v.report.Epochs++
	}
	v.reached(e.Position())
	if e.Seq%1024 == 0 {
		v.progress.set("reading the log, entry %d of %d", e.Seq, v.report.Last)
	}
}

// walkSegments reads the segments that lead to the sealed pointer, and those
// beside them. It returns the place that the head must continue.
func (v *walVerifier) walkSegments(ctx context.Context, infos []s3segments.SegmentInfo, sealed etcdfence.Sealed) (wal.Position, error) {
	main, err := v.path(infos, sealed.Seq)
	if err != nil {
		return wal.Position{}, err
	}
	onPath := map[string]bool{}
	for _, s := range main {
		onPath[s.Key] = true
	}
	for _, s := range infos {
		if !onPath[s.Key] {
			if err := v.beside(ctx, s); err != nil {
				return wal.Position{}, err
			}
		}
	}
	v.mark(mark{pos: sealed.Position(), object: "etcd: sealed pointer"})
	pos := wal.Position{}
	if v.report.First > 1 && len(main) == 0 {
		pos = sealed.Position()
	}
	v.reached(pos)
	for _, s := range main {
		if s.First > pos.Seq+1 { // the first one, or behind a hole or damage
			base, err := v.l.base(ctx, s)
			if v.damage(s.Key, err) {
				continue
			}
			if err != nil {
				return pos, err
			}
			pos = base
			v.reached(pos)
		}
		next, err := v.s.segments().ReadSegments(ctx, []s3segments.SegmentInfo{s}, pos, min(s.Last, sealed.Seq), func(e *wal.Entry) error {
			v.report.InSegments++
			v.entry(e)
			return nil
		})
		if err != nil && !v.damage(s.Key, err) {
			return pos, err
		}
		pos = next
	}
	if pos.Seq != sealed.Seq {
		return sealed.Position(), nil // found fault with already
	}
	return pos, nil
}

// path chooses the segments to read up to the sealed pointer, in order; holes
// are findings.
func (v *walVerifier) path(infos []s3segments.SegmentInfo, sealed uint64) ([]s3segments.SegmentInfo, error) {
	var path []s3segments.SegmentInfo
	for next := v.report.First; next <= sealed; {
		chain, err := s3segments.Chain(infos, next, sealed)
		var hole *s3segments.MissingError
		switch {
		case err == nil:
			return append(path, chain...), nil
		case !errors.As(err, &hole):
			return nil, err
		}
		v.find(v.s.store.URL(fmt.Sprintf("shards/%04d/segments/", v.s.shard)), "%v", hole)
		if hole.From > next {
			if chain, err = s3segments.Chain(infos, next, hole.From-1); err != nil {
				return nil, err
			}
			path = append(path, chain...)
		}
		next = hole.To + 1
	}
	return path, nil
}

// beside reads a segment that the log can be read without, and notes where it
// says it begins and ends.
func (v *walVerifier) beside(ctx context.Context, s s3segments.SegmentInfo) error {
	base, err := v.l.base(ctx, s)
	if err == nil {
		v.mark(mark{pos: base, object: v.s.store.URL(s.Key)})
		var end wal.Position
		end, err = v.s.segments().ReadSegments(ctx, []s3segments.SegmentInfo{s}, base, s.Last, func(*wal.Entry) error { return nil })
		if err == nil {
			v.mark(mark{pos: end, object: v.s.store.URL(s.Key)})
		}
	}
	if v.damage(s.Key, err) || errors.Is(err, s3segments.ErrNotFound) { // cleaned up meanwhile
		return nil
	}
	return err
}

// damage makes a finding of an error that says that an object is damaged.
func (v *walVerifier) damage(key string, err error) bool {
	if err == nil {
		return false
	}
	var d *s3segments.DamagedError
	if errors.As(err, &d) {
		v.find(v.s.store.URL(d.Key), "%v", d.Err)
		return true
	}
	if errors.Is(err, wal.ErrNewerFormat) || exitCode(err) != exitNot || errors.Is(err, s3segments.ErrNotFound) {
		return false
	}
	v.find(v.s.store.URL(key), "%v", err)
	return true
}

// walkHead reads the head. What is sealed while it does so is read from the new
// segments.
func (v *walVerifier) walkHead(ctx context.Context, pos wal.Position, tail uint64) (wal.Position, error) {
	next, err := v.l.read(ctx, pos, tail, func(e *wal.Entry, in string) error {
		if in == inHead {
			v.report.InHead++
		} else {
			v.report.InSegments++
		}
		v.entry(e)
		return nil
	})
	switch {
	case err == nil && next.Seq < tail:
		v.find("etcd: head", "the log should go on to entry %d and ends at %v", tail, next)
	case err != nil && exitCode(err) == exitNot && ctx.Err() == nil:
		v.find("etcd: head", "after %v: %v", next, err)
	case err != nil:
		return next, err
	}
	return next, nil
}

package s3segments

import (
	"slices"
	"time"
)

// SegmentsBelow returns the segments whose entries are all at or before seq.
// With seq the oldest position that a snapshot to be kept stands at, nobody
// needs them.
func SegmentsBelow(infos []SegmentInfo, seq uint64) []SegmentInfo {
	return keep(infos, func(s SegmentInfo) bool { return s.Last <= seq })
}

// SpillsBelow returns the spills of entries at or before sealed, which are in
// segments, last modified before a time. That time must lie back further than
// a reader of the head may still be resolving what it has read.
func SpillsBelow(infos []SpillInfo, sealed uint64, before time.Time) []SpillInfo {
	return keep(infos, func(s SpillInfo) bool { return s.Seq <= sealed && s.LastModified.Before(before) })
}

// Orphans returns the segments that are not needed to read first..sealed, hold
// nothing but such entries, and were last modified before a time. sealed is
// the shard's sealed pointer: what reaches past it may just be about to be
// pointed to, however old it is. A *MissingError when the segments do not hold
// the range: then nothing is superfluous.
func Orphans(infos []SegmentInfo, first, sealed uint64, before time.Time) ([]SegmentInfo, error) {
	pointed := keep(infos, func(s SegmentInfo) bool { return s.Last <= sealed })
	chain, err := Chain(pointed, first, sealed)
	if err != nil {
		return nil, err
	}
	return keep(pointed, func(s SegmentInfo) bool {
		return s.Last >= first && s.LastModified.Before(before) &&
			!slices.ContainsFunc(chain, func(c SegmentInfo) bool { return c.Key == s.Key })
	}), nil
}

func keep[T any](infos []T, ok func(T) bool) []T {
	var kept []T
	for _, s := range infos {
		if ok(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

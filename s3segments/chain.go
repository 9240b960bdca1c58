package s3segments

import (
	"cmp"
	"slices"
)

// Chain picks segments that together hold the entries first..last, in order.
// Where several hold the next entry, it takes the one of the highest epoch, and
// of those the one that reaches furthest: a successor's segment before the
// orphan of the primary it deposed. Each segment of the result holds the entry
// after the last one of the segment before it. A *MissingError names the first
// entries that no segment holds.
func Chain(infos []SegmentInfo, first, last uint64) ([]SegmentInfo, error) {
	var chain []SegmentInfo
	for next := max(first, 1); next <= last; {
		best := -1
		for i, s := range infos {
			if s.First <= next && next <= s.Last && (best < 0 || preferred(s, infos[best]) > 0) {
				best = i
			}
		}
		if best < 0 {
			return nil, missing(infos, next, last)
		}
		chain = append(chain, infos[best])
		if next = infos[best].Last + 1; next == 0 {
			break // the last seq there can be
		}
	}
	return chain, nil
}

// preferred is positive when a is to be read rather than b.
func preferred(a, b SegmentInfo) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Last, b.Last), cmp.Compare(b.First, a.First))
}

// missing describes the hole in front of next.
func missing(infos []SegmentInfo, next, last uint64) *MissingError {
	e := &MissingError{From: next, To: last}
	var before, after SegmentInfo
	for _, s := range infos {
		if s.Last < next && (e.Before == "" || cmp.Or(cmp.Compare(s.Last, before.Last), preferred(s, before)) > 0) {
			before, e.Before = s, s.Key
		}
		if s.First > next && (e.After == "" || cmp.Or(cmp.Compare(after.First, s.First), preferred(s, after)) > 0) {
			after, e.After = s, s.Key
		}
	}
	if e.After != "" {
		e.To = min(last, after.First-1)
	}
	return e
}

// Extent is the last entry of the run of entries that segments hold without a
// gap from first on; first-1 when they do not hold first.
func Extent(infos []SegmentInfo, first uint64) uint64 {
	sorted := slices.SortedFunc(slices.Values(infos), func(a, b SegmentInfo) int { return cmp.Compare(a.First, b.First) })
	end := first - 1
	for _, s := range sorted {
		if s.First > end+1 {
			break
		}
		end = max(end, s.Last)
	}
	return end
}

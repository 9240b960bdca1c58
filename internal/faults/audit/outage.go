package audit

import (
	"slices"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// LongestGap is the longest time without an acknowledged write that overlaps the
// window from..to. It counts from one acknowledgement to the next, also where they
// lie outside the window; without one before it counts from the window's begin,
// without one after to its end.
func LongestGap(answers []workload.Answer, from, to int64) time.Duration {
	last, next := from, to // acknowledgements around the window
	var acks []int64       // and in it
	for _, a := range answers {
		switch {
		case !a.Write:
		case a.Return < from:
			if last == from || a.Return > last {
				last = a.Return
			}
		case a.Return > to:
			if next == to || a.Return < next {
				next = a.Return
			}
		default:
			acks = append(acks, a.Return)
		}
	}
	slices.Sort(acks)
	longest := int64(0)
	for _, at := range append(acks, next) {
		longest = max(longest, at-last)
		last = at
	}
	return time.Duration(longest)
}

// Recovery is the time from t until a write was acknowledged that was sent at t
// or later, to whatever node; false when there was none.
func Recovery(answers []workload.Answer, t int64) (time.Duration, bool) {
	return firstWrite(answers, t, func(a workload.Answer) bool { return a.Call >= t })
}

// Takeover is the time from t until a node other than old, the primary until
// then, acknowledged a write; false when none did. A write that was sent before t
// counts: only a primary acknowledges.
func Takeover(answers []workload.Answer, t int64, old string) (time.Duration, bool) {
	return firstWrite(answers, t, func(a workload.Answer) bool { return a.Node != old && a.Return >= t })
}

func firstWrite(answers []workload.Answer, t int64, counts func(workload.Answer) bool) (d time.Duration, ok bool) {
	for _, a := range answers {
		if after := time.Duration(a.Return - t); a.Write && counts(a) && (!ok || after < d) {
			d, ok = after, true
		}
	}
	return d, ok
}

package etcdfence

import (
	"sync/atomic"
	"time"
)

// deadline is when a lease has to be taken as over, as far as this process may
// know. It moves forward with renewals until it was once seen to have passed;
// from then on it is over for good, so that nobody acts on a lease that others
// were told is lost. The zero value is over.
type deadline struct {
	at atomic.Pointer[time.Time] // nil: over for good
}

// passed compares both clocks that a time.Time carries. The wall clock jumps
// ahead after the machine was suspended, while the monotonic clock stood still.
func passed(now, at time.Time) bool {
	return !now.Before(at) || !now.Round(0).Before(at.Round(0))
}

func newDeadline(at time.Time) *deadline {
	d := &deadline{}
	d.at.Store(&at)
	return d
}

// alive reports whether now is before the deadline.
func (d *deadline) alive(now time.Time) bool {
	for {
		at := d.at.Load()
		if at == nil {
			return false
		}
		if !passed(now, *at) {
			return true
		}
		// A renewal may have moved it since it was read; look again then.
		if d.at.CompareAndSwap(at, nil) {
			return false
		}
	}
}

// extend moves the deadline to to unless that is earlier. It returns false
// when the deadline has passed: however good the news, it came too late.
func (d *deadline) extend(now, to time.Time) bool {
	for {
		at := d.at.Load()
		if at == nil {
			return false
		}
		if passed(now, *at) {
			if d.at.CompareAndSwap(at, nil) {
				return false
			}
			continue
		}
		if !to.After(*at) || d.at.CompareAndSwap(at, &to) {
			return true
		}
	}
}

// end makes the deadline pass now.
func (d *deadline) end() { d.at.Store(nil) }

// left is how long the deadline is away; 0 when it is over.
func (d *deadline) left(now time.Time) time.Duration {
	at := d.at.Load()
	if at == nil {
		return 0
	}
	return max(0, min(at.Sub(now), at.Round(0).Sub(now.Round(0))))
}

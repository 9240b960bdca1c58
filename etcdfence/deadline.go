package etcdfence

import (
	"sync/atomic"
	"time"
)

// instant is a moment as both of the machine's clocks have it, each as the time
// since some start. The monotonic clock is never set; but it stands still while
// the machine is suspended, and the wall clock is set right on resume.
type instant struct{ mono, wall time.Duration }

// clock reads instants.
type clock struct {
	now   func() time.Time
	start time.Time
}

func newClock(now func() time.Time) clock { return clock{now: now, start: now()} }

func (c clock) read() instant {
	t := c.now()
	return instant{mono: t.Sub(c.start), wall: t.Round(0).Sub(c.start.Round(0))}
}

func (i instant) add(d time.Duration) instant { return instant{i.mono + d, i.wall + d} }

// since is how much time has passed from o to i, by the clock that says more.
func (i instant) since(o instant) time.Duration { return max(i.mono-o.mono, i.wall-o.wall) }

// deadline is when a lease has to be taken as over, as far as this process may
// know. It moves forward with renewals until it was once seen to have passed;
// from then on it is over for good, so that nobody acts on a lease that others
// were told is lost. The zero value is over.
type deadline struct {
	at atomic.Pointer[instant] // nil: over for good
}

func newDeadline(at instant) *deadline {
	d := &deadline{}
	d.at.Store(&at)
	return d
}

// alive reports whether now is before the deadline.
func (d *deadline) alive(now instant) bool {
	for {
		at := d.at.Load()
		if at == nil {
			return false
		}
		if now.since(*at) < 0 {
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
func (d *deadline) extend(now, to instant) bool {
	for {
		at := d.at.Load()
		if at == nil {
			return false
		}
		if now.since(*at) >= 0 {
			if d.at.CompareAndSwap(at, nil) {
				return false
			}
			continue
		}
		if to.mono <= at.mono || d.at.CompareAndSwap(at, &to) {
			return true
		}
	}
}

// end makes the deadline pass now.
func (d *deadline) end() { d.at.Store(nil) }

// left is how long the deadline is away; 0 when it is over.
func (d *deadline) left(now instant) time.Duration {
	at := d.at.Load()
	if at == nil {
		return 0
	}
	return max(0, -now.since(*at))
}

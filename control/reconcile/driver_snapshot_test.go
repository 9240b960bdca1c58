package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
)

// until lets the time of the bubble go by, up to so long after midnight of a day, the
// first of which is 0. Nodes stand still meanwhile.
func until(day, hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, 1, 1+day, hour, minute, 0, 0, time.UTC)))
	synctest.Wait()
}

// sources are the available snapshots' sources, the oldest first; ok is false while
// another one is made or goes.
func (w *world) sources() (out []string, ok bool) {
	for _, s := range slices.SortedFunc(maps.Values(w.snapshots), func(a, b *Snapshot) int { return a.Status.CreatedAt.Compare(b.Status.CreatedAt) }) {
		if s.Deleting || s.Status.Status != spec.Available {
			return nil, false
		}
		out = append(out, s.Status.Source)
	}
	return out, true
}

// TestDriverMakesSnapshotsByItself: one by distance in the log, one in each day's
// window, and those go that newer ones have taken the place of.
func TestDriverMakesSnapshotsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.resync = 10 * time.Minute // days are long
		_, stop := w.drive()
		c := shop()
		c.SnapshotWindow, c.SnapshotRetentionLimit = "03:00-04:00", 1
		w.ask(c, "create")
		w.pass("creation", 200, w.settled("shop"))
		have := func(when string, within int, want ...string) {
			t.Helper()
			w.pass(fmt.Sprintf("%s: snapshots %v", when, want), within, func() bool {
				got, ok := w.sources()
				return ok && slices.Equal(got, want) && w.settled("shop")()
			})
		}
		until(0, 2, 0)
		have("before there is a reason", 1)

		w.mu.Lock()
		w.long = Log{Known: true, Bytes: 1 << 30, SnapshotSize: 1 << 20}
		w.mu.Unlock()
		until(0, 2, 15)
		have("the log is long", 60, spec.System)
		until(0, 2, 59)
		have("once is enough", 1, spec.System)
		until(0, 3, 1)
		have("in the window", 60, spec.System, spec.Automated)
		until(0, 23, 0)
		have("once a day", 1, spec.System, spec.Automated)
		until(1, 3, 1)
		have("the next day", 60, spec.Automated, spec.Automated)
		until(2, 3, 1)
		have("the day after", 60, spec.Automated, spec.Automated)
		until(2, 23, 0)
		have("in its evening", 1, spec.Automated, spec.Automated)

		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if len(w.made) != 4 || !slices.Equal(w.removed, w.made[:2]) {
			t.Errorf("made %q, removed %q", w.made, w.removed)
		}
		for i, day := range []string{"01", "02", "03"} {
			if want := "automatic.shop-2000-01-" + day + "-03-00-0"; len(w.made) > i+1 && w.made[i+1][:len(want)] != want {
				t.Errorf("made %s, want %s...", w.made[i+1], want)
			}
		}
	})
}

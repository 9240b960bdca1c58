package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/redoubtdb/redoubt/control/spec"
)

// TestDriverDeletesInTheMiddle: a deletion that is asked for while something else is done
// to the cluster takes its place. Only what it overtook says so.
func TestDriverDeletesInTheMiddle(t *testing.T) {
	more := shop()
	more.NumReplicasPerShard, more.EngineVersion = 2, "0.2.0"
	for _, c := range []struct {
		name  string
		first bool // it was created and settled before
		until func(w *world) bool
	}{
		{"before anything is done", false, func(*world) bool { return true }},
		{"the shard begins", false, func(w *world) bool { return len(w.clusters["shop"].Status.PendingChanges) > 0 }},
		{"nodes start", false, func(w *world) bool { return len(w.assigned) > 0 }},
		{"a node is added", true, func(w *world) bool { return len(w.assigned) == 3 }},
		{"a node restarts", true, func(w *world) bool {
			for _, a := range w.assigned {
				if a.Generation > 1 {
					return true
				}
			}
			return false
		}},
		{"the primary is moved", true, func(w *world) bool { return w.shards[0].asked != nil || w.shards[0].epoch > 1 }},
	} {
		for _, final := range []string{"", "last"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				_, stop := w.drive()
				w.ask(shop(), "create")
				if c.first {
					w.pass("creation", 200, w.settled("shop"))
					w.ask(more, "update")
				}
				w.pass(c.name, 300, func() bool { return c.until(w) })
				w.mu.Lock()
				busy := w.clusters["shop"].Status.Status != spec.Available
				w.clusters["shop"].Deleting = &Deleting{FinalSnapshotName: final}
				w.ops = append(w.ops, Operation{ID: "d", Kind: "delete", State: OpPending})
				w.tell("clusters/shop")
				w.mu.Unlock()
				if !busy {
					t.Errorf("%s: nothing was under way", c.name)
				}
				w.pass("deletion", 300, func() bool { return len(w.clusters) == 0 && len(w.assigned) == 0 })
				// What was to be made of a cluster that never began goes again.
				w.pass("final snapshot", 60, func() bool {
					s := w.snapshots[final]
					return s == nil && (final == "" || !c.first) || s != nil && s.Status.Status == spec.Available
				})
				if err := stop(); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: Run ended with %v", c.name, err)
				}
				for _, o := range w.ops {
					overtaken := o.State == OpFailed && strings.Contains(o.Text, "deleted")
					if o.State != OpDone && (o.ID == "d" || !overtaken) {
						t.Errorf("%s, final snapshot %q: %+v", c.name, final, o)
					}
				}
			})
		}
	}
}

package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
)

const day = 24 * time.Hour

// snapshots decides which snapshots are due and which have had their time. Those that
// somebody asked for are never touched.
func (d *decider) snapshots() {
	c, now := &d.in.Cluster, d.in.Now
	if c.Status.ObservedVersion == 0 {
		return // not created yet
	}
	if due := d.due(now); due != "" && !d.snapshotRuns() {
		name := spec.AutomaticSnapshotName(c.Name, now)
		if !slices.ContainsFunc(d.in.Snapshots, func(s Snapshot) bool { return s.Name == name }) {
			d.act(CreateSnapshot{Name: name, Source: due})
		}
	}
	d.expire(now)
}

// due is the source of the snapshot that is due; "" if none is.
func (d *decider) due(now time.Time) string {
	c := &d.in.Cluster.Spec
	if w, err := spec.ParseDailyWindow(c.SnapshotWindow); err == nil && c.SnapshotRetentionLimit > 0 {
		begin, inside := opened(w, now)
		made := slices.ContainsFunc(d.in.Snapshots, func(s Snapshot) bool {
			return s.Status.Source == spec.Automated && s.Status.Status != spec.Failed && !s.Status.CreatedAt.Before(begin)
		})
		switch {
		case inside && !made && !d.failedLately(now):
			return spec.Automated
		case !inside:
			d.wake(begin.Add(day).Sub(now))
		}
	}
	l := d.in.Log
	limit := max(d.in.Policy.MinLog, int64(float64(l.SnapshotSize)*d.in.Policy.LogPerData))
	if l.Known && l.Bytes > limit && !d.failedLately(now) {
		return spec.System
	}
	return ""
}

// snapshotRetry is how long after a failed snapshot the next one is tried.
const snapshotRetry = 15 * time.Minute

func (d *decider) failedLately(now time.Time) bool {
	return slices.ContainsFunc(d.in.Snapshots, func(s Snapshot) bool {
		left := s.Status.CreatedAt.Add(snapshotRetry).Sub(now)
		if s.Status.Status != spec.Failed || s.Status.Source == spec.Manual || left <= 0 {
			return false
		}
		d.wake(left)
		return true
	})
}

// expire lets snapshots go that are older than the retention limit, and those made by
// distance that a newer one has taken the place of. The newest two of all stay, so that
// nodes load fast even when one is damaged.
func (d *decider) expire(now time.Time) {
	newest := slices.Clone(d.in.Snapshots)
	newest = slices.DeleteFunc(newest, func(s Snapshot) bool { return s.Status.Status != spec.Available || s.Deleting })
	slices.SortFunc(newest, func(a, b Snapshot) int {
		if c := b.Status.CreatedAt.Compare(a.Status.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	retention := time.Duration(d.in.Cluster.Spec.SnapshotRetentionLimit) * day
	for i, s := range newest {
		age := now.Sub(s.Status.CreatedAt)
		switch {
		case i < 2:
		case s.Status.Source == spec.System:
			d.act(DeleteSnapshot{Name: s.Name, Why: "newer ones are there"})
		case s.Status.Source == spec.Automated && age > retention:
			d.act(DeleteSnapshot{Name: s.Name, Why: fmt.Sprintf("it is older than %d days", d.in.Cluster.Spec.SnapshotRetentionLimit)})
		case s.Status.Source == spec.Automated:
			d.wake(retention - age + time.Second)
		}
	}
	for _, s := range d.in.Snapshots {
		old := now.Sub(s.Status.CreatedAt) > day
		if s.Status.Status == spec.Failed && s.Status.Source != spec.Manual && !s.Deleting && old {
			d.act(DeleteSnapshot{Name: s.Name, Why: "it failed a day ago"})
		}
	}
}

// opened is when the window that is open, or the last one before now, began, and
// whether it is open.
func opened(w spec.DailyWindow, now time.Time) (begin time.Time, inside bool) {
	begin = now.UTC().Truncate(day).Add(w.Start)
	if begin.After(now) {
		begin = begin.Add(-day)
	}
	return begin, now.Before(begin.Add(w.Length))
}

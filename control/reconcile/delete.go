package reconcile

import (
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
)

// delete ends a cluster: its nodes first, so that nothing more is acknowledged; then
// the final snapshot, made from the log, which needs no nodes; then the data; then the
// cluster itself. Nodes on hosts that are gone keep their assignments, for an agent
// that comes back to stop them.
func (d *decider) delete() {
	d.status.Status = spec.Deleting
	if d.status.Stopped = d.stopAll(); !d.status.Stopped {
		return
	}
	if !d.finalSnapshot() || d.manualSnapshots() {
		return
	}
	purge := StartJob{Key: "purge", Kind: PurgeCluster}
	if j := d.job(purge); !j.Done {
		d.pend("the data is deleted")
		return
	}
	for _, s := range d.in.Snapshots {
		if s.Status.Source != spec.Manual && !s.Deleting {
			d.act(DeleteSnapshot{Name: s.Name, Why: "its cluster is deleted"})
		}
	}
	d.act(RemoveCluster{Name: d.in.Cluster.Name})
}

// manualSnapshots reports whether one that somebody asked for is being made.
func (d *decider) manualSnapshots() bool {
	for _, s := range d.in.Snapshots {
		final := s.Name == d.in.Cluster.Deleting.FinalSnapshotName // was dealt with
		if s.Status.Source == spec.Manual && s.Status.Status == spec.Creating && !s.Deleting && !final {
			d.pend("snapshot %s is made", s.Name)
			return true
		}
	}
	return false
}

// stopAll reports whether all nodes that can be reached have stopped.
func (d *decider) stopAll() bool {
	all := true
	for i := range d.shards {
		s := &shardDecider{decider: d, i: i, st: d.in.Shards[i]}
		for _, m := range d.members(i) {
			if d.forgetStopped(m) {
				continue
			}
			if m.Goal == fleet.Run {
				s.stop(m, "the cluster is deleted")
			} else if m.alive() {
				d.pend("node %s stops", m.Node)
			}
			all = all && s.gone(m) != ""
		}
	}
	return all
}

// finalSnapshot reports whether the final snapshot that was asked for is there, or
// there is nothing that it could be made of.
func (d *decider) finalSnapshot() bool {
	name := d.in.Cluster.Deleting.FinalSnapshotName
	if name == "" {
		return true
	}
	var made *Snapshot
	for i := range d.in.Snapshots {
		if d.in.Snapshots[i].Name == name {
			made = &d.in.Snapshots[i]
		}
	}
	if made != nil && made.Status.Status == spec.Available {
		return true // also when the data is deleted already
	}
	begun := true
	for i := range d.shards {
		st, known := d.in.Shards[i]
		switch {
		case !known:
			d.block("shard %d cannot be read", i)
			return false
		case !st.Initialized && d.in.Cluster.Status.ObservedVersion > 0:
			d.block("final snapshot %s cannot be made, etcd does not know shard %d any more: see `redoubt recover`", name, i)
			return false
		}
		begun = begun && st.Initialized // no node has run before all are
	}
	switch {
	case !begun && made == nil:
		return true
	case !begun:
		if !made.Deleting {
			d.act(DeleteSnapshot{Name: name, Why: "the cluster never began, there is nothing to keep"})
		}
		return true
	case made == nil:
		d.act(CreateSnapshot{Name: name, Source: spec.Manual})
	case made.Status.Status == spec.Failed:
		d.block("final snapshot %s: %s", name, made.Status.Reason)
	}
	d.pend("final snapshot %s is made", name)
	return false
}

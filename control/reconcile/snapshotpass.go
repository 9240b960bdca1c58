package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
)

// snapshot looks at one snapshot, decides and acts.
func (d *Driver) snapshot(ctx context.Context, name string) (time.Duration, error) {
	all, err := d.cfg.Store.Snapshots(ctx)
	if err != nil {
		return 0, err
	}
	in := SnapshotInput{Now: time.Now()}
	for _, s := range all {
		if s.Name == name {
			in.Snapshot = s
		}
	}
	if in.Snapshot.Name == "" {
		return 0, nil
	}
	cluster := in.Snapshot.Status.ClusterName
	if in.Cluster, err = d.cfg.Store.Cluster(ctx, cluster); err != nil {
		return 0, err
	}
	if in.Operations, err = d.cfg.Store.Operations(ctx, keySnapshots+name); err != nil {
		return 0, err
	}
	jobs := d.jobs.of(cluster)
	in.Making, in.Removing = jobs[makeKey(name)], jobs[removeKey(name)]
	in.Made, _ = d.jobs.result(cluster, makeKey(name)).(spec.SnapshotStatus)
	return d.carryOutSnapshot(ctx, in, DecideSnapshot(in))
}

func (d *Driver) carryOutSnapshot(ctx context.Context, in SnapshotInput, made SnapshotDecision) (time.Duration, error) {
	name, cluster := in.Snapshot.Name, in.Snapshot.Status.ClusterName
	if !sameJSON(made.Status, in.Snapshot.Status) {
		if err := d.cfg.Store.SetSnapshotStatus(ctx, name, made.Status); err != nil {
			return 0, err
		}
		if was, is := in.Snapshot.Status.Status, made.Status.Status; was != is {
			e := Event{Warning: is == spec.Failed, Reason: "Snapshot", Message: fmt.Sprintf("snapshot %s is %s %s", name, is, made.Status.Reason)}
			if err := d.cfg.Store.AddEvent(ctx, keySnapshots+name, e); err != nil {
				return 0, err
			}
		}
		d.queue.add(keyCluster + cluster)
	}
	for _, o := range made.Operations {
		if err := d.cfg.Store.SetOperation(ctx, o); err != nil {
			return 0, err
		}
	}
	if made.Remove {
		if err := d.cfg.Store.RemoveSnapshot(ctx, name); err != nil {
			return 0, err
		}
	}
	if st := made.Status.Status; made.Remove || st == spec.Available || st == spec.Failed {
		d.jobs.forget(cluster, makeKey(name))
		d.jobs.forget(cluster, removeKey(name))
	}
	if a := made.Start; a != nil {
		d.run(cluster, *a, func(ctx context.Context, progress func(string)) (any, error) {
			if a.Kind == RemoveSnapshot {
				return nil, d.cfg.Snapshotter.Remove(ctx, cluster, name)
			}
			return d.cfg.Snapshotter.Create(ctx, cluster, name, progress)
		})
		return hurry, nil
	}
	if in.Making.Running || in.Removing.Running {
		return hurry, nil
	}
	return made.Again, nil
}

package reconcile

import (
	"context"
	"fmt"

	"github.com/redoubtdb/redoubt/control/spec"
)

// startJob begins what a cluster's decision asks for.
func (d *Driver) startJob(c *Cluster, a StartJob) {
	name := c.Name
	d.run(name, a, func(ctx context.Context, progress func(string)) (any, error) {
		switch a.Kind {
		case InitializeShard:
			files, err := d.beginWith(ctx, a)
			if err != nil {
				return nil, err
			}
			return nil, d.cfg.Snapshotter.Initialize(ctx, name, a.Shard, files, progress)
		case PurgeCluster:
			return nil, d.purge(ctx, name, progress)
		}
		return nil, fmt.Errorf("%w: no such job: %s", ErrPermanent, a.Kind)
	})
}

func (d *Driver) run(cluster string, a StartJob, do func(context.Context, func(string)) (any, error)) {
	changed := func() { d.queue.add(keyCluster + cluster) }
	if a.Snapshot != "" && a.Kind != InitializeShard {
		changed = func() { d.queue.add(keySnapshots + a.Snapshot); d.queue.add(keyCluster + cluster) }
	}
	d.jobs.start(cluster, a.Key, func(ctx context.Context, progress func(string)) (any, error) {
		r, err := do(ctx, progress)
		d.metrics.jobs.WithLabelValues(string(a.Kind), result(err)).Inc()
		if err != nil && ctx.Err() == nil {
			d.log.Error("failed", "cluster", cluster, "job", a.String(), "err", err)
		}
		return r, err
	}, changed)
}

// beginWith are the files that a shard begins with; none for an empty one.
func (d *Driver) beginWith(ctx context.Context, a StartJob) ([]string, error) {
	if a.Snapshot == "" {
		return a.URIs, nil
	}
	all, err := d.cfg.Store.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name != a.Snapshot {
			continue
		}
		switch st := s.Status; {
		case s.Deleting || st.Status == spec.Failed:
			return nil, fmt.Errorf("%w: snapshot %s is %s", ErrPermanent, a.Snapshot, st.Status)
		case st.Status != spec.Available:
			return nil, fmt.Errorf("snapshot %s is %s", a.Snapshot, st.Status)
		case a.Shard >= len(st.URIs):
			return nil, fmt.Errorf("%w: snapshot %s has %d shards", ErrPermanent, a.Snapshot, len(st.URIs))
		default:
			return st.URIs[a.Shard : a.Shard+1], nil
		}
	}
	return nil, fmt.Errorf("%w: there is no snapshot %s", ErrPermanent, a.Snapshot)
}

// purge deletes a cluster's data. Snapshots that somebody asked for move.
func (d *Driver) purge(ctx context.Context, cluster string, progress func(string)) error {
	all, err := d.cfg.Store.Snapshots(ctx)
	if err != nil {
		return err
	}
	kept := map[string]spec.SnapshotStatus{}
	var names []string
	for _, s := range all {
		if s.Status.ClusterName == cluster && s.Status.Source == spec.Manual && s.Status.Status == spec.Available && !s.Deleting {
			kept[s.Name] = s.Status
			names = append(names, s.Name)
		}
	}
	moved, err := d.cfg.Snapshotter.Purge(ctx, cluster, names, progress)
	if err != nil {
		return err
	}
	for name, uris := range moved {
		st := kept[name]
		st.URIs = uris
		if err := d.cfg.Store.SetSnapshotStatus(ctx, name, st); err != nil {
			return err
		}
	}
	return nil
}

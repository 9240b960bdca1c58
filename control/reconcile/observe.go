package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// observed is an Input but for the fleet, and all parameters.
type observed struct {
	Input
	parameters map[string]string
}

func (d *Driver) observe(ctx context.Context, c *Cluster) (observed, Access, error) {
	in := observed{Input: Input{Policy: d.cfg.Policy, Cluster: *c, Shards: map[int]Shard{}, Jobs: d.jobs.of(c.Name)}}
	var access Access
	var err error
	shards := max(c.Spec.NumShards, len(c.Status.Shards))
	for i := range shards {
		// One that cannot be read must not keep the others from being looked after.
		st, err := d.state(ctx, c.Name, i)
		if err != nil {
			if ctx.Err() != nil {
				return in, access, err
			}
			d.log.Warn("shard not read", "cluster", c.Name, "shard", i, "err", err)
			continue
		}
		in.Shards[i] = Shard{Initialized: st.Initialized, Tail: st.Tail, Leader: st.Leader, Asked: d.memory.asked(c.Name, i)}
	}
	if in.Nodes, err = d.cfg.Shards.Nodes(ctx, c.Name); err != nil {
		return in, access, err
	}
	group, err := d.cfg.Store.Parameters(ctx, c.Spec.ParameterGroupName)
	if err != nil {
		return in, access, err
	}
	in.parameters = group.Values
	for name, v := range in.parameters {
		if d.cfg.AtStart(name) {
			if in.AtStart == nil {
				in.AtStart = map[string]string{}
			}
			in.AtStart[name] = v
		}
	}
	if access, err = d.cfg.Store.Access(ctx, c.Spec.ACLName); err != nil {
		return in, access, err
	}
	in.Applied = map[string]time.Time{keyGroup + c.Spec.ParameterGroupName: group.Changed}
	maps.Copy(in.Applied, access.Changed)
	if in.Operations, err = d.cfg.Store.Operations(ctx, keyCluster+c.Name); err != nil {
		return in, access, err
	}
	snapshots, err := d.cfg.Store.Snapshots(ctx)
	for _, s := range snapshots {
		if s.Status.ClusterName == c.Name {
			in.Snapshots = append(in.Snapshots, s)
		}
	}
	in.Log = d.logOf(ctx, c, in.Snapshots)
	return in, access, err
}

// state reads a shard; a while is enough for one.
func (d *Driver) state(ctx context.Context, cluster string, shard int) (etcdfence.State, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Pass/3)
	defer cancel()
	return d.cfg.Shards.State(ctx, cluster, shard)
}

// logEvery is how often the length of a cluster's log is looked up, which lists objects.
const logEvery = 5 * time.Minute

type seenLog struct {
	Log
	at time.Time
}

// logOf is how far a cluster's log has come, as of some minutes ago at most. While a
// snapshot is made it is not looked up, and what was seen before counts no more then:
// another snapshot would be due as soon as that one is there.
func (d *Driver) logOf(ctx context.Context, c *Cluster, snapshots []Snapshot) Log {
	if c.Deleting != nil || c.Status.ObservedVersion == 0 {
		return Log{}
	}
	if slices.ContainsFunc(snapshots, func(s Snapshot) bool { return s.Status.Status == spec.Creating }) {
		d.forgetLog(c.Name)
		return Log{}
	}
	d.mu.Lock()
	seen, ok := d.logs[c.Name]
	d.mu.Unlock()
	if ok && time.Since(seen.at) < logEvery {
		return seen.Log
	}
	l, err := d.cfg.Snapshotter.Log(ctx, c.Name)
	if err != nil {
		d.log.Warn("length of the log not found out", "cluster", c.Name, "err", err)
	}
	d.mu.Lock()
	d.logs[c.Name] = seenLog{l, time.Now()}
	d.mu.Unlock()
	return l
}

func (d *Driver) forgetLog(cluster string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.logs, cluster)
}

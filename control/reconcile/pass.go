package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// hurry is how soon a cluster is looked at again that is not as asked yet: what is
// waited for may change without anything that is watched.
const hurry = time.Second

// cluster looks at one cluster, decides and acts.
func (d *Driver) cluster(ctx context.Context, name string) (time.Duration, error) {
	c, err := d.cfg.Store.Cluster(ctx, name)
	if err != nil {
		return 0, err
	}
	if c == nil {
		d.unwatch(name)
		d.memory.forget(name)
		d.jobs.forget(name, "")
		d.metrics.status(name, "")
		return 0, nil
	}
	d.watch(name)
	in, access, err := d.observe(ctx, c)
	if err != nil {
		return 0, err
	}
	if c.Deleting == nil {
		if err := d.cfg.Shards.Project(ctx, name, project(access, in.parameters)); err != nil {
			return 0, err
		}
	}
	made, err := d.decide(ctx, in.Input)
	if err != nil {
		return 0, err
	}
	if err := d.carryOut(ctx, c, made); err != nil {
		return 0, err
	}
	d.metrics.status(name, string(made.Status.Status))
	again := made.Again
	if st := made.Status; st.Status != spec.Available || len(st.PendingChanges) > 0 || len(made.Actions) > 0 {
		again = hurry
	}
	return again, nil
}

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
	if in.parameters, err = d.cfg.Store.Parameters(ctx, c.Spec.ParameterGroupName); err != nil {
		return in, access, err
	}
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
	if in.Operations, err = d.cfg.Store.Operations(ctx, keyCluster+c.Name); err != nil {
		return in, access, err
	}
	snapshots, err := d.cfg.Store.Snapshots(ctx)
	for _, s := range snapshots {
		if s.Status.ClusterName == c.Name {
			in.Snapshots = append(in.Snapshots, s)
		}
	}
	in.Log = d.logOf(ctx, c)
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

// logOf is how far a cluster's log has come, as of some minutes ago at most.
func (d *Driver) logOf(ctx context.Context, c *Cluster) Log {
	if c.Deleting != nil || c.Status.ObservedVersion == 0 {
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

// decide looks at the fleet, decides, and assigns, while no other cluster does: two
// must not take the same room.
func (d *Driver) decide(ctx context.Context, in Input) (Decision, error) {
	d.placing.Lock()
	defer d.placing.Unlock()
	view, err := d.cfg.Fleet.View(ctx)
	if err != nil {
		return Decision{}, err
	}
	in.Now = time.Now()
	in.Assigned = view.Assigned
	in.Hosts = d.memory.see(in.Now, view.Hosts, view.Assigned)
	d.memory.notServing(in.Now, in.Cluster.Name, in.Assigned, in.Nodes)
	made := Decide(in)
	if !sameJSON(made.Status, in.Cluster.Status) {
		if err := d.cfg.Store.SetClusterStatus(ctx, in.Cluster.Name, made.Status); err != nil {
			return made, err
		}
	}
	for _, a := range made.Actions {
		switch a := a.(type) {
		case Assign:
			err = d.assign(ctx, in, a)
		case Unassign:
			err = d.cfg.Fleet.Unassign(ctx, a.Host, a.Node)
		default:
			continue
		}
		if err := d.acted(ctx, in.Cluster.Name, a, err); err != nil {
			return made, err
		}
	}
	return made, nil
}

func sameJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

func (d *Driver) assign(ctx context.Context, in Input, a Assign) error {
	if a.Issue {
		if d.cfg.Certificates == nil {
			return errors.New("tls_enabled, and this control plane has no CA to issue certificates with")
		}
		address := ""
		for _, h := range in.Hosts {
			if h.ID == a.Host {
				address = h.Address
			}
		}
		tls, err := d.cfg.Certificates.Issue(ctx, a.Cluster, a.Node, address)
		if err != nil {
			return fmt.Errorf("issue a certificate: %w", err)
		}
		a.TLS = tls
	}
	return d.cfg.Fleet.Assign(ctx, a.Host, a.Assignment)
}

// acted notes an action that was taken, or says which one failed.
func (d *Driver) acted(ctx context.Context, cluster string, a Action, err error) error {
	d.metrics.action(a, err)
	if err != nil {
		return fmt.Errorf("%v: %w", a, err)
	}
	d.log.Info("acted", "cluster", cluster, "action", a.String())
	return d.cfg.Store.AddEvent(ctx, keyCluster+cluster, Event{Reason: a.reason(), Message: a.String()})
}

// carryOut does what a decision asks for beside assignments, and tells.
func (d *Driver) carryOut(ctx context.Context, c *Cluster, made Decision) error {
	for _, e := range made.Events {
		if err := d.cfg.Store.AddEvent(ctx, keyCluster+c.Name, e); err != nil {
			return err
		}
	}
	for _, o := range made.Operations {
		if err := d.cfg.Store.SetOperation(ctx, o); err != nil {
			return err
		}
	}
	for _, a := range made.Actions {
		var err error
		switch a := a.(type) {
		case Handover:
			d.memory.ask(c.Name, a, time.Now())
			err = d.cfg.Shards.RequestHandover(ctx, c.Name, a.Shard, etcdfence.Handover{To: a.To})
			if errors.Is(err, etcdfence.ErrNoLeader) {
				err = nil // it has ended by itself
			}
		case StartJob:
			d.startJob(c, a)
		case CreateSnapshot:
			config := c.Spec
			err = d.cfg.Store.RecordSnapshot(ctx, a.Name, spec.SnapshotStatus{
				Status: spec.Creating, Source: a.Source, CreatedAt: time.Now().UTC(), ClusterName: c.Name, ClusterConfiguration: &config,
			})
		case DeleteSnapshot:
			err = d.cfg.Store.DeleteSnapshot(ctx, a.Name)
		case RemoveCluster:
			if err = d.cfg.Store.RemoveCluster(ctx, a.Name); err == nil {
				d.jobs.forget(a.Name, "")
			}
		default:
			continue
		}
		if err := d.acted(ctx, c.Name, a, err); err != nil {
			return err
		}
	}
	return nil
}

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

// orphans lets go of what is assigned for clusters that are no more: an agent that
// comes back stops it.
func (d *Driver) orphans(ctx context.Context) (time.Duration, error) {
	d.placing.Lock()
	defer d.placing.Unlock()
	// The fleet first: a cluster that is made after it was looked at has nothing there.
	view, err := d.cfg.Fleet.View(ctx)
	if err != nil {
		return 0, err
	}
	names, err := d.cfg.Store.Clusters(ctx)
	if err != nil {
		return 0, err
	}
	for _, a := range orphanActions(view.Assigned, names) {
		switch a := a.(type) {
		case Assign:
			err = d.cfg.Fleet.Assign(ctx, a.Host, a.Assignment)
		case Unassign:
			err = d.cfg.Fleet.Unassign(ctx, a.Host, a.Node)
		}
		d.metrics.action(a, err)
		if err != nil {
			return 0, fmt.Errorf("%v: %w", a, err)
		}
	}
	return 0, nil
}

// orphanActions stops and forgets nodes of clusters that are not among those named.
func orphanActions(assigned []Assigned, clusters []string) []Action {
	known := map[string]bool{}
	for _, c := range clusters {
		known[c] = true
	}
	var out []Action
	for _, a := range assigned {
		switch {
		case known[a.Cluster]:
		case a.Goal != fleet.Stop:
			stop := a.Assignment
			stop.Goal = fleet.Stop
			stop.Generation++
			out = append(out, Assign{Host: a.Host, Assignment: stop, Why: "its cluster is deleted"})
		case a.Status != nil && a.Status.State == fleet.Stopped && a.Status.Generation >= a.Generation:
			out = append(out, Unassign{Host: a.Host, Node: a.Node})
		}
	}
	return out
}

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

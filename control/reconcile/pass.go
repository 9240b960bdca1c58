package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
			err = d.cfg.Shards.RequestHandover(ctx, c.Name, a.Shard, etcdfence.Handover{To: a.To, Epoch: a.Epoch})
			if errors.Is(err, etcdfence.ErrNoLeader) {
				err = nil // it has ended by itself
			}
		case StartJob:
			d.startJob(c, a)
		case CreateSnapshot:
			config := c.Spec
			d.forgetLog(c.Name) // it may be there before anybody sees that it is made
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

package plane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// by is who the reconciler is in operations and events.
const by = "the control plane"

// resources is package store as the reconciler sees it, under the fence of one elected
// time.
type resources struct {
	*store.Store
	fence store.Fence
}

var _ reconcile.Store = resources{}

// gone makes writing to what is no more no error.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// status reads what was written with encode.
func status[T any](raw json.RawMessage) (s T, err error) {
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &s)
	}
	return s, err
}

func encode(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// Clusters implements reconcile.Store.
func (r resources) Clusters(ctx context.Context) ([]string, error) {
	all, err := r.Store.Clusters.All(ctx)
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Spec.Name
	}
	return names, err
}

// Cluster implements reconcile.Store.
func (r resources) Cluster(ctx context.Context, name string) (*reconcile.Cluster, error) {
	found, err := r.Store.Clusters.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &reconcile.Cluster{Name: name, Version: found.Version, Spec: found.Spec, Created: found.Created}
	if c.Status, err = status[spec.ClusterStatus](found.Status); err != nil {
		return nil, fmt.Errorf("status of cluster %s: %w", name, err)
	}
	if d := found.Deleting; d != nil {
		c.Deleting = &reconcile.Deleting{FinalSnapshotName: d.FinalSnapshotName}
	}
	return c, nil
}

// SetClusterStatus implements reconcile.Store.
func (r resources) SetClusterStatus(ctx context.Context, name string, s spec.ClusterStatus) error {
	b, err := encode(s)
	if err != nil {
		return err
	}
	return gone(r.Store.Clusters.SetStatus(ctx, r.fence, name, b))
}

// RemoveCluster implements reconcile.Store.
func (r resources) RemoveCluster(ctx context.Context, name string) error {
	return gone(r.Store.Clusters.Remove(ctx, r.fence, name))
}

// Parameters implements reconcile.Store.
func (r resources) Parameters(ctx context.Context, group string) (reconcile.Parameters, error) {
	found, err := r.ParameterGroups.Get(ctx, group)
	if err != nil {
		return reconcile.Parameters{}, err
	}
	return reconcile.Parameters{Values: found.Spec.Parameters, Changed: found.Updated}, nil
}

// Access implements reconcile.Store.
func (r resources) Access(ctx context.Context, acl string) (reconcile.Access, error) {
	found, err := r.ACLs.Get(ctx, acl)
	if err != nil {
		return reconcile.Access{}, err
	}
	a := reconcile.Access{ACL: found.Spec, Changed: map[string]time.Time{wire.ACLs + "/" + acl: found.Updated}}
	for _, name := range found.Spec.UserNames {
		u, err := r.Users.Get(ctx, name)
		if err != nil {
			return reconcile.Access{}, err
		}
		a.Users = append(a.Users, u.Spec)
		a.Changed[wire.Users+"/"+name] = u.Updated
	}
	return a, nil
}

// Snapshots implements reconcile.Store.
func (r resources) Snapshots(ctx context.Context) ([]reconcile.Snapshot, error) {
	all, err := r.Store.Snapshots.All(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]reconcile.Snapshot, len(all))
	for i, found := range all {
		s, err := status[spec.SnapshotStatus](found.Status)
		if err != nil {
			return nil, fmt.Errorf("status of snapshot %s: %w", found.Spec.Name, err)
		}
		if found.Status == nil { // somebody has asked for it just now
			s = spec.SnapshotStatus{Status: spec.Creating, Source: spec.Manual}
		}
		s.ClusterName = found.Spec.ClusterName
		out[i] = reconcile.Snapshot{Name: found.Spec.Name, Status: s, Deleting: found.Deleting != nil}
	}
	return out, nil
}

// SetSnapshotStatus implements reconcile.Store.
func (r resources) SetSnapshotStatus(ctx context.Context, name string, s spec.SnapshotStatus) error {
	b, err := encode(s)
	if err != nil {
		return err
	}
	return gone(r.Store.Snapshots.SetStatus(ctx, r.fence, name, b))
}

// RecordSnapshot implements reconcile.Store.
func (r resources) RecordSnapshot(ctx context.Context, name string, s spec.SnapshotStatus) error {
	b, err := encode(s)
	if err != nil {
		return err
	}
	return r.Record(ctx, r.fence, spec.Snapshot{Name: name, ClusterName: s.ClusterName}, b)
}

// DeleteSnapshot implements reconcile.Store.
func (r resources) DeleteSnapshot(ctx context.Context, name string) error {
	_, err := r.Store.Snapshots.Delete(ctx, by, name, store.DeleteOptions{Fence: &r.fence})
	return gone(err)
}

// RemoveSnapshot implements reconcile.Store.
func (r resources) RemoveSnapshot(ctx context.Context, name string) error {
	return gone(r.Store.Snapshots.Remove(ctx, r.fence, name))
}

// Operations implements reconcile.Store.
func (r resources) Operations(ctx context.Context, resource string) ([]reconcile.Operation, error) {
	open, err := r.Store.Operations.Open(ctx, resource)
	out := make([]reconcile.Operation, len(open))
	for i, o := range open {
		out[i] = reconcile.Operation{
			ID: o.ID, Kind: string(o.Kind), Version: o.Version, State: string(o.State), Started: o.Started,
			Arguments: o.Arguments, Done: o.Progress.Done, Total: o.Progress.Total, Text: o.Progress.Text,
		}
	}
	return out, err
}

// SetOperation implements reconcile.Store.
func (r resources) SetOperation(ctx context.Context, o reconcile.Operation) error {
	p, failure := wire.Progress{Done: o.Done, Total: o.Total, Text: o.Text}, ""
	if o.State == reconcile.OpFailed {
		p.Text, failure = "", o.Text
	}
	return gone(r.Store.Operations.Report(ctx, r.fence, o.ID, wire.OpState(o.State), p, failure))
}

// AddEvent implements reconcile.Store.
func (r resources) AddEvent(ctx context.Context, resource string, e reconcile.Event) error {
	kind := wire.Normal
	if e.Warning {
		kind = wire.Warning
	}
	return r.Events.Note(ctx, r.fence, wire.Event{Resource: resource, Type: kind, Reason: e.Reason, Message: e.Message})
}

// Watch implements reconcile.Store.
func (r resources) Watch(ctx context.Context, changed func(resource string)) error {
	return r.Changes(ctx, changed)
}

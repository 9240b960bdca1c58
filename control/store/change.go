package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Create makes a resource, with what was left out filled in. by is who asks. The
// resource that is returned names the operation.
func (c *Collection[S]) Create(ctx context.Context, by string, s S) (*wire.Resource[S], error) {
	return c.CreateOnce(ctx, by, "", s)
}

// CreateOnce is Create that can be repeated: when the resource was made by the same and
// with the same key, it is returned as it is, with the operation that made it. "": no key.
func (c *Collection[S]) CreateOnce(ctx context.Context, by, key string, s S) (*wire.Resource[S], error) {
	c.kind.fill(&s)
	if err := c.kind.validate(&s).Err(); err != nil {
		return nil, err
	}
	name := c.kind.nameOf(&s)
	refs := c.references(nil, &s)
	var made *wire.Resource[S]
	err := retry(ctx, func() (bool, error) {
		t, err := c.look(ctx, name, refs, false)
		if err != nil {
			return false, err
		}
		if t.resource != nil {
			if err := c.deleting(t.resource, name); err != nil {
				return false, err
			}
			made, err = c.madeBy(ctx, t.resource, name, by, key, s)
			return err == nil, err
		}
		cmps, problems := t.checkRefs(refs)
		if err := problems.Err(); err != nil {
			return false, err
		}
		now := c.s.time()
		made = &wire.Resource[S]{Version: 1, Spec: s, Created: now, Updated: now}
		kind := wire.OpCreate
		if c.kind.creates != nil {
			kind = c.kind.creates(&s)
		}
		op := c.operation(kind, name, by, 1)
		op.Key = key
		ok, err := c.commit(ctx, append(cmps, absent(c.key(name))), op, put(c.key(name), made))
		made.Operation = op.ID
		return ok, err
	})
	if err != nil {
		return nil, err
	}
	c.s.trim(ctx)
	return made, nil
}

// madeBy returns a resource that a request made that is repeated; ErrExists if it was
// another one. While nobody has changed it, it must be what is asked for.
func (c *Collection[S]) madeBy(ctx context.Context, r *wire.Resource[S], name, by, key string, s S) (*wire.Resource[S], error) {
	exists := fmt.Errorf("%s %w", c.ref(name), ErrExists)
	if key == "" || r.Version == 1 && !same(r.Spec, s) {
		return nil, exists
	}
	const lookBack = 100
	ops, _, err := c.s.Operations.List(ctx, c.ref(name), "", lookBack)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op.Key == key && op.By == by && op.Version == 1 && !op.Started.Before(r.Created) {
			r.Operation = op.ID
			return r, nil
		}
	}
	return nil, exists
}

func (c *Collection[S]) references(was, is *S) []reference {
	if c.kind.refers == nil {
		return nil
	}
	return c.kind.refers(was, is)
}

// Update replaces what is asked for, when the resource is at that version. When that
// changes nothing, the resource is returned as it is, without an operation.
func (c *Collection[S]) Update(ctx context.Context, by, name string, version int64, s S) (*wire.Resource[S], error) {
	c.kind.fill(&s)
	if err := c.kind.validate(&s).Err(); err != nil {
		return nil, err
	}
	if name == c.kind.builtIn && name != "" {
		return nil, fmt.Errorf("%s %w", c.ref(name), ErrBuiltIn)
	}
	var next *wire.Resource[S]
	err := retry(ctx, func() (bool, error) {
		refs := c.references(&s, &s)
		t, err := c.look(ctx, name, refs, false)
		if err != nil {
			return false, err
		}
		if err := c.changeable(t.resource, name, &version); err != nil {
			return false, err
		}
		cmps, problems := t.checkRefs(refs)
		if c.kind.begun != nil {
			problems = append(c.kind.begun(t.resource, &s), problems...)
		}
		problems = append(c.kind.change(&t.resource.Spec, &s), problems...)
		if err := problems.Err(); err != nil {
			return false, err
		}
		copied := *t.resource
		next = &copied
		if same(t.resource.Spec, s) {
			return true, nil
		}
		next.Spec, next.Updated = s, c.s.time()
		next.Version++
		op := c.operation(wire.OpUpdate, name, by, next.Version)
		ok, err := c.commit(ctx, append(cmps, unchanged(c.key(name), t.mod)), op, put(c.key(name), next))
		next.Operation = op.ID
		return ok, err
	})
	if err != nil {
		return nil, err
	}
	if next.Operation != "" {
		c.s.trim(ctx)
	}
	return next, nil
}

// same compares by JSON, which is what is kept.
func same[S any](a, b S) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// changeable says why a resource that was read cannot be changed. version is that
// which it must have; nil: any.
func (c *Collection[S]) changeable(r *wire.Resource[S], name string, version *int64) error {
	if r == nil {
		return fmt.Errorf("%s: %w", c.ref(name), ErrNotFound)
	}
	if err := c.deleting(r, name); err != nil {
		return err
	}
	if version != nil && r.Version != *version {
		return &VersionError{Resource: c.ref(name), Version: r.Version}
	}
	return nil
}

func (c *Collection[S]) deleting(r *wire.Resource[S], name string) error {
	if r.Deleting == nil {
		return nil
	}
	return &DeletingError{Resource: c.ref(name), Operation: r.Deleting.Operation}
}

// operation is the one that a change makes.
func (c *Collection[S]) operation(kind wire.OpKind, name, by string, version int64) *wire.Operation {
	op := &wire.Operation{
		ID: newID(), Kind: kind, Resource: c.ref(name), Version: version,
		State: wire.Pending, By: by, Started: c.s.time(),
	}
	if !c.kind.reconciled {
		op.State, op.Ended = wire.Done, op.Started
		op.Progress = wire.Progress{Done: 1, Total: 1}
	}
	return op
}

// commit writes a change with its operation and event; false when what was read is no
// more so.
func (c *Collection[S]) commit(ctx context.Context, cmps []clientv3.Cmp, op *wire.Operation, ops ...clientv3.Op) (bool, error) {
	return c.commitUnder(ctx, nil, cmps, op, ops...)
}

// commitUnder is commit under a fence, unless that is nil.
func (c *Collection[S]) commitUnder(ctx context.Context, f *Fence, cmps []clientv3.Cmp, op *wire.Operation, ops ...clientv3.Op) (bool, error) {
	event := c.s.Events.of(op)
	ops = append(ops, put(c.s.Operations.key(op.ID), op), put(c.s.Events.key(event.ID), event))
	if f != nil {
		return c.s.fenced(ctx, *f, cmps, ops...)
	}
	resp, err := c.s.etcd.Txn(ctx).If(cmps...).Then(ops...).Commit()
	if err != nil {
		return false, fmt.Errorf("change %s: %w", op.Resource, err)
	}
	return resp.Succeeded, nil
}

// DeleteOptions of one deletion.
type DeleteOptions struct {
	Version           *int64 // that it must be at; nil: any
	FinalSnapshotName string // of a cluster: made before it goes; "": none
	Fence             *Fence // of the reconciler; nil: somebody else asks
}

// Delete deletes a resource, or marks it for the reconciler to do so. The resource is
// returned as it was, with the operation. One that is marked already is no error, and
// the operation is that of the first time.
func (c *Collection[S]) Delete(ctx context.Context, by, name string, o DeleteOptions) (*wire.Resource[S], error) {
	if name == c.kind.builtIn && name != "" {
		return nil, fmt.Errorf("%s %w", c.ref(name), ErrBuiltIn)
	}
	var gone *wire.Resource[S]
	err := retry(ctx, func() (bool, error) {
		t, err := c.look(ctx, name, nil, true)
		if err != nil {
			return false, err
		}
		if r := t.resource; r != nil && r.Deleting != nil && r.Deleting.FinalSnapshotName == o.FinalSnapshotName {
			gone = r
			gone.Operation = r.Deleting.Operation
			return true, nil
		}
		if err := c.changeable(t.resource, name, o.Version); err != nil {
			return false, err
		}
		by2, cmps := c.usedBy(t, name)
		if len(by2) > 0 {
			return false, &InUseError{Resource: c.ref(name), By: by2}
		}
		gone = t.resource
		op := c.operation(wire.OpDelete, name, by, gone.Version)
		ops := []clientv3.Op{clientv3.OpDelete(c.key(name))}
		if c.kind.reconciled {
			gone.Deleting = &wire.Deletion{Requested: c.s.time(), FinalSnapshotName: o.FinalSnapshotName, Operation: op.ID}
			ops = []clientv3.Op{put(c.key(name), gone)}
		}
		if o.FinalSnapshotName != "" {
			more, also, err := c.s.finalSnapshot(ctx, by, name, o.FinalSnapshotName)
			if err != nil {
				return false, err
			}
			cmps, ops = append(cmps, more...), append(ops, also...)
		}
		ok, err := c.commitUnder(ctx, o.Fence, append(cmps, unchanged(c.key(name), t.mod)), op, ops...)
		gone.Operation = op.ID
		return ok, err
	})
	if err != nil {
		return nil, err
	}
	c.s.trim(ctx)
	return gone, nil
}

// finalSnapshot is what makes the snapshot that a cluster's deletion waits for.
func (s *Store) finalSnapshot(ctx context.Context, by, cluster, name string) ([]clientv3.Cmp, []clientv3.Op, error) {
	snap := spec.Snapshot{Name: name, ClusterName: cluster}
	snap.Default()
	problems := snap.Validate()
	_, _, err := s.Snapshots.get(ctx, name)
	if err == nil {
		problems = append(problems, spec.Problem{Path: "name", Message: fmt.Sprintf("there is a snapshot %s already: give another name", name)})
	} else if !isNotFound(err) {
		return nil, nil, err
	}
	for i := range problems {
		problems[i].Path = "final_snapshot_name"
	}
	if err := problems.Err(); err != nil {
		return nil, nil, err
	}
	now := s.time()
	op := s.Snapshots.operation(wire.OpSnapshot, name, by, 1)
	event := s.Events.of(op)
	return []clientv3.Cmp{absent(s.Snapshots.key(name))}, []clientv3.Op{
		put(s.Snapshots.key(name), &wire.Resource[spec.Snapshot]{Version: 1, Spec: snap, Created: now, Updated: now}),
		put(s.Operations.key(op.ID), op),
		put(s.Events.key(event.ID), event),
	}, nil
}

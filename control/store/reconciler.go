package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// SetStatus writes what the reconciler says of a resource; its spec and version stay.
func (c *Collection[S]) SetStatus(ctx context.Context, f Fence, name string, status json.RawMessage) error {
	return retry(ctx, func() (bool, error) {
		r, mod, err := c.get(ctx, name)
		if err != nil {
			return false, err
		}
		if bytesEqual(r.Status, status) {
			return true, nil
		}
		r.Status = status
		return c.s.fenced(ctx, f, []clientv3.Cmp{unchanged(c.key(name), mod)}, put(c.key(name), r))
	})
}

func bytesEqual(a, b json.RawMessage) bool { return string(a) == string(b) }

// Remove ends the deletion of a resource that was marked, once all that belongs to it
// is gone: its key goes, the operation that deletes it is done, and those that were to
// change it have failed.
func (c *Collection[S]) Remove(ctx context.Context, f Fence, name string) error {
	return retry(ctx, func() (bool, error) {
		r, mod, err := c.get(ctx, name)
		if err != nil {
			return false, err
		}
		if r.Deleting == nil {
			return false, fmt.Errorf("remove %s: nobody asked for that", c.ref(name))
		}
		// The ones before it first: what is left of them after a crash here is found again.
		open, err := c.s.Operations.open(ctx, c.ref(name))
		if err != nil {
			return false, err
		}
		ops := []clientv3.Op{clientv3.OpDelete(c.key(name))}
		for _, op := range open {
			if op.ID == r.Deleting.Operation {
				op.end(c.s.time(), "")
				ops = append(ops, put(c.s.Operations.key(op.ID), op.Operation))
			} else if err := c.s.Operations.Finish(ctx, f, op.ID, c.ref(name)+" was deleted before this was carried out"); err != nil {
				return false, err
			}
		}
		return c.s.fenced(ctx, f, []clientv3.Cmp{unchanged(c.key(name), mod)}, ops...)
	})
}

// Record makes the resource of something that the reconciler did by itself: a snapshot
// by schedule. When it is there, it gets the status.
func (s *Store) Record(ctx context.Context, f Fence, snap spec.Snapshot, status json.RawMessage) error {
	snap.Default()
	if err := spec.CheckSnapshotName(snap.Name); err != nil {
		return fmt.Errorf("record snapshot %q: name %w", snap.Name, err)
	}
	now := s.time()
	key := s.Snapshots.key(snap.Name)
	made, err := s.fenced(ctx, f, []clientv3.Cmp{absent(key)},
		put(key, &wire.Resource[spec.Snapshot]{Version: 1, Spec: snap, Status: status, Created: now, Updated: now}))
	if err != nil || made {
		return err
	}
	return s.Snapshots.SetStatus(ctx, f, snap.Name, status)
}

package store

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/redoubtdb/redoubt/control/wire"
)

// Events are what happened, for people. They are bounded in number: the oldest go.
type Events struct {
	s    *Store
	keep int
}

func (e *Events) prefix() string       { return root + "events/" }
func (e *Events) key(id string) string { return e.prefix() + id }

// Add notes something; id and time are set here.
func (e *Events) Add(ctx context.Context, event wire.Event) error {
	event.ID, event.Time = newID(), e.s.time()
	op := put(e.key(event.ID), event)
	if _, err := e.s.etcd.Do(ctx, op); err != nil {
		return fmt.Errorf("note an event of %s: %w", event.Resource, err)
	}
	e.trim(ctx)
	return nil
}

// Note is Add under a fence.
func (e *Events) Note(ctx context.Context, f Fence, event wire.Event) error {
	event.ID, event.Time = newID(), e.s.time()
	if _, err := e.s.fenced(ctx, f, nil, put(e.key(event.ID), event)); err != nil {
		return fmt.Errorf("note an event of %s: %w", event.Resource, err)
	}
	e.trim(ctx)
	return nil
}

func (e *Events) trim(ctx context.Context) {
	trim(ctx, e.s, e.prefix(), e.keep, func(*mvccpb.KeyValue) bool { return true })
}

// List returns up to limit events of a resource, of all when that is "", the newest
// first, from before an id on, and whether there are more.
func (e *Events) List(ctx context.Context, resource, before string, limit int) ([]wire.Event, bool, error) {
	return filtered(ctx, e.s, e.prefix(), before, limit, func(ev *wire.Event) bool { return resource == "" || ev.Resource == resource })
}

// reasons are what events of operations are called.
var reasons = map[wire.OpKind]string{
	wire.OpCreate: "CreateRequested", wire.OpUpdate: "UpdateRequested", wire.OpDelete: "DeleteRequested",
	wire.OpRestore: "RestoreRequested", wire.OpSnapshot: "SnapshotRequested", wire.OpFailover: "FailoverRequested",
}

// of is the event that an operation begins with.
func (e *Events) of(op *wire.Operation) wire.Event {
	return wire.Event{
		ID: newID(), Time: op.Started, Resource: op.Resource, Type: wire.Normal, Reason: reasons[op.Kind],
		Message: fmt.Sprintf("%s asked for %s, version %d, operation %s", op.By, op.Kind, op.Version, op.ID),
	}
}

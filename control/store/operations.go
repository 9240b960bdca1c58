package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/wire"
)

// Operations are the carrying out of changes.
type Operations struct {
	s    *Store
	keep int // of those that have ended
}

const operations = "operations"

// maxTrimmed is how many keys one transaction deletes; etcd takes 128.
const maxTrimmed = 100

func (o *Operations) prefix() string       { return root + operations + "/" }
func (o *Operations) key(id string) string { return o.prefix() + id }

// kept is an operation as it was read.
type kept struct {
	*wire.Operation
	mod int64
}

// end finishes an operation, failed when there is a failure.
func (k kept) end(now time.Time, failure string) {
	k.Ended, k.State, k.Error = now, wire.Done, failure
	if failure != "" {
		k.State = wire.Failed
	} else if k.Progress.Total > 0 {
		k.Progress.Done = k.Progress.Total
	}
}

func decodeOperation(kv *mvccpb.KeyValue) (kept, error) {
	k := kept{Operation: new(wire.Operation), mod: kv.ModRevision}
	if err := json.Unmarshal(kv.Value, k.Operation); err != nil {
		return k, fmt.Errorf("read %s: %w", kv.Key, err)
	}
	return k, nil
}

// Get reads one.
func (o *Operations) Get(ctx context.Context, id string) (*wire.Operation, error) {
	k, err := o.get(ctx, id)
	return k.Operation, err
}

func (o *Operations) get(ctx context.Context, id string) (kept, error) {
	resp, err := o.s.etcd.Get(ctx, o.key(id))
	if err != nil {
		return kept{}, fmt.Errorf("read operation %s: %w", id, err)
	}
	if len(resp.Kvs) == 0 {
		return kept{}, fmt.Errorf("operation %s: %w", id, ErrNotFound)
	}
	return decodeOperation(resp.Kvs[0])
}

// List returns up to limit operations of a resource, of all when that is "", the
// newest first, from before an id on, and whether there are more.
func (o *Operations) List(ctx context.Context, resource, before string, limit int) ([]wire.Operation, bool, error) {
	return filtered(ctx, o.s, o.prefix(), before, limit, func(op *wire.Operation) bool { return resource == "" || op.Resource == resource })
}

// filtered pages through the newest of a prefix.
func filtered[T any](ctx context.Context, s *Store, prefix, before string, limit int, want func(*T) bool) ([]T, bool, error) {
	const step = 500
	out := []T{}
	for {
		kvs, more, err := s.page(ctx, prefix, before, step, clientv3.SortDescend)
		if err != nil {
			return nil, false, err
		}
		for _, kv := range kvs {
			before = strings.TrimPrefix(string(kv.Key), prefix)
			var v T
			if err := json.Unmarshal(kv.Value, &v); err != nil {
				return nil, false, fmt.Errorf("read %s: %w", kv.Key, err)
			}
			if !want(&v) {
				continue
			}
			if len(out) == limit {
				return out, true, nil
			}
			out = append(out, v)
		}
		if !more {
			return out, false, nil
		}
	}
}

// open are the operations of a resource, of all when that is "", that have not ended,
// the oldest first.
func (o *Operations) open(ctx context.Context, resource string) ([]kept, error) {
	kvs, _, err := o.s.page(ctx, o.prefix(), "", 0, clientv3.SortAscend)
	if err != nil {
		return nil, err
	}
	var open []kept
	for _, kv := range kvs {
		k, err := decodeOperation(kv)
		if err != nil {
			return nil, err
		}
		if !k.State.Ended() && (resource == "" || k.Resource == resource) {
			open = append(open, k)
		}
	}
	return open, nil
}

// Open are the operations of a resource, of all when that is "", that have not ended,
// the oldest first.
func (o *Operations) Open(ctx context.Context, resource string) ([]wire.Operation, error) {
	all, err := o.open(ctx, resource)
	out := make([]wire.Operation, len(all))
	for i, k := range all {
		out[i] = *k.Operation
	}
	return out, err
}

// Request makes an operation that changes no spec, such as a failover, of a resource
// that must exist.
func (c *Collection[S]) Request(ctx context.Context, by, name string, kind wire.OpKind, arguments map[string]string) (*wire.Operation, error) {
	var made *wire.Operation
	err := retry(ctx, func() (bool, error) {
		t, err := c.look(ctx, name, nil, false)
		if err != nil {
			return false, err
		}
		if err := c.changeable(t.resource, name, nil); err != nil {
			return false, err
		}
		made = c.operation(kind, name, by, t.resource.Version)
		made.Arguments = arguments
		return c.commit(ctx, []clientv3.Cmp{unchanged(c.key(name), t.mod)}, made)
	})
	if err != nil {
		return nil, err
	}
	c.s.trim(ctx)
	return made, nil
}

// SetProgress says how far an operation is, which is running from then on. One that
// has ended stays as it is.
func (o *Operations) SetProgress(ctx context.Context, f Fence, id string, p wire.Progress) error {
	return o.change(ctx, f, id, func(k kept) bool {
		if k.State == wire.Running && k.Progress == p {
			return false
		}
		k.State, k.Progress = wire.Running, p
		return true
	})
}

// Report says how far an operation is, whatever it was before; failure is why it has
// failed. One that has ended stays as it is.
func (o *Operations) Report(ctx context.Context, f Fence, id string, state wire.OpState, p wire.Progress, failure string) error {
	return o.change(ctx, f, id, func(k kept) bool {
		if k.State == state && k.Progress == p {
			return false
		}
		k.State, k.Progress = state, p
		if state.Ended() {
			k.Ended, k.Error = o.s.time(), failure
		}
		return true
	})
}

// Finish ends one operation; a failure says why it failed, "" that it is done.
func (o *Operations) Finish(ctx context.Context, f Fence, id, failure string) error {
	return o.change(ctx, f, id, func(k kept) bool {
		k.end(o.s.time(), failure)
		return true
	})
}

func (o *Operations) change(ctx context.Context, f Fence, id string, change func(kept) bool) error {
	return retry(ctx, func() (bool, error) {
		k, err := o.get(ctx, id)
		if err != nil {
			return false, err
		}
		if k.State.Ended() || !change(k) {
			return true, nil
		}
		return o.s.fenced(ctx, f, []clientv3.Cmp{unchanged(o.key(id), k.mod)}, put(o.key(id), k.Operation))
	})
}

// FinishUpTo ends the operations that create or update a resource up to a version,
// which is what it now is like.
func (o *Operations) FinishUpTo(ctx context.Context, f Fence, resource string, version int64, failure string) error {
	open, err := o.open(ctx, resource)
	if err != nil {
		return err
	}
	for _, k := range open {
		switch k.Kind {
		case wire.OpCreate, wire.OpRestore, wire.OpUpdate, wire.OpSnapshot:
			if k.Version > version {
				continue
			}
			if err := o.Finish(ctx, f, k.ID, failure); err != nil {
				return err
			}
		}
	}
	return nil
}

// trim removes the oldest operations that have ended and the oldest events when there
// are too many. It is a matter of tidiness: what goes wrong here goes right the next
// time.
func (s *Store) trim(ctx context.Context) {
	s.Events.trim(ctx)
	trim(ctx, s, s.Operations.prefix(), s.Operations.keep, func(kv *mvccpb.KeyValue) bool {
		k, err := decodeOperation(kv)
		return err == nil && k.State.Ended()
	})
}

// trim deletes the oldest keys of a prefix that may go, when there are more than keep
// and a tenth.
func trim(ctx context.Context, s *Store, prefix string, keep int, mayGo func(*mvccpb.KeyValue) bool) {
	count, err := s.etcd.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || int(count.Count) <= keep+keep/10 {
		return
	}
	kvs, _, err := s.page(ctx, prefix, "", int(count.Count)-keep, clientv3.SortAscend)
	if err != nil {
		return
	}
	var ops []clientv3.Op
	for _, kv := range kvs {
		if mayGo(kv) && len(ops) < maxTrimmed {
			ops = append(ops, clientv3.OpDelete(string(kv.Key)))
		}
	}
	if len(ops) > 0 {
		_, _ = s.etcd.Txn(ctx).Then(ops...).Commit()
	}
}

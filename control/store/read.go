package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Collection is all resources of a kind.
type Collection[S any] struct {
	s    *Store
	kind kind[S]
}

func (c *Collection[S]) prefix() string         { return root + c.kind.name + "/" }
func (c *Collection[S]) key(name string) string { return c.prefix() + name }

// ref is what a resource is called in operations, events and errors.
func (c *Collection[S]) ref(name string) string { return c.kind.name + "/" + name }

// Get reads one.
func (c *Collection[S]) Get(ctx context.Context, name string) (*wire.Resource[S], error) {
	r, _, err := c.get(ctx, name)
	return r, err
}

// get is Get with the key's ModRevision.
func (c *Collection[S]) get(ctx context.Context, name string) (*wire.Resource[S], int64, error) {
	resp, err := c.s.etcd.Get(ctx, c.key(name))
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", c.ref(name), err)
	}
	if len(resp.Kvs) == 0 {
		return nil, 0, fmt.Errorf("%s: %w", c.ref(name), ErrNotFound)
	}
	r, err := decode[S](resp.Kvs[0])
	return r, resp.Kvs[0].ModRevision, err
}

// errUnreadable: a newer program wrote it, or none of ours.
var errUnreadable = errors.New("unreadable")

func decode[S any](kv *mvccpb.KeyValue) (*wire.Resource[S], error) {
	r := new(wire.Resource[S])
	if err := json.Unmarshal(kv.Value, r); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUnreadable, kv.Key, err)
	}
	return r, nil
}

// List returns up to limit resources whose names come after a name, in the order of
// names, and whether there are more.
func (c *Collection[S]) List(ctx context.Context, after string, limit int) (page []wire.Resource[S], more bool, err error) {
	kvs, more, err := c.s.page(ctx, c.prefix(), after, limit, clientv3.SortAscend)
	if err != nil {
		return nil, false, err
	}
	page = make([]wire.Resource[S], 0, len(kvs))
	for _, kv := range kvs {
		r, err := decode[S](kv)
		if err != nil {
			return nil, false, err
		}
		page = append(page, *r)
	}
	return page, more, nil
}

// All returns every resource of the kind.
func (c *Collection[S]) All(ctx context.Context) ([]wire.Resource[S], error) {
	all, _, err := c.List(ctx, "", 0)
	return all, err
}

// page reads the keys of a prefix past one of them; limit 0 for all. Pages are read at
// the newest revision each: the nodes' log is trimmed and compacted every second, so
// an older one is soon gone.
func (s *Store) page(ctx context.Context, prefix, after string, limit int, order clientv3.SortOrder) ([]*mvccpb.KeyValue, bool, error) {
	from, end := prefix, clientv3.GetPrefixRangeEnd(prefix)
	if after != "" && order == clientv3.SortAscend {
		from = prefix + after + "\x00"
	} else if after != "" {
		end = prefix + after
	}
	resp, err := s.etcd.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(int64(limit)), clientv3.WithSort(clientv3.SortByKey, order))
	if err != nil {
		return nil, false, fmt.Errorf("list %s: %w", prefix, err)
	}
	return resp.Kvs, resp.More, nil
}

// target is what is read before a resource is changed, in one look.
type target[S any] struct {
	resource *wire.Resource[S] // nil: absent
	mod      int64             // ModRevision of its key, 0: absent
	revision int64             // of the look
	refs     map[string]*mvccpb.KeyValue
	ranges   [][]*mvccpb.KeyValue // of kind.usedBy
}

// look reads a resource and what matters for changing it.
func (c *Collection[S]) look(ctx context.Context, name string, refs []reference, usedBy bool) (*target[S], error) {
	ops := []clientv3.Op{clientv3.OpGet(c.key(name))}
	for _, r := range refs {
		ops = append(ops, clientv3.OpGet(root+r.kind+"/"+r.name))
	}
	if usedBy {
		for _, u := range c.kind.usedBy {
			ops = append(ops, clientv3.OpGet(root+u.kind+"/", clientv3.WithPrefix()))
		}
	}
	resp, err := c.s.etcd.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.ref(name), err)
	}
	t := &target[S]{revision: resp.Header.Revision, refs: map[string]*mvccpb.KeyValue{}}
	for i, one := range resp.Responses {
		kvs := one.GetResponseRange().Kvs
		switch {
		case i > len(refs):
			t.ranges = append(t.ranges, kvs)
		case len(kvs) == 0:
		case i == 0:
			if t.resource, err = decode[S](kvs[0]); err != nil {
				return nil, err
			}
			t.mod = kvs[0].ModRevision
		default:
			t.refs[string(kvs[0].Key)] = kvs[0]
		}
	}
	return t, nil
}

// checkRefs reports references to what is not there, and returns the comparisons that
// say that all else still is.
func (t *target[S]) checkRefs(refs []reference) ([]clientv3.Cmp, spec.Problems) {
	var cmps []clientv3.Cmp
	var problems spec.Problems
	for _, r := range refs {
		key := root + r.kind + "/" + r.name
		kv := t.refs[key]
		if kv == nil {
			problems = append(problems, spec.Problem{Path: r.path, Message: fmt.Sprintf("there is no %s: make it first", r.kind+"/"+r.name)})
			continue
		}
		var brief struct {
			Deleting *wire.Deletion `json:"deleting"`
		}
		if err := json.Unmarshal(kv.Value, &brief); err == nil && brief.Deleting != nil {
			problems = append(problems, spec.Problem{Path: r.path, Message: r.kind + "/" + r.name + " is being deleted"})
			continue
		}
		cmps = append(cmps, unchanged(key, kv.ModRevision))
	}
	return cmps, problems
}

// usedBy names the resources that refer to name, and returns the comparisons that say
// that nobody else has come to do so.
func (c *Collection[S]) usedBy(t *target[S], name string) (by []string, cmps []clientv3.Cmp) {
	for i, u := range c.kind.usedBy {
		prefix := root + u.kind + "/"
		for _, kv := range t.ranges[i] {
			var brief struct {
				Spec json.RawMessage `json:"spec"`
			}
			if json.Unmarshal(kv.Value, &brief) != nil || u.uses(brief.Spec, name) {
				by = append(by, string(kv.Key[len(root):]))
			}
		}
		// No key of the range has been written since.
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(prefix), "<", t.revision+1).WithPrefix())
	}
	return by, cmps
}

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/wire"
)

// Notice is what Follow tells.
type Notice[S any] struct {
	Name     string
	Resource *wire.Resource[S] // nil: it is gone
	// Synced: all that there was when Follow began, or began anew, has been told.
	// Such a notice has no Name.
	Synced bool
}

// Follow tells of every resource of the kind, and then of every change, in order,
// until ctx ends or it meets what it cannot read, which are its only errors. When etcd is away for a while or compacted
// what it had not told, it reads all again: what has gone meanwhile is told as gone, and
// of several changes of one resource only the last.
func (c *Collection[S]) Follow(ctx context.Context, tell func(Notice[S])) error {
	known := map[string]int64{} // ModRevision told last, by name
	for {
		err := c.follow(ctx, known, tell)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errUnreadable) {
			return err
		}
		if err != nil {
			if err := c.s.pause(ctx); err != nil {
				return err
			}
		}
	}
}

// follow is one list and the watch behind it.
func (c *Collection[S]) follow(ctx context.Context, known map[string]int64, tell func(Notice[S])) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.s.etcd.Get(ctx, c.prefix(), clientv3.WithPrefix())
	if err != nil {
		return fmt.Errorf("list %s: %w", c.kind.name, err)
	}
	there := map[string]bool{}
	for _, kv := range resp.Kvs {
		there[c.nameOf(kv)] = true
		if err := c.tell(kv, known, tell); err != nil {
			return err
		}
	}
	for name := range known {
		if !there[name] {
			delete(known, name)
			tell(Notice[S]{Name: name})
		}
	}
	tell(Notice[S]{Synced: true})
	watch := c.s.etcd.Watch(clientv3.WithRequireLeader(ctx), c.prefix(), clientv3.WithPrefix(), clientv3.WithRev(resp.Header.Revision+1))
	for batch := range watch {
		if err := batch.Err(); err != nil {
			return fmt.Errorf("watch %s: %w", c.kind.name, err)
		}
		for _, ev := range batch.Events {
			if ev.Type == mvccpb.Event_DELETE {
				name := c.nameOf(ev.Kv)
				delete(known, name)
				tell(Notice[S]{Name: name})
			} else if err := c.tell(ev.Kv, known, tell); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("watch %s: ended", c.kind.name)
}

// Changes calls changed with the name of each resource (kind/name) that changes, or of
// which an operation begins, and with "" when any may have, until ctx ends.
func (s *Store) Changes(ctx context.Context, changed func(resource string)) error {
	for {
		s.changes(ctx, changed)
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

// changes is one watch, which ends when etcd is away or has compacted what it had not
// told.
func (s *Store) changes(ctx context.Context, changed func(resource string)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	now, err := s.etcd.Get(ctx, root, clientv3.WithCountOnly())
	if err != nil {
		return
	}
	changed("") // whoever reads from here on sees at least that revision
	for batch := range s.etcd.Watch(clientv3.WithRequireLeader(ctx), root, clientv3.WithPrefix(), clientv3.WithRev(now.Header.Revision+1)) {
		if batch.Err() != nil {
			return
		}
		for _, ev := range batch.Events {
			if resource := concerned(ev); resource != "" {
				changed(resource)
			}
		}
	}
}

// concerned is the resource that an event of etcd is about, "" for none.
func concerned(ev *clientv3.Event) string {
	kind, name, _ := strings.Cut(strings.TrimPrefix(string(ev.Kv.Key), root), "/")
	switch kind {
	case wire.Clusters, wire.Users, wire.ACLs, wire.ParameterGroups, wire.Snapshots:
		return kind + "/" + name
	case operations:
		var op wire.Operation
		if ev.IsCreate() && json.Unmarshal(ev.Kv.Value, &op) == nil {
			return op.Resource
		}
	}
	return ""
}

func (c *Collection[S]) nameOf(kv *mvccpb.KeyValue) string {
	return strings.TrimPrefix(string(kv.Key), c.prefix())
}

// tell passes a resource on, once.
func (c *Collection[S]) tell(kv *mvccpb.KeyValue, known map[string]int64, tell func(Notice[S])) error {
	name := c.nameOf(kv)
	if known[name] == kv.ModRevision {
		return nil
	}
	r, err := decode[S](kv)
	if err != nil {
		return err
	}
	known[name] = kv.ModRevision
	tell(Notice[S]{Name: name, Resource: r})
	return nil
}

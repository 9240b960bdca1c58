package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/etcdwatch"
)

// Changes calls changed with the name of each resource (kind/name) that changes, or of
// which an operation begins, and with "" when any may have, until ctx ends. It survives
// etcd being away.
func (s *Store) Changes(ctx context.Context, changed func(resource string)) error {
	w := etcdwatch.Watcher{
		Client: s.etcd, Log: slog.New(slog.DiscardHandler),
		Passing: func(error) (string, bool) { return "cannot read the control plane's keys", true },
	}
	return w.Keep(ctx, &changesView{etcd: s.etcd, changed: changed}, root, clientv3.WithPrefix())
}

// changesView is the view behind Changes.
type changesView struct {
	etcd    *clientv3.Client
	changed func(resource string)
	seen    *state // nil before the first Sync
}

// state is different whenever a key has changed, come or gone.
type state struct{ keys, newest int64 }

// Sync tells that any resource may have changed unless nothing has since the last time:
// who reads from then on sees at least the revision returned.
func (v *changesView) Sync(ctx context.Context) (int64, error) {
	resp, err := v.etcd.Get(ctx, root, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(1),
		clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend))
	if err != nil {
		return 0, fmt.Errorf("look for changes: %w", err)
	}
	now := state{keys: resp.Count}
	if len(resp.Kvs) > 0 {
		now.newest = resp.Kvs[0].ModRevision
	}
	if v.seen == nil || now != *v.seen {
		v.seen = &now
		v.changed("")
	}
	return resp.Header.Revision, nil
}

func (v *changesView) Apply(_ context.Context, events []*clientv3.Event, _ bool) error {
	for _, ev := range events {
		if resource := concerned(ev); resource != "" {
			v.changed(resource)
		}
	}
	return nil
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

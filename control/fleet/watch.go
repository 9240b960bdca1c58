package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/redoubtdb/redoubt/internal/etcdwatch"
)

// Overview is all that is known of a fleet.
type Overview struct {
	Hosts    map[string]Host                  // by id: those whose agents live
	Assigned map[string]map[string]Assignment // by host and node
	Statuses map[string]map[string]Status     // by host and node
}

// Assignments lists what a host is to run, by node.
func (f *Fleet) Assignments(ctx context.Context, host string) ([]Assignment, error) {
	t := newTable[Assignment](f, assignedTo(host), nil)
	_, err := t.Sync(ctx)
	return t.list(), err
}

// WatchAssignments calls fn with all that a host is to run, by node, now and after
// each change, until ctx ends. It survives etcd being away. A value that it cannot
// read ends it: what is not understood must not be taken for gone.
func (f *Fleet) WatchAssignments(ctx context.Context, host string, fn func([]Assignment)) error {
	t := newTable[Assignment](f, assignedTo(host), nil)
	t.tell = func() { fn(t.list()) }
	return t.keep(ctx)
}

// Overview reads the fleet.
func (f *Fleet) Overview(ctx context.Context) (Overview, error) {
	w := newWhole(f, nil)
	for _, t := range w.parts {
		if _, err := t.Sync(ctx); err != nil {
			return Overview{}, err
		}
	}
	return w.overview(), nil
}

// Watch calls fn with the fleet, now and after each change, until ctx ends. It
// survives etcd being away. fn owns what it is given, and is called by one goroutine
// at a time.
func (f *Fleet) Watch(ctx context.Context, fn func(Overview)) error {
	w := newWhole(f, fn)
	g, gctx := errgroup.WithContext(ctx)
	for _, t := range w.parts {
		g.Go(func() error { return t.keep(gctx) })
	}
	err := g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// kept is a table of whatever it holds.
type kept interface {
	etcdwatch.View
	keep(ctx context.Context) error
}

// whole is the tables of a fleet, and whoever is told of changes.
type whole struct {
	hosts    *table[Host]
	draining *table[bool]
	assigned *table[Assignment]
	statuses *table[Status]
	parts    []kept

	mu sync.Mutex
	fn func(Overview)
}

func newWhole(f *Fleet, fn func(Overview)) *whole {
	w := &whole{fn: fn}
	w.hosts = newTable[Host](f, hostsPrefix, &w.mu)
	w.draining = newTable[bool](f, drainingPrefix, &w.mu)
	w.assigned = newTable[Assignment](f, assignedPrefix, &w.mu)
	w.statuses = newTable[Status](f, statusPrefix, &w.mu)
	w.hosts.tell, w.draining.tell, w.assigned.tell, w.statuses.tell = w.tell, w.tell, w.tell, w.tell
	w.parts = []kept{w.hosts, w.draining, w.assigned, w.statuses}
	return w
}

// tell is called with mu held.
func (w *whole) tell() {
	if w.fn != nil && w.hosts.read && w.draining.read && w.assigned.read && w.statuses.read {
		w.fn(w.overview())
	}
}

func (w *whole) overview() Overview {
	s := Overview{Hosts: map[string]Host{}, Assigned: byHost(w.assigned.values), Statuses: byHost(w.statuses.values)}
	for id, h := range w.hosts.values {
		h.Draining = w.draining.values[id]
		s.Hosts[id] = h
	}
	return s
}

// byHost splits the keys "host/node".
func byHost[T any](all map[string]T) map[string]map[string]T {
	out := map[string]map[string]T{}
	for key, v := range all {
		host, node, _ := strings.Cut(key, "/")
		if out[host] == nil {
			out[host] = map[string]T{}
		}
		out[host][node] = v
	}
	return out
}

// table is all values below a prefix, by the rest of their keys.
type table[T any] struct {
	f      *Fleet
	prefix string
	tell   func() // nil: nobody listens
	mu     sync.Locker
	values map[string]T
	read   bool
}

// newTable makes a table that mu guards, nil for one that nobody else looks at.
func newTable[T any](f *Fleet, prefix string, mu sync.Locker) *table[T] {
	if mu == nil {
		mu = &sync.Mutex{}
	}
	return &table[T]{f: f, prefix: prefix, mu: mu}
}

func (t *table[T]) keep(ctx context.Context) error {
	w := etcdwatch.Watcher{Client: t.f.cli, Log: t.f.log}
	return w.Keep(ctx, t, t.prefix, clientv3.WithPrefix())
}

// Sync is of etcdwatch.View.
func (t *table[T]) Sync(ctx context.Context) (int64, error) {
	resp, err := t.f.txn(ctx, "list "+t.prefix, nil, []clientv3.Op{clientv3.OpGet(t.prefix, clientv3.WithPrefix())}, nil)
	if err != nil {
		return 0, err
	}
	values := map[string]T{}
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		if err := t.set(values, kv); err != nil {
			return 0, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.values, t.read = values, true
	t.changed()
	return resp.Header.Revision, nil
}

// Apply is of etcdwatch.View.
func (t *table[T]) Apply(_ context.Context, events []*clientv3.Event, last bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ev := range events {
		if ev.Type != clientv3.EventTypePut {
			delete(t.values, strings.TrimPrefix(string(ev.Kv.Key), t.prefix))
		} else if err := t.set(t.values, ev.Kv); err != nil {
			return err
		}
	}
	if last {
		t.changed()
	}
	return nil
}

func (t *table[T]) changed() {
	if t.tell != nil {
		t.tell()
	}
}

func (t *table[T]) set(values map[string]T, kv *mvccpb.KeyValue) error {
	var v T
	if err := json.Unmarshal(kv.Value, &v); err != nil {
		return fmt.Errorf("%w: etcd key %s: %v", ErrCorrupt, kv.Key, err)
	}
	values[strings.TrimPrefix(string(kv.Key), t.prefix)] = v
	return nil
}

// list is the values in the order of their keys.
func (t *table[T]) list() []T {
	out := make([]T, 0, len(t.values))
	for _, k := range slices.Sorted(maps.Keys(t.values)) {
		out = append(out, t.values[k])
	}
	return out
}

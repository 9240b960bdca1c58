// Package etcdwatch keeps something current from etcd: read as a whole, then changed
// by the events of a watch that begins where the read ended. etcd being away,
// compaction, watches that break, go deaf or come faster than they are taken are
// lived through: what they may have cost is read again.
package etcdwatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/internal/backoff"
)

// View is what is kept current.
type View interface {
	// Sync reads the current state linearizably, trying until ctx ends, and
	// returns the revision it was read at. It is called again at any time; what
	// was seen before must do no harm.
	Sync(ctx context.Context) (rev int64, err error)
	// Apply takes the events of one watch response, in order, none at or before
	// the last Sync's revision. last tells that no further ones wait now.
	Apply(ctx context.Context, events []*clientv3.Event, last bool) error
}

// ErrResync, from a View's Apply, asks for the view to be read anew.
var ErrResync = errors.New("etcdwatch: read again")

// errWatch: a watch ended; what was watched must be read again.
var errWatch = errors.New("etcdwatch: watch ended")

// Defaults of a Watcher.
const (
	DefaultAudit      = 10 * time.Second
	DefaultQueueLen   = 4096
	DefaultQueueBytes = 64 << 20
)

// Watcher keeps views current. Client and Log must be set.
type Watcher struct {
	Client     *clientv3.Client
	Log        *slog.Logger
	Audit      time.Duration // silence after which a watch is checked against a read
	QueueLen   int           // watch responses waiting for a view
	QueueBytes int64         // bytes of them
	// Passing tells which errors of the view's own pass by themselves, and what to
	// log of them. nil: none.
	Passing func(error) (what string, ok bool)
}

// Keep drives a view until ctx ends or the view fails for good.
func (w Watcher) Keep(ctx context.Context, v View, key string, opts ...clientv3.OpOption) error {
	setDefault(&w.Audit, DefaultAudit)
	setDefault(&w.QueueLen, DefaultQueueLen)
	setDefault(&w.QueueBytes, DefaultQueueBytes)
	var b backoff.Backoff
	for {
		rev, err := v.Sync(ctx)
		if err == nil {
			began := time.Now()
			err = w.watch(ctx, v, rev, key, opts)
			if time.Since(began) > backoff.Max {
				b.Reset() // one that breaks at once is no recovery
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrResync), errors.Is(err, rpctypes.ErrCompacted):
			w.Log.Debug("reading again", "key", key, "why", err)
			continue
		}
		what, passes := w.passing(err)
		if !passes {
			return err
		}
		w.Log.Warn(what+", trying again", "key", key, "err", err)
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return cause
		}
	}
}

// passing tells what passes by itself from what a view found wrong.
func (w Watcher) passing(err error) (what string, ok bool) {
	if errors.Is(err, errWatch) {
		return "lost touch with etcd", true
	}
	if w.Passing == nil {
		return "", false
	}
	return w.Passing(err)
}

// watch applies what happens after rev. It returns ErrResync, rpctypes.ErrCompacted
// or errWatch when the view has to be read again, or the view's own error.
func (w Watcher) watch(ctx context.Context, v View, rev int64, key string, opts []clientv3.OpOption) error {
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := newQueue(w.QueueLen, w.QueueBytes)
	// Without a leader a member cannot know what it misses: better an error.
	opts = append(slices.Clone(opts), clientv3.WithRev(rev+1), clientv3.WithFragment())
	ch := w.Client.Watch(clientv3.WithRequireLeader(wctx), key, opts...)
	go func() {
		// A full queue ends the watch at once: what nobody takes off it would
		// pile up in the client.
		defer cancel()
		q.fill(wctx, ch)
	}()
	defer func() { cancel(); <-q.done }()

	audit := time.NewTimer(w.Audit)
	defer audit.Stop()
	for {
		select {
		case resp, ok := <-q.c:
			if !ok {
				return q.why()
			}
			q.took(resp)
			events := eventsAfter(resp.Events, rev)
			if len(events) == 0 {
				continue
			}
			if err := v.Apply(ctx, events, len(q.c) == 0); err != nil {
				return err
			}
			audit.Reset(w.Audit)
		case <-audit.C:
			// A watch that went deaf looks like one on which nothing happens.
			synced, err := v.Sync(ctx)
			if err != nil {
				return err
			}
			rev = max(rev, synced)
			audit.Reset(w.Audit)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// eventsAfter drops what a read at rev has shown already.
func eventsAfter(events []*clientv3.Event, rev int64) []*clientv3.Event {
	for i, ev := range events {
		if ev.Kv.ModRevision > rev {
			return events[i:]
		}
	}
	return nil
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

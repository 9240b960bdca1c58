package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// view is something kept current from etcd: read as a whole, then changed by
// events.
type view interface {
	// sync reads the current state linearizably and returns the revision it
	// was read at. It is called again at any time; what was seen before must
	// do no harm.
	sync(ctx context.Context) (rev int64, err error)
	// apply takes the events of one watch response, in order, none at or before
	// the last sync's revision. last tells that no further ones wait now.
	apply(ctx context.Context, events []*clientv3.Event, last bool) error
}

// errResync asks the driver to read the view anew.
var errResync = errors.New("etcdfence: read again")

// keepCurrent drives a view until ctx ends or the view fails for good. etcd
// being away, compaction and broken watches are lived through.
func (s *Shard) keepCurrent(ctx context.Context, v view, key string, opts ...clientv3.OpOption) error {
	var b backoff
	for {
		rev, err := v.sync(ctx)
		if err == nil {
			began := time.Now()
			err = s.watch(ctx, v, rev, key, opts)
			if time.Since(began) > backoffMax {
				b.reset() // one that breaks at once is no recovery
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errResync), errors.Is(err, rpctypes.ErrCompacted):
			s.log.Debug("reading again", "key", key, "why", err)
			continue
		case !transient(err):
			return err
		}
		lost := "lost touch with etcd, trying again"
		if errors.Is(err, errUnresolved) {
			lost = "cannot read an entry from object storage, trying again"
		}
		s.log.Warn(lost, "key", key, "err", err)
		if cause := sleep(ctx, b.next()); cause != nil {
			return cause
		}
	}
}

// errWatch: a watch ended; what was watched must be read again.
var errWatch = errors.New("etcdfence: watch ended")

// transient tells what passes by itself from what a view found wrong.
func transient(err error) bool {
	return errors.Is(err, errWatch) || errors.Is(err, errUnresolved)
}

// watch applies what happens after rev. It returns errResync, rpctypes.ErrCompacted
// or errWatch when the view has to be read again, or the view's own error.
func (s *Shard) watch(ctx context.Context, v view, rev int64, key string, opts []clientv3.OpOption) error {
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := newWatchQueue(s.tune.queueLen, s.tune.queueBytes)
	// Without a leader a member cannot know what it misses: better an error.
	opts = append(opts, clientv3.WithRev(rev+1), clientv3.WithFragment())
	ch := s.cli.Watch(clientv3.WithRequireLeader(wctx), key, opts...)
	go func() {
		// A full queue ends the watch at once: what nobody takes off it would
		// pile up in the client.
		defer cancel()
		q.fill(wctx, ch)
	}()
	defer func() { cancel(); <-q.done }()

	audit := time.NewTimer(s.tune.audit)
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
			if err := v.apply(ctx, events, len(q.c) == 0); err != nil {
				return err
			}
			audit.Reset(s.tune.audit)
		case <-audit.C:
			// A watch that went deaf looks like one on which nothing happens.
			synced, err := v.sync(ctx)
			if err != nil {
				return err
			}
			rev = max(rev, synced)
			audit.Reset(s.tune.audit)
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

// watchQueue stands between etcd's client, which buffers watch responses
// without bound, and a handler that may be slow. When it is full the watch is
// given up: its reader catches up with paged reads, which wait for it.
type watchQueue struct {
	c        chan clientv3.WatchResponse
	bytes    atomic.Int64
	maxBytes int64
	err      error // set before c is closed
	done     chan struct{}
}

func newWatchQueue(n int, maxBytes int64) *watchQueue {
	return &watchQueue{c: make(chan clientv3.WatchResponse, n), maxBytes: maxBytes, done: make(chan struct{})}
}

// fill moves responses from ch until ch ends, fails or the queue is full.
func (q *watchQueue) fill(ctx context.Context, ch clientv3.WatchChan) {
	defer close(q.done)
	defer close(q.c)
	for {
		select {
		case resp, ok := <-ch:
			if !ok {
				q.err = fmt.Errorf("%w: closed", errWatch)
				return
			}
			if err := resp.Err(); errors.Is(err, rpctypes.ErrCompacted) {
				q.err = err
				return
			} else if err != nil {
				q.err = fmt.Errorf("%w: %w", errWatch, err)
				return
			}
			if q.bytes.Add(responseBytes(resp)) > q.maxBytes && len(q.c) > 0 {
				q.err = fmt.Errorf("%w: %d bytes of events wait", errResync, q.bytes.Load())
				return
			}
			select {
			case q.c <- resp:
			default:
				q.err = fmt.Errorf("%w: %d watch responses wait", errResync, len(q.c))
				return
			}
		case <-ctx.Done():
			q.err = context.Cause(ctx)
			return
		}
	}
}

func (q *watchQueue) took(resp clientv3.WatchResponse) { q.bytes.Add(-responseBytes(resp)) }

// why is what ended the queue; only after c was closed.
func (q *watchQueue) why() error { return q.err }

func responseBytes(resp clientv3.WatchResponse) int64 {
	var n int64
	for _, ev := range resp.Events {
		n += int64(len(ev.Kv.Key) + len(ev.Kv.Value))
	}
	return n
}

package etcdwatch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// queue stands between etcd's client, which buffers watch responses
// without bound, and a handler that may be slow. When it is full the watch is
// given up: its reader catches up with paged reads, which wait for it.
type queue struct {
	c        chan clientv3.WatchResponse
	bytes    atomic.Int64
	maxBytes int64
	err      error // set before c is closed
	done     chan struct{}
}

func newQueue(n int, maxBytes int64) *queue {
	return &queue{c: make(chan clientv3.WatchResponse, n), maxBytes: maxBytes, done: make(chan struct{})}
}

// fill moves responses from ch until ch ends, fails or the queue is full.
func (q *queue) fill(ctx context.Context, ch clientv3.WatchChan) {
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
				q.err = fmt.Errorf("%w: %d bytes of events wait", ErrResync, q.bytes.Load())
				return
			}
			select {
			case q.c <- resp:
			default:
				q.err = fmt.Errorf("%w: %d watch responses wait", ErrResync, len(q.c))
				return
			}
		case <-ctx.Done():
			q.err = context.Cause(ctx)
			return
		}
	}
}

func (q *queue) took(resp clientv3.WatchResponse) { q.bytes.Add(-responseBytes(resp)) }

// why is what ended the queue; only after c was closed.
func (q *queue) why() error { return q.err }

func responseBytes(resp clientv3.WatchResponse) int64 {
	var n int64
	for _, ev := range resp.Events {
		n += int64(len(ev.Kv.Key) + len(ev.Kv.Value))
	}
	return n
}

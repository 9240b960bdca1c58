package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/internal/etcderr"
)

const (
	// reportEvery is the least time between two writes of a Reporter.
	reportEvery = 100 * time.Millisecond
	// reportOps bounds one of its transactions.
	reportOps = 100
)

// Reporter writes how a host's nodes fare: what has changed, and at a bounded rate;
// of changes that come faster the last counts. It owns one goroutine.
type Reporter struct {
	f      *Fleet
	host   string
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // capacity 1

	mu   sync.Mutex
	want map[string]string // by node; nil: nothing was said yet
	err  error

	written map[string]string // the goroutine's: what etcd has; nil: not known
	closing sync.Once
}

// Report begins to report for a host. Statuses there that Set does not name are
// removed with the first Set.
func (f *Fleet) Report(host string) *Reporter {
	r := &Reporter{f: f, host: host, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Set says how all nodes of the host fare. It does not wait.
func (r *Reporter) Set(all []Status) {
	want := make(map[string]string, len(all))
	for _, s := range all {
		want[s.Node] = encode(s)
	}
	r.mu.Lock()
	r.want = want
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Err is what etcd refused for good; nothing is reported after it.
func (r *Reporter) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close writes what was said last, trying until ctx ends, and stops. It is
// idempotent.
func (r *Reporter) Close(ctx context.Context) (err error) {
	r.closing.Do(func() {
		r.cancel()
		<-r.done
		if r.Err() == nil {
			err = r.f.retry(ctx, "report status", func() error { return r.flush(ctx) })
		}
	})
	return err
}

func (r *Reporter) run() {
	defer close(r.done)
	var b backoff.Backoff
	for {
		select {
		case <-r.wake:
		case <-r.ctx.Done():
			return
		}
		wait := reportEvery
		if err := r.flush(r.ctx); etcderr.Permanent(err) && r.ctx.Err() == nil {
			r.mu.Lock()
			r.err = fmt.Errorf("report status of %s: %w", r.host, err)
			r.mu.Unlock()
			r.f.log.Error("the status of nodes is not reported any more", "err", err)
			return
		} else if err != nil {
			r.f.log.Debug("status not written, trying again", "err", err)
			wait = max(wait, b.Next())
			select {
			case r.wake <- struct{}{}:
			default:
			}
		} else {
			b.Reset()
		}
		if backoff.Sleep(r.ctx, wait) != nil {
			return
		}
	}
}

// flush writes the difference between what is to be there and what is.
func (r *Reporter) flush(ctx context.Context) error {
	r.mu.Lock()
	want := r.want
	r.mu.Unlock()
	if want == nil {
		return nil
	}
	if r.written == nil {
		resp, err := r.f.do(ctx, nil, []clientv3.Op{clientv3.OpGet(statusOf(r.host), clientv3.WithPrefix())}, nil)
		if err != nil {
			return err
		}
		r.written = map[string]string{}
		for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
			r.written[string(kv.Key)[len(statusOf(r.host)):]] = string(kv.Value)
		}
	}
	ops := r.difference(want)
	for part := range slices.Chunk(ops, reportOps) {
		if _, err := r.f.do(ctx, nil, part, nil); err != nil {
			r.written = nil // some of it may have been written
			return err
		}
	}
	r.written = maps.Clone(want)
	return nil
}

func (r *Reporter) difference(want map[string]string) []clientv3.Op {
	var ops []clientv3.Op
	for _, node := range slices.Sorted(maps.Keys(want)) {
		if have, ok := r.written[node]; !ok || have != want[node] {
			ops = append(ops, clientv3.OpPut(statusKey(r.host, node), want[node]))
		}
	}
	for _, node := range slices.Sorted(maps.Keys(r.written)) {
		if _, ok := want[node]; !ok {
			ops = append(ops, clientv3.OpDelete(statusKey(r.host, node)))
		}
	}
	return ops
}

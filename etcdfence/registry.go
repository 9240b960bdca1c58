package etcdfence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Registration keeps nodes/<id> in etcd for as long as the process lives. It
// owns one goroutine, which renews the lease, registers anew when the lease was
// lost, and writes what Update says.
type Registration struct {
	s      *Shard
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // capacity 1: info changed
	lease  lease         // the goroutine's, once Register has returned

	mu      sync.Mutex
	info    NodeInfo
	err     error
	closing sync.Once
	endErr  error // of Close
}

// Register makes info known under the node's own lease, trying until ctx ends.
// A registration that an earlier process of the same node left behind is taken
// over. info.ID must satisfy CheckName.
func (s *Shard) Register(ctx context.Context, info NodeInfo) (*Registration, error) {
	if err := CheckName(info.ID); err != nil {
		return nil, fmt.Errorf("register node: %w", err)
	}
	r := &Registration{s: s, id: info.ID, info: info, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	err := s.retry(ctx, "register node", func() (err error) {
		if r.lease, err = s.grant(ctx, s.o.NodeTTL); err != nil {
			return err
		}
		_, err = s.do(ctx, "put", requestTimeout, clientv3.OpTxn(nil, []clientv3.Op{r.put(info)}, nil))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("register node %s: %w", info.ID, err)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	go r.run()
	return r, nil
}

// Update replaces what is known of the node; the ID stays. It does not wait:
// updates that come faster than etcd takes them are merged into the last.
func (r *Registration) Update(info NodeInfo) {
	r.mu.Lock()
	info.ID = r.id
	r.info = info
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Done is closed when the registration has ended; Err then tells why.
func (r *Registration) Done() <-chan struct{} { return r.done }

// Err is nil while the node is registered and after Close; ErrReplaced when
// another process took over the node's id; else what etcd refused for good.
func (r *Registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close ends the registration and deletes it, trying for as long as its lease
// could last. It is idempotent.
func (r *Registration) Close() error {
	r.closing.Do(func() {
		r.cancel()
		<-r.done
		ctx, cancel := context.WithTimeout(context.Background(), r.lease.ttl)
		defer cancel()
		r.endErr = r.s.revoke(ctx, r.lease.id)
	})
	return r.endErr
}

func (r *Registration) run() {
	defer close(r.done)
	var b backoff.Backoff
	renewed := r.lease.sent
	for {
		timer := time.NewTimer(renewEvery(r.lease.ttl) - r.s.clk.read().since(renewed))
		var err error
		select {
		case <-timer.C:
			asked := r.s.clk.read()
			if _, _, err = r.s.renew(r.ctx, r.lease.id, renewTimeout(r.lease.ttl)); err == nil {
				renewed = asked
			}
		case <-r.wake:
			err = r.write()
		case <-r.ctx.Done():
		}
		timer.Stop()
		if leaseGone(err) {
			if err = r.again(); err == nil {
				renewed = r.lease.sent
			}
		}
		switch {
		case r.ctx.Err() != nil:
			return
		case err == nil:
			b.Reset()
			continue
		case errors.Is(err, ErrReplaced), permanent(err) && !leaseGone(err):
			r.s.log.Error("node is not registered any more", "err", err)
			r.mu.Lock()
			r.err = err
			r.mu.Unlock()
			return
		}
		r.s.log.Warn("registration not renewed, trying again", "err", err)
		r.rewake()
		_ = backoff.Sleep(r.ctx, b.Next())
	}
}

// rewake makes the goroutine write again: an update may have been lost.
func (r *Registration) rewake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// again registers after the lease was lost.
func (r *Registration) again() error {
	l, err := r.s.grant(r.ctx, r.s.o.NodeTTL)
	if err != nil {
		return err
	}
	old := r.lease.id
	r.lease = l
	r.s.log.Info("registering again, the node's lease was lost")
	return r.swap(clientv3.Compare(clientv3.CreateRevision(r.key()), "=", 0), old)
}

// write puts the current info under the lease it is registered with.
func (r *Registration) write() error {
	return r.swap(clientv3.Compare(clientv3.LeaseValue(r.key()), "=", r.lease.id), r.lease.id)
}

// swap puts the current info if cond holds, or if the key hangs on a lease that
// this registration has or had. Another lease is another process's.
func (r *Registration) swap(cond clientv3.Cmp, old clientv3.LeaseID) error {
	r.mu.Lock()
	info := r.info
	r.mu.Unlock()
	for {
		resp, err := r.s.do(r.ctx, "put", requestTimeout, clientv3.OpTxn(
			[]clientv3.Cmp{cond}, []clientv3.Op{r.put(info)}, []clientv3.Op{clientv3.OpGet(r.key())}))
		if err != nil || resp.Succeeded {
			return err
		}
		kv := kvOf(resp, 0)
		switch {
		case kv == nil:
			cond = clientv3.Compare(clientv3.CreateRevision(r.key()), "=", 0)
		case kv.Lease == int64(old) || kv.Lease == int64(r.lease.id):
			cond = clientv3.Compare(clientv3.ModRevision(r.key()), "=", kv.ModRevision)
		default:
			return fmt.Errorf("%w: %s", ErrReplaced, kv.Value)
		}
	}
}

func (r *Registration) key() string { return r.s.k.node(r.id) }

func (r *Registration) put(info NodeInfo) clientv3.Op {
	return clientv3.OpPut(r.key(), mustJSON(info), clientv3.WithLease(r.lease.id))
}

// Nodes lists the registered nodes of the whole cluster, by id.
func (s *Shard) Nodes(ctx context.Context) ([]NodeInfo, error) {
	v := nodesView{s: s}
	if _, err := v.Sync(ctx); err != nil {
		return nil, err
	}
	return v.list(), nil
}

// WatchNodes calls fn with all registered nodes of the cluster, by id, now and
// after each change, until ctx ends. It survives etcd being away.
func (s *Shard) WatchNodes(ctx context.Context, fn func([]NodeInfo)) error {
	return s.keepCurrent(ctx, &nodesView{s: s, fn: fn}, s.k.nodes, clientv3.WithPrefix())
}

// nodesView is the view behind Nodes and WatchNodes.
type nodesView struct {
	s     *Shard
	fn    func([]NodeInfo)
	nodes map[string]NodeInfo // by key
	told  []NodeInfo
}

func (v *nodesView) Sync(ctx context.Context) (int64, error) {
	resp, err := v.s.read(ctx, clientv3.OpGet(v.s.k.nodes, clientv3.WithPrefix()))
	if err != nil {
		return 0, fmt.Errorf("list nodes: %w", err)
	}
	v.nodes = make(map[string]NodeInfo)
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		if err := v.set(kv); err != nil {
			return 0, err
		}
	}
	v.tell()
	return resp.Header.Revision, nil
}

func (v *nodesView) Apply(_ context.Context, events []*clientv3.Event, last bool) error {
	for _, ev := range events {
		if ev.Type != clientv3.EventTypePut {
			delete(v.nodes, string(ev.Kv.Key))
		} else if err := v.set(ev.Kv); err != nil {
			return err
		}
	}
	if last {
		v.tell()
	}
	return nil
}

func (v *nodesView) set(kv *mvccpb.KeyValue) error {
	var n NodeInfo
	if err := json.Unmarshal(kv.Value, &n); err != nil {
		return fmt.Errorf("%w: etcd key %s: %v", wal.ErrCorrupt, kv.Key, err)
	}
	v.nodes[string(kv.Key)] = n
	return nil
}

func (v *nodesView) list() []NodeInfo {
	out := make([]NodeInfo, 0, len(v.nodes))
	for _, n := range v.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b NodeInfo) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// tell calls fn when there is something new.
func (v *nodesView) tell() {
	now := v.list()
	if v.fn == nil || v.told != nil && slices.Equal(now, v.told) {
		return
	}
	v.told = now
	v.fn(slices.Clone(now))
}

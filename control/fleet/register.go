package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/internal/etcderr"
)

// HostTakenError is ErrHostTaken with who has it.
type HostTakenError struct{ Holder Host }

func (e *HostTakenError) Error() string {
	return fmt.Sprintf("host id %s is taken by an agent at %s in %s, started %s: stop that one, or give this one another id",
		e.Holder.ID, e.Holder.Address, e.Holder.AZ, e.Holder.Started.UTC().Format(time.RFC3339))
}

// Is makes errors.Is(err, ErrHostTaken) true.
func (e *HostTakenError) Is(target error) bool { return target == ErrHostTaken }

// Registration keeps a host known for as long as the agent lives. It owns one
// goroutine, which renews the lease and registers again when it was lost.
type Registration struct {
	f      *Fleet
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	host  Host
	lease clientv3.LeaseID // 0: not registered at this moment
	err   error

	closing sync.Once
	endErr  error // of Close
}

// Register makes a host known, trying until ctx ends. It fails with ErrHostTaken
// while an agent of another Instance is registered under the host's ID; a
// registration that an earlier process of the same Instance left behind is taken
// over: the caller sees to it that there is one at a time.
func (f *Fleet) Register(ctx context.Context, host Host) (*Registration, error) {
	if err := etcdfence.CheckName(host.ID); err != nil {
		return nil, fmt.Errorf("host id: %w", err)
	}
	host.Draining = false
	r := &Registration{f: f, host: host, done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	kept, err := r.register(ctx)
	if err != nil {
		r.cancel()
		return nil, fmt.Errorf("register host %s: %w", host.ID, err)
	}
	go r.run(kept)
	return r, nil
}

// Registered tells whether the host is known at this moment.
func (r *Registration) Registered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease != 0
}

// Update changes what is said of the host, once: it is for the caller to try again.
// ID and Instance stay.
func (r *Registration) Update(ctx context.Context, host Host) error {
	r.mu.Lock()
	host.ID, host.Instance, host.Draining = r.host.ID, r.host.Instance, false
	r.host = host // when the lease was lost, the next registration says it
	lease := r.lease
	r.mu.Unlock()
	if lease == 0 {
		return nil
	}
	key := hostKey(host.ID)
	_, err := r.f.do(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.LeaseValue(key), "=", lease)},
		[]clientv3.Op{clientv3.OpPut(key, encode(host), clientv3.WithLease(lease))}, nil)
	if err != nil {
		return fmt.Errorf("update host %s: %w", host.ID, err)
	}
	return nil
}

// Done is closed when the registration has ended; Err then tells why.
func (r *Registration) Done() <-chan struct{} { return r.done }

// Err is nil while the registration is kept and after Close; ErrHostTaken when
// another agent took the id while this one was away; else what etcd refused for good.
func (r *Registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Leave ends the renewal: the host stays known until its lease runs out, for an agent
// that is about to come back.
func (r *Registration) Leave() {
	r.closing.Do(func() {
		r.cancel()
		<-r.done
	})
}

// Close ends the registration and deletes it, trying for as long as its lease could
// last. It is idempotent.
func (r *Registration) Close() error {
	r.closing.Do(func() {
		r.cancel()
		<-r.done
		r.mu.Lock()
		lease := r.lease
		r.lease = 0
		r.mu.Unlock()
		if lease == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), r.f.ttl)
		defer cancel()
		r.endErr = r.f.revoke(ctx, lease)
	})
	return r.endErr
}

func (r *Registration) run(kept <-chan *clientv3.LeaseKeepAliveResponse) {
	defer close(r.done)
	for {
		for range kept {
			// Each is a renewal; the channel's end says that the lease is lost.
		}
		if r.ctx.Err() != nil {
			return
		}
		r.f.log.Warn("the host's lease was lost, registering again")
		r.mu.Lock()
		r.lease = 0
		r.mu.Unlock()
		var err error
		if kept, err = r.register(r.ctx); err != nil {
			if r.ctx.Err() == nil {
				r.mu.Lock()
				r.err = fmt.Errorf("register the host again: %w", err)
				r.mu.Unlock()
			}
			return
		}
	}
}

// register grants a lease, puts the host under it and has it renewed.
func (r *Registration) register(ctx context.Context) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	var b backoff.Backoff
	for {
		lease, err := r.f.grant(ctx)
		if err != nil {
			return nil, err
		}
		err = r.put(ctx, lease)
		if err == nil {
			r.mu.Lock()
			r.lease = lease
			r.mu.Unlock()
			// It is renewed beyond ctx, which is only for the beginning.
			kept, err := r.f.cli.KeepAlive(r.ctx, lease)
			if err != nil {
				return nil, fmt.Errorf("renew lease: %w", err)
			}
			return kept, nil
		}
		if !etcderr.LeaseGone(err) { // as when it took longer than the lease lasts
			rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
			defer cancel()
			return nil, errors.Join(err, r.f.revoke(rctx, lease))
		}
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return nil, cause
		}
	}
}

// put writes the host's key unless another agent's is there.
func (r *Registration) put(ctx context.Context, lease clientv3.LeaseID) error {
	r.mu.Lock()
	host := r.host
	r.mu.Unlock()
	key := hostKey(host.ID)
	put := []clientv3.Op{clientv3.OpPut(key, encode(host), clientv3.WithLease(lease))}
	cond := clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
	for {
		resp, err := r.f.txn(ctx, "register", []clientv3.Cmp{cond}, put, []clientv3.Op{clientv3.OpGet(key)})
		if err != nil || resp.Succeeded {
			return err
		}
		kvs := resp.Responses[0].GetResponseRange().Kvs
		if len(kvs) == 0 {
			cond = clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
			continue
		}
		var holder Host
		if err := json.Unmarshal(kvs[0].Value, &holder); err != nil {
			return fmt.Errorf("%w: etcd key %s: %v", ErrCorrupt, key, err)
		}
		if holder.Instance != host.Instance || holder.Instance == "" {
			return &HostTakenError{Holder: holder}
		}
		cond = clientv3.Compare(clientv3.ModRevision(key), "=", kvs[0].ModRevision)
	}
}

// grant asks for a lease, trying until ctx ends. One whose answer is lost ends by
// itself.
func (f *Fleet) grant(ctx context.Context) (lease clientv3.LeaseID, err error) {
	err = f.retry(ctx, "grant lease", func() error {
		actx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), requestTimeout)
		defer cancel()
		resp, err := f.cli.Grant(actx, int64((f.ttl+time.Second-1)/time.Second))
		if err == nil {
			lease = resp.ID
		}
		return err
	})
	return lease, err
}

func (f *Fleet) revoke(ctx context.Context, lease clientv3.LeaseID) error {
	return f.retry(ctx, "revoke lease", func() error {
		actx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), requestTimeout)
		defer cancel()
		_, err := f.cli.Revoke(actx, lease)
		if etcderr.LeaseGone(err) {
			return nil
		}
		return err
	})
}

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// electionKey is what elected control planes have a key below.
const electionKey = "/redoubt-control/leader"

// Fence is the key by which a control plane is the elected one. It is on the lease of
// its session, so that it goes when the process does.
type Fence struct {
	Key            string
	CreateRevision int64
}

// Holds is what writes of the elected control plane carry.
func (f Fence) Holds() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(f.Key), "=", f.CreateRevision)
}

// Lead campaigns until ctx ends, and calls lead for each time that this process is
// elected, with a context that ends when that time does. Each process gives an id of
// its own, which is for people. An error of lead gives the place to another one and
// begins anew, but for ctx's.
func Lead(ctx context.Context, cli *clientv3.Client, id string, ttl time.Duration, lead func(ctx context.Context, f Fence) error) error {
	var failed error
	for {
		err := leadOnce(ctx, cli, id, ttl, lead)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = err
		}
		select {
		case <-time.After(ttl / 4):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), failed)
		}
	}
}

func leadOnce(ctx context.Context, cli *clientv3.Client, id string, ttl time.Duration, lead func(ctx context.Context, f Fence) error) (err error) {
	session, err := concurrency.NewSession(cli, concurrency.WithTTL(int(ttl.Seconds())), concurrency.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("begin an etcd session: %w", err)
	}
	defer func() {
		// ctx may have ended; the place should be free at once all the same.
		session.Orphan()
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
		defer cancel()
		_, _ = cli.Revoke(bye, session.Lease())
	}()
	term, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-session.Done():
			cancel(fmt.Errorf("%w, or etcd was not reached for %v", ErrDeposed, ttl))
		case <-term.Done():
		}
	}()
	e := concurrency.NewElection(session, electionKey)
	if err := e.Campaign(term, id); err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	return lead(term, Fence{Key: e.Key(), CreateRevision: e.Rev()})
}

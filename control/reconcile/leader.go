package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// Lost is the error of what was done under a fence that does not hold.
func (f Fence) Lost() error { return fmt.Errorf("%w (term %d)", ErrDeposed, f.CreateRevision) }

// Check asks etcd whether the fence holds. It held at some time after the call began.
func (f Fence) Check(ctx context.Context, cli *clientv3.Client) error {
	resp, err := cli.Get(ctx, f.Key, clientv3.WithKeysOnly()) // linearizable: no empty transaction would be
	if err != nil {
		return fmt.Errorf("ask who is elected: %w", err)
	}
	if len(resp.Kvs) == 0 || resp.Kvs[0].CreateRevision != f.CreateRevision {
		return f.Lost()
	}
	return nil
}

// FenceEnv is the variable with which children of a control plane get its fence.
const FenceEnv = "REDOUBT_LEADER"

// String is what ParseFence reads.
func (f Fence) String() string { return fmt.Sprintf("%s@%d", f.Key, f.CreateRevision) }

// ParseFence reads a fence from text.
func ParseFence(text string) (f Fence, err error) {
	key, revision, ok := strings.Cut(text, "@")
	if f.Key = key; ok {
		f.CreateRevision, err = strconv.ParseInt(revision, 10, 64)
	}
	if !ok || err != nil || key == "" {
		return f, fmt.Errorf("%q is not of the form key@revision", text)
	}
	return f, nil
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

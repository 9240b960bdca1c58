package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/internal/etcderr"
)

var (
	// ErrHostTaken: another agent that lives is registered under the host's id.
	ErrHostTaken = errors.New("fleet: host id is taken")
	// ErrFenced: the caller's fence does not hold any more; nothing was written.
	ErrFenced = errors.New("fleet: fenced")
	// ErrCorrupt: a value in etcd cannot be read.
	ErrCorrupt = errors.New("fleet: corrupt value")
)

// DefaultTTL is Options.TTL when it is not set.
const DefaultTTL = 5 * time.Second

// requestTimeout bounds one request; the next goes to another member.
const requestTimeout = 2 * time.Second

// Options tunes a Fleet. The zero value is usable.
type Options struct {
	// TTL is how long a host is known after its agent was last heard of, whole
	// seconds.
	TTL time.Duration
	// Logger is told of retries, lost leases and the like. Default: nothing.
	Logger *slog.Logger
}

// Fleet is the hosts and nodes in one etcd. Its methods may be called concurrently;
// it owns no goroutine, Registration and Reporter do.
type Fleet struct {
	cli *clientv3.Client
	ttl time.Duration
	log *slog.Logger
}

// Open does no I/O. The client stays the caller's to close.
func Open(cli *clientv3.Client, o Options) *Fleet {
	if o.TTL <= 0 {
		o.TTL = DefaultTTL
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Fleet{cli: cli, ttl: o.TTL, log: o.Logger}
}

// do sends one transaction, once.
func (f *Fleet) do(ctx context.Context, cmps []clientv3.Cmp, then, otherwise []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), requestTimeout)
	defer cancel()
	return f.cli.Txn(ctx).If(cmps...).Then(then...).Else(otherwise...).Commit()
}

// txn is do, repeated until it succeeds, fails for good or ctx ends: only for what
// may be repeated whatever became of the try before.
func (f *Fleet) txn(ctx context.Context, what string, cmps []clientv3.Cmp, then, otherwise []clientv3.Op) (resp *clientv3.TxnResponse, err error) {
	err = f.retry(ctx, what, func() error {
		resp, err = f.do(ctx, cmps, then, otherwise)
		return err
	})
	return resp, err
}

// retry calls attempt until it succeeds, fails for good or ctx ends.
func (f *Fleet) retry(ctx context.Context, what string, attempt func() error) error {
	var b backoff.Backoff
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if etcderr.Permanent(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		level := slog.LevelDebug
		if b.Long() {
			level = slog.LevelWarn
		}
		f.log.Log(ctx, level, "etcd request failed, trying again", "request", what, "err", err)
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return fmt.Errorf("%s: %w (last attempt: %v)", what, cause, err)
		}
	}
}

// encode is for types that cannot fail to encode.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("fleet: encode %T: %v", v, err))
	}
	return string(b)
}

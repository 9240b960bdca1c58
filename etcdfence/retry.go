package etcdfence

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redoubtdb/redoubt/internal/backoff"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// level is how loud to be about the attempt that failed.
func level(b *backoff.Backoff) slog.Level {
	if b.Long() {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// attempt is the context of one request. A member that knows of no leader, as one
// that is cut from the others, has to refuse it at once: by itself it would keep the
// request until its time is over, while other members could serve it.
func attempt(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(clientv3.WithRequireLeader(ctx), timeout)
}

// attemptTimeout bounds one request that a lease of ttl waits for: short enough that
// several fit into the lease.
func attemptTimeout(ttl time.Duration) time.Duration {
	return min(max(ttl/4, 200*time.Millisecond), 2*time.Second)
}

// retry calls attempt until it succeeds, fails for good or ctx ends. Only for
// attempts that may be repeated whatever became of the one before.
func (s *Shard) retry(ctx context.Context, what string, attempt func() error) error {
	var b backoff.Backoff
	for {
		err := attempt()
		if err == nil || permanent(err) {
			return err
		}
		s.log.Log(ctx, level(&b), "etcd request failed, trying again", "request", what, "err", err)
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return fmt.Errorf("%s: %w (last attempt: %v)", what, cause, err)
		}
	}
}

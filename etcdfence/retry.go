package etcdfence

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	backoffMin = 10 * time.Millisecond
	backoffMax = time.Second
)

// backoff spaces out attempts: doubling from backoffMin to backoffMax, each
// wait a random part between half and whole, so that nodes that lost etcd at
// the same moment do not come back at the same moment.
type backoff struct{ wait time.Duration }

func (b *backoff) next() time.Duration {
	b.wait = min(max(b.wait*2, backoffMin), backoffMax)
	return b.wait/2 + rand.N(b.wait/2)
}

func (b *backoff) reset() { b.wait = 0 }

// level is how loud to be about the attempt that failed: one is nothing, many
// in a row are somebody's business.
func (b *backoff) level() slog.Level {
	if b.wait == backoffMax {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// sleep waits for d; it returns ctx's cause when ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
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
	var b backoff
	for {
		err := attempt()
		if err == nil || permanent(err) {
			return err
		}
		s.log.Log(ctx, b.level(), "etcd request failed, trying again", "request", what, "err", err)
		if cause := sleep(ctx, b.next()); cause != nil {
			return fmt.Errorf("%s: %w (last attempt: %v)", what, cause, err)
		}
	}
}

package etcdfence

import (
	"context"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lease is one granted lease.
type lease struct {
	id   clientv3.LeaseID
	ttl  time.Duration // as granted
	sent instant       // when the grant was sent
}

// seconds rounds up to what etcd counts leases in.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// margin is what is taken off a lease of ttl for clock drift.
func margin(configured, ttl time.Duration) time.Duration {
	if configured > 0 {
		return configured
	}
	return ttl / 10
}

// renewEvery is the time from one renewal to the next, renewTimeout what one may
// take: one that gets no answer is made up for by the next.
func renewEvery(ttl time.Duration) time.Duration   { return ttl / 3 }
func renewTimeout(ttl time.Duration) time.Duration { return ttl / 3 }

// grant asks for a new lease once. An answer that is lost leaves a lease that
// nothing hangs on and that ends by itself.
func (s *Shard) grant(ctx context.Context, ttl time.Duration) (lease, error) {
	ctx, cancel := attempt(ctx, attemptTimeout(ttl))
	defer cancel()
	sent := s.clk.read()
	start := time.Now()
	resp, err := s.cli.Grant(ctx, seconds(ttl))
	s.o.Metrics.Request("grant", time.Since(start), err)
	if err != nil {
		return lease{}, fmt.Errorf("grant lease: %w", err)
	}
	return lease{id: resp.ID, ttl: time.Duration(resp.TTL) * time.Second, sent: s.countFrom(sent)}, nil
}

// countFrom is the instant that a granted or renewed lease is counted from: when
// it was asked for, which etcd's own count never precedes.
func (s *Shard) countFrom(asked instant) instant {
	if broken.Is(broken.LeaseFromAnswer) {
		return s.clk.read()
	}
	return asked
}

// renew asks once to keep the lease. An answer with TTL 0 means it is gone.
// The revision is etcd's at the time of the answer, 0 when unknown.
func (s *Shard) renew(ctx context.Context, id clientv3.LeaseID, timeout time.Duration) (ttl time.Duration, rev int64, err error) {
	ctx, cancel := attempt(ctx, timeout)
	defer cancel()
	start := time.Now()
	resp, err := s.keepAliveOnce(ctx, id)
	if err == nil && resp.TTL <= 0 {
		err = rpctypes.ErrLeaseNotFound
	}
	s.o.Metrics.Request("renew", time.Since(start), err)
	if err != nil {
		return 0, 0, fmt.Errorf("renew lease %x: %w", int64(id), err)
	}
	return time.Duration(resp.TTL) * time.Second, resp.GetRevision(), nil
}

// keepAliveOnce sends one keep-alive. The client's own KeepAliveOnce repeats
// without a pause while no server can be reached, so with a connection at hand
// the request is made directly. A client inside etcd's own process has none;
// there a server that is not there answers nothing at all.
func (s *Shard) keepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	conn := s.cli.ActiveConnection()
	if conn == nil {
		return s.cli.KeepAliveOnce(ctx, id)
	}
	stream, err := pb.NewLeaseClient(conn).LeaseKeepAlive(ctx)
	if err != nil {
		return nil, clientv3.ContextError(ctx, err)
	}
	if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
		return nil, clientv3.ContextError(ctx, err)
	}
	resp, err := stream.Recv()
	if err != nil {
		return nil, clientv3.ContextError(ctx, err)
	}
	return &clientv3.LeaseKeepAliveResponse{
		ResponseHeader: resp.GetHeader(), ID: clientv3.LeaseID(resp.ID), TTL: resp.TTL,
	}, nil
}

// revoke ends a lease and deletes what hangs on it, trying until ctx ends. A
// lease that is gone already is no error.
func (s *Shard) revoke(ctx context.Context, id clientv3.LeaseID) error {
	err := s.retry(ctx, "revoke lease", func() error {
		ctx, cancel := attempt(ctx, attemptTimeout(s.o.LeaseTTL))
		defer cancel()
		start := time.Now()
		_, err := s.cli.Revoke(ctx, id)
		if leaseGone(err) {
			err = nil
		}
		s.o.Metrics.Request("revoke", time.Since(start), err)
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke lease %x: %w", int64(id), err)
	}
	return nil
}

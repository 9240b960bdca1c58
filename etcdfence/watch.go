package etcdfence

import (
	"context"
	"errors"

	"github.com/redoubtdb/redoubt/internal/etcdwatch"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// errResync asks for a view to be read anew.
var errResync = etcdwatch.ErrResync

// keepCurrent drives a view until ctx ends or the view fails for good.
func (s *Shard) keepCurrent(ctx context.Context, v etcdwatch.View, key string, opts ...clientv3.OpOption) error {
	w := etcdwatch.Watcher{
		Client: s.cli, Log: s.log,
		Audit: s.tune.audit, QueueLen: s.tune.queueLen, QueueBytes: s.tune.queueBytes,
		Passing: func(err error) (string, bool) {
			return "cannot read an entry from object storage", errors.Is(err, errUnresolved)
		},
	}
	return w.Keep(ctx, v, key, opts...)
}

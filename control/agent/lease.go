package agent

import (
	"context"
	"fmt"
	"log/slog"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// leaders ends leases in etcd.
type leaders struct {
	cli  *clientv3.Client
	site site
	log  *slog.Logger
}

// Settle is of leases. A leader is the process that has ended if it has the node's
// name and announced the node's address: a name alone might have been given to a node
// elsewhere while no agent ran here.
func (l leaders) Settle(ctx context.Context, a fleet.Assignment) error {
	if etcdfence.CheckName(a.Cluster) != nil || a.Shard < 0 || a.Shard > 9999 {
		return nil // what it was started with could not be read
	}
	shard := etcdfence.Open(l.cli, a.Cluster, a.Shard, etcdfence.Options{Logger: l.log})
	dead := func(is etcdfence.Leader) bool { return is.NodeID == a.Node && is.Address == l.site.address(a) }
	revoked, err := shard.RevokeLeaderIf(ctx, dead)
	if err != nil {
		return fmt.Errorf("end the lease of %s: %w", a.Node, err)
	}
	if revoked {
		l.log.Warn("a primary has ended, another node may lead at once", "node", a.Node, "cluster", a.Cluster, "shard", a.Shard)
	}
	return nil
}

package node

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
)

// registerEvery is how often a node says how far it has come, if it has.
const registerEvery = time.Second

// watchPeers keeps the list of the shard's other nodes until ctx ends.
func (n *Node) watchPeers(ctx context.Context) error {
	return n.shard.WatchNodes(ctx, func(all []etcdfence.NodeInfo) {
		peers := n.others(all)
		n.peers.Store(&peers)
		n.considerHandover()
	})
}

// others are the shard's other nodes, by id.
func (n *Node) others(all []etcdfence.NodeInfo) []etcdfence.NodeInfo {
	var peers []etcdfence.NodeInfo
	for _, i := range all {
		if i.ID != n.cfg.NodeID && i.Shard == n.cfg.Shard {
			peers = append(peers, i)
		}
	}
	slices.SortFunc(peers, func(a, b etcdfence.NodeInfo) int { return strings.Compare(a.ID, b.ID) })
	return peers
}

// register keeps the node's entry under nodes/ until ctx ends. It fails when
// another process registers under the same id: two nodes must not share one.
func (n *Node) register(ctx context.Context) error {
	said := n.describe()
	reg, err := n.shard.Register(ctx, said)
	if err != nil {
		return err
	}
	defer reg.Close()
	tick := time.NewTicker(registerEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-n.changed:
		case <-reg.Done():
			return reg.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
		if now := n.describe(); now.Role != said.Role || now.Applied != said.Applied {
			reg.Update(now)
			said = now
		}
	}
}

// describe is what the node says of itself.
func (n *Node) describe() etcdfence.NodeInfo {
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	applied := n.engine.applied.Seq
	if p := n.engine.primary; p != nil {
		applied = p.appender.Committed()
	}
	return etcdfence.NodeInfo{
		ID: n.cfg.NodeID, Address: n.announce.any, TLSAddress: n.announce.tls, AZ: n.cfg.AZ, Shard: n.cfg.Shard,
		Role: n.engine.role.String(), Applied: applied, Version: Version(), Started: n.engine.stats.started, Updated: time.Now().UTC(),
	}
}

package node

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
)

// registerEvery is how often a node says how far it has come, if it has.
const registerEvery = time.Second

// startRegistration keeps the node's entry under nodes/ and the list of its
// peers until ctx ends. The returned function waits for that.
func (n *Node) startRegistration(ctx context.Context) func() error {
	var wg sync.WaitGroup
	var failed error
	wg.Add(2)
	go func() {
		defer wg.Done()
		failed = n.register(ctx)
	}()
	go func() {
		defer wg.Done()
		err := n.shard.WatchNodes(ctx, func(all []etcdfence.NodeInfo) {
			peers := n.others(all)
			n.peers.Store(&peers)
		})
		if err != nil && ctx.Err() == nil {
			n.log.Warn("cannot hear of other nodes any more", "err", err)
		}
	}()
	return func() error {
		wg.Wait()
		return failed
	}
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

func (n *Node) register(ctx context.Context) error {
	// Said once: a role that changes meanwhile must differ from it below.
	said := n.describe()
	reg, err := n.shard.Register(ctx, said)
	if err != nil {
		return n.ended(ctx, err)
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
			return nil
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
		ID: n.cfg.NodeID, Address: n.announce, AZ: n.cfg.AZ, Shard: n.cfg.Shard,
		Role: n.engine.role.String(), Applied: applied, Version: Version(), Started: n.engine.stats.started,
	}
}

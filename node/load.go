package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/wal"
)

// Bounds of the wait between two attempts to load.
const (
	loadRetryMin = 200 * time.Millisecond
	loadRetryMax = 10 * time.Second
)

// loadData brings the shard's data in from object storage, trying until it
// succeeds, ctx ends, or trying again is of no use.
func (n *Node) loadData(ctx context.Context) error {
	n.ready.Store(false)
	n.load.started.Store(time.Now().Unix())
	wait := loadRetryMin
	for {
		err := n.loadOnce(ctx)
		if err == nil || ctx.Err() != nil || final(err) {
			return err
		}
		n.log.Warn("cannot load the data yet, trying again", "err", err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, loadRetryMax)
	}
}

// final reports errors that time does not cure (DESIGN invariant 11 and damage):
// the node stops and says so.
func final(err error) bool {
	for _, target := range []error{
		snapshot.ErrDataLeft, wal.ErrNewerFormat, wal.ErrCorrupt, wal.ErrChain, wal.ErrGap, wal.ErrEpoch, command.ErrBadEffect,
		snapshot.ErrNewerFormat, snapshot.ErrOtherHistory, s3segments.ErrMissing,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func (n *Node) loadOnce(ctx context.Context) error {
	if err := n.createShard(ctx); err != nil {
		return err
	}
	n.engine.mu.Lock()
	limits := *n.engine.ks.Config()
	n.engine.mu.Unlock()
	repo := snapshot.Open(n.store, n.cfg.Cluster, snapshot.Options{Version: Version(), Logger: n.log})
	start := time.Now()
	l, err := repo.Load(ctx, n.cfg.Shard, snapshot.LoadOptions{Head: n.shard, Keyspace: limits, Progress: n.loading})
	if err != nil {
		return err
	}
	n.engine.mu.Lock()
	n.engine.adopt(l.Keyspace, l.Position)
	n.engine.mu.Unlock()
	n.log.Info("loaded", "seq", l.Position.Seq, "keys", l.Keyspace.Len(), "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// loading takes the progress of loading, for INFO.
func (n *Node) loading(p snapshot.Progress) {
	phase := string(p.Phase)
	n.load.phase.Store(&phase)
	n.load.totalBytes.Store(p.TotalBytes)
	n.load.loadedBytes.Store(p.Bytes)
}

// createShard makes the shard known to etcd if this node is its first. When
// object storage holds data of it already, etcd has lost what it knew: starting
// a second history would bury the first.
func (n *Node) createShard(ctx context.Context) error {
	st, err := n.shard.State(ctx)
	if err != nil || st.Initialized {
		return err
	}
	repo := snapshot.Open(n.store, n.cfg.Cluster, snapshot.Options{Logger: n.log})
	left, err := repo.DataLeft(ctx, n.cfg.Shard)
	if err != nil {
		return err
	}
	if left != "" {
		return fmt.Errorf("%w: %s; to rebuild the shard from object storage, run `redoubt recover`", snapshot.ErrDataLeft, left)
	}
	err = n.shard.Initialize(ctx, etcdfence.Sealed{})
	if errors.Is(err, etcdfence.ErrInitialized) {
		return nil // another node was first
	}
	if err == nil {
		n.log.Info("created the shard")
	}
	return err
}

package node

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/snapshot"
)

// snapshotLookEvery is how often a node looks which snapshot is the newest, for
// INFO and metrics.
const snapshotLookEvery = 30 * time.Second

// watchSnapshots keeps the time of the newest snapshot until ctx ends. That
// object storage is away is noticed elsewhere.
func (n *Node) watchSnapshots(ctx context.Context) error {
	repo := snapshot.Open(n.store, n.cfg.Cluster, snapshot.Options{Logger: n.log})
	tick := time.NewTicker(snapshotLookEvery)
	defer tick.Stop()
	for {
		if all, err := repo.List(ctx); err == nil {
			n.snapshotTime.Store(newest(all))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// newest is when the newest readable snapshot was begun; nil: there is none.
func newest(all []snapshot.Summary) *time.Time {
	for _, s := range all { // newest first
		if s.Manifest != nil {
			return &s.Manifest.CreatedAt
		}
	}
	return nil
}

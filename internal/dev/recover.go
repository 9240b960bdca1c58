package dev

import (
	"context"
	"fmt"

	"github.com/redoubtdb/redoubt/internal/recovery"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/snapshot"
)

// recover rebuilds the shard from object storage if the Config asks for it.
func (d *Dev) recover(ctx context.Context) error {
	if !d.cfg.Recover {
		return nil
	}
	repo := snapshot.Open(d.store, Cluster, snapshot.Options{Version: node.Version(), Logger: d.cfg.Logger})
	var err error
	d.recovered, err = recovery.Shard(ctx, repo, d.shard(), Shard, recovery.Options{})
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	return nil
}

// Recovered is what was rebuilt from object storage, nil without
// Config.Recover.
func (d *Dev) Recovered() *snapshot.Recovered { return d.recovered }

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
	var err error
	d.recovered, err = recovery.Shard(ctx, d.repo(), d.shard(), Shard, recovery.Options{})
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	return nil
}

// importFiles begins the shard with RDB files if the Config names some.
func (d *Dev) importFiles(ctx context.Context) error {
	if len(d.cfg.Import) == 0 {
		return nil
	}
	var err error
	d.imported, err = recovery.Import(ctx, d.repo(), d.shard(), snapshot.ImportOptions{
		Name: "import", Shard: Shard, Slots: "0-16383", Files: d.cfg.Import,
	})
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	return nil
}

func (d *Dev) repo() *snapshot.Repo {
	return snapshot.Open(d.store, Cluster, snapshot.Options{Version: node.Version(), Logger: d.cfg.Logger})
}

// Imported is the snapshot that was made of Config.Import, nil without.
func (d *Dev) Imported() *snapshot.Imported { return d.imported }

// Recovered is what was rebuilt from object storage, nil without
// Config.Recover.
func (d *Dev) Recovered() *snapshot.Recovered { return d.recovered }

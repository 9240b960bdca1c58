// Package recovery begins a shard in an etcd that does not know it, with data. It
// brings one back whose etcd is lost for good: object storage says how far the log
// reaches, and the new etcd is told to go on there. And it seeds a new one from RDB
// files.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/snapshot"
)

// ErrKnown: etcd knows the shard, so there is nothing to recover, and what
// etcd has is newer than anything in object storage.
var ErrKnown = errors.New("recovery: etcd knows the shard")

// Options say how to recover.
type Options struct {
	// UpTo is the last entry to recover, 0 for all there is; see
	// snapshot.RecoverOptions.
	UpTo uint64
	// DryRun finds out what there is and changes nothing.
	DryRun bool
	// Progress is told how far it has come. May be nil.
	Progress func(snapshot.Progress)
}

// Shard rebuilds a shard in an etcd that does not know it: what object storage
// alone gives is loaded, to prove that it loads; objects past Options.UpTo are
// discarded, by a stored plan; and the shard is initialized, with epochs that
// go on above every one seen. Nodes can be started then.
//
// Errors: ErrKnown, and those of snapshot.Repo.Recover.
func Shard(ctx context.Context, repo *snapshot.Repo, fence *etcdfence.Shard, shard int, o Options) (*snapshot.Recovered, error) {
	st, err := fence.State(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("recover shard %d: %w", shard, err)
	case st.Initialized:
		return nil, fmt.Errorf("%w: shard %d ends at entry %d there", ErrKnown, shard, st.Tail)
	}
	found, err := repo.Recover(ctx, shard, snapshot.RecoverOptions{UpTo: o.UpTo, Progress: o.Progress})
	if err != nil || o.DryRun {
		return found, err
	}
	// Before the shard exists: a node must not load what is given up.
	if err := repo.Discard(ctx, found); err != nil {
		return nil, err
	}
	err = fence.Initialize(ctx, found.Sealed(time.Now()))
	if errors.Is(err, etcdfence.ErrInitialized) {
		return nil, fmt.Errorf("%w: it appeared meanwhile: %w", ErrKnown, err)
	}
	if err != nil {
		return nil, fmt.Errorf("recover shard %d: %w", shard, err)
	}
	return found, nil
}

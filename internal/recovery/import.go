package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/snapshot"
)

// Import begins a shard with the data of RDB files: they become its first snapshot,
// and the shard is initialized to go on behind it. Nodes can be started then.
//
// Errors: ErrKnown, and those of snapshot.Repo.Import.
func Import(ctx context.Context, repo *snapshot.Repo, fence *etcdfence.Shard, o snapshot.ImportOptions) (*snapshot.Imported, error) {
	st, err := fence.State(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("import into shard %d: %w", o.Shard, err)
	case st.Initialized:
		return nil, fmt.Errorf("%w: shard %d ends at entry %d there", ErrKnown, o.Shard, st.Tail)
	}
	in, err := repo.Import(ctx, o)
	if err != nil {
		return nil, err
	}
	err = fence.Initialize(ctx, in.Sealed(time.Now()))
	if errors.Is(err, etcdfence.ErrInitialized) {
		// Somebody began another history meanwhile, to which the snapshot is a stranger.
		return nil, errors.Join(fmt.Errorf("%w: it appeared meanwhile: %w", ErrKnown, err), repo.Remove(ctx, in.Manifest.Name))
	}
	if err != nil {
		return nil, fmt.Errorf("import into shard %d: %w", o.Shard, err)
	}
	return in, nil
}

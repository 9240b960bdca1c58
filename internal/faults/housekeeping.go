package main

import (
	"context"
	"fmt"
	"time"
)

// A snapshot is made so often, and cleaned up behind, while everything else goes
// on: nodes that come back load it, segments that it covers go away under them.
const (
	snapshotEvery = 8 * time.Second
	snapshotsKept = 2
)

// exitDamage is what the redoubt program ends with when it found damage.
const exitDamage = 3

// keepHouse makes snapshots and cleans up until ctx ends. That it fails while
// object storage or etcd are away is what is expected of it; damage is not.
func (r *round) keepHouse(ctx context.Context) {
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		r.house(ctx, "snapshot", "create", "--name", fmt.Sprintf("s%03d", n))
		r.house(ctx, "snapshot", "gc", "--keep-snapshots", fmt.Sprint(snapshotsKept), "--grace", "1m")
	}
}

// house runs one command of the program and notes how it ended.
func (r *round) house(ctx context.Context, args ...string) {
	out, code := r.cluster.Redoubt(ctx, args...)
	switch {
	case ctx.Err() != nil:
	case code == 0:
		r.result.House.Done++
	case code == exitDamage:
		r.env.Report("snapshot", "redoubt %v found damage: %s", args, out)
	default:
		r.result.House.Failed++
		r.journal.detail("redoubt %v: exit %d: %s", args, code, lastLine(out))
	}
}

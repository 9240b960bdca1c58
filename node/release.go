package node

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/internal/arena"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// The data's memory is partly in Go's heap, partly in arenas outside of it, of which the
// garbage collector knows nothing (keyspace.Keyspace.Reclaim). What is in arenas is given
// back here.

const (
	// releaseEvery is how often the engine looks for memory to give back.
	releaseEvery = 100 * time.Millisecond
	// releaseStep is how many bytes it gives back between two holds of the lock.
	releaseStep = 8 << 20
)

// retire notes that ks takes the place of the engine's keyspace, whose memory can be given
// back when the command that replaces it, if one does, is over.
func (e *engine) retire(ks *keyspace.Keyspace) {
	if e.ks != ks {
		e.retired = append(e.retired, e.ks)
	}
}

// releaseLoop gives memory back to the system that data no longer takes.
func (e *engine) releaseLoop(ctx context.Context) error {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for e.release() && ctx.Err() == nil {
		}
		adjustHeapLimit()
	}
}

// release gives some memory back and reports whether there may be more. The system takes
// its time for that, so it is done without the lock.
func (e *engine) release() (more bool) {
	e.mu.Lock()
	e.ks.Reclaim() // nobody runs a command while we have the lock
	surplus, retired := e.ks.Surplus(releaseStep), e.retired
	e.retired = nil
	e.mu.Unlock()
	for _, ks := range retired {
		ks.Close()
	}
	surplus.Release()
	return len(surplus) > 0
}

// arenaStats are the sizes of the data's memory outside of Go's heap.
func (e *engine) arenaStats() arena.Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ks.ArenaStats()
}

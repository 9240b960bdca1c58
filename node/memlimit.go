package node

import (
	"runtime/debug"
	"sync"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// softLimit is GOMEMLIMIT: how much memory this process is meant to take.
var softLimit = sync.OnceValue(func() int64 { return debug.SetMemoryLimit(-1) })

// heapShare is the smallest part of GOMEMLIMIT that Go's heap is left, as a divisor. With
// less the collector would run without end and free nothing.
const heapShare = 4

// limitSteps is in how many steps the limit of Go's heap follows the arenas. A step
// stops the process for a moment.
const limitSteps = 64

// heapLimit is what GOMEMLIMIT leaves for Go's heap when so many bytes are in arenas,
// of which the runtime knows nothing.
func heapLimit(limit, arenas int64) int64 {
	step := limit / limitSteps
	if step == 0 {
		return limit
	}
	arenas = (arenas + step - 1) / step * step
	return max(limit-arenas, limit/heapShare)
}

// adjustHeapLimit keeps the process as a whole within GOMEMLIMIT, as far as it can.
func adjustHeapLimit() {
	limit := softLimit()
	if limit >= noSoftLimit {
		return
	}
	heapLimits.Lock()
	defer heapLimits.Unlock()
	if now := heapLimit(limit, arena.Mapped()); now != heapLimits.set {
		heapLimits.set = now
		debug.SetMemoryLimit(now)
	}
}

// noSoftLimit is beyond any machine: GOMEMLIMIT is off.
const noSoftLimit = 1 << 60

// heapLimits is the limit that was set last; several nodes may be in one process.
var heapLimits struct {
	sync.Mutex
	set int64
}

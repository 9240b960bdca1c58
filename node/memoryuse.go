package node

import (
	"fmt"
	"os"
	runtimemetrics "runtime/metrics"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// memoryUse is what the process holds. Garbage counts until it is collected.
type memoryUse struct {
	heap     uint64 // objects on the heap, and short strings in arenas
	active   uint64 // and the room between them, in spans and runs that hold some
	resident uint64 // and free spans and runs that were not given back to the system
	rss      uint64 // what the kernel says of the whole process
}

// The parts of Go's heap. runtime.ReadMemStats has them, too, but would stop the
// process for a moment, and anybody may send INFO.
const (
	heapObjects = "/memory/classes/heap/objects:bytes"
	heapUnused  = "/memory/classes/heap/unused:bytes"
	heapFree    = "/memory/classes/heap/free:bytes"
)

func readMemory(a arena.Stats) memoryUse {
	s := []runtimemetrics.Sample{{Name: heapObjects}, {Name: heapUnused}, {Name: heapFree}}
	runtimemetrics.Read(s)
	u := memoryUse{heap: s[0].Value.Uint64(), rss: residentBytes()}
	u.active = u.heap + s[1].Value.Uint64()
	u.resident = u.active + s[2].Value.Uint64()
	u.heap += uint64(a.Allocated)
	u.active += uint64(a.Active)
	u.resident += uint64(a.Resident)
	return u
}

// heapBytes is memoryUse.heap alone, without arenas.
func heapBytes() uint64 {
	s := []runtimemetrics.Sample{{Name: heapObjects}}
	runtimemetrics.Read(s)
	return s[0].Value.Uint64()
}

func residentBytes() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64
	fmt.Sscan(string(b), &size, &resident)
	return resident * uint64(os.Getpagesize())
}

// sawHeap returns the peak, of which bytes may be a new one.
func (n *Node) sawHeap(bytes uint64) uint64 {
	for {
		peak := n.heapPeak.Load()
		if bytes <= peak {
			return peak
		}
		if n.heapPeak.CompareAndSwap(peak, bytes) {
			return bytes
		}
	}
}

// memoryReport is memoryUse and what it is for.
type memoryReport struct {
	memoryUse
	peak    uint64 // of heap, since the process began
	startup uint64 // heap when the node was made
	dataset int64  // keys and values, and what finds them
	clients int64
	queue   int64 // writes that wait for their commit
	keys    int
	dbs     []dbOverhead
	system  int64 // what the process may use
	conns   int
}

// dbOverhead is what it takes to find the keys of a database, and those that expire.
type dbOverhead struct {
	id            int
	keys, expires int64
}

func (s *server) memoryReport() memoryReport {
	e := s.engine
	r := memoryReport{memoryUse: readMemory(e.ks.ArenaStats()), startup: s.node.heapAtStart, clients: s.memory.total.Load(), system: s.cfg.memory, conns: s.clients()}
	r.peak = s.node.sawHeap(r.heap)
	r.dataset = e.ks.MemoryUsed()
	for i := range e.ks.NumDBs() {
		db := e.ks.DB(i)
		if db.Len() == 0 {
			continue
		}
		o := dbOverhead{id: i}
		o.keys, o.expires = db.Overhead()
		r.keys += db.Len()
		r.dbs = append(r.dbs, o)
	}
	if p := e.primary; p != nil {
		r.queue = p.appender.QueuedBytes()
	}
	return r
}

// overhead is what clients and writes on their way take, and what the process took
// before there was data. Redis counts the tables of keys here, too; they are part of
// the dataset here, as they are part of what maxmemory bounds.
func (r *memoryReport) overhead() int64 { return int64(r.startup) + r.clients + r.queue }

// net is what has come to the heap since the start, at least 1.
func (r *memoryReport) net() int64 { return max(1, int64(r.heap)-int64(r.startup)) }

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

package arena

import "unsafe"

const (
	regionBits = 20
	regionSize = 1 << regionBits
	runBits    = 15
	runSize    = 1 << runBits
	runCount   = regionSize / runSize
	// regionHead is what a region's own number takes of its first run: a cache line.
	regionHead = 64
)

// region is a piece of mapped memory.
type region struct {
	base unsafe.Pointer
	id   uint32
	// empty has a bit for every run that is of no class.
	empty uint32
	// at and roomyAt are the places in the lists of its arena, -1: not in it.
	at, roomyAt int
	runs        [runCount]run
}

// run is a piece of a region with slots of one class. A run with room is in its
// arena's list of the class.
type run struct {
	base       unsafe.Pointer
	next, prev *run
	// Offsets from base: free is one more than that of the first free slot, 0: none.
	// From fresh on nothing was handed out yet, from touched on nothing ever.
	free, fresh, touched uint16
	live                 uint16
	class                uint8
	linked               bool
}

const allEmpty = 1<<runCount - 1

func newRegion(base unsafe.Pointer, id uint32) *region {
	g := &region{base: base, id: id}
	for i := range g.runs {
		g.runs[i].base = unsafe.Add(base, i*runSize)
	}
	*(*uint32)(base) = id
	return g
}

// reset makes all runs empty.
func (g *region) reset() {
	for i := range g.runs {
		g.runs[i].clear()
	}
	g.empty, g.at, g.roomyAt = allEmpty, -1, -1
}

// clear forgets what was handed out of r.
func (r *run) clear() {
	r.next, r.prev, r.linked = nil, nil, false
	r.free, r.fresh, r.live = 0, 0, 0
}

// begin makes run i of g one of slots of a class.
func (g *region) begin(i int, class uint8) *run {
	g.empty &^= 1 << i
	r := &g.runs[i]
	r.class = class
	if i == 0 {
		r.fresh = regionHead
	}
	return r
}

// head is what run i of g has before its first slot.
func head(i int) uint16 {
	if i == 0 {
		return regionHead
	}
	return 0
}

// full reports whether r has no slot left.
func (r *run) full() bool { return r.free == 0 && int(r.fresh)+int(sizes[r.class]) > runSize }

// place is the offset of p in its region, and the region's beginning.
func place(p unsafe.Pointer) (off int, base unsafe.Pointer) {
	off = int(uintptr(p) & (regionSize - 1))
	return off, unsafe.Add(p, -off)
}

// poison overwrites the bytes of run i that were handed out.
func (g *region) poison(i int) {
	if from := head(i); g.runs[i].fresh > from {
		fill(unsafe.Add(g.runs[i].base, from), int(g.runs[i].fresh-from))
	}
}

// pattern is what a stale reference reads in a build for the race detector: as a
// length it never ends, as flags it is everything at once.
const pattern = 0xdb

func fill(p unsafe.Pointer, n int) {
	for i := range unsafe.Slice((*byte)(p), n) {
		*(*byte)(unsafe.Add(p, i)) = pattern
	}
}

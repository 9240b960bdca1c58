package arena

import (
	"bytes"
	"math/bits"
	"unsafe"
)

// Arena allocates slots from regions of its own. See the package comment.
type Arena struct {
	pool *Pool
	// partial are the runs with room, a list for each class.
	partial *[classCount]*run
	regions []*region
	// roomy are the regions with empty runs.
	roomy   []*region
	pending []unsafe.Pointer
	dropped bool
	// allocated and carved are the arena's part of those of the pool.
	allocated, carved int64
}

// noRuns is the partial of an arena without any, so that an unused one is small.
var noRuns [classCount]*run

// Alloc returns n bytes of any content, aligned to 8; n is from 1 to MaxSize.
func (a *Arena) Alloc(n int) unsafe.Pointer {
	class := classes[(n+align-1)/align]
	r := a.partial[class]
	if r == nil {
		r = a.begin(class)
	}
	size := sizes[class]
	var p unsafe.Pointer
	if r.free != 0 {
		p = unsafe.Add(r.base, r.free-1)
		r.free = *(*uint16)(p)
	} else {
		p = unsafe.Add(r.base, r.fresh)
		r.fresh += size
		a.carved += int64(size)
		a.pool.carved += int64(size)
		if r.fresh > r.touched {
			a.pool.touched += int64(r.fresh - r.touched)
			r.touched = r.fresh
		}
	}
	r.live++
	a.allocated += int64(size)
	a.pool.allocated += int64(size)
	if r.full() {
		a.unlink(r)
	}
	return p
}

// Free gives back what Alloc of this arena returned, at the next Reclaim.
func (a *Arena) Free(p unsafe.Pointer) {
	if len(a.pending) == 0 {
		a.pool.waiting = append(a.pool.waiting, a)
	}
	a.pending = append(a.pending, p)
}

// Drop frees all at once, at the next Reclaim. The arena must not be used any more.
func (a *Arena) Drop() {
	if len(a.regions) > 0 {
		a.pool.dropped = append(a.pool.dropped, a)
	}
	a.dropped, a.pending = true, nil
}

// begin takes an empty run for a class.
func (a *Arena) begin(class uint8) *run {
	if a.partial == &noRuns {
		a.partial = new([classCount]*run)
	}
	if len(a.roomy) == 0 {
		g := a.pool.take()
		g.at = len(a.regions)
		a.regions = append(a.regions, g)
		a.setRoomy(g)
	}
	g := a.roomy[len(a.roomy)-1]
	r := g.begin(bits.TrailingZeros32(g.empty), class)
	if g.empty == 0 {
		a.unsetRoomy(g)
	}
	a.link(r)
	return r
}

// pendingKeep is how many entries the list of freed slots keeps room for.
const pendingKeep = 1 << 10

// reclaim recycles what was freed.
func (a *Arena) reclaim() {
	for _, p := range a.pending {
		a.recycle(p)
	}
	if a.pending = a.pending[:0]; cap(a.pending) > pendingKeep {
		a.pending = nil
	}
}

func (a *Arena) recycle(p unsafe.Pointer) {
	off, base := place(p)
	g := a.pool.regions[*(*uint32)(base)]
	i := off / runSize
	r := &g.runs[i]
	size := sizes[r.class]
	off %= runSize
	if poisoning {
		if uint16(off-int(head(i)))%size != 0 || off >= int(r.fresh) {
			panic("arena: what is freed is no slot")
		}
		if size > align && bytes.Count(unsafe.Slice((*byte)(p), align)[2:], []byte{pattern}) == align-2 {
			panic("arena: a slot is freed twice")
		}
		fill(p, int(size))
	}
	*(*uint16)(p) = r.free
	r.free = uint16(off) + 1
	r.live--
	a.allocated -= int64(size)
	a.pool.allocated -= int64(size)
	switch {
	case r.live == 0:
		a.end(g, i)
	case !r.linked:
		a.link(r)
	}
}

// end makes run i of g, in which no slot is used any more, an empty one.
func (a *Arena) end(g *region, i int) {
	r := &g.runs[i]
	carved := int64(r.fresh - head(i))
	a.carved -= carved
	a.pool.carved -= carved
	if r.linked {
		a.unlink(r)
	}
	r.clear()
	if g.empty |= 1 << i; g.empty == allEmpty {
		a.leave(g)
	} else if g.roomyAt < 0 {
		a.setRoomy(g)
	}
}

// leave hands a region without used runs back to the pool.
func (a *Arena) leave(g *region) {
	if g.roomyAt >= 0 {
		a.unsetRoomy(g)
	}
	last := len(a.regions) - 1
	a.regions[g.at] = a.regions[last]
	a.regions[g.at].at = g.at
	a.regions[last] = nil
	a.regions = a.regions[:last]
	a.pool.retire(g)
}

func (a *Arena) setRoomy(g *region) {
	g.roomyAt = len(a.roomy)
	a.roomy = append(a.roomy, g)
}

func (a *Arena) unsetRoomy(g *region) {
	last := len(a.roomy) - 1
	a.roomy[g.roomyAt] = a.roomy[last]
	a.roomy[g.roomyAt].roomyAt = g.roomyAt
	a.roomy[last] = nil
	a.roomy = a.roomy[:last]
	g.roomyAt = -1
}

// link puts r in front of its list.
func (a *Arena) link(r *run) {
	r.linked, r.prev, r.next = true, nil, a.partial[r.class]
	if r.next != nil {
		r.next.prev = r
	}
	a.partial[r.class] = r
}

func (a *Arena) unlink(r *run) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		a.partial[r.class] = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.linked, r.prev, r.next = false, nil, nil
}

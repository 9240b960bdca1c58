package arena

// Pool holds the regions of one owner. See the package comment. The zero value is
// empty and ready.
type Pool struct {
	// regions are in the place of their number; nil: the number is not in use.
	regions []*region
	numbers []uint32 // not in use
	idle    []*region
	waiting []*Arena // with freed slots
	dropped []*Arena

	allocated, carved, touched int64
}

// Stats are sizes in bytes.
type Stats struct {
	Allocated int64 // slots in use, and freed ones before Reclaim
	Active    int64 // slots in use, and free ones that only allocations of their size can take
	Resident  int64 // what has been touched since it was mapped: takes memory of the machine
	Mapped    int64 // all regions
}

// NewArena returns an empty arena, which takes no memory before its first allocation.
func (p *Pool) NewArena() *Arena { return &Arena{pool: p, partial: &noRuns} }

// Stats returns the present sizes.
func (p *Pool) Stats() Stats {
	n := int64(len(p.regions) - len(p.numbers))
	return Stats{Allocated: p.allocated, Active: p.carved, Resident: p.touched + n*regionHead, Mapped: n * regionSize}
}

// Reclaim makes what was freed and dropped before usable again: nobody may hold a
// reference to it any more.
func (p *Pool) Reclaim() {
	if len(p.waiting)+len(p.dropped) > 0 {
		p.reclaim()
	}
}

func (p *Pool) reclaim() {
	for _, a := range p.dropped {
		p.allocated -= a.allocated
		p.carved -= a.carved
		for _, g := range a.regions {
			p.retire(g)
		}
		a.regions, a.roomy, a.partial = nil, nil, nil
	}
	for _, a := range p.waiting {
		if !a.dropped {
			a.reclaim()
		}
	}
	clear(p.dropped)
	clear(p.waiting)
	p.dropped, p.waiting = p.dropped[:0], p.waiting[:0]
}

// retire makes a region idle.
func (p *Pool) retire(g *region) {
	if poisoning {
		for i := range g.runs {
			g.poison(i)
		}
	}
	p.idle = append(p.idle, g)
}

// take returns an empty region, an idle one if there is any.
func (p *Pool) take() *region {
	if last := len(p.idle) - 1; last >= 0 {
		g := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		g.reset()
		return g
	}
	id := uint32(len(p.regions))
	if last := len(p.numbers) - 1; last >= 0 {
		id, p.numbers = p.numbers[last], p.numbers[:last]
	} else {
		p.regions = append(p.regions, nil)
	}
	g := newRegion(mapRegion(), id)
	g.reset()
	p.regions[id] = g
	return g
}

// Surplus is memory that is on its way back to the system.
type Surplus []*region

// slack is how small a part of the regions may stay idle: mapping them again and
// again while data comes and goes would cost more than they do.
const slack = 16

// Surplus takes up to most bytes of idle regions out of the pool, but for one and a
// sixteenth of those in use. It is fast; Release, which is not, needs no lock.
func (p *Pool) Surplus(most int64) Surplus {
	used := len(p.regions) - len(p.numbers) - len(p.idle)
	n := min(len(p.idle)-1-used/slack, int(most/regionSize))
	if n <= 0 {
		return nil
	}
	keep := len(p.idle) - n
	s := append(Surplus(nil), p.idle[keep:]...)
	clear(p.idle[keep:])
	p.idle = p.idle[:keep]
	for _, g := range s {
		p.forget(g)
	}
	return s
}

func (p *Pool) forget(g *region) {
	p.regions[g.id] = nil
	p.numbers = append(p.numbers, g.id)
	for i := range g.runs {
		p.touched -= int64(g.runs[i].touched)
	}
}

// Release gives the memory back to the system.
func (s Surplus) Release() {
	for _, g := range s {
		unmapRegion(g.base)
	}
}

// Close gives all memory back to the system: no arena of the pool may be used any more,
// nor what was allocated from one. It is idempotent. New arenas may be made.
func (p *Pool) Close() {
	for _, g := range p.regions {
		if g != nil {
			unmapRegion(g.base)
		}
	}
	*p = Pool{}
}

package keyspace

import "unsafe"

// pins keep the boxes of a database alive, which only tables refer to that the garbage
// collector does not read. They have no order: the last one takes the place of one that
// leaves. Each box knows its place, of which there are 2^32.
type pins struct {
	chunks [][]*box
	n      int
}

// pinChunk is how many pins grow and shrink at a time, once there are as many.
const pinChunk = 1 << 10

func (p *pins) at(i int) **box { return &p.chunks[i/pinChunk][i%pinChunk] }

// add pins a box that is not pinned.
func (p *pins) add(b *box) {
	c := p.n / pinChunk
	if c == len(p.chunks) {
		p.chunks = append(p.chunks, nil)
	}
	if c > 0 && p.chunks[c] == nil {
		p.chunks[c] = make([]*box, 0, pinChunk)
	}
	p.chunks[c] = append(p.chunks[c], b)
	b.pin = uint32(p.n)
	p.n++
}

// remove unpins a box that is pinned.
func (p *pins) remove(b *box) {
	p.n--
	last := *p.at(p.n)
	*p.at(int(b.pin)), last.pin = last, b.pin
	*p.at(p.n) = nil
	c := p.n / pinChunk
	p.chunks[c] = p.chunks[c][:p.n%pinChunk]
	switch chunk := p.chunks[c]; {
	case len(chunk) == 0:
		p.chunks[c] = nil
		p.chunks = p.chunks[:c]
	case c == 0 && len(chunk) <= cap(chunk)/4:
		p.chunks[0] = append([]*box(nil), chunk...)
	}
}

// memory is the size of the pins, in bytes.
func (p *pins) memory() int64 {
	mem := int64(cap(p.chunks)) * int64(unsafe.Sizeof(p.chunks[0]))
	if len(p.chunks) == 0 {
		return mem
	}
	const word = int(unsafe.Sizeof(p.chunks[0][0]))
	whole := int64(len(p.chunks)-1) * int64(tracedAllocSize(pinChunk*word))
	return mem + whole + int64(tracedAllocSize(cap(p.chunks[0])*word))
}

package etcdfence

// headIndex holds the stored sizes of a run of entries without a hole: first,
// first+1, ... An entry never changes once it is written, so a size once
// learnt stays true; what is in the head is for the sealed pointer to say.
// Four bytes an entry: etcd takes no request that would not fit. The zero
// value is empty.
type headIndex struct {
	first uint64 // seq of sizes[0]
	sizes []uint32
	bytes int64 // sum of sizes
}

// next is the seq that follows the run.
func (x *headIndex) next() uint64 { return x.first + uint64(len(x.sizes)) }

// add learns the size of entry seq. A seq inside the run is known already; one
// that does not continue it starts a new run.
func (x *headIndex) add(seq uint64, size int64) {
	if len(x.sizes) > 0 && seq >= x.first && seq < x.next() {
		return
	}
	if seq != x.next() || len(x.sizes) == 0 {
		x.reset(seq)
	}
	x.sizes = append(x.sizes, uint32(size))
	x.bytes += size
}

// dropThrough forgets the entries up to and with seq.
func (x *headIndex) dropThrough(seq uint64) {
	if seq < x.first || len(x.sizes) == 0 {
		return
	}
	if seq >= x.next()-1 {
		x.reset(seq + 1)
		return
	}
	n := seq - x.first + 1
	for _, size := range x.sizes[:n] {
		x.bytes -= int64(size)
	}
	// append to a slice that only moves forward copies the rest when it
	// reaches its capacity, which lets go of what is in front.
	x.sizes, x.first = x.sizes[n:], seq+1
}

// reset empties the run; seq will be its first.
func (x *headIndex) reset(seq uint64) {
	*x = headIndex{first: seq, sizes: x.sizes[:0]}
}

// cut is a copy of the part of the run in from..to, empty when from is neither
// in the run nor right after it.
func (x *headIndex) cut(from, to uint64) headIndex {
	out := headIndex{first: from}
	if from < x.first || from >= x.next() || from > to {
		return out
	}
	end := min(x.next(), to+1)
	out.sizes = append(out.sizes, x.sizes[from-x.first:end-x.first]...)
	for _, size := range out.sizes {
		out.bytes += int64(size)
	}
	return out
}

// join appends a run that starts where x ends.
func (x *headIndex) join(y headIndex) {
	x.sizes = append(x.sizes, y.sizes...)
	x.bytes += y.bytes
}

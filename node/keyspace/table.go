package keyspace

import (
	"hash/maphash"
	"math/bits"

	"github.com/redoubtdb/redoubt/internal/arena"
)

var seed = maphash.MakeSeed()

func hashOf(key []byte) uint64 { return maphash.Bytes(seed, key) }

const (
	slotsPerBucket = 7
	lastSlot       = slotsPerBucket - 1
	tagBits        = 0x0101010101010101 >> 8 // the low bit of each of the 7 tags
	chained        = uint64(1) << 56

	segmentBits    = 10 // 1024 buckets, 64 KiB: what one growth step may allocate
	segmentBuckets = 1 << segmentBits

	// The table splits a bucket above growLoad/2 elements a bucket and joins two
	// below shrinkLoad/2. The gap keeps it still while keys come and go.
	growLoad   = 9
	shrinkLoad = 4
)

// bucket is one cache line. Byte i of meta is the tag of slot i (zero: empty);
// byte 7 says that the last slot points to an overflow bucket instead of a record.
// Slots fill from 0, and only the last bucket of a chain has empty ones.
type bucket struct {
	meta  uint64
	slots [slotsPerBucket]*header
}

// table is a set of records by key: linear hashing. It has n buckets, a power of two
// (mask+1)/2 plus the number already split in this round. The buckets live in
// segments, the first of which doubles up to full size so that small tables are
// small. The zero value is empty and ready.
type table struct {
	// arena is where overflow buckets are, with segments that the garbage collector does
	// not read: somebody else keeps the records alive. nil: all of it is in Go's heap,
	// and keeps them alive.
	arena     *arena.Arena
	segments  [][]bucket
	n         uint64
	mask      uint64
	count     int
	overflows int
}

func tagOf(hash uint64) uint64 { return hash>>57 | 0x80 }

// used is the number of records in b, not counting the rest of its chain.
func (b *bucket) used() int {
	if b.meta >= chained {
		return lastSlot
	}
	return (bits.Len64(b.meta) + 7) / 8
}

func (b *bucket) tag(i int) uint64 { return b.meta >> (8 * i) & 0xff }

func (b *bucket) set(i int, tag uint64, h *header) {
	b.meta = b.meta&^(0xff<<(8*i)) | tag<<(8*i)
	b.slots[i] = h
}

// candidates has bit 8*i+7 set for every slot i whose tag may equal tag.
func (b *bucket) candidates(tag uint64) uint64 {
	x := b.meta ^ tag*tagBits
	return (x - tagBits) &^ x & (tagBits << 7)
}

func (t *table) at(i uint64) *bucket {
	return &t.segments[i>>segmentBits][i&(segmentBuckets-1)]
}

func (t *table) bucketOf(hash uint64) *bucket {
	i := hash & t.mask
	if i >= t.n {
		i &= t.mask >> 1
	}
	return t.at(i)
}

// find returns the slot of key's record, or nil. The slot is good until the
// next insert or remove; its record may be replaced by another of the same key.
func (t *table) find(hash uint64, key []byte) **header {
	if t.count == 0 {
		return nil
	}
	tag := tagOf(hash)
	for b := t.bucketOf(hash); b != nil; b = b.next() {
		for m := b.candidates(tag); m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m) >> 3
			if b.slots[i].matches(key) {
				return &b.slots[i]
			}
		}
	}
	return nil
}

// insert adds a record whose key is not in the table.
func (t *table) insert(hash uint64, h *header) {
	if t.n == 0 {
		t.segments = [][]bucket{t.newBuckets(1)}
		t.n, t.mask = 1, 1
	}
	t.push(t.bucketOf(hash), tagOf(hash), h)
	t.count++
	if 2*t.count > growLoad*int(t.n) {
		t.split()
	}
}

// push appends a record to the chain that begins with b.
func (t *table) push(b *bucket, tag uint64, h *header) {
	for next := b.next(); next != nil; next = b.next() {
		b = next
	}
	used := b.used()
	if used == slotsPerBucket {
		child := t.newOverflow()
		child.set(0, b.tag(lastSlot), b.slots[lastSlot])
		b.link(child)
		b, used = child, 1
	}
	b.set(used, tag, h)
}

// replace puts h in the place of old, a record of the same key that is in the table.
func (t *table) replace(hash uint64, old, h *header) {
	b, i := t.locate(hash, old)
	b.slots[i] = h
}

// locate finds a record that is in the table by its identity.
func (t *table) locate(hash uint64, h *header) (*bucket, int) {
	for b := t.bucketOf(hash); b != nil; b = b.next() {
		for i := range b.used() {
			if b.slots[i] == h {
				return b, i
			}
		}
	}
	panic("keyspace: record is not in its table")
}

// remove takes a record out that is in the table.
func (t *table) remove(hash uint64, h *header) {
	b, i := t.locate(hash, h)
	parent, last := (*bucket)(nil), t.bucketOf(hash)
	for next := last.next(); next != nil; next = last.next() {
		parent, last = last, next
	}
	j := last.used() - 1
	b.set(i, last.tag(j), last.slots[j])
	last.set(j, 0, nil)
	if parent != nil && j == 1 {
		parent.meta &^= chained
		parent.set(lastSlot, last.tag(0), last.slots[0])
		t.freeOverflow(last)
	}
	t.count--
	if t.n > 1 && 2*t.count < shrinkLoad*int(t.n) {
		t.join()
	}
}

// split adds one bucket and moves to it what now belongs there.
func (t *table) split() {
	high := (t.mask + 1) / 2
	from, to := t.n-high, t.n
	t.reserve(to)
	t.n++
	if t.n > t.mask {
		t.mask = t.mask<<1 | 1
	}
	low := t.at(from)
	old := *low
	*low = bucket{}
	for b := &old; b != nil; b = b.next() {
		if b != &old {
			t.freeOverflow(b)
		}
		for i := range b.used() {
			dst := low
			if hashOf(b.slots[i].keyBytes())&high != 0 {
				dst = t.at(to)
			}
			t.push(dst, b.tag(i), b.slots[i])
		}
	}
}

// join is the inverse of split.
func (t *table) join() {
	t.n--
	if t.n <= t.mask>>1 {
		t.mask >>= 1
	}
	last := t.at(t.n)
	old := *last
	*last = bucket{}
	into := t.at(t.n - (t.mask+1)/2)
	for b := &old; b != nil; b = b.next() {
		if b != &old {
			t.freeOverflow(b)
		}
		for i := range b.used() {
			t.push(into, b.tag(i), b.slots[i])
		}
	}
	t.release()
}

// reserve makes room for bucket i, the next one.
func (t *table) reserve(i uint64) {
	if i>>segmentBits > 0 {
		if int(i>>segmentBits) == len(t.segments) {
			t.segments = append(t.segments, t.newBuckets(segmentBuckets))
		}
		return
	}
	if first := t.segments[0]; int(i) == len(first) {
		t.segments[0] = t.newBuckets(2 * len(first))
		copy(t.segments[0], first)
	}
}

// release gives back what a shrunken table no longer needs.
func (t *table) release() {
	if k := len(t.segments) - 1; k > 0 {
		if t.n <= uint64(k)<<segmentBits {
			t.segments[k] = nil
			t.segments = t.segments[:k]
		}
		return
	}
	if first := t.segments[0]; int(t.n)*4 <= len(first) {
		t.segments[0] = t.newBuckets(len(first) / 2)
		copy(t.segments[0], first)
	}
}

// each calls fn with every record until it returns false.
func (t *table) each(fn func(*header) bool) {
	for i := range t.n {
		for b := t.at(i); b != nil; b = b.next() {
			for j := range b.used() {
				if !fn(b.slots[j]) {
					return
				}
			}
		}
	}
}

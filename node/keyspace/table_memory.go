package keyspace

import "unsafe"

// This file has the casts of table.go. What makes them sound, beside what record.go says:
//
//   - The garbage collector takes an object's pointer map from its allocation. Buckets
//     of a table with an arena are made as numbers or in the arena, so it reads none of
//     their slots, and the pins of the database keep the records alive.
//   - The write barrier looks at what a slot held before. So a slot must never be written
//     that holds the address of what may have been freed: a record leaves the tables
//     before it leaves the pins, and a bucket in an arena, where anything may have been
//     before, is cleared as bytes.

const (
	bucketSize  = int(unsafe.Sizeof(bucket{}))
	bucketWords = bucketSize / 8
)

// newBuckets makes a segment of n empty buckets.
func (t *table) newBuckets(n int) []bucket {
	if t.arena == nil {
		return make([]bucket, n)
	}
	words := make([][bucketWords]uint64, n)
	return unsafe.Slice((*bucket)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// newOverflow makes an empty bucket for the end of a chain.
func (t *table) newOverflow() *bucket {
	t.overflows++
	if t.arena == nil {
		return new(bucket)
	}
	p := t.arena.Alloc(bucketSize)
	clear(unsafe.Slice((*byte)(p), bucketSize))
	return (*bucket)(p)
}

// freeOverflow gives a bucket back that is in no chain any more. It can be read until the
// Keyspace reclaims it.
func (t *table) freeOverflow(b *bucket) {
	t.overflows--
	if t.arena != nil {
		t.arena.Free(unsafe.Pointer(b))
	}
}

func (b *bucket) next() *bucket {
	if b.meta < chained {
		return nil
	}
	return (*bucket)(unsafe.Pointer(b.slots[lastSlot]))
}

func (b *bucket) link(child *bucket) {
	b.meta = b.meta&^(0xff<<(8*lastSlot)) | chained
	b.slots[lastSlot] = (*header)(unsafe.Pointer(child))
}

// memory is the size of the table without its records, in bytes.
func (t *table) memory() int64 {
	if t.n == 0 {
		return 0
	}
	first := len(t.segments[0]) * bucketSize
	if t.arena == nil {
		first = tracedAllocSize(first)
	} else {
		first = allocSize(first)
	}
	n := int64(len(t.segments)-1)*segmentBuckets + int64(t.overflows)
	return n*int64(bucketSize) + int64(first) + int64(cap(t.segments))*int64(unsafe.Sizeof(t.segments[0]))
}

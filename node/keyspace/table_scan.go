package keyspace

import "math/bits"

// scanBuckets bounds a scan step over a sparse table, in buckets an element asked
// for; Redis uses the same factor.
const scanBuckets = 10

// scan calls fn with the records of whole buckets from cursor on, until about count
// were seen, and returns the cursor of the next call, zero at the end.
// See the package comment for why it misses nothing across growing and shrinking.
func (t *table) scan(cursor uint64, count int, fn func(*header)) uint64 {
	if t.n == 0 {
		return 0
	}
	count = max(count, 1)
	half := t.mask >> 1
	for seen, visited := 0, 0; ; {
		mask := half
		if cursor&half < t.n-(half+1) {
			mask = t.mask
		}
		for b := t.at(cursor & mask); b != nil; b = b.next() {
			for i := range b.used() {
				fn(b.slots[i])
				seen++
			}
		}
		cursor = bits.Reverse64(bits.Reverse64(cursor|^mask) + 1)
		visited++
		if cursor == 0 || seen >= count || visited/scanBuckets >= count {
			return cursor
		}
	}
}

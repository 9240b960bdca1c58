package keyspace

import (
	"math/bits"
	"math/rand/v2"
)

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

// random picks a record, each with the same probability as long as no chain is
// longer than chainBound. The table must not be empty.
//
// A uniform bucket and then a uniform record in it would favour the records of
// short chains, so a place in a chain of the bounded length is drawn and the draw
// repeated when it is empty. tries bounds that; it is never reached in practice.
func (t *table) random(rng *rand.Rand) *header {
	const chainBound, tries = 3 * slotsPerBucket, 512
	for range tries {
		b := t.at(rng.Uint64N(t.n))
		n := b.chainLen()
		if i := rng.IntN(max(chainBound, n)); i < n {
			return b.nth(i)
		}
	}
	return t.randomFrom(rng.Uint64N(t.n), rng)
}

// randomFrom picks a record of the first bucket from start on that has one.
func (t *table) randomFrom(start uint64, rng *rand.Rand) *header {
	b := t.at(start)
	for b.used() == 0 {
		start = (start + 1) % t.n
		b = t.at(start)
	}
	return b.nth(rng.IntN(b.chainLen()))
}

func (b *bucket) chainLen() int {
	n := 0
	for ; b != nil; b = b.next() {
		n += b.used()
	}
	return n
}

// nth is record i of the chain that begins with b.
func (b *bucket) nth(i int) *header {
	for i >= b.used() {
		i -= b.used()
		b = b.next()
	}
	return b.slots[i]
}

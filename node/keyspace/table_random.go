package keyspace

import "math/rand/v2"

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

// sparseDraw is how many times smaller than the whole a draw must be for picking
// at random, and again what was picked before, to beat one pass over all.
const sparseDraw = 3

// randomDistinct calls fn with n different records, every choice of n equally
// likely, until it returns false. n is at most the table's count over sparseDraw.
func (t *table) randomDistinct(rng *rand.Rand, n int, fn func(*header) bool) {
	seen := make(map[*header]struct{}, max(n, 0))
	for len(seen) < n {
		r := t.random(rng)
		if _, again := seen[r]; again {
			continue
		}
		seen[r] = struct{}{}
		if !fn(r) {
			return
		}
	}
}

// selection draws need of the left elements that one pass goes by, every choice
// equally likely.
type selection struct {
	rng        *rand.Rand
	need, left int
}

// newSelection draws n of size elements, or all when there are fewer.
func newSelection(rng *rand.Rand, n, size int) selection {
	return selection{rng: rng, need: min(n, size), left: size}
}

// take decides on the next element.
func (s *selection) take() bool {
	taken := s.need > 0 && s.rng.IntN(s.left) < s.need
	if taken {
		s.need--
	}
	s.left--
	return taken
}

package keyspace

import "math/rand/v2"

// RandomRepeat calls fn with n members picked independently, until it returns false
// (ZRANDMEMBER with a negative count). An empty set calls nothing.
func (z *ZSet) RandomRepeat(rng *rand.Rand, n int, fn func(member []byte, score float64) bool) {
	size := z.Len()
	if size == 0 {
		return
	}
	pick := z.At
	if z.large == nil {
		entries := make([]zpackedEntry, 0, size)
		for off := 0; off < len(z.packed); off = entries[len(entries)-1].end {
			entries = append(entries, zpackedAt(z.packed, off))
		}
		pick = func(rank int) ([]byte, float64) { return entries[rank].of(z.packed), entries[rank].score }
	}
	for ; n > 0; n-- {
		if !fn(pick(rng.IntN(size))) {
			return
		}
	}
}

// RandomDistinct calls fn with n different members, every choice of n equally likely
// (all of them when there are fewer), until it returns false (ZRANDMEMBER with a
// positive count).
func (z *ZSet) RandomDistinct(rng *rand.Rand, n int, fn func(member []byte, score float64) bool) {
	size := z.Len()
	if z.large != nil && n <= size/sparseDraw {
		seen := make(map[int]struct{}, max(n, 0))
		for len(seen) < n {
			rank := rng.IntN(size)
			if _, again := seen[rank]; again {
				continue
			}
			seen[rank] = struct{}{}
			if !fn(z.At(rank)) {
				return
			}
		}
		return
	}
	need := min(n, size)
	z.Each(func(member []byte, score float64) bool {
		if need > 0 && rng.IntN(size) < need {
			need--
			if !fn(member, score) {
				return false
			}
		}
		size--
		return need > 0
	})
}

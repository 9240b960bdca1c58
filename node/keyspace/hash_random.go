package keyspace

import "math/rand/v2"

// Random picks a field, each with the same probability; false when there is none.
func (h *Hash) Random(rng *rand.Rand) (field, value []byte, ok bool) {
	if h.Len() == 0 {
		return nil, nil, false
	}
	h.RandomRepeat(rng, 1, func(f, v []byte) bool {
		field, value = f, v
		return true
	})
	return field, value, true
}

// RandomRepeat calls fn with n fields picked independently, until it returns false
// (HRANDFIELD with a negative count). An empty hash calls nothing.
func (h *Hash) RandomRepeat(rng *rand.Rand, n int, fn func(field, value []byte) bool) {
	if h.Len() == 0 {
		return
	}
	if h.fields != nil {
		for ; n > 0; n-- {
			if r := h.fields.random(rng); !fn(r.keyBytes(), r.str()) {
				return
			}
		}
		return
	}
	entries := make([]packedEntry, 0, h.n)
	for off := 0; off < len(h.packed); off = entries[len(entries)-1].end {
		entries = append(entries, packedAt(h.packed, off))
	}
	for ; n > 0; n-- {
		e := entries[rng.IntN(len(entries))]
		if !fn(h.packed[e.field:e.value:e.value], h.packed[e.value:e.end:e.end]) {
			return
		}
	}
}

// RandomDistinct calls fn with n different fields, every choice of n equally likely
// (all of them when there are fewer), until it returns false (HRANDFIELD with a
// positive count).
func (h *Hash) RandomDistinct(rng *rand.Rand, n int, fn func(field, value []byte) bool) {
	size := h.Len()
	if h.fields != nil && n <= size/sparseDraw {
		h.fields.randomDistinct(rng, n, func(r *header) bool { return fn(r.keyBytes(), r.str()) })
		return
	}
	draw := newSelection(rng, n, size)
	h.Each(func(field, value []byte) bool {
		return (!draw.take() || fn(field, value)) && draw.need > 0
	})
}

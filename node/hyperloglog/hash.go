package hyperloglog

import (
	"encoding/binary"
	"math/bits"
)

// seed is Redis's choice.
const seed = 0xadc83b19

// place is the register that an element belongs to, and its rank there.
func place(element []byte) (register int, rank uint8) {
	h := murmur64A(element)
	register = int(h & (registers - 1))
	// A bit beyond the hash's own ends the search.
	h = h>>precision | 1<<(64-precision)
	return register, uint8(bits.TrailingZeros64(h) + 1)
}

// murmur64A is A. Appleby's MurmurHash2 for 64 bits.
func murmur64A(b []byte) uint64 {
	const (
		m = 0xc6a4a7935bd1e995
		r = 47
	)
	h := seed ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k = (k ^ k>>r) * m
		h = (h ^ k) * m
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		h = (h ^ binary.LittleEndian.Uint64(tail[:])) * m
	}
	h = (h ^ h>>r) * m
	return h ^ h>>r
}

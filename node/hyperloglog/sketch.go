package hyperloglog

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt says that the registers of a sparse sketch make no sense.
var ErrCorrupt = errors.New("hyperloglog: corrupt sketch")

const (
	precision = 14
	registers = 1 << precision
	maxRank   = 64 - precision + 1

	registerBits = 6
	registerMax  = 1<<registerBits - 1

	headerSize = 16
	denseSize  = headerSize + registers*registerBits/8
	// maxSparseSize is what a sparse sketch takes at most, a run for each register.
	// Longer strings are corrupt, whatever is in them.
	maxSparseSize = headerSize + 2*registers

	magic      = "HYLL"
	encodingAt = len(magic)
)

const (
	encodingDense byte = iota
	encodingSparse
)

// CountAt is where CountSize bytes of a sketch hold its count.
const (
	CountAt   = 8
	CountSize = 8
)

// Sketch is a HyperLogLog in Redis's format. Parse makes sure of the header.
type Sketch []byte

// New returns a sketch of the empty set.
func New() Sketch {
	s := make(Sketch, headerSize, headerSize+8)
	copy(s, magic)
	s[encodingAt] = encodingSparse
	return appendRun(s, 0, registers)
}

// Parse reports whether a string is a sketch as far as Redis judges one before it
// looks at the registers. The sketch is the string itself, no copy.
func Parse(b []byte) (s Sketch, ok bool) {
	switch {
	case len(b) < headerSize, string(b[:len(magic)]) != magic, b[encodingAt] > encodingSparse:
		return nil, false
	case b[encodingAt] == encodingDense && len(b) != denseSize:
		return nil, false
	}
	return b, true
}

// Dense tells the encodings apart.
func (s Sketch) Dense() bool { return s[encodingAt] == encodingDense }

// TooLong reports whether s is corrupt merely by its length, which is worth knowing
// before it is copied.
func (s Sketch) TooLong() bool { return len(s) > maxSparseSize }

// CachedCount is the count as last computed, if the registers have not changed since.
func (s Sketch) CachedCount() (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(s[CountAt:])
	return n, n>>63 == 0
}

// SetCachedCount keeps what Count returned.
func (s Sketch) SetCachedCount(n uint64) { binary.LittleEndian.PutUint64(s[CountAt:], n) }

// Invalidate says that the cached count holds no more.
func (s Sketch) Invalidate() { s[CountAt+CountSize-1] |= 0x80 }

// Add adds an element and reports whether that changed a register. Like append it
// returns the sketch in the memory of s or in new memory; a dense one stays where it is.
// A sparse one that would need more than maxSparse bytes becomes dense. Error:
// ErrCorrupt, s is unchanged then.
func (s Sketch) Add(element []byte, maxSparse int) (Sketch, bool, error) {
	register, rank := place(element)
	return s.set(register, rank, maxSparse)
}

// set raises a register to value, which is 1 at least, unless it is there already; see
// Add.
func (s Sketch) set(register int, value uint8, maxSparse int) (Sketch, bool, error) {
	if !s.Dense() {
		return s.setSparse(register, value, maxSparse)
	}
	if !s.setDense(register, value) {
		return s, false, nil
	}
	s.Invalidate()
	return s, true, nil
}

// Count estimates the number of different elements. Error: ErrCorrupt.
func (s Sketch) Count() (uint64, error) {
	var h histogram
	if s.Dense() {
		h.addDense(s)
	} else if err := s.eachRun(func(r run, _ int) { h[r.value] += r.length }); err != nil {
		return 0, err
	}
	return h.estimate(), nil
}

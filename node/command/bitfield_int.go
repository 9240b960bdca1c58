package command

import (
	"encoding/binary"
	"math"

	"github.com/redoubtdb/redoubt/node/resp"
)

// fieldType is the type of an integer within a string: i1 to i64 and u1 to u63.
type fieldType struct {
	signed bool
	width  int // bits
}

// parseFieldType reads a type as BITFIELD takes it. As in Redis a NUL ends it.
func parseFieldType(text []byte) (t fieldType, ok bool) {
	text = clip(text, math.MaxInt)
	if len(text) == 0 || text[0] != 'i' && text[0] != 'u' {
		return t, false
	}
	t.signed = text[0] == 'i'
	most := int64(63)
	if t.signed {
		most = 64
	}
	n, ok := resp.ParseInt(text[1:])
	t.width = int(n)
	return t, ok && n >= 1 && n <= most
}

func (t fieldType) min() int64 {
	if t.signed {
		return math.MinInt64 >> (64 - t.width)
	}
	return 0
}

func (t fieldType) max() int64 {
	if t.signed {
		return math.MaxInt64 >> (64 - t.width)
	}
	return math.MaxInt64 >> (63 - t.width)
}

// cut is the integer that is left of the low bits of n.
func (t fieldType) cut(n uint64) int64 {
	n <<= 64 - t.width
	if t.signed {
		return int64(n) >> (64 - t.width)
	}
	return int64(n >> (64 - t.width))
}

// get reads the integer at bit offset of s. What is behind the end of s is zero.
func (t fieldType) get(s []byte, offset int64) int64 {
	var window [9]byte
	if i := offset >> 3; i < int64(len(s)) {
		copy(window[:], s[i:])
	}
	shift := offset & 7
	n := binary.BigEndian.Uint64(window[:])<<shift | uint64(window[8])>>(8-shift)
	return t.cut(n >> (64 - t.width))
}

// set writes the low bits of n at bit offset of s, which reaches that far.
func (t fieldType) set(s []byte, offset, n int64) {
	var window [9]byte
	s = s[offset>>3:]
	copy(window[:], s)
	shift := offset & 7
	mask := uint64(math.MaxUint64) << (64 - t.width) // the field's bits if it began at bit 0
	value := uint64(n) << (64 - t.width)
	first := binary.BigEndian.Uint64(window[:])
	binary.BigEndian.PutUint64(window[:], first&^(mask>>shift)|value>>shift)
	window[8] = window[8]&^byte(mask<<(64-shift)>>56) | byte(value<<(64-shift)>>56)
	copy(s, window[:])
}

// overflow is what happens to results that do not fit their type.
type overflow uint8

const (
	overflowWrap overflow = iota
	overflowSat
	overflowFail
)

// add is old plus by. When fits is false the result does not fit, and overflow has
// decided about it; with overflowFail it is to be dropped.
func (t fieldType) add(old, by int64, o overflow) (n int64, fits bool) {
	n = old + by
	beyond := (n < old) != (by < 0) // of int64
	low := n < t.min()
	high := n > t.max()
	if beyond {
		low, high = by < 0, by > 0
	}
	return t.settle(uint64(n), low, high, o)
}

// store is n as the type holds it; see add. A negative number is too large for an
// unsigned type, not too small, as in Redis; and for a signed one too, when its
// distance to the type's largest is no int64.
func (t fieldType) store(n int64, o overflow) (stored int64, fits bool) {
	high := n > t.max() || !t.signed && n < 0
	if t.signed && t.width < 64 {
		high = t.max()-n < 0 // wraps
	}
	low := t.signed && n < t.min() && !high
	return t.settle(uint64(n), low, high, o)
}

func (t fieldType) settle(n uint64, low, high bool, o overflow) (int64, bool) {
	switch {
	case !low && !high:
		return int64(n), true
	case o == overflowSat && low:
		return t.min(), false
	case o == overflowSat:
		return t.max(), false
	}
	return t.cut(n), false
}

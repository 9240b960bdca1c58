package rdb

import (
	"encoding/binary"
	"fmt"
)

// An intset is a sorted array of different integers, all of them little-endian and of
// the same width:
//
//	u32 width (2, 4 or 8), u32 number of integers, integer...
const intsetHeader = 8

// eachInt calls fn with every integer of an intset, which it checks whole.
func eachInt(b []byte, fn func(v int64)) error {
	if len(b) < intsetHeader {
		return fmt.Errorf("%w: intset of %d bytes has no header", ErrCorrupt, len(b))
	}
	width, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	b = b[intsetHeader:]
	if width != 2 && width != 4 && width != 8 || uint64(len(b)) != uint64(width)*uint64(n) {
		return fmt.Errorf("%w: intset of %d integers of %d bytes has %d bytes", ErrCorrupt, n, width, len(b))
	}
	last := int64(0)
	for i := range int(n) {
		v := littleInt(b[i*int(width):], int(width))
		if i > 0 && v <= last {
			return fmt.Errorf("%w: intset is not in order at integer %d", ErrCorrupt, i)
		}
		fn(v)
		last = v
	}
	return nil
}

// littleInt is the little-endian integer of n bytes at the start of p.
func littleInt(p []byte, n int) int64 {
	var wide [8]byte
	copy(wide[8-n:], p[:n])
	return int64(binary.LittleEndian.Uint64(wide[:])) >> (64 - 8*n)
}

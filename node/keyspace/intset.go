package keyspace

import (
	"encoding/binary"
	"strconv"
)

// The intset form of a set is a run of different integers in ascending order,
// little-endian, each of the same width of 2, 4 or 8 bytes. The width only grows,
// with the first integer that needs it.

// intsetMost is the number of integers at which no limit keeps an intset any longer: one
// of them must fit a string of an RDB file.
const intsetMost = 1 << 25

func intWidth(v int64) int {
	switch {
	case v == int64(int16(v)):
		return 2
	case v == int64(int32(v)):
		return 4
	}
	return 8
}

func intAt(p []byte, width, i int) int64 {
	switch width {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p[2*i:])))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(p[4*i:])))
	}
	return int64(binary.LittleEndian.Uint64(p[8*i:]))
}

func putInt(p []byte, width, i int, v int64) {
	switch width {
	case 2:
		binary.LittleEndian.PutUint16(p[2*i:], uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(p[4*i:], uint32(v))
	default:
		binary.LittleEndian.PutUint64(p[8*i:], uint64(v))
	}
}

// intSearch is where v is, or belongs.
func intSearch(p []byte, width int, v int64) (i int, found bool) {
	low, high := 0, len(p)/width
	// Integers often come in ascending order.
	if high > 0 && v > intAt(p, width, high-1) {
		return high, false
	}
	for low < high {
		mid := int(uint(low+high) / 2)
		switch x := intAt(p, width, mid); {
		case x == v:
			return mid, true
		case x < v:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// intInsert puts v at place i.
func intInsert(p []byte, width, i int, v int64) []byte {
	p = packedGrow(p, width)
	p = p[:len(p)+width]
	copy(p[(i+1)*width:], p[i*width:])
	putInt(p, width, i, v)
	return p
}

func intDelete(p []byte, width, i int) []byte {
	return packedShrink(append(p[:i*width], p[(i+1)*width:]...))
}

// intWiden copies integers to a greater width, with room for one more.
func intWiden(p []byte, from, to int) []byte {
	n := len(p) / from
	q := make([]byte, n*to, allocSize((n+1)*to))
	for i := range n {
		putInt(q, to, i, intAt(p, from, i))
	}
	return q
}

// parseInt reads the one decimal form of an int64; see canonicalInt.
func parseInt(s []byte) (int64, bool) {
	if !canonicalInt(s) {
		return 0, false
	}
	const certain = 18 // digits that no int64 is too small for
	if len(s) > certain {
		v, err := strconv.ParseInt(string(s), 10, 64)
		return v, err == nil
	}
	v, negative := int64(0), s[0] == '-'
	if negative {
		s = s[1:]
	}
	for _, c := range s {
		v = 10*v + int64(c-'0')
	}
	if negative {
		v = -v
	}
	return v, true
}

// longestInt is the number of characters of the longest integer of an intset, which
// is the smallest or the largest.
func longestInt(p []byte, width int) int {
	if len(p) == 0 {
		return 0
	}
	var digits [len("-9223372036854775808")]byte
	first := strconv.AppendInt(digits[:0], intAt(p, width, 0), 10)
	longest := len(first)
	last := strconv.AppendInt(digits[:0], intAt(p, width, len(p)/width-1), 10)
	return max(longest, len(last))
}

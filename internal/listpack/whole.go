package listpack

import (
	"bytes"
	"encoding/binary"
)

// Whole listpacks: entries in their frame.

const (
	// HeaderSize is the number of bytes before the first entry.
	HeaderSize = 4 + 2
	// End is the byte behind the last entry.
	End = 0xff
	// UnknownCount in a header's count means "walk and see".
	UnknownCount = 1<<16 - 1
)

// New returns an empty listpack with room for n bytes in all.
func New(n int) []byte {
	b := make([]byte, Overhead, max(n, Overhead))
	b[HeaderSize] = End
	SetHeader(b, 0)
	return b
}

// SetHeader makes a listpack's header say its size and its number of entries.
func SetHeader(b []byte, count int) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint16(b[4:], uint16(min(count, UnknownCount)))
}

// Count is the number of entries that a header says, UnknownCount when it does not
// know.
func Count(b []byte) int { return int(binary.LittleEndian.Uint16(b[4:])) }

// Framed reports whether b, which may hold anything, begins and ends as a listpack of
// its length does.
func Framed(b []byte) bool {
	return len(b) >= Overhead && binary.LittleEndian.Uint32(b) == uint32(len(b)) && b[len(b)-1] == End
}

// AppendInt appends the entry of v to dst.
func AppendInt(dst []byte, v int64) []byte {
	start := len(dst)
	dst = appendInt(dst, v)
	return AppendBackLength(dst, len(dst)-start)
}

// Int is the integer of the entry at offset at, 0 of a string, and the offset behind
// it.
func Int(b []byte, at int) (v int64, next int) {
	size, encoding := head(b[at:])
	v, _ = number(b[at:at+size], encoding)
	return v, at + size + backLengthSize(size)
}

// number is the integer of encoding and data p; false when it is a string.
func number(p []byte, encoding int) (int64, bool) {
	c := p[0]
	switch {
	case c&int7Mask == 0:
		return int64(c), true
	case c < int13, c >= string12 && c <= string32:
		return 0, false
	case c < string12:
		v := int64(c&0x1f)<<8 | int64(p[1])
		return v << 51 >> 51, true
	}
	var wide [8]byte
	n := len(p) - encoding
	copy(wide[8-n:], p[encoding:])
	return int64(binary.LittleEndian.Uint64(wide[:])) >> (64 - 8*n), true
}

// Checked reads the entry at offset at of b, which may hold anything. ok is false when
// there is no whole entry, with its back length.
func Checked(b []byte, at int) (v int64, isInt bool, next int, ok bool) {
	if at < 0 || at >= len(b) {
		return 0, false, 0, false
	}
	p, need := b[at:], 1
	switch c := p[0]; {
	case c > int64bits:
		return 0, false, 0, false
	case c == string32:
		need = 5
	case c >= string12 && c < string32:
		need = 2
	}
	if len(p) < need {
		return 0, false, 0, false
	}
	size, encoding := head(p)
	if size > len(p) {
		return 0, false, 0, false
	}
	var back [5]byte
	want := AppendBackLength(back[:0], size)
	if !bytes.HasPrefix(p[size:], want) {
		return 0, false, 0, false
	}
	v, isInt = number(p[:size], encoding)
	return v, isInt, at + size + len(want), true
}

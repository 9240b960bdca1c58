// Package listpack has the entries of Redis's listpacks: strings and integers in one
// piece of memory that can be walked both ways. A whole listpack, which this package
// neither makes nor reads, is
//
//	u32 total bytes, u16 number of entries (65535: unknown), entry..., 0xff
//
// and an entry
//
//	encoding and data, back length
//
// The back length is the size of encoding and data in groups of 7 bits, most
// significant first, all but the first marked with the high bit: it is read from its
// end. A string that is what Redis prints for a 64-bit integer is kept as that integer,
// so equal strings have equal entries.
//
// The functions that read trust what they read; bytes from outside are checked by
// package rdb.
package listpack

import (
	"encoding/binary"
	"strconv"
)

// Overhead is the size in bytes of a listpack beside its entries.
const Overhead = 4 + 2 + 1

// First bytes of entries, or what is set in them.
const (
	int7Mask  = 0x80 // clear: a number of 7 bits
	string6   = 0x80 // 10: a string of a 6-bit length
	int13     = 0xc0 // 110: a number of 13 bits
	string12  = 0xe0 // 1110: a string of a 12-bit length
	string32  = 0xf0
	int16bits = 0xf1
	int24bits = 0xf2
	int32bits = 0xf3
	int64bits = 0xf4
)

// MaxDigits is the longest text of an integer.
const MaxDigits = len("-9223372036854775808")

// Append appends the entry of s to dst.
func Append(dst, s []byte) []byte {
	start := len(dst)
	if v, ok := CanonicalInt(s); ok {
		dst = appendInt(dst, v)
	} else {
		dst = appendString(dst, s)
	}
	return AppendBackLength(dst, len(dst)-start)
}

func appendInt(dst []byte, v int64) []byte {
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], uint64(v))
	fits := func(bits uint) bool { return v<<(64-bits)>>(64-bits) == v }
	switch {
	case v >= 0 && v < 128:
		return append(dst, byte(v))
	case fits(13):
		return append(dst, int13|byte(v>>8)&0x1f, byte(v))
	case fits(16):
		return append(append(dst, int16bits), le[:2]...)
	case fits(24):
		return append(append(dst, int24bits), le[:3]...)
	case fits(32):
		return append(append(dst, int32bits), le[:4]...)
	}
	return append(append(dst, int64bits), le[:]...)
}

func appendString(dst, s []byte) []byte {
	switch n := len(s); {
	case n < 1<<6:
		dst = append(dst, string6|byte(n))
	case n < 1<<12:
		dst = append(dst, string12|byte(n>>8), byte(n))
	default:
		dst = append(dst, string32)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return append(dst, s...)
}

// AppendBackLength appends the back length of an entry whose encoding and data have n
// bytes.
func AppendBackLength(dst []byte, n int) []byte {
	switch {
	case n <= 127:
		return append(dst, byte(n))
	case n < 16383:
		return append(dst, byte(n>>7), byte(n&127|128))
	case n < 2097151:
		return append(dst, byte(n>>14), byte(n>>7&127|128), byte(n&127|128))
	case n < 268435455:
		return append(dst, byte(n>>21), byte(n>>14&127|128), byte(n>>7&127|128), byte(n&127|128))
	}
	return append(dst, byte(n>>28), byte(n>>21&127|128), byte(n>>14&127|128), byte(n>>7&127|128), byte(n&127|128))
}

// backLengthSize is the size of a back length of n.
func backLengthSize(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 16383:
		return 2
	case n < 2097151:
		return 3
	case n < 268435455:
		return 4
	}
	return 5
}

// head reads the first bytes of the entry at the start of b: the size of encoding and
// data, and how many bytes of it are the encoding.
func head(b []byte) (size, encoding int) {
	c := b[0]
	switch {
	case c&int7Mask == 0:
		return 1, 0
	case c < int13:
		return 1 + int(c&0x3f), 1
	case c < string12:
		return 2, 0
	case c < string32:
		return 2 + int(c&0x0f)<<8 + int(b[1]), 2
	}
	switch c {
	case string32:
		return 5 + int(binary.LittleEndian.Uint32(b[1:])), 5
	case int16bits:
		return 3, 1
	case int24bits:
		return 4, 1
	case int32bits:
		return 5, 1
	}
	return 9, 1
}

// Next is the offset behind the entry at offset at.
func Next(b []byte, at int) int {
	size, _ := head(b[at:])
	return at + size + backLengthSize(size)
}

// Prev is the offset of the entry that ends at offset end.
func Prev(b []byte, end int) int {
	size, shift := 0, 0
	for at := end - 1; ; at-- {
		size |= int(b[at]&127) << shift
		if b[at]&128 == 0 {
			return at - size
		}
		shift += 7
	}
}

// Element is the string of the entry at offset at. It aliases b or, of an integer, is
// written to digits, which has a length of at least MaxDigits.
func Element(b []byte, at int, digits []byte) []byte {
	p := b[at:]
	size, encoding := head(p)
	c := p[0]
	switch {
	case c&int7Mask == 0:
		return strconv.AppendInt(digits[:0], int64(c), 10)
	case c < int13, c >= string12 && c <= string32:
		return p[encoding:size:size]
	case c < string12:
		v := int64(c&0x1f)<<8 | int64(p[1])
		return strconv.AppendInt(digits[:0], v<<51>>51, 10)
	}
	var wide [8]byte
	n := size - encoding
	copy(wide[8-n:], p[encoding:size])
	v := int64(binary.LittleEndian.Uint64(wide[:])) >> (64 - 8*n)
	return strconv.AppendInt(digits[:0], v, 10)
}

// CanonicalInt reports whether s is exactly what Redis prints for a signed 64-bit
// integer.
func CanonicalInt(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > MaxDigits {
		return 0, false
	}
	digits := s
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(s) > 1 {
		return 0, false
	}
	// Most strings are not numbers; telling so here spares ParseInt's error.
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	v, err := strconv.ParseInt(string(s), 10, 64)
	return v, err == nil
}

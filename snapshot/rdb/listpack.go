package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// A listpack is a list of strings and integers in one piece of memory:
//
//	u32 total bytes, u16 number of elements (65535: unknown), element..., 0xff
//	element = encoding and data, back length
//
// The back length is the size of encoding and data in groups of 7 bits, most
// significant first, all but the first marked with the high bit: it is read
// from its end.
const (
	listpackHeader = 6
	listpackEnd    = 0xff
	// unknownCount in a header's 16-bit count means "walk and see".
	unknownCount = 1<<16 - 1
)

// elements walks a packed list. next returns one element, which aliases the
// list or scratch; more is false after the last one, when finish checks what
// the list said of itself.
type elements interface {
	more() bool
	next(scratch []byte) ([]byte, error)
	finish() error
}

type listpack struct {
	b     []byte
	pos   int
	seen  int
	count int
}

func openListpack(b []byte) (*listpack, error) {
	if len(b) < listpackHeader+1 || binary.LittleEndian.Uint32(b) != uint32(len(b)) || b[len(b)-1] != listpackEnd {
		return nil, fmt.Errorf("%w: listpack of %d bytes has a bad frame", ErrCorrupt, len(b))
	}
	return &listpack{b: b[:len(b)-1], pos: listpackHeader, count: int(binary.LittleEndian.Uint16(b[4:]))}, nil
}

func (l *listpack) more() bool { return l.pos < len(l.b) }

func (l *listpack) finish() error { return checkCount("listpack", l.seen, l.count) }

func checkCount(what string, seen, count int) error {
	if count != unknownCount && seen != count {
		return fmt.Errorf("%w: %s says %d elements and has %d", ErrCorrupt, what, count, seen)
	}
	return nil
}

func (l *listpack) next(scratch []byte) ([]byte, error) {
	p := l.b[l.pos:]
	elem, size, err := listpackElement(p, scratch)
	if err != nil {
		return nil, fmt.Errorf("%w (listpack element %d)", err, l.seen)
	}
	var back [5]byte
	want := appendBackLength(back[:0], size)
	if !bytes.HasPrefix(p[size:], want) {
		return nil, fmt.Errorf("%w: listpack element %d has a wrong back length", ErrCorrupt, l.seen)
	}
	l.pos += size + len(want)
	l.seen++
	return elem, nil
}

// listpackElement reads the element at the start of p and the size of its
// encoding and data.
func listpackElement(p, scratch []byte) (elem []byte, size int, err error) {
	if len(p) == 0 {
		return nil, 0, errElementShort
	}
	b := p[0]
	switch {
	case b < 0x80:
		return strconv.AppendInt(scratch[:0], int64(b), 10), 1, nil
	case b < 0xc0:
		return packedString(p, 1, uint64(b&0x3f))
	case b < 0xe0:
		if len(p) < 2 {
			return nil, 0, errElementShort
		}
		v := int64(b&0x1f)<<8 | int64(p[1])
		return strconv.AppendInt(scratch[:0], v<<51>>51, 10), 2, nil
	case b < 0xf0:
		if len(p) < 2 {
			return nil, 0, errElementShort
		}
		return packedString(p, 2, uint64(b&0x0f)<<8|uint64(p[1]))
	}
	switch b {
	case 0xf0:
		if len(p) < 5 {
			return nil, 0, errElementShort
		}
		return packedString(p, 5, uint64(binary.LittleEndian.Uint32(p[1:])))
	case 0xf1:
		return packedInt(p, 2, scratch)
	case 0xf2:
		return packedInt(p, 3, scratch)
	case 0xf3:
		return packedInt(p, 4, scratch)
	case 0xf4:
		return packedInt(p, 8, scratch)
	}
	return nil, 0, fmt.Errorf("%w: unknown element encoding 0x%02x", ErrCorrupt, b)
}

var errElementShort = fmt.Errorf("%w: packed element crosses the end", ErrCorrupt)

// packedString is the string of n bytes behind a header of h bytes.
func packedString(p []byte, h int, n uint64) ([]byte, int, error) {
	if n > uint64(len(p)-h) {
		return nil, 0, errElementShort
	}
	return p[h : h+int(n)], h + int(n), nil
}

// packedInt is the little-endian integer of n bytes behind one byte.
func packedInt(p []byte, n int, scratch []byte) ([]byte, int, error) {
	if len(p) < 1+n {
		return nil, 0, errElementShort
	}
	return strconv.AppendInt(scratch[:0], littleInt(p[1:], n), 10), 1 + n, nil
}

func appendBackLength(dst []byte, n int) []byte {
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

// listpackBuilder packs elements; the zero value is empty.
type listpackBuilder struct {
	b []byte
	n int
}

func (l *listpackBuilder) reset() {
	l.b = append(l.b[:0], make([]byte, listpackHeader)...)
	l.n = 0
}

func (l *listpackBuilder) add(s []byte) {
	start := len(l.b)
	if v, ok := canonicalInt(s); ok {
		l.b = appendPackedInt(l.b, v)
	} else {
		l.b = appendPackedString(l.b, s)
	}
	l.b = appendBackLength(l.b, len(l.b)-start)
	l.n++
}

// bytes closes the listpack; it is valid until reset.
func (l *listpackBuilder) bytes() []byte {
	l.b = append(l.b, listpackEnd)
	binary.LittleEndian.PutUint32(l.b, uint32(len(l.b)))
	binary.LittleEndian.PutUint16(l.b[4:], uint16(min(l.n, unknownCount)))
	return l.b
}

func appendPackedInt(dst []byte, v int64) []byte {
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], uint64(v))
	fits := func(bits uint) bool { return v<<(64-bits)>>(64-bits) == v }
	switch {
	case v >= 0 && v < 128:
		return append(dst, byte(v))
	case fits(13):
		return append(dst, 0xc0|byte(v>>8)&0x1f, byte(v))
	case fits(16):
		return append(append(dst, 0xf1), le[:2]...)
	case fits(24):
		return append(append(dst, 0xf2), le[:3]...)
	case fits(32):
		return append(append(dst, 0xf3), le[:4]...)
	}
	return append(append(dst, 0xf4), le[:]...)
}

func appendPackedString(dst, s []byte) []byte {
	switch n := len(s); {
	case n < 1<<6:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<12:
		dst = append(dst, 0xe0|byte(n>>8), byte(n))
	default:
		dst = append(dst, 0xf0)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return append(dst, s...)
}

// canonicalInt reports whether s is exactly what Redis prints for a signed
// 64-bit integer.
func canonicalInt(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > len("-9223372036854775808") {
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

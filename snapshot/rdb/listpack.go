package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	entries "github.com/redoubtdb/redoubt/internal/listpack"
)

// A listpack is a list of strings and integers in one piece of memory; its layout
// is in package internal/listpack, which writes elements. Here they are read from
// bytes that cannot be trusted.
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
	want := entries.AppendBackLength(back[:0], size)
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
	l.b = entries.Append(l.b, s)
	l.n++
}

// addAll adds n elements that are entries already.
func (l *listpackBuilder) addAll(entries []byte, n int) {
	l.b = append(l.b, entries...)
	l.n += n
}

// bytes closes the listpack; it is valid until reset.
func (l *listpackBuilder) bytes() []byte {
	l.b = append(l.b, listpackEnd)
	binary.LittleEndian.PutUint32(l.b, uint32(len(l.b)))
	binary.LittleEndian.PutUint16(l.b[4:], uint16(min(l.n, unknownCount)))
	return l.b
}

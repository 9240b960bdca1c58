package rdb

import (
	"encoding/binary"
	"fmt"
)

// A zipmap is how Redis kept small hashes before 2.6:
//
//	u8 pairs (254 or more: unknown), pair..., 0xff
//	pair = length, field, length, u8 free, value, free bytes
//
// A length is one byte, or 0xfe and u32 little-endian.
const (
	zipmapEnd     = 0xff
	zipmapBigLen  = 0xfe
	zipmapUnknown = 254
)

// zipmap walks fields and values in turn, as elements.
type zipmap struct {
	b     []byte
	pos   int
	seen  int // fields and values
	count int // pairs
}

func openZipmap(b []byte) (*zipmap, error) {
	if len(b) < 2 || b[len(b)-1] != zipmapEnd {
		return nil, fmt.Errorf("%w: zipmap of %d bytes has a bad frame", ErrCorrupt, len(b))
	}
	return &zipmap{b: b[:len(b)-1], pos: 1, count: int(b[0])}, nil
}

func (z *zipmap) more() bool { return z.pos < len(z.b) }

func (z *zipmap) finish() error {
	if z.count < zipmapUnknown && z.seen != 2*z.count {
		return fmt.Errorf("%w: zipmap says %d pairs and has %d", ErrCorrupt, z.count, z.seen/2)
	}
	return nil
}

func (z *zipmap) next([]byte) ([]byte, error) {
	p := z.b[z.pos:]
	if len(p) == 0 {
		return nil, errElementShort
	}
	n, h := uint64(p[0]), 1
	switch p[0] {
	case zipmapBigLen:
		if len(p) < 5 {
			return nil, errElementShort
		}
		n, h = uint64(binary.LittleEndian.Uint32(p[1:])), 5
	case zipmapEnd:
		return nil, fmt.Errorf("%w: zipmap ends inside", ErrCorrupt)
	}
	free := uint64(0)
	if z.seen%2 == 1 {
		if len(p) <= h {
			return nil, errElementShort
		}
		free = uint64(p[h])
		h++
	}
	if n+free > uint64(len(p)-h) {
		return nil, errElementShort
	}
	z.pos += h + int(n+free)
	z.seen++
	return p[h : h+int(n)], nil
}

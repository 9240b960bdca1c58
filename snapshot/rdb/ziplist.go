package rdb

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// A ziplist is what listpacks replaced in Redis 7.0:
//
//	u32 total bytes, u32 offset of the last entry, u16 entries (65535: unknown),
//	entry..., 0xff
//	entry = size of the entry before (1 byte, or 0xfe and u32), encoding, data
//
// Lengths inside an encoding are big-endian, all else is little-endian.
const (
	ziplistHeader = 10
	ziplistEnd    = 0xff
	ziplistBigLen = 0xfe
)

type ziplist struct {
	b     []byte
	pos   int
	prev  int // size of the entry before pos
	tail  int
	seen  int
	count int
}

func openZiplist(b []byte) (*ziplist, error) {
	if len(b) < ziplistHeader+1 || binary.LittleEndian.Uint32(b) != uint32(len(b)) || b[len(b)-1] != ziplistEnd {
		return nil, fmt.Errorf("%w: ziplist of %d bytes has a bad frame", ErrCorrupt, len(b))
	}
	return &ziplist{
		b:     b[:len(b)-1],
		pos:   ziplistHeader,
		tail:  int(binary.LittleEndian.Uint32(b[4:])),
		count: int(binary.LittleEndian.Uint16(b[8:])),
	}, nil
}

func (z *ziplist) more() bool { return z.pos < len(z.b) }

func (z *ziplist) finish() error {
	if z.tail != z.pos-z.prev {
		return fmt.Errorf("%w: ziplist says its last entry is at %d, it is at %d", ErrCorrupt, z.tail, z.pos-z.prev)
	}
	return checkCount("ziplist", z.seen, z.count)
}

func (z *ziplist) next(scratch []byte) ([]byte, error) {
	p := z.b[z.pos:]
	prev, h := 0, 1
	switch {
	case len(p) == 0:
		return nil, errElementShort
	case p[0] < ziplistBigLen:
		prev = int(p[0])
	case p[0] == ziplistBigLen && len(p) >= 5:
		prev, h = int(binary.LittleEndian.Uint32(p[1:])), 5
	default:
		return nil, fmt.Errorf("%w: ziplist entry %d has a bad size of the entry before", ErrCorrupt, z.seen)
	}
	if prev != z.prev {
		return nil, fmt.Errorf("%w: ziplist entry %d says the one before has %d bytes, it has %d", ErrCorrupt, z.seen, prev, z.prev)
	}
	elem, size, err := ziplistElement(p[h:], scratch)
	if err != nil {
		return nil, fmt.Errorf("%w (ziplist entry %d)", err, z.seen)
	}
	z.prev = h + size
	z.pos += z.prev
	z.seen++
	return elem, nil
}

func ziplistElement(p, scratch []byte) (elem []byte, size int, err error) {
	if len(p) == 0 {
		return nil, 0, errElementShort
	}
	b := p[0]
	switch b >> 6 {
	case 0:
		return packedString(p, 1, uint64(b))
	case 1:
		if len(p) < 2 {
			return nil, 0, errElementShort
		}
		return packedString(p, 2, uint64(b&0x3f)<<8|uint64(p[1]))
	case 2:
		if len(p) < 5 {
			return nil, 0, errElementShort
		}
		return packedString(p, 5, uint64(binary.BigEndian.Uint32(p[1:])))
	}
	switch b {
	case 0xc0:
		return packedInt(p, 2, scratch)
	case 0xd0:
		return packedInt(p, 4, scratch)
	case 0xe0:
		return packedInt(p, 8, scratch)
	case 0xf0:
		return packedInt(p, 3, scratch)
	case 0xfe:
		return packedInt(p, 1, scratch)
	}
	if b >= 0xf1 && b <= 0xfd {
		return strconv.AppendInt(scratch[:0], int64(b&0x0f)-1, 10), 1, nil
	}
	return nil, 0, fmt.Errorf("%w: unknown entry encoding 0x%02x", ErrCorrupt, b)
}

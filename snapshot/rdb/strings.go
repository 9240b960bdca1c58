package rdb

import (
	"encoding/binary"
	"fmt"
	"strconv"

	entries "github.com/redoubtdb/redoubt/internal/listpack"
)

const (
	// Strings up to this length are tried as integers, as Redis does.
	maxIntString = 11
	// Shorter strings are not worth compressing, as in Redis.
	minCompress = 21
	// maxCompress bounds the memory that compressing one string takes. Longer
	// strings are written as they are.
	maxCompress = 16 << 20
)

// str reads a string of at most limit bytes. The result is valid until the
// next call on in.
func (in *input) str(limit uint64) ([]byte, error) {
	n, other, err := in.lengthOrEncoding()
	if err != nil {
		return nil, err
	}
	if !other {
		if n > limit {
			return nil, tooLarge(n, limit, in.offset())
		}
		return in.next(n)
	}
	if n == encLZF {
		return in.lzf(limit)
	}
	v, err := in.intString(n)
	if err != nil {
		return nil, err
	}
	in.unpack = strconv.AppendInt(in.unpack[:0], v, 10)
	return in.unpack, nil
}

func tooLarge(n, limit uint64, offset int64) error {
	return fmt.Errorf("%w: %d bytes at offset %d, the limit is %d", ErrTooLarge, n, offset, limit)
}

func (in *input) intString(encoding uint64) (int64, error) {
	switch encoding {
	case encInt8:
		b, err := in.byte()
		return int64(int8(b)), err
	case encInt16:
		p, err := in.next(2)
		if err != nil {
			return 0, err
		}
		return int64(int16(binary.LittleEndian.Uint16(p))), nil
	case encInt32:
		p, err := in.next(4)
		if err != nil {
			return 0, err
		}
		return int64(int32(binary.LittleEndian.Uint32(p))), nil
	}
	return 0, fmt.Errorf("%w: unknown string encoding %d at offset %d", ErrCorrupt, encoding, in.offset()-1)
}

func (in *input) lzf(limit uint64) ([]byte, error) {
	compressed, err := in.length()
	if err != nil {
		return nil, err
	}
	size, err := in.length()
	if err != nil {
		return nil, err
	}
	if err := checkLZF(compressed, size); err != nil {
		return nil, fmt.Errorf("%w (offset %d)", err, in.offset())
	}
	if size > limit {
		return nil, tooLarge(size, limit, in.offset())
	}
	if compressed > limit {
		return nil, tooLarge(compressed, limit, in.offset())
	}
	src, err := in.next(compressed)
	if err != nil {
		return nil, err
	}
	out := in.unpack[:0]
	if uint64(cap(out)) < size {
		out = make([]byte, size)
	}
	out = out[:size]
	if err := decompress(out, src); err != nil {
		return nil, fmt.Errorf("%w (block of %d bytes before offset %d)", err, compressed, in.offset())
	}
	in.keep(&in.unpack, out)
	return out, nil
}

// intEncoding reports whether s is exactly what Redis prints for an integer
// of 32 bits, the only strings that are stored as integers.
func intEncoding(s []byte) (int64, bool) {
	if len(s) > maxIntString {
		return 0, false
	}
	v, ok := entries.CanonicalInt(s)
	return v, ok && v == int64(int32(v))
}

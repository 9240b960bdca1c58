package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// ioBuffer is the size in bytes of the buffers between the codec and the
	// file. Strings up to this size are read without an allocation.
	ioBuffer = 256 << 10
	// scratchKeep is the largest scratch buffer kept from one value to the next.
	scratchKeep = 4 << 20
	// scratchStep is the most that is set aside ahead of bytes that arrived,
	// where the file's size is not known.
	scratchStep = 1 << 20
)

// input reads a file forward and keeps its CRC.
type input struct {
	r      io.Reader
	buf    []byte
	pos    int // next unread byte of buf
	end    int // end of what was read into buf
	summed int // buf up to here is in crc
	crc    uint64
	base   int64 // file offset of buf[0]
	size   int64 // of the whole file, -1 when not known

	scratch []byte // backs strings that do not fit buf
	unpack  []byte // backs decompressed strings
}

func newInput(r io.Reader, size int64) *input {
	return &input{r: r, buf: make([]byte, ioBuffer), size: size}
}

// offset is the file offset of the next unread byte.
func (in *input) offset() int64 { return in.base + int64(in.pos) }

// need refuses a length that the rest of the file cannot hold.
func (in *input) need(n uint64) error {
	if in.size >= 0 && (in.offset() > in.size || n > uint64(in.size-in.offset())) {
		return fmt.Errorf("%w: %d bytes promised at offset %d of %d", ErrCorrupt, n, in.offset(), in.size)
	}
	return nil
}

func (in *input) sum() {
	in.crc = updateCRC(in.crc, in.buf[in.summed:in.pos])
	in.summed = in.pos
}

// fill makes at least n unread bytes available in buf; n <= len(buf).
func (in *input) fill(n int) error {
	if in.end-in.pos >= n {
		return nil
	}
	in.sum()
	copy(in.buf, in.buf[in.pos:in.end])
	in.base += int64(in.pos)
	in.end -= in.pos
	in.pos, in.summed = 0, 0
	got, err := io.ReadAtLeast(in.r, in.buf[in.end:], n-in.end)
	in.end += got
	return in.readError(err)
}

func (in *input) readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the file ends early, at offset %d", ErrCorrupt, in.base+int64(in.end))
	}
	if err != nil {
		return fmt.Errorf("rdb: read at offset %d: %w", in.base+int64(in.end), err)
	}
	return nil
}

// next returns the next n bytes, valid until the next call of next.
func (in *input) next(n uint64) ([]byte, error) {
	if err := in.need(n); err != nil {
		return nil, err
	}
	if n <= uint64(len(in.buf)) {
		if err := in.fill(int(n)); err != nil {
			return nil, err
		}
		b := in.buf[in.pos : in.pos+int(n)]
		in.pos += int(n)
		return b, nil
	}
	return in.large(n)
}

// large reads a string that does not fit buf. Where the size of the file is
// not known, memory grows only as bytes arrive.
func (in *input) large(n uint64) ([]byte, error) {
	b := grow(in.scratch[:0], n, in.size >= 0)
	in.sum()
	for uint64(len(b)) < n {
		if len(b) == cap(b) {
			b = grow(b, n, false)
		}
		part := b[len(b):min(uint64(cap(b)), n)]
		if have := in.end - in.pos; have > 0 {
			part = part[:min(len(part), have)]
			copy(part, in.buf[in.pos:])
			in.pos += len(part)
			in.sum()
		} else {
			got, err := io.ReadFull(in.r, part)
			in.base += int64(got)
			if err := in.readError(err); err != nil {
				return nil, err
			}
			in.crc = updateCRC(in.crc, part)
		}
		b = b[:len(b)+len(part)]
	}
	in.keep(&in.scratch, b)
	return b, nil
}

func (in *input) keep(slot *[]byte, b []byte) {
	if cap(b) <= scratchKeep {
		*slot = b[:0]
	} else {
		*slot = nil
	}
}

// grow returns b with room for more bytes: for all n at once when sure, else
// for at most as much again as it has.
func grow(b []byte, n uint64, sure bool) []byte {
	want := n
	if !sure {
		want = min(n, uint64(max(2*cap(b), scratchStep)))
	}
	if want <= uint64(cap(b)) {
		return b
	}
	bigger := make([]byte, len(b), want)
	copy(bigger, b)
	return bigger
}

func (in *input) byte() (byte, error) {
	if in.pos == in.end {
		if err := in.fill(1); err != nil {
			return 0, err
		}
	}
	in.pos++
	return in.buf[in.pos-1], nil
}

// The two high bits of a length's first byte.
const (
	len6Bit  = 0
	len14Bit = 1
	lenWide  = 2 // the whole byte tells which
	lenOther = 3 // not a length: the low bits are a string encoding

	len32Bit = 0x80
	len64Bit = 0x81
)

// String encodings: the low bits of a byte whose high bits are lenOther.
const (
	encInt8  = 0
	encInt16 = 1
	encInt32 = 2
	encLZF   = 3

	// encoded marks a string encoding.
	encoded = lenOther << 6
)

// lengthOrEncoding reads a length, or a string encoding (other is true).
func (in *input) lengthOrEncoding() (v uint64, other bool, err error) {
	b, err := in.byte()
	if err != nil {
		return 0, false, err
	}
	switch b >> 6 {
	case len6Bit:
		return uint64(b & 0x3f), false, nil
	case len14Bit:
		low, err := in.byte()
		return uint64(b&0x3f)<<8 | uint64(low), false, err
	case lenOther:
		return uint64(b & 0x3f), true, nil
	}
	switch b {
	case len32Bit:
		p, err := in.next(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(p)), false, nil
	case len64Bit:
		p, err := in.next(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(p), false, nil
	}
	return 0, false, fmt.Errorf("%w: unknown length encoding 0x%02x at offset %d", ErrCorrupt, b, in.offset()-1)
}

// length reads a length where nothing else may be.
func (in *input) length() (uint64, error) {
	v, other, err := in.lengthOrEncoding()
	if err == nil && other {
		err = fmt.Errorf("%w: a string encoding where a length belongs, at offset %d", ErrCorrupt, in.offset()-1)
	}
	return v, err
}

// count reads how many items of at least size bytes each follow.
func (in *input) count(size uint64) (uint64, error) {
	n, err := in.length()
	if err != nil {
		return 0, err
	}
	if in.size >= 0 && n > uint64(max(in.size-in.offset(), 0))/size {
		return 0, fmt.Errorf("%w: %d items promised at offset %d of %d", ErrCorrupt, n, in.offset(), in.size)
	}
	return n, nil
}

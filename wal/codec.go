package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/golang/snappy"

	"github.com/redoubtdb/redoubt/internal/broken"
)

const (
	formatVersion = 1
	headerSize    = 56
	trailerSize   = 4
	refHeaderSize = 12

	flagSnappy = 1 << 0
	flagRef    = 1 << 1

	// compressFrom is the payload size in bytes from which snappy is tried:
	// below it the saving does not pay for the work.
	compressFrom = 256

	// MaxPayload bounds an entry's uncompressed payload in bytes.
	MaxPayload = 1 << 30

	// Overhead is how many bytes an encoded entry may have beyond its payload.
	Overhead = headerSize + trailerSize
)

var (
	magic      = []byte("RDE")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Encode appends e to dst in the layout of the package comment, compressed
// with snappy where that saves at least an eighth.
func Encode(dst []byte, e *Entry) []byte {
	body, flags := e.Payload, byte(0)
	if len(e.Payload) >= compressFrom {
		if c := snappy.Encode(nil, e.Payload); len(c) <= len(e.Payload)-len(e.Payload)/8 {
			body, flags = c, flagSnappy
		}
	}
	return encode(dst, e, uint32(len(e.Payload)), body, flags)
}

// EncodeRef appends e to dst with its payload stored by reference: r names
// the object that holds Encode(e).
func EncodeRef(dst []byte, e *Entry, r Ref) []byte {
	body := make([]byte, refHeaderSize, refHeaderSize+len(r.Key))
	binary.LittleEndian.PutUint64(body, uint64(r.Size))
	binary.LittleEndian.PutUint32(body[8:], r.CRC)
	return encode(dst, e, uint32(len(e.Payload)), append(body, r.Key...), flagRef)
}

func encode(dst []byte, e *Entry, payloadLen uint32, body []byte, flags byte) []byte {
	start := len(dst)
	var h [headerSize]byte
	copy(h[:], magic)
	h[3] = formatVersion
	h[4] = byte(e.Kind)
	h[5] = flags
	le := binary.LittleEndian
	le.PutUint64(h[8:], uint64(e.Epoch))
	le.PutUint64(h[16:], e.Seq)
	le.PutUint64(h[24:], uint64(e.Time))
	le.PutUint64(h[32:], e.Prev)
	le.PutUint64(h[40:], e.Chain)
	le.PutUint32(h[48:], payloadLen)
	le.PutUint32(h[52:], uint32(len(body)))
	dst = append(dst, h[:]...)
	dst = append(dst, body...)
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// Decode reads one encoded entry, which must fill b. The result's Payload may
// alias b. Errors: ErrNewerFormat, ErrCorrupt. The running checksum is not
// judged here: Position.Check does, against the entry before.
func Decode(b []byte) (*Entry, error) {
	if len(b) < 4 || !bytes.Equal(b[:3], magic) {
		return nil, fmt.Errorf("%w: no entry starts here", ErrCorrupt)
	}
	if b[3] > formatVersion {
		if broken.Is(broken.NewerFormat) && len(b) >= headerSize {
			return asEmpty(b), nil
		}
		return nil, fmt.Errorf("%w: entry format %d, this version reads up to %d", ErrNewerFormat, b[3], formatVersion)
	}
	if b[3] == 0 || len(b) < headerSize+trailerSize {
		return nil, fmt.Errorf("%w: %d bytes, format %d", ErrCorrupt, len(b), b[3])
	}
	le := binary.LittleEndian
	if got, want := crc32.Checksum(b[:len(b)-trailerSize], castagnoli), le.Uint32(b[len(b)-trailerSize:]); got != want {
		return nil, fmt.Errorf("%w: CRC-32C is %08x, should be %08x", ErrCorrupt, got, want)
	}
	if n := uint64(le.Uint32(b[52:])); n != uint64(len(b)-headerSize-trailerSize) {
		return nil, fmt.Errorf("%w: body length %d in %d bytes", ErrCorrupt, n, len(b))
	}
	e := &Entry{
		Kind:  Kind(b[4]),
		Epoch: int64(le.Uint64(b[8:])),
		Seq:   le.Uint64(b[16:]),
		Time:  int64(le.Uint64(b[24:])),
		Prev:  le.Uint64(b[32:]),
		Chain: le.Uint64(b[40:]),
	}
	if e.Kind != KindEffects && e.Kind != KindEpochOpened {
		return nil, fmt.Errorf("%w: entry %d has unknown %v", ErrNewerFormat, e.Seq, e.Kind)
	}
	return e, e.decodeBody(b[5], le.Uint32(b[48:]), b[headerSize:len(b)-trailerSize])
}

func (e *Entry) decodeBody(flags byte, payloadLen uint32, body []byte) error {
	if payloadLen > MaxPayload {
		return fmt.Errorf("%w: entry %d claims a payload of %d bytes", ErrCorrupt, e.Seq, payloadLen)
	}
	switch flags {
	case 0:
		e.Payload = body
	case flagSnappy:
		// Checked before allocation: snappy trusts the length in its header. Its
		// densest element is a copy of 64 bytes in 3.
		if payloadLen > 22*uint32(len(body)+1) {
			return fmt.Errorf("%w: entry %d claims %d bytes from %d of snappy", ErrCorrupt, e.Seq, payloadLen, len(body))
		}
		if n, err := snappy.DecodedLen(body); err != nil || n != int(payloadLen) {
			return fmt.Errorf("%w: entry %d has snappy length %d for a payload of %d: %v", ErrCorrupt, e.Seq, n, payloadLen, err)
		}
		p, err := snappy.Decode(nil, body)
		if err != nil {
			return fmt.Errorf("%w: entry %d: %v", ErrCorrupt, e.Seq, err)
		}
		e.Payload = p
	case flagRef:
		if len(body) <= refHeaderSize {
			return fmt.Errorf("%w: entry %d has a reference of %d bytes", ErrCorrupt, e.Seq, len(body))
		}
		e.Spill = &Ref{
			Size: int64(binary.LittleEndian.Uint64(body)),
			CRC:  binary.LittleEndian.Uint32(body[8:]),
			Key:  string(body[refHeaderSize:]),
		}
		return nil
	default:
		return fmt.Errorf("%w: entry %d has flags %#x", ErrNewerFormat, e.Seq, flags)
	}
	if len(e.Payload) != int(payloadLen) {
		return fmt.Errorf("%w: entry %d has %d payload bytes, should have %d", ErrCorrupt, e.Seq, len(e.Payload), payloadLen)
	}
	return nil
}

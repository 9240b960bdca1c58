package s3segments

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"sort"
	"time"

	"github.com/golang/snappy"
	"github.com/redoubtdb/redoubt/wal"
)

// Reader reads a segment that is in memory.
type Reader struct {
	b      []byte
	h      Header
	blocks []block
}

// NewReader checks a segment's header, index and trailer, and that they agree.
// Its blocks are checked as they are read. Memory use is bounded by the
// segment's size whatever it claims. Errors: wal.ErrCorrupt,
// wal.ErrNewerFormat.
func NewReader(b []byte) (*Reader, error) {
	r := &Reader{b: b}
	size, err := r.readHeader()
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := r.readIndex(size); err != nil {
		return nil, err
	}
	return r, nil
}

// Header says what the segment holds.
func (r *Reader) Header() Header { return r.h }

// readHeader returns the header's size.
func (r *Reader) readHeader() (int, error) {
	b := r.b
	if len(b) < 8 || !bytes.Equal(b[:4], headMagic) {
		return 0, fmt.Errorf("%w: no segment starts here", wal.ErrCorrupt)
	}
	version, size := le.Uint16(b[4:]), int(le.Uint16(b[6:]))
	if size < 8+crcSize || size > len(b) {
		return 0, fmt.Errorf("%w: says it has %d bytes, the object has %d", wal.ErrCorrupt, size, len(b))
	}
	if err := checkCRC(b[:size]); err != nil {
		return 0, err
	}
	if version > formatVersion {
		return 0, fmt.Errorf("%w: segment format %d, this version reads up to %d", wal.ErrNewerFormat, version, formatVersion)
	}
	if version == 0 || size < headerFixed+crcSize {
		return 0, fmt.Errorf("%w: format %d with %d bytes", wal.ErrCorrupt, version, size)
	}
	first, last := le.Uint64(b[16:]), le.Uint64(b[24:])
	if first == 0 || last < first {
		return 0, fmt.Errorf("%w: entries %d to %d", wal.ErrCorrupt, first, last)
	}
	r.h = Header{
		Cluster: string(b[headerFixed : size-crcSize]),
		Shard:   int(le.Uint32(b[8:])),
		Epoch:   int64(le.Uint64(b[32:])),
		Base:    wal.Position{Seq: first - 1, Epoch: int64(le.Uint64(b[40:])), Chain: le.Uint64(b[48:])},
		End:     wal.Position{Seq: last, Epoch: int64(le.Uint64(b[56:])), Chain: le.Uint64(b[64:])},
		Created: time.UnixMilli(int64(le.Uint64(b[72:]))),
	}
	return size, nil
}

// readIndex reads the trailer and the index, and checks that header, blocks,
// index and trailer make up the whole segment and the whole range.
func (r *Reader) readIndex(headerSize int) error {
	if len(r.b) < headerSize+trailerSize {
		return fmt.Errorf("%w: cut off after %d bytes", wal.ErrCorrupt, len(r.b))
	}
	start := len(r.b) - trailerSize
	t := r.b[start:]
	if !bytes.Equal(t[24:28], tailMagic) {
		return fmt.Errorf("trailer: %w: not at the end of %d bytes, the object may be cut off", wal.ErrCorrupt, len(r.b))
	}
	if err := checkCRC(t); err != nil {
		return fmt.Errorf("trailer: %w", err)
	}
	if size := le.Uint64(t[16:]); size != uint64(len(r.b)) {
		return fmt.Errorf("trailer: %w: the segment had %d bytes, the object has %d", wal.ErrCorrupt, size, len(r.b))
	}
	offset, count := le.Uint64(t), uint64(le.Uint32(t[8:]))
	if offset < uint64(headerSize) || offset > uint64(start) || count == 0 || uint64(start)-offset != count*indexEntry {
		return fmt.Errorf("trailer: %w: index of %d blocks at %d", wal.ErrCorrupt, count, offset)
	}
	index := r.b[offset:start]
	if got, want := crc32.Checksum(index, castagnoli), le.Uint32(t[12:]); got != want {
		return fmt.Errorf("index: %w: CRC-32C is %08x, should be %08x", wal.ErrCorrupt, got, want)
	}
	r.blocks = make([]block, count)
	at, seq := int64(headerSize), r.h.First()
	for i := range r.blocks {
		e := index[i*indexEntry:]
		b := block{offset: int64(le.Uint64(e)), first: le.Uint64(e[8:]), size: le.Uint32(e[16:]), entries: le.Uint32(e[20:])}
		if b.offset != at || b.first != seq || b.entries == 0 || b.size < blockHeader+crcSize || at+int64(b.size) > int64(offset) {
			return fmt.Errorf("index: %w: block %d is said to be %d bytes at %d with %d entries from %d", wal.ErrCorrupt, i, b.size, b.offset, b.entries, b.first)
		}
		at += int64(b.size)
		seq += uint64(b.entries)
		r.blocks[i] = b
	}
	if at != int64(offset) || seq != r.h.Last()+1 {
		return fmt.Errorf("index: %w: blocks end at %d with entry %d, should at %d with %d", wal.ErrCorrupt, at, seq-1, offset, r.h.Last())
	}
	return nil
}

// Read calls fn for the entries after from up to and with to, as far as the
// segment has them, each checked to follow the one before, the first to follow
// from. It returns the position after the last one. from must be in the
// segment or right before it. A payload may share memory with the segment.
// Errors: wal.ErrCorrupt, ErrNewerFormat, ErrGap, ErrChain, ErrEpoch, all as
// *readError; an error of fn, as it is.
func (r *Reader) Read(from wal.Position, to uint64, fn func(*wal.Entry) error) (wal.Position, error) {
	if from.Seq == r.h.Base.Seq && from != r.h.Base {
		return from, &readError{fmt.Errorf("%w: the segment continues %v, not %v", wal.ErrChain, r.h.Base, from)}
	}
	i := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].last() > from.Seq })
	pos := from
	for ; i < len(r.blocks) && pos.Seq < to; i++ {
		var err error
		if pos, err = r.readBlock(i, pos, to, fn); err != nil {
			return pos, err
		}
	}
	if pos.Seq == r.h.Last() && pos != r.h.End {
		return pos, &readError{fmt.Errorf("%w: the header says %v at the end, the entries %v", wal.ErrChain, r.h.End, pos)}
	}
	return pos, nil
}

// readError is a fault of the segment, as opposed to one of whoever reads it.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func (r *Reader) readBlock(i int, pos wal.Position, to uint64, fn func(*wal.Entry) error) (wal.Position, error) {
	b := r.blocks[i]
	fail := func(err error) (wal.Position, error) {
		return pos, &readError{fmt.Errorf("block %d at offset %d: %w", i, b.offset, err)}
	}
	body, err := b.body(r.b[b.offset : b.offset+int64(b.size)])
	if err != nil {
		return fail(err)
	}
	for n := range b.entries {
		seq := b.first + uint64(n)
		if len(body) < entryPrefix || uint64(le.Uint32(body)) > uint64(len(body)-entryPrefix) {
			return fail(fmt.Errorf("%w: entry %d is longer than the block", wal.ErrCorrupt, seq))
		}
		size := int(le.Uint32(body))
		raw := body[entryPrefix : entryPrefix+size : entryPrefix+size]
		body = body[entryPrefix+size:]
		if seq <= pos.Seq {
			continue
		}
		if seq > to {
			return pos, nil
		}
		e, err := wal.Decode(raw)
		if err == nil {
			err = pos.Check(e)
		}
		if err != nil {
			return fail(fmt.Errorf("entry %d: %w", seq, err))
		}
		if err := fn(e); err != nil {
			return pos, err
		}
		pos = e.Position()
	}
	if len(body) != 0 {
		return fail(fmt.Errorf("%w: %d bytes after the last entry", wal.ErrCorrupt, len(body)))
	}
	return pos, nil
}

// body checks a block and returns its uncompressed body.
func (b block) body(raw []byte) ([]byte, error) {
	if err := checkCRC(raw); err != nil {
		return nil, err
	}
	stored, size, entries, codec := le.Uint32(raw), le.Uint32(raw[4:]), le.Uint32(raw[8:]), raw[12]
	if uint64(stored) != uint64(len(raw)-blockHeader-crcSize) || entries != b.entries || le.Uint64(raw[16:]) != b.first {
		return nil, fmt.Errorf("%w: block and index disagree", wal.ErrCorrupt)
	}
	body := raw[blockHeader : len(raw)-crcSize]
	switch codec {
	case codecNone:
		if size != stored {
			return nil, fmt.Errorf("%w: %d bytes stored for %d", wal.ErrCorrupt, stored, size)
		}
		return body, nil
	case codecSnappy:
		// Checked before allocation: snappy trusts the length in its header.
		n, err := snappy.DecodedLen(body)
		if err != nil || uint64(n) != uint64(size) || uint64(n) > maxExpansion*(uint64(stored)+1) {
			return nil, fmt.Errorf("%w: snappy length %d for %d bytes stored as %d: %v", wal.ErrCorrupt, n, size, stored, err)
		}
		out, err := snappy.Decode(nil, body)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", wal.ErrCorrupt, err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("%w: codec %d", wal.ErrNewerFormat, codec)
}

// checkCRC checks that b ends with the CRC of what is before it.
func checkCRC(b []byte) error {
	n := len(b) - crcSize
	if got, want := crc32.Checksum(b[:n], castagnoli), le.Uint32(b[n:]); got != want {
		return fmt.Errorf("%w: CRC-32C is %08x, should be %08x", wal.ErrCorrupt, got, want)
	}
	return nil
}

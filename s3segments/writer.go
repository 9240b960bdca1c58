package s3segments

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/golang/snappy"
	"github.com/redoubtdb/redoubt/wal"
)

// Writer makes a segment, in memory.
type Writer struct {
	h      Header
	pos    wal.Position
	out    []byte
	body   []byte // of the block in the making
	packed []byte // memory for snappy
	cur    block
	blocks []block
	raw    int64
}

// NewWriter begins a segment that follows h.Base. h.End is set by Finish.
func NewWriter(h Header) *Writer {
	w := &Writer{h: h, pos: h.Base}
	w.out = make([]byte, h.size()) // filled in by Finish
	return w
}

// Add appends the entry that follows; it must have been resolved. Errors: those
// of wal.Position.Check and wal.ErrTooLarge, after which the Writer is as before.
func (w *Writer) Add(e *wal.Entry) error {
	if err := w.pos.Check(e); err != nil {
		return err
	}
	if len(e.Payload) > wal.MaxPayload {
		return fmt.Errorf("%w: entry %d has a payload of %d bytes", wal.ErrTooLarge, e.Seq, len(e.Payload))
	}
	if len(w.body) == 0 {
		w.cur = block{offset: int64(len(w.out)), first: e.Seq}
	}
	at := len(w.body)
	w.body = append(w.body, 0, 0, 0, 0)
	w.body = wal.Encode(w.body, e)
	n := len(w.body) - at - entryPrefix
	le.PutUint32(w.body[at:], uint32(n))
	w.cur.entries++
	w.raw += int64(entryPrefix + n)
	w.pos = e.Position()
	if len(w.body) >= blockTarget {
		w.closeBlock()
	}
	return nil
}

// Size is how many bytes the entries so far take, before the blocks'
// compression.
func (w *Writer) Size() int64 { return w.raw }

// Position is the position after the last entry added.
func (w *Writer) Position() wal.Position { return w.pos }

func (w *Writer) closeBlock() {
	if len(w.body) == 0 {
		return
	}
	stored, codec := w.body, byte(codecNone)
	// MaxEncodedLen is negative for what snappy cannot take.
	if max := snappy.MaxEncodedLen(len(w.body)); max > 0 {
		if cap(w.packed) < max {
			w.packed = make([]byte, max)
		}
		if c := snappy.Encode(w.packed[:cap(w.packed)], w.body); len(c) < len(w.body) {
			stored, codec = c, codecSnappy
		}
	}
	start := len(w.out)
	w.out = le.AppendUint32(w.out, uint32(len(stored)))
	w.out = le.AppendUint32(w.out, uint32(len(w.body)))
	w.out = le.AppendUint32(w.out, w.cur.entries)
	w.out = append(w.out, codec, 0, 0, 0)
	w.out = le.AppendUint64(w.out, w.cur.first)
	w.out = append(w.out, stored...)
	w.out = appendCRC(w.out, start)
	w.cur.size = uint32(len(w.out) - start)
	w.blocks = append(w.blocks, w.cur)
	w.body = w.body[:0]
}

// Finish returns the segment and its header. The Writer is used up.
func (w *Writer) Finish() ([]byte, Header, error) {
	w.closeBlock()
	if len(w.blocks) == 0 {
		return nil, w.h, errors.New("s3segments: a segment has at least one entry")
	}
	if len(w.h.Cluster) > maxCluster {
		return nil, w.h, fmt.Errorf("%w: the cluster's name has %d bytes", ErrConfig, len(w.h.Cluster))
	}
	w.h.End = w.pos
	w.putHeader()
	index := len(w.out)
	for _, b := range w.blocks {
		w.out = le.AppendUint64(w.out, uint64(b.offset))
		w.out = le.AppendUint64(w.out, b.first)
		w.out = le.AppendUint32(w.out, b.size)
		w.out = le.AppendUint32(w.out, b.entries)
	}
	crc := crc32.Checksum(w.out[index:], castagnoli)
	start := len(w.out)
	w.out = le.AppendUint64(w.out, uint64(index))
	w.out = le.AppendUint32(w.out, uint32(len(w.blocks)))
	w.out = le.AppendUint32(w.out, crc)
	w.out = le.AppendUint64(w.out, uint64(start+trailerSize))
	w.out = append(w.out, tailMagic...)
	w.out = appendCRC(w.out, start)
	return w.out, w.h, nil
}

func (w *Writer) putHeader() {
	b := w.out[:0]
	b = append(b, headMagic...)
	b = le.AppendUint16(b, formatVersion)
	b = le.AppendUint16(b, uint16(w.h.size()))
	b = le.AppendUint32(b, uint32(w.h.Shard))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, w.h.First())
	b = le.AppendUint64(b, w.h.Last())
	b = le.AppendUint64(b, uint64(w.h.Epoch))
	b = le.AppendUint64(b, uint64(w.h.Base.Epoch))
	b = le.AppendUint64(b, w.h.Base.Chain)
	b = le.AppendUint64(b, uint64(w.h.End.Epoch))
	b = le.AppendUint64(b, w.h.End.Chain)
	b = le.AppendUint64(b, uint64(w.h.Created.UnixMilli()))
	b = append(b, w.h.Cluster...)
	appendCRC(b, 0)
}

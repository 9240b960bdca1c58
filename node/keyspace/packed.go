package keyspace

import (
	"bytes"
	"encoding/binary"
)

// The packed form of a hash is a run of entries in insertion order:
//
//	field length uvarint
//	value length uvarint
//	field, value
//
// Look-ups walk it; Config keeps it short.

// packedMax is the size in bytes at which no limit keeps a hash packed any longer.
const packedMax = 1 << 30

// packedEntry has the offsets of one entry: field is at [field:value], its value at
// [value:end].
type packedEntry struct{ start, field, value, end int }

func packedAt(p []byte, off int) packedEntry {
	fieldLen, n := packedLen(p, off)
	valueLen, m := packedLen(p, off+n)
	e := packedEntry{start: off, field: off + n + m}
	e.value = e.field + fieldLen
	e.end = e.value + valueLen
	return e
}

func packedLen(p []byte, off int) (n, width int) {
	if c := p[off]; c < 0x80 {
		return int(c), 1
	}
	v, w := binary.Uvarint(p[off:])
	return int(v), w
}

func packedFind(p, field []byte) (packedEntry, bool) {
	for off := 0; off < len(p); {
		e := packedAt(p, off)
		if bytes.Equal(p[e.field:e.value], field) {
			return e, true
		}
		off = e.end
	}
	return packedEntry{}, false
}

func packedEach(p []byte, fn func(field, value []byte) bool) {
	for off := 0; off < len(p); {
		e := packedAt(p, off)
		if !fn(p[e.field:e.value:e.value], p[e.value:e.end:e.end]) {
			return
		}
		off = e.end
	}
}

func packedSize(field, value []byte) int {
	return uvarintLen(len(field)) + uvarintLen(len(value)) + len(field) + len(value)
}

func packedAppend(p, field, value []byte) []byte {
	p = packedGrow(p, packedSize(field, value))
	p = binary.AppendUvarint(p, uint64(len(field)))
	p = binary.AppendUvarint(p, uint64(len(value)))
	p = append(p, field...)
	return append(p, value...)
}

// packedReplace gives the entry e another value, in its place.
func packedReplace(p []byte, e packedEntry, field, value []byte) []byte {
	tail := p[e.end:]
	size := packedSize(field, value)
	q := packedGrow(p, size-(e.end-e.start))
	q = q[:e.start+size+len(tail)]
	copy(q[e.start+size:], tail)
	at := binary.AppendUvarint(q[:e.start], uint64(len(field)))
	at = binary.AppendUvarint(at, uint64(len(value)))
	at = append(at, field...)
	copy(q[len(at):], value)
	return packedShrink(q)
}

func packedDelete(p []byte, e packedEntry) []byte {
	return packedShrink(append(p[:e.start], p[e.end:]...))
}

// packedGrow makes room for n more bytes, to the end of the allocation class only:
// doubling would waste more than the copies of so short a slice cost. Where raised
// limits let one grow long, it gets an eighth more.
func packedGrow(p []byte, n int) []byte {
	n += len(p)
	if n <= cap(p) {
		return p
	}
	if n > largeObject {
		n += n / 8
	}
	return append(make([]byte, 0, allocSize(n)), p...)
}

// packedShrink moves to a smaller allocation once half of this one is unused.
func packedShrink(p []byte) []byte {
	if size := allocSize(len(p)); 2*size <= cap(p) {
		return append(make([]byte, 0, size), p...)
	}
	return p
}

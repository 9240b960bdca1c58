package keyspace

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The packed form of a sorted set is a run of entries in the order of the set:
//
//	member length uvarint
//	score         uvarint of the float64's bytes in reverse order, which leaves
//	              few of them for integers: 3 for those up to 16, 4 up to 4096
//	member
//
// Look-ups walk it; Config keeps it short.

// zpackedEntry has the offsets of one entry, whose member is at [member:end].
type zpackedEntry struct {
	start, member, end int
	score              float64
}

func zpackedAt(p []byte, off int) zpackedEntry {
	n, w := packedLen(p, off)
	v, sw := binary.Uvarint(p[off+w:])
	e := zpackedEntry{start: off, member: off + w + sw, score: math.Float64frombits(bits.ReverseBytes64(v))}
	e.end = e.member + n
	return e
}

func (e *zpackedEntry) of(p []byte) []byte { return p[e.member:e.end:e.end] }

func zpackedFind(p, member []byte) (e zpackedEntry, rank int, found bool) {
	for off := 0; off < len(p); off = e.end {
		e = zpackedAt(p, off)
		if string(e.of(p)) == string(member) {
			return e, rank, true
		}
		rank++
	}
	return zpackedEntry{}, 0, false
}

// zpackedSeek is the offset of the first entry that is not before the bound, and
// its rank.
func zpackedSeek(p []byte, b *ZBound) (off, rank int) {
	for off < len(p) {
		e := zpackedAt(p, off)
		if !b.passed(e.score, e.of(p)) {
			break
		}
		off = e.end
		rank++
	}
	return off, rank
}

// zpackedSkip is the offset of the entry with a rank, which may be that behind the
// last.
func zpackedSkip(p []byte, rank int) int {
	off := 0
	for ; rank > 0; rank-- {
		n, w := packedLen(p, off)
		off += w
		for p[off] >= 0x80 {
			off++
		}
		off += 1 + n
	}
	return off
}

func zpackedInsert(p []byte, score float64, member []byte) []byte {
	b := zBeforeEntry(score, member)
	off, _ := zpackedSeek(p, &b)
	var head [2 * binary.MaxVarintLen64]byte
	h := binary.AppendUvarint(head[:0], uint64(len(member)))
	h = binary.AppendUvarint(h, bits.ReverseBytes64(math.Float64bits(score)))
	size, old := len(h)+len(member), len(p)
	p = packedGrow(p, size)[:old+size]
	copy(p[off+size:], p[off:old])
	copy(p[off:], h)
	copy(p[off+len(h):], member)
	return p
}

// zpackedCut removes the bytes of whole entries.
func zpackedCut(p []byte, from, to int) []byte {
	return packedShrink(append(p[:from], p[to:]...))
}

package keyspace

import (
	"bytes"
	"encoding/binary"
)

// The listpack form of a set is a run of members in insertion order, each preceded by
// its length as a uvarint. Look-ups walk it; Config keeps it short.

// memberEntry has the offsets of one member, which is at [member:end].
type memberEntry struct{ start, member, end int }

func memberAt(p []byte, off int) memberEntry {
	n, width := packedLen(p, off)
	return memberEntry{start: off, member: off + width, end: off + width + n}
}

func memberFind(p, member []byte) (memberEntry, bool) {
	for off := 0; off < len(p); {
		e := memberAt(p, off)
		if bytes.Equal(p[e.member:e.end], member) {
			return e, true
		}
		off = e.end
	}
	return memberEntry{}, false
}

func memberEach(p []byte, fn func(member []byte) bool) {
	for off := 0; off < len(p); {
		e := memberAt(p, off)
		if !fn(p[e.member:e.end:e.end]) {
			return
		}
		off = e.end
	}
}

func memberAppend(p, member []byte) []byte {
	p = packedGrow(p, uvarintLen(len(member))+len(member))
	p = binary.AppendUvarint(p, uint64(len(member)))
	return append(p, member...)
}

func memberDelete(p []byte, e memberEntry) []byte {
	return packedShrink(append(p[:e.start], p[e.end:]...))
}

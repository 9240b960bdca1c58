package keyspace

import (
	"cmp"
	"encoding/binary"
	"math"
	"strconv"
)

// StreamID names an entry of a stream: a time in unix milliseconds and a number
// that tells apart those of one millisecond.
type StreamID struct{ MS, Seq uint64 }

// MaxStreamID is the last ID there is.
var MaxStreamID = StreamID{math.MaxUint64, math.MaxUint64}

// Compare is negative, zero or positive when id is before, at or after other.
func (id StreamID) Compare(other StreamID) int {
	if c := cmp.Compare(id.MS, other.MS); c != 0 {
		return c
	}
	return cmp.Compare(id.Seq, other.Seq)
}

// Less reports whether id is before other.
func (id StreamID) Less(other StreamID) bool {
	return id.MS < other.MS || id.MS == other.MS && id.Seq < other.Seq
}

// IsZero reports whether id is 0-0, which no entry has.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// Next is the ID right after id; false when id is the last one, then 0-0.
func (id StreamID) Next() (StreamID, bool) {
	id.Seq++
	if id.Seq != 0 {
		return id, true
	}
	id.MS++
	return id, id.MS != 0
}

// Prev is the ID right before id; false when id is 0-0, then the last one.
func (id StreamID) Prev() (StreamID, bool) {
	id.Seq--
	if id.Seq != math.MaxUint64 {
		return id, true
	}
	id.MS--
	return id, id.MS != math.MaxUint64
}

// Append appends the text of id, "<ms>-<seq>".
func (id StreamID) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, id.MS, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, id.Seq, 10)
}

// String is the text of id.
func (id StreamID) String() string { return string(id.Append(nil)) }

// AppendBinary appends id as 16 bytes, big endian, which sort as IDs do.
func (id StreamID) AppendBinary(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, id.MS), id.Seq)
}

// StreamIDFromBinary is the reverse of AppendBinary for 16 bytes.
func StreamIDFromBinary(b []byte) StreamID {
	return StreamID{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

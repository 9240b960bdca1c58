package keyspace

import (
	"encoding/binary"
	"strconv"
)

// What a part of a stream's digest is about.
const (
	streamPartSelf = iota
	streamPartEntry
	streamPartGroup
	streamPartConsumer
	streamPartPending
)

// content covers entries, what the stream remembers beside them, groups, consumers
// and pending entries, but not the times of consumers; see StreamConsumer.
func (s *Stream) content(d *digester) [digestSize]byte {
	var all sum
	var b []byte
	part := func(kind byte, a []byte) { all.add(d.finish(append(d.buf[:0], kind), a, b)) }

	b = s.maxDeleted.AppendBinary(s.lastID.AppendBinary(b[:0]))
	b = binary.LittleEndian.AppendUint64(b, s.added)
	part(streamPartSelf, nil)

	var id []byte
	s.Range(StreamID{}, MaxStreamID, func(e *StreamEntry) bool {
		id, b = e.ID.AppendBinary(id[:0]), b[:0]
		e.Each(func(field, value []byte) {
			b = appendSized(appendSized(b, field), value)
		})
		part(streamPartEntry, id)
		return true
	})
	s.EachGroup(func(g *StreamGroup) bool {
		b = g.lastID.AppendBinary(b[:0])
		b = binary.LittleEndian.AppendUint64(b, uint64(g.read))
		part(streamPartGroup, g.name)
		g.EachConsumer(func(c *StreamConsumer) bool {
			b = append(b[:0], c.name...)
			part(streamPartConsumer, g.name)
			return true
		})
		g.PendingFrom(StreamID{}, func(id StreamID, p StreamPending, c *StreamConsumer) bool {
			b = id.AppendBinary(b[:0])
			b = binary.LittleEndian.AppendUint64(b, uint64(p.Time))
			b = binary.LittleEndian.AppendUint64(b, uint64(p.Count))
			b = append(b, c.name...)
			part(streamPartPending, g.name)
			return true
		})
		return true
	})
	return all.digest()
}

// appendSized appends a string behind its length.
func appendSized(dst, s []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(s)))
	return append(dst, s...)
}

// redisContent covers entries only: DEBUG DIGEST knows nothing of groups.
func (s *Stream) redisContent(d *redisDigest) {
	var text []byte
	s.Range(StreamID{}, MaxStreamID, func(e *StreamEntry) bool {
		text = strconv.AppendUint(text[:0], e.ID.MS, 10)
		text = append(text, '.')
		text = strconv.AppendUint(text, e.ID.Seq, 10)
		d.mix(text)
		e.Each(func(field, value []byte) {
			d.mix(field)
			d.mix(value)
		})
		return true
	})
}

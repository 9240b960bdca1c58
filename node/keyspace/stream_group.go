package keyspace

import (
	"bytes"
	"unsafe"
)

// UnknownEntriesRead is the EntriesRead of a group for which it cannot be told.
const UnknownEntriesRead = -1

// StreamGroup is a group of consumers that read a stream together: each entry
// goes to one of them and is pending until it is acknowledged.
type StreamGroup struct {
	stream    *Stream
	name      []byte
	lastID    StreamID
	read      int64
	pending   ordered[StreamID, StreamPending]
	consumers ordered[[]byte, *StreamConsumer]
	// numbers are the consumers by StreamPending.consumer, nil where it is free.
	numbers []*StreamConsumer
	free    []uint32
}

// StreamPending is an entry that was delivered and not acknowledged. The entry itself
// may be gone from the stream.
type StreamPending struct {
	Time     int64 // of the last delivery, unix milliseconds
	Count    int64 // deliveries
	consumer uint32
}

// Group is the group of that name, nil when there is none.
func (s *Stream) Group(name []byte) *StreamGroup {
	if g := s.groups.get(name); g != nil {
		return *g
	}
	return nil
}

// Groups is the number of groups.
func (s *Stream) Groups() int { return s.groups.n }

// EachGroup calls fn with every group in the order of their names.
func (s *Stream) EachGroup(fn func(g *StreamGroup) bool) {
	s.groups.each(func(_ []byte, g **StreamGroup) bool { return fn(*g) })
}

// CreateGroup makes a group that has read up to last, and read entries so far or
// UnknownEntriesRead. It returns false when there is one of that name.
func (s *Stream) CreateGroup(name []byte, last StreamID, read int64) (*StreamGroup, bool) {
	if g := s.Group(name); g != nil {
		return g, false
	}
	g := &StreamGroup{stream: s, name: bytes.Clone(name), lastID: last, read: read}
	g.pending = newOrdered[StreamID, StreamPending](StreamID.Compare, &s.parts)
	g.consumers = newOrdered[[]byte, *StreamConsumer](bytes.Compare, &s.parts)
	s.parts += g.own()
	s.groups.set(g.name, g)
	s.reckon()
	return g, true
}

// own is the memory of a group beside its maps and consumers.
func (g *StreamGroup) own() int64 {
	return int64(allocSize(int(unsafe.Sizeof(*g))) + allocSize(cap(g.name)) +
		allocSize(cap(g.numbers)*int(unsafe.Sizeof(g))) + allocSize(cap(g.free)*int(unsafe.Sizeof(uint32(0)))))
}

// DestroyGroup removes a group with its consumers and pending entries, and reports
// whether it was there.
func (s *Stream) DestroyGroup(name []byte) bool {
	g := s.Group(name)
	if g == nil {
		return false
	}
	s.groups.del(name)
	g.EachConsumer(func(c *StreamConsumer) bool {
		c.pending.release()
		s.parts -= c.own()
		return true
	})
	g.consumers.release()
	g.pending.release()
	s.parts -= g.own()
	s.reckon()
	return true
}

// Name is the group's name.
func (g *StreamGroup) Name() []byte { return g.name }

// LastID is the ID of the last entry that was delivered.
func (g *StreamGroup) LastID() StreamID { return g.lastID }

// EntriesRead is how many of the entries ever added the group has read, or
// UnknownEntriesRead.
func (g *StreamGroup) EntriesRead() int64 { return g.read }

// SetLastID sets LastID and EntriesRead (XGROUP SETID).
func (g *StreamGroup) SetLastID(id StreamID, read int64) { g.lastID, g.read = id, read }

// PendingLen is the number of pending entries.
func (g *StreamGroup) PendingLen() int { return g.pending.n }

// Pending is the pending entry of that ID and the consumer it was delivered to; false
// when there is none.
func (g *StreamGroup) Pending(id StreamID) (StreamPending, *StreamConsumer, bool) {
	p := g.pending.get(id)
	if p == nil {
		return StreamPending{}, nil, false
	}
	return *p, g.numbers[p.consumer], true
}

// PendingFrom calls fn with the pending entries from from on, in order until it
// returns false.
func (g *StreamGroup) PendingFrom(from StreamID, fn func(id StreamID, p StreamPending, c *StreamConsumer) bool) {
	g.pending.from(from, func(id StreamID, p *StreamPending) bool { return fn(id, *p, g.numbers[p.consumer]) })
}

// LastPending is the highest ID of a pending entry, false when there is none.
func (g *StreamGroup) LastPending() (StreamID, bool) {
	id, _, ok := g.pending.last()
	return id, ok
}

// Assign makes an entry pending for c, a consumer of this group, whoever it was
// pending for before.
func (g *StreamGroup) Assign(id StreamID, c *StreamConsumer, time, count int64) {
	if p := g.pending.get(id); p == nil {
		g.pending.set(id, StreamPending{time, count, c.number})
		c.pending.set(id, struct{}{})
	} else {
		if p.consumer != c.number {
			g.numbers[p.consumer].pending.del(id)
			c.pending.set(id, struct{}{})
		}
		*p = StreamPending{time, count, c.number}
	}
	g.stream.reckon()
}

// Ack makes an entry pending no longer and reports whether it was.
func (g *StreamGroup) Ack(id StreamID) bool {
	p := g.pending.get(id)
	if p == nil {
		return false
	}
	g.numbers[p.consumer].pending.del(id)
	g.pending.del(id)
	g.stream.reckon()
	return true
}

func (g *StreamGroup) cloneTo(s *Stream) {
	c, _ := s.CreateGroup(g.name, g.lastID, g.read)
	g.EachConsumer(func(old *StreamConsumer) bool {
		n, _ := c.CreateConsumer(old.name, old.SeenTime)
		n.ActiveTime = old.ActiveTime
		return true
	})
	g.PendingFrom(StreamID{}, func(id StreamID, p StreamPending, owner *StreamConsumer) bool {
		c.Assign(id, c.Consumer(owner.name), p.Time, p.Count)
		return true
	})
}

package keyspace

import (
	"bytes"
	"unsafe"
)

// NeverActive is the ActiveTime of a consumer that has got no entry yet.
const NeverActive = -1

// StreamConsumer is a consumer of a group.
//
// Its times are no part of the logical state, and digests leave them out: an
// attempt to read that finds nothing changes SeenTime, which is not worth a log
// entry, and an RDB file of version 10 has no place for ActiveTime.
type StreamConsumer struct {
	// SeenTime is when it last tried to get entries, unix milliseconds.
	SeenTime int64
	// ActiveTime is when it last got one, or NeverActive.
	ActiveTime int64

	name    []byte
	pending ordered[StreamID, struct{}]
	number  uint32
}

// Consumer is the consumer of that name, nil when there is none.
func (g *StreamGroup) Consumer(name []byte) *StreamConsumer {
	if c := g.consumers.get(name); c != nil {
		return *c
	}
	return nil
}

// Consumers is the number of consumers.
func (g *StreamGroup) Consumers() int { return g.consumers.n }

// EachConsumer calls fn with every consumer in the order of their names.
func (g *StreamGroup) EachConsumer(fn func(c *StreamConsumer) bool) {
	g.consumers.each(func(_ []byte, c **StreamConsumer) bool { return fn(*c) })
}

// CreateConsumer makes a consumer that was seen at nowMs. It returns false when there
// is one of that name.
func (g *StreamGroup) CreateConsumer(name []byte, nowMs int64) (*StreamConsumer, bool) {
	if c := g.Consumer(name); c != nil {
		return c, false
	}
	s := g.stream
	c := &StreamConsumer{SeenTime: nowMs, ActiveTime: NeverActive, name: bytes.Clone(name)}
	c.pending = newOrdered[StreamID, struct{}](StreamID.Compare, &s.parts)
	s.parts -= g.own()
	if last := len(g.free) - 1; last >= 0 {
		c.number = g.free[last]
		g.free = g.free[:last]
		g.numbers[c.number] = c
	} else {
		c.number = uint32(len(g.numbers))
		g.numbers = append(g.numbers, c)
	}
	s.parts += g.own() + c.own()
	g.consumers.set(c.name, c)
	s.reckon()
	return c, true
}

// own is the memory of a consumer beside its map.
func (c *StreamConsumer) own() int64 {
	return int64(allocSize(int(unsafe.Sizeof(*c))) + allocSize(cap(c.name)))
}

// DeleteConsumer removes a consumer and what is pending for it, and returns how many
// entries that were; false when there is none of that name.
func (g *StreamGroup) DeleteConsumer(name []byte) (pending int, found bool) {
	c := g.Consumer(name)
	if c == nil {
		return 0, false
	}
	s := g.stream
	pending = c.pending.n
	c.EachPending(StreamID{}, func(id StreamID) bool {
		g.pending.del(id)
		return true
	})
	g.consumers.del(name)
	c.pending.release()
	s.parts -= g.own() + c.own()
	g.numbers[c.number] = nil
	g.free = append(g.free, c.number)
	s.parts += g.own()
	s.reckon()
	return pending, true
}

// Name is the consumer's name.
func (c *StreamConsumer) Name() []byte { return c.name }

// PendingLen is the number of entries that are pending for the consumer.
func (c *StreamConsumer) PendingLen() int { return c.pending.n }

// EachPending calls fn with the IDs of what is pending for the consumer from from
// on, in order until it returns false.
func (c *StreamConsumer) EachPending(from StreamID, fn func(id StreamID) bool) {
	c.pending.from(from, func(id StreamID, _ *struct{}) bool { return fn(id) })
}

// Seen notes that the consumer tried to get entries, and Active that it got one, at
// nowMs.
func (c *StreamConsumer) Seen(nowMs int64) { c.SeenTime = nowMs }

// Active is Seen of a consumer that got an entry.
func (c *StreamConsumer) Active(nowMs int64) { c.SeenTime, c.ActiveTime = nowMs, nowMs }

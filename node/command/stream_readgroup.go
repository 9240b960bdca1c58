package command

import "github.com/redoubtdb/redoubt/node/keyspace"

// serveGroup is serve for a group's consumer, which is made if need be.
func (r *streamRead) serveGroup(c *Ctx, i int, s *keyspace.Stream) bool {
	key, from := r.keys[i], &r.streams[i]
	consumer := c.seeConsumer(key, from.group, r.consumer)
	if from.after != newEntries {
		r.answerKey(c, i)
		r.answerPending(c, i, s, consumer.StreamConsumer)
		consumer.record(c, key)
		return true
	}
	last, ok := s.LastEntryID()
	if !ok || !from.group.LastID().Less(last) {
		consumer.record(c, key)
		return false
	}
	r.answerKey(c, i)
	r.deliver(c, i, s, &consumer)
	return true
}

// seenConsumer is a consumer that tries to get entries; it may have to be recorded.
type seenConsumer struct {
	*keyspace.StreamConsumer
	group   *keyspace.StreamGroup
	created bool
}

// seeConsumer is the consumer of that name, made if need be, and seen now.
func (c *Ctx) seeConsumer(key []byte, g *keyspace.StreamGroup, name []byte) seenConsumer {
	consumer, created := g.CreateConsumer(name, c.Now)
	consumer.Seen(c.Now)
	if created {
		c.Changed(EventStream, "xgroup-createconsumer", key)
	}
	return seenConsumer{consumer, g, created}
}

// record records a consumer that was made and did not become known by an effect of
// what it got.
func (s *seenConsumer) record(c *Ctx, key []byte) {
	if s.created {
		c.effectSeen(key, s.group, s.StreamConsumer)
	}
}

// deliver answers the entries that the group has not read, and makes them pending
// for the consumer unless noAck.
func (r *streamRead) deliver(c *Ctx, i int, s *keyspace.Stream, consumer *seenConsumer) {
	key, g := r.keys[i], r.streams[i].group
	place, read := g.LastID(), g.EntriesRead()
	d := deliveries{c: c, key: key, group: g, consumer: consumer.StreamConsumer, time: c.Now}
	start, _ := place.Next()
	a := c.beginArray()
	s.Range(start, keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool {
		g.Delivered(e.ID)
		c.streamEntry(e)
		if !r.noAck {
			d.assign(e.ID, 1)
		}
		a.n++
		return r.more(a.n) && !c.Out.Over // or the effect would grow on
	})
	a.end()
	if r.noAck {
		consumer.record(c, key)
	} else if a.n > 0 {
		consumer.Active(c.Now)
		d.record()
	}
	if g.LastID() != place || g.EntriesRead() != read {
		c.effectGroupID(key, g)
	}
	c.Touched(c.DB, key)
}

// answerPending answers what is pending for the consumer, and counts a delivery of
// each entry that there still is.
func (r *streamRead) answerPending(c *Ctx, i int, s *keyspace.Stream, consumer *keyspace.StreamConsumer) {
	from := &r.streams[i]
	start, _ := from.after.Next()
	var ids []keyspace.StreamID
	consumer.EachPending(start, func(id keyspace.StreamID) bool {
		ids = append(ids, id)
		return r.more(len(ids))
	})
	d := deliveries{c: c, key: r.keys[i], group: from.group, consumer: consumer, time: c.Now}
	c.Out.Array(len(ids))
	for _, id := range ids {
		if c.Out.Over {
			break
		}
		if !c.streamEntryAt(s, id) {
			c.Out.Array(2)
			c.streamID(id)
			c.Out.NullArray()
			continue
		}
		p, _, _ := from.group.Pending(id)
		d.assign(id, p.Count+1)
	}
	d.record()
	if len(ids) > 0 {
		c.Touched(c.DB, r.keys[i])
	}
}

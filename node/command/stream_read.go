package command

import "github.com/redoubtdb/redoubt/node/keyspace"

// streamRead is what XREAD and XREADGROUP are asked for.
type streamRead struct {
	group, consumer []byte // XREADGROUP
	noAck           bool
	count           int64 // 0: any
	keys            [][]byte
	firstID         int // argument of the first stream's ID
	streams         []readFrom
}

// readFrom is one stream to read.
type readFrom struct {
	group *keyspace.StreamGroup
	after keyspace.StreamID // entries behind this one, or newEntries
}

// newEntries is the ID ">" of XREADGROUP: what the group has not read yet. As in Redis,
// the highest ID means the same.
var newEntries = keyspace.MaxStreamID

func cmdXRead(c *Ctx)      { readStreams(c, false) }
func cmdXReadGroup(c *Ctx) { readStreams(c, true) }

func readStreams(c *Ctx, grouped bool) {
	var r streamRead
	if !r.parse(c, grouped) || !r.parseIDs(c, grouped) {
		return
	}
	a := c.beginArray()
	for i := range r.streams {
		if s := r.lookup(c, i); s != nil && r.serve(c, i, s) {
			a.n++
		}
	}
	switch {
	case a.n == 0:
		c.Out.NullArray()
	case c.Out.Proto >= 3:
		a.prepend(func() { c.Out.Map(a.n) })
	default:
		a.end()
	}
}

// parse reads the options; when ok is false an error has been answered.
func (r *streamRead) parse(c *Ctx, grouped bool) (ok bool) {
	for o := c.Options(1); o.Next(); {
		switch {
		case o.Is("COUNT") && o.Value():
			if r.count, ok = c.Int(o.Pos); !ok {
				return false
			}
			r.count = max(0, r.count)
		case o.Is("STREAMS") && o.Value():
			return r.split(c, o.Pos, grouped)
		case o.Is("GROUP") && o.Values(2):
			if !grouped {
				c.Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
				return false
			}
			r.group, r.consumer = c.Args[o.Pos-1], c.Args[o.Pos]
		case o.Is("NOACK"):
			if !grouped {
				c.Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
				return false
			}
			r.noAck = true
		default:
			c.SyntaxError()
			return false
		}
	}
	c.SyntaxError()
	return false
}

// split parts the keys from the IDs, which begin at argument from.
func (r *streamRead) split(c *Ctx, from int, grouped bool) bool {
	n := len(c.Args) - from
	if n%2 != 0 {
		symbol := '$'
		if grouped {
			symbol = '>'
		}
		c.Error(errorf("ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.", c.Cmd.full, symbol))
		return false
	}
	if grouped && r.group == nil {
		c.Error("ERR Missing GROUP option for XREADGROUP")
		return false
	}
	r.keys, r.firstID = c.Args[from:from+n/2], from+n/2
	r.streams = make([]readFrom, n/2)
	return true
}

// parseIDs reads from where to read each stream; when ok is false an error has been
// answered.
func (r *streamRead) parseIDs(c *Ctx, grouped bool) (ok bool) {
	for i, key := range r.keys {
		s, ok := c.readStream(key)
		if !ok {
			return false
		}
		from := &r.streams[i]
		if grouped {
			if s != nil {
				from.group = s.Group(r.group)
			}
			if from.group == nil {
				c.Error(errorf("NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option", text(key), text(r.group)))
				return false
			}
		}
		switch at := r.firstID + i; string(text(c.Args[at])) {
		case "$":
			if grouped {
				c.Error("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
				return false
			}
			if s != nil {
				from.after = s.LastID()
			}
		case ">":
			if !grouped {
				c.Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
				return false
			}
			from.after = newEntries
		default:
			if from.after, ok = c.parseID(at); !ok {
				return false
			}
		}
	}
	return true
}

// lookup is the stream of key i. Redis looks a key up again to read it.
func (r *streamRead) lookup(c *Ctx, i int) *keyspace.Stream {
	ref, _ := c.LookupRead(r.keys[i])
	return ref.Stream()
}

// serve answers the key and the entries of one stream, if it has any to answer.
func (r *streamRead) serve(c *Ctx, i int, s *keyspace.Stream) bool {
	from := &r.streams[i]
	if from.group != nil {
		return r.serveGroup(c, i, s)
	}
	last, ok := s.LastEntryID()
	if !ok || !from.after.Less(last) {
		return false
	}
	r.answerKey(c, i)
	start, _ := from.after.Next()
	a := c.beginArray()
	s.Range(start, keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool {
		c.streamEntry(e)
		a.n++
		return r.more(a.n)
	})
	a.end()
	return true
}

// more reports whether there may be more than n entries in the reply.
func (r *streamRead) more(n int) bool { return r.count == 0 || int64(n) < r.count }

func (r *streamRead) answerKey(c *Ctx, i int) {
	if c.Out.Proto < 3 {
		c.Out.Array(2)
	}
	c.Out.Bulk(r.keys[i])
}

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
		return r.more(a.n)
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

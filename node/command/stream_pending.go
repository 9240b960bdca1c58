package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func cmdXAck(c *Ctx) {
	key := c.Args[1]
	_, g, ok := c.readGroup(key, c.Args[2])
	if !ok {
		return
	}
	if g == nil {
		c.Out.Int(0)
		return
	}
	ids, ok := c.parseIDs(3)
	if !ok {
		return
	}
	effect := c.beginEffect(wordXACK, key, g.Name())
	for i, id := range ids {
		if g.Ack(id) {
			effect = append(effect, c.Args[3+i])
		}
	}
	n := len(effect) - 3
	c.endEffect(effect, n > 0)
	if n > 0 {
		c.Touched(c.DB, key)
	}
	c.Out.Int(int64(n))
}

// pendingQuery is what the long form of XPENDING asks for.
type pendingQuery struct {
	minIdle     int64 // milliseconds, 0: any
	start, stop keyspace.StreamID
	count       int64
	consumer    []byte // nil: any
}

func (q *pendingQuery) parse(c *Ctx) (ok bool) {
	at := 3
	if EqualFold(c.Args[3], "IDLE") {
		if q.minIdle, ok = c.Int(4); !ok {
			return false
		}
		if len(c.Args) < 8 {
			c.SyntaxError()
			return false
		}
		at += 2
	}
	if q.count, ok = c.Int(at + 2); !ok {
		return false
	}
	if q.start, ok = c.rangeStart(at); !ok {
		return false
	}
	if q.stop, ok = c.rangeStop(at + 1); !ok {
		return false
	}
	if at+3 < len(c.Args) {
		q.consumer = c.Args[at+3]
	}
	return true
}

func cmdXPending(c *Ctx) {
	short := len(c.Args) == 3
	if !short && (len(c.Args) < 6 || len(c.Args) > 9) {
		c.SyntaxError()
		return
	}
	var q pendingQuery
	if !short && !q.parse(c) {
		return
	}
	_, g, ok := c.readGroup(c.Args[1], c.Args[2])
	switch {
	case !ok:
	case g == nil:
		c.noGroup(c.Args[1], c.Args[2])
	case short:
		pendingSummary(c, g)
	default:
		q.answer(c, g)
	}
}

func pendingSummary(c *Ctx, g *keyspace.StreamGroup) {
	c.Out.Array(4)
	c.Out.Int(int64(g.PendingLen()))
	last, some := g.LastPending()
	if !some {
		c.Out.Null()
		c.Out.Null()
		c.Out.NullArray()
		return
	}
	g.PendingFrom(keyspace.StreamID{}, func(first keyspace.StreamID, _ keyspace.StreamPending, _ *keyspace.StreamConsumer) bool {
		c.streamID(first)
		return false
	})
	c.streamID(last)
	a := c.beginArray()
	g.EachConsumer(func(consumer *keyspace.StreamConsumer) bool {
		if n := consumer.PendingLen(); n > 0 {
			c.Out.Array(2)
			c.Out.Bulk(consumer.Name())
			c.Out.BulkInt(int64(n))
			a.n++
		}
		return true
	})
	a.end()
}

func (q *pendingQuery) answer(c *Ctx, g *keyspace.StreamGroup) {
	a := c.beginArray()
	emit := func(id keyspace.StreamID, p keyspace.StreamPending, consumer *keyspace.StreamConsumer) bool {
		if q.count <= int64(a.n) || q.stop.Less(id) {
			return false
		}
		idle := c.Now - p.Time
		if q.minIdle != 0 && idle < q.minIdle {
			return true
		}
		c.Out.Array(4)
		c.streamID(id)
		c.Out.Bulk(consumer.Name())
		c.Out.Int(max(0, idle))
		c.Out.Int(p.Count)
		a.n++
		return true
	}
	if q.consumer == nil {
		g.PendingFrom(q.start, emit)
	} else if consumer := g.Consumer(q.consumer); consumer != nil {
		consumer.EachPending(q.start, func(id keyspace.StreamID) bool {
			p, _, _ := g.Pending(id)
			return emit(id, p, consumer)
		})
	}
	a.end()
}

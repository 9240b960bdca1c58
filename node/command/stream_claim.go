package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// streamClaim is what XCLAIM is asked for.
type streamClaim struct {
	minIdle int64 // milliseconds, 0: any
	ids     []keyspace.StreamID
	time    int64 // of the delivery, Unix milliseconds
	count   int64
	counts  bool // count is set
	force   bool
	justID  bool
	lastID  keyspace.StreamID
}

// parse reads the arguments from the fourth on; when ok is false an error has been
// answered.
func (q *streamClaim) parse(c *Ctx) (ok bool) {
	if q.minIdle, ok = c.integer(4, "ERR Invalid min-idle-time argument for XCLAIM"); !ok {
		return false
	}
	q.minIdle = max(0, q.minIdle)
	i := 5
	for ; i < len(c.Args); i++ {
		id, _, ok := parseStreamID(c.Args[i], idPlain, 0)
		if !ok {
			break // an option
		}
		q.ids = append(q.ids, id)
	}
	const notGiven = -1
	q.time = notGiven
	for o := c.Options(i); o.Next(); {
		switch {
		case o.Is("FORCE"):
			q.force = true
		case o.Is("JUSTID"):
			q.justID = true
		case o.Is("IDLE") && o.Value():
			if q.time, ok = c.integer(o.Pos, "ERR Invalid IDLE option argument for XCLAIM"); !ok {
				return false
			}
			q.time = c.Now - q.time
		case o.Is("TIME") && o.Value():
			if q.time, ok = c.integer(o.Pos, "ERR Invalid TIME option argument for XCLAIM"); !ok {
				return false
			}
		case o.Is("RETRYCOUNT") && o.Value():
			if q.count, ok = c.integer(o.Pos, "ERR Invalid RETRYCOUNT option argument for XCLAIM"); !ok {
				return false
			}
			// In an effect the count may have overflown; a negative one of a client is none.
			q.counts = q.count >= 0 || c.Mode == Replay
		case o.Is("LASTID") && o.Value():
			if q.lastID, ok = c.parseID(o.Pos); !ok {
				return false
			}
		default:
			c.Error(errorf("ERR Unrecognized XCLAIM option '%s'", text(c.Args[o.Pos])))
			return false
		}
	}
	// As in Redis: what clients compute from their own clock may be in the future.
	if c.Mode != Replay && (q.time < 0 || q.time > c.Now) {
		q.time = c.Now
	}
	return true
}

// integer reads argument i as an integer; otherwise it answers e.
func (c *Ctx) integer(i int, e Error) (int64, bool) {
	n, ok := resp.ParseInt(c.Args[i])
	if !ok {
		c.Error(e)
	}
	return n, ok
}

func cmdXClaim(c *Ctx) {
	key := c.Args[1]
	s, g, ok := c.readGroup(key, c.Args[2])
	if !ok {
		return
	}
	if g == nil {
		c.noGroup(key, c.Args[2])
		return
	}
	var q streamClaim
	if !q.parse(c) {
		return
	}
	moved := g.LastID().Less(q.lastID)
	if moved {
		g.SetLastID(q.lastID, g.EntriesRead())
	}
	consumer := c.claimingConsumer(key, g, q.time)
	claimed, gone := q.claim(c, s, g, &consumer)
	c.effectAck(key, g, gone)
	if claimed == 0 {
		consumer.record(c, key)
	} else if q.time != c.Now {
		c.effectSeen(key, g, consumer.StreamConsumer)
	}
	if moved {
		c.effectGroupID(key, g)
	}
	if moved || claimed > 0 || len(gone) > 0 {
		c.Touched(c.DB, key)
	}
}

// claimingConsumer is seeConsumer for a consumer that claims entries. When an effect is
// replayed its delivery's time takes the place of the clock.
func (c *Ctx) claimingConsumer(key []byte, g *keyspace.StreamGroup, time int64) seenConsumer {
	if c.Mode != Replay {
		return c.seeConsumer(key, g, c.Args[3])
	}
	consumer, created := g.CreateConsumer(c.Args[3], time)
	consumer.Seen(max(consumer.SeenTime, time))
	if created {
		c.Changed(EventStream, "xgroup-createconsumer", key)
	}
	return seenConsumer{consumer, g, created}
}

// claim makes the entries pending for the consumer, and answers them. It returns how
// many, and those that were pending though they are no longer in the stream,
// which they are not now.
func (q *streamClaim) claim(c *Ctx, s *keyspace.Stream, g *keyspace.StreamGroup, consumer *seenConsumer) (claimed int, gone []keyspace.StreamID) {
	d := deliveries{c: c, key: c.Args[1], group: g, consumer: consumer.StreamConsumer, time: q.time}
	a := c.beginArray()
	for _, id := range q.ids {
		p, _, pending := g.Pending(id)
		switch {
		case !s.Has(id):
			if g.Ack(id) {
				gone = append(gone, id)
			}
			continue
		case !pending && !q.force, pending && q.minIdle > 0 && c.Now-p.Time < q.minIdle:
			continue
		case !pending:
			p.Count = 1
		}
		if q.counts {
			p.Count = q.count
		} else if !q.justID {
			p.Count++
		}
		d.assign(id, p.Count)
		c.answerClaimed(s, id, q.justID)
		a.n++
	}
	a.end()
	d.record()
	switch {
	case a.n == 0:
	case c.Mode == Replay:
		consumer.ActiveTime = max(consumer.ActiveTime, q.time)
	default:
		consumer.Active(c.Now)
	}
	return a.n, gone
}

func (c *Ctx) answerClaimed(s *keyspace.Stream, id keyspace.StreamID, justID bool) {
	if justID {
		c.streamID(id)
	} else {
		c.streamEntryAt(s, id)
	}
}

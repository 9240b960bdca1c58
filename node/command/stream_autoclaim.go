package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// streamAutoClaim is what XAUTOCLAIM is asked for.
type streamAutoClaim struct {
	minIdle int64 // milliseconds, 0: any
	start   keyspace.StreamID
	count   int64
	justID  bool
}

// maxAutoClaim is the most entries that one call claims, whatever its COUNT, so that the
// effect fits an entry of the log. The cursor says where to go on.
const maxAutoClaim = 1 << 22

func (q *streamAutoClaim) parse(c *Ctx) (ok bool) {
	if q.minIdle, ok = c.integer(4, "ERR Invalid min-idle-time argument for XAUTOCLAIM"); !ok {
		return false
	}
	if q.start, ok = c.rangeStart(5); !ok {
		return false
	}
	const usual, most = 100, math.MaxInt64 / 16
	q.count = usual
	for o := c.Options(6); o.Next(); {
		switch {
		case o.Is("COUNT") && o.Value():
			const none Error = "ERR COUNT must be > 0"
			if q.count, ok = c.integer(o.Pos, none); !ok {
				return false
			}
			if q.count < 1 || q.count > most {
				c.Error(none)
				return false
			}
		case o.Is("JUSTID"):
			q.justID = true
		default:
			c.SyntaxError()
			return false
		}
	}
	return true
}

func cmdXAutoClaim(c *Ctx) {
	key := c.Args[1]
	// Redis looks the key up before it reads the options, and judges it after.
	ref, found := c.LookupRead(key)
	var q streamAutoClaim
	if !q.parse(c) {
		return
	}
	s, ok := objectOf[*keyspace.Stream](c, ref, found)
	if !ok {
		return
	}
	var g *keyspace.StreamGroup
	if s != nil {
		g = s.Group(c.Args[2])
	}
	if g == nil {
		c.noGroup(key, c.Args[2])
		return
	}
	consumer := c.seeConsumer(key, g, c.Args[3])
	claims, gone, next := q.choose(c.Now, s, g)
	d := deliveries{c: c, key: key, group: g, consumer: consumer.StreamConsumer, time: c.Now}
	c.Out.Array(3)
	c.streamID(next)
	c.Out.Array(len(claims))
	for _, id := range claims {
		p, _, _ := g.Pending(id)
		if !q.justID {
			p.Count++
		}
		d.assign(id, p.Count)
		c.answerClaimed(s, id, q.justID)
	}
	c.Out.Array(len(gone))
	for _, id := range gone {
		g.Ack(id)
		c.streamID(id)
	}
	c.effectAck(key, g, gone)
	if len(claims) > 0 {
		consumer.Active(c.Now)
		d.record()
	} else {
		consumer.record(c, key)
	}
	if len(claims)+len(gone) > 0 {
		c.Touched(c.DB, key)
	}
}

// choose picks the pending entries to claim, and those that are no longer in the
// stream. next is where a further call goes on, 0-0 at the end.
func (q *streamAutoClaim) choose(nowMs int64, s *keyspace.Stream, g *keyspace.StreamGroup) (claims, gone []keyspace.StreamID, next keyspace.StreamID) {
	const attempts = 10 // looked at for each one that is asked for
	count := min(q.count, maxAutoClaim)
	left, tries := count, count*attempts
	g.PendingFrom(q.start, func(id keyspace.StreamID, p keyspace.StreamPending, _ *keyspace.StreamConsumer) bool {
		if left == 0 || tries == 0 {
			next = id
			return false
		}
		tries--
		switch {
		case !s.Has(id):
			gone = append(gone, id)
			left--
		case q.minIdle <= 0 || nowMs-p.Time >= q.minIdle:
			claims = append(claims, id)
			left--
		}
		return true
	})
	return claims, gone, next
}

package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func cmdXRange(c *Ctx)    { streamRange(c, false) }
func cmdXRevRange(c *Ctx) { streamRange(c, true) }

func streamRange(c *Ctx, down bool) {
	first, second := 2, 3
	if down {
		first, second = 3, 2
	}
	start, ok := c.rangeStart(first)
	if !ok {
		return
	}
	stop, ok := c.rangeStop(second)
	if !ok {
		return
	}
	count, limited := int64(0), false
	for o := c.Options(4); o.Next(); {
		if !o.Is("COUNT") || !o.Value() {
			c.SyntaxError()
			return
		}
		if count, ok = c.Int(o.Pos); !ok {
			return
		}
		count, limited = max(0, count), true
	}
	s, ok := c.readStream(c.Args[1])
	switch {
	case !ok:
		return
	case s == nil:
		c.Out.Array(0)
		return
	case limited && count == 0:
		c.Out.NullArray()
		return
	}
	a := c.beginArray()
	emit := func(e *keyspace.StreamEntry) bool {
		c.streamEntry(e)
		a.n++
		return (!limited || int64(a.n) < count) && !c.Out.Over
	}
	if down {
		s.RangeDown(stop, start, emit)
	} else {
		s.Range(start, stop, emit)
	}
	a.end()
}

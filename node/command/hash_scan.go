package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

func cmdHScan(c *Ctx) {
	cursor, ok := c.parseCursor(2)
	if !ok {
		return
	}
	h, ok := c.readHash(c.Args[1])
	if !ok {
		return
	}
	if h == nil {
		c.beginScan().endScan(0)
		return
	}
	so := scanOptions{cursor: cursor}
	if !so.parse(c, 3, false) {
		return
	}
	s := c.beginScan()
	next := h.Scan(so.cursor, so.count, func(name, value []byte) {
		if so.match(name) {
			s.n += 2
			c.Out.Bulk(name)
			c.Out.Bulk(value)
		}
	})
	s.endScan(next)
}

func cmdHRandField(c *Ctx) {
	if len(c.Args) == 2 {
		h, ok := c.readHash(c.Args[1])
		if !ok {
			return
		}
		if h == nil {
			c.Out.Null()
			return
		}
		name, _, _ := h.Random(c.rng())
		c.Out.Bulk(name)
		return
	}
	count, ok := c.randomCount(2)
	if !ok {
		return
	}
	values := len(c.Args) == 4
	switch {
	case len(c.Args) > 4 || values && !EqualFold(c.Args[3], "WITHVALUES"):
		c.SyntaxError()
		return
	case values && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		c.Error(ErrOutOfRange)
		return
	}
	h, ok := c.readHash(c.Args[1])
	if !ok {
		return
	}
	if h == nil || count == 0 {
		c.Out.Array(0)
		return
	}
	randomFields(c, h, count, values, MaxString)
}

// randomCount reads argument i as how many elements to draw, negative for as many
// independent draws; otherwise it answers what is wrong with it.
func (c *Ctx) randomCount(i int) (int64, bool) {
	return c.IntRange(i, -math.MaxInt64, math.MaxInt64,
		"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
}

// randomFields answers count different fields, or -count independent picks up to
// limit bytes.
func randomFields(c *Ctx, h *keyspace.Hash, count int64, values bool, limit int) {
	start := len(c.Out.B)
	header := func(n int64) {
		if values && c.Out.Proto < 3 {
			n *= 2
		}
		c.Out.Array(int(n))
	}
	tooBig := count < 0 && !c.Out.Fits(-count)
	write := func(name, value []byte) bool {
		if values && c.Out.Proto >= 3 {
			c.Out.Array(2)
		}
		c.Out.Bulk(name)
		if values {
			c.Out.Bulk(value)
		}
		tooBig = count < 0 && (len(c.Out.B)-start > limit || c.Out.Over)
		return !tooBig
	}
	switch {
	case tooBig:
	case count < 0:
		header(-count)
		h.RandomRepeat(c.rng(), int(-count), write)
	case count >= int64(h.Len()):
		header(int64(h.Len()))
		h.Each(write)
	default:
		header(count)
		h.RandomDistinct(c.rng(), int(count), write)
	}
	if tooBig {
		// Repeated picks can ask for more than there is: without a limit a short
		// request would take all of the node's memory.
		c.Out.B = c.Out.B[:start]
		c.Error(ErrReplyTooBig)
	}
}

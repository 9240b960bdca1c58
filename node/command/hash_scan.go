package command

import (
	"math"
	"math/rand/v2"
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
	count, values, ok := c.randomCountOf("WITHVALUES")
	if !ok {
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
	randomElements(c, h, count, values, c.Out.Bulk, MaxString)
}

// randomCount reads argument i as how many elements to draw, negative for as many
// independent draws; otherwise it answers what is wrong with it.
func (c *Ctx) randomCount(i int) (int64, bool) {
	return c.IntRange(i, -math.MaxInt64, math.MaxInt64,
		"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
}

// randomCountOf reads the count of HRANDFIELD and ZRANDMEMBER, and whether the word
// follows that asks for values. When ok is false an error has been answered.
func (c *Ctx) randomCountOf(withValues string) (count int64, values, ok bool) {
	if count, ok = c.randomCount(2); !ok {
		return 0, false, false
	}
	values = len(c.Args) == 4
	switch {
	case len(c.Args) > 4 || values && !EqualFold(c.Args[3], withValues):
		c.SyntaxError()
		return 0, false, false
	case values && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		c.Error(ErrOutOfRange)
		return 0, false, false
	}
	return count, values, true
}

// randomSource is a collection of names with values of type V.
type randomSource[V any] interface {
	Len() int
	Each(fn func(name []byte, value V) bool)
	RandomRepeat(rng *rand.Rand, n int, fn func(name []byte, value V) bool)
	RandomDistinct(rng *rand.Rand, n int, fn func(name []byte, value V) bool)
}

// randomElements answers count different elements, or -count independent picks up to
// limit bytes.
func randomElements[V any](c *Ctx, from randomSource[V], count int64, values bool, writeValue func(V), limit int) {
	start := len(c.Out.B)
	header := func(n int64) {
		if values && c.Out.Proto < 3 {
			n *= 2
		}
		c.Out.Array(int(n))
	}
	tooBig := count < 0 && !c.Out.Fits(-count)
	write := func(name []byte, value V) bool {
		if values && c.Out.Proto >= 3 {
			c.Out.Array(2)
		}
		c.Out.Bulk(name)
		if values {
			writeValue(value)
		}
		tooBig = count < 0 && (len(c.Out.B)-start > limit || c.Out.Over)
		return !tooBig
	}
	switch {
	case tooBig:
	case count < 0:
		header(-count)
		from.RandomRepeat(c.rng(), int(-count), write)
	case count >= int64(from.Len()):
		header(int64(from.Len()))
		from.Each(write)
	default:
		header(count)
		from.RandomDistinct(c.rng(), int(count), write)
	}
	if tooBig {
		// Repeated picks can ask for more than there is: without a limit a short
		// request would take all of the node's memory.
		c.Out.B = c.Out.B[:start]
		c.Error(ErrReplyTooBig)
	}
}

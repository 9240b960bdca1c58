package command

import (
	"math"
	"slices"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// popBatch is the number of members in one SREM effect of SPOP; Redis's number too.
const popBatch = 1024

func cmdSPop(c *Ctx) {
	switch len(c.Args) {
	case 2:
		popOne(c)
	case 3:
		count, ok := c.IntWithin(2, 0, math.MaxInt64, ErrNotPositive)
		if !ok {
			return
		}
		s, ok := c.writeSet(c.Args[1])
		if !ok {
			return
		}
		popMembers(c, s, count, MaxString)
	default:
		c.SyntaxError()
	}
}

func popOne(c *Ctx) {
	key := c.Args[1]
	s, ok := c.writeSet(key)
	if !ok {
		return
	}
	if s == nil {
		c.Out.Null()
		return
	}
	m, _ := s.Random(c.rng())
	c.Out.Bulk(m)
	if s.Len() == 1 {
		c.Effect(wordDEL, key)
	} else {
		c.Effect(wordSREM, key, m)
	}
	s.Remove(m)
	c.Changed(EventSet, "spop", key)
	c.dropIfEmpty(key)
}

// popMembers answers count members, or all there are, and removes them. A reply that
// the client cannot get, beyond its own limit or limit bytes, removes nothing.
func popMembers(c *Ctx, s *keyspace.Set, count int64, limit int) {
	key := c.Args[1]
	switch {
	case s == nil || count == 0:
		c.Out.Set(0)
	case count >= int64(s.Len()):
		if c.wholeSet(s); c.Out.Over {
			return
		}
		c.Effect(wordDEL, key)
		c.db().Delete(key)
		c.Changed(EventSet, "spop", key)
		c.event(EventGeneric, "del", key)
	default:
		popped := s.PopRandom(c.rng(), int(count))
		if refused := c.answerPopped(popped, limit); refused {
			s.AddAll(popped)
			return
		}
		for batch := range slices.Chunk(popped, popBatch) {
			c.endEffect(append(c.beginEffect(wordSREM, key), batch...), true)
		}
		c.Changed(EventSet, "spop", key)
	}
}

// answerPopped answers what was popped unless it is too much: what goes into the
// reply goes into one entry of the log as well.
func (c *Ctx) answerPopped(popped [][]byte, limit int) (refused bool) {
	size := 0
	for _, m := range popped {
		size += len(m)
	}
	if size > limit {
		c.Error(ErrReplyTooBig)
		return true
	}
	c.Out.Set(len(popped))
	for _, m := range popped {
		c.Out.Bulk(m)
	}
	return c.Out.Over
}

func cmdSRandMember(c *Ctx) {
	switch len(c.Args) {
	case 2:
		s, ok := c.readSet(c.Args[1])
		if !ok {
			return
		}
		if s == nil {
			c.Out.Null()
			return
		}
		m, _ := s.Random(c.rng())
		c.Out.Bulk(m)
	case 3:
		count, ok := c.randomCount(2)
		if !ok {
			return
		}
		s, ok := c.readSet(c.Args[1])
		if !ok {
			return
		}
		if s == nil || count == 0 {
			c.Out.Array(0)
			return
		}
		randomMembers(c, s, count, MaxString)
	default:
		c.SyntaxError()
	}
}

// randomMembers answers count different members, or -count independent picks up to
// limit bytes.
func randomMembers(c *Ctx, s *keyspace.Set, count int64, limit int) {
	start, tooBig := len(c.Out.B), false
	write := func(m []byte) bool {
		c.Out.Bulk(m)
		tooBig = count < 0 && (len(c.Out.B)-start > limit || c.Out.Over)
		return !tooBig
	}
	switch {
	case count < 0:
		c.Out.Array(int(-count))
		s.RandomRepeat(c.rng(), int(-count), write)
	case count >= int64(s.Len()):
		c.Out.Array(s.Len())
		s.Each(write)
	default:
		c.Out.Array(int(count))
		s.RandomDistinct(c.rng(), int(count), write)
	}
	if tooBig {
		c.Out.B = c.Out.B[:start]
		c.Error(ErrReplyTooBig)
	}
}

package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

func cmdZRem(c *Ctx) {
	key := c.Args[1]
	z, ok := c.writeZSet(key)
	if !ok {
		return
	}
	if z == nil {
		c.Out.Int(0)
		return
	}
	effect := c.beginEffect(wordZREM, key)
	for _, member := range c.Args[2:] {
		if z.Del(member) {
			effect = append(effect, member)
		}
	}
	n := len(effect) - 2
	c.endEffect(effect, n > 0)
	if n > 0 {
		c.removedMembers("zrem", key)
	}
	c.Out.Int(int64(n))
}

// removedMembers tells that members of the set at key are gone, and the set if it
// was all of them.
func (c *Ctx) removedMembers(event string, key []byte) {
	c.Changed(EventZSet, event, key)
	if c.db().DeleteIfEmpty(key) {
		c.event(EventGeneric, "del", key)
	}
}

func cmdZRemRangeByRank(c *Ctx)  { zremRange(c, byRank, "zremrangebyrank") }
func cmdZRemRangeByScore(c *Ctx) { zremRange(c, byScore, "zremrangebyscore") }
func cmdZRemRangeByLex(c *Ctx)   { zremRange(c, byLex, "zremrangebylex") }

func zremRange(c *Ctx, by zorder, event string) {
	key := c.Args[1]
	r, ok := c.zrange(by, 2, 3)
	if !ok {
		return
	}
	z, ok := c.writeZSet(key)
	if !ok {
		return
	}
	rank, n := r.of(z)
	if n > 0 {
		if r.exact(z) {
			c.EffectSelf()
		} else {
			c.effectRemoved(key, z, rank, n)
		}
		z.DelRange(rank, n)
		c.removedMembers(event, key)
	}
	c.Out.Int(int64(n))
}

// effectRemoved records that n members from a rank on are removed.
func (c *Ctx) effectRemoved(key []byte, z *keyspace.ZSet, rank, n int) {
	effect := c.beginEffect(wordZREM, key)
	z.Range(rank, n, func(member []byte, _ float64) bool {
		effect = append(effect, member)
		return true
	})
	c.endEffect(effect, true)
}

func cmdZPopMin(c *Ctx) { zpopOne(c, false) }
func cmdZPopMax(c *Ctx) { zpopOne(c, true) }

func zpopOne(c *Ctx, highest bool) {
	if len(c.Args) > 3 {
		c.SyntaxError()
		return
	}
	count, counted := int64(1), len(c.Args) == 3
	if counted {
		var ok bool
		if count, ok = c.IntWithin(2, 0, math.MaxInt64, ErrNotPositive); !ok {
			return
		}
	}
	z, ok := c.writeZSet(c.Args[1])
	if !ok {
		return
	}
	if z == nil || count == 0 {
		c.Out.Array(0)
		return
	}
	n := int(min(count, int64(z.Len())))
	nested := counted && c.Out.Proto >= 3
	if nested {
		c.Out.Array(n)
	} else {
		c.Out.Array(2 * n)
	}
	zpop(c, c.Args[1], z, n, highest, nested)
}

// zpop answers and removes n members from one end of a set, each with its score, as
// a pair when nested.
func zpop(c *Ctx, key []byte, z *keyspace.ZSet, n int, highest, nested bool) {
	event, rank, each := "zpopmin", 0, z.Range
	if highest {
		event, rank, each = "zpopmax", z.Len()-n, z.RangeBack
	}
	each(rank, n, func(member []byte, score float64) bool {
		if nested {
			c.Out.Array(2)
		}
		c.Out.Bulk(member)
		c.Out.Double(score)
		return true
	})
	c.effectRemoved(key, z, rank, n)
	z.DelRange(rank, n)
	c.removedMembers(event, key)
}

func cmdZMPop(c *Ctx) {
	if p, ok := c.multiPop(1, c.scoreEnd); ok && !p.runZSets(c) {
		c.Out.NullArray()
	}
}

// scoreEnd reads argument i as MIN or MAX.
func (c *Ctx) scoreEnd(i int) (lowest, ok bool) {
	switch word := c.Args[i]; {
	case EqualFold(word, "MIN"):
		return true, true
	case EqualFold(word, "MAX"):
		return false, true
	}
	c.SyntaxError()
	return false, false
}

// runZSets is run for sorted sets.
func (p *multiPop) runZSets(c *Ctx) (done bool) {
	for _, key := range p.keys {
		z, ok := c.writeZSet(key)
		if !ok {
			return true
		}
		if z != nil {
			n := int(min(p.count, int64(z.Len())))
			c.Out.Array(2)
			c.Out.Bulk(key)
			c.Out.Array(n)
			zpop(c, key, z, n, !p.front, true)
			return true
		}
	}
	return false
}

func cmdBZPopMin(c *Ctx) { blockingZPop(c, false) }
func cmdBZPopMax(c *Ctx) { blockingZPop(c, true) }

func blockingZPop(c *Ctx, highest bool) {
	blockingPop(c, keyspace.TypeZSet, func(key []byte, z *keyspace.ZSet) {
		c.Out.Array(3)
		c.Out.Bulk(key)
		zpop(c, key, z, 1, highest, false)
	})
}

func cmdBZMPop(c *Ctx) {
	p, ok := c.multiPop(2, c.scoreEnd)
	if !ok {
		return
	}
	until, ok := c.Timeout(1)
	if ok && !p.runZSets(c) && !c.Block(Wait{Keys: p.keys, Type: keyspace.TypeZSet, Until: until}) {
		c.Out.NullArray()
	}
}

package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// readSets is readSet of several keys.
func (c *Ctx) readSets(keys [][]byte) (sets []*keyspace.Set, ok bool) {
	sets = make([]*keyspace.Set, len(keys))
	for i, key := range keys {
		if sets[i], ok = c.readSet(key); !ok {
			return nil, false
		}
	}
	return sets, true
}

func cmdSInter(c *Ctx) {
	sets, ok := c.readSets(c.Args[1:])
	if !ok {
		return
	}
	a := c.beginArray()
	keyspace.Intersect(sets, func(m []byte) bool {
		a.n++
		c.Out.Bulk(m)
		return !c.Out.Over
	})
	a.prepend(func() { c.Out.Set(a.n) })
}

func cmdSInterCard(c *Ctx) {
	n, ok := c.IntWithin(1, 1, math.MaxInt64, "ERR numkeys should be greater than 0")
	if !ok {
		return
	}
	if n > int64(len(c.Args)-2) {
		c.Error("ERR Number of keys can't be greater than number of args")
		return
	}
	limit := int64(0)
	for o := c.Options(2 + int(n)); o.Next(); {
		switch {
		case o.Is("LIMIT") && o.Value():
			if limit, ok = c.IntWithin(o.Pos, 0, math.MaxInt64, "ERR LIMIT can't be negative"); !ok {
				return
			}
		default:
			c.SyntaxError()
			return
		}
	}
	sets, ok := c.readSets(c.Args[2 : 2+n])
	if !ok {
		return
	}
	count := int64(0)
	keyspace.Intersect(sets, func([]byte) bool {
		count++
		return count != limit
	})
	c.Out.Int(count)
}

func cmdSUnion(c *Ctx) {
	if sets, ok := c.readSets(c.Args[1:]); ok {
		c.wholeSet(c.KS.Union(sets))
	}
}

func cmdSDiff(c *Ctx) {
	if sets, ok := c.readSets(c.Args[1:]); ok {
		c.wholeSet(c.KS.Difference(sets))
	}
}

func cmdSInterStore(c *Ctx) {
	storeSet(c, "sinterstore", c.KS.Intersection)
}

func cmdSUnionStore(c *Ctx) {
	storeSet(c, "sunionstore", c.KS.Union)
}

func cmdSDiffStore(c *Ctx) {
	storeSet(c, "sdiffstore", c.KS.Difference)
}

// storeSet stores what op makes of the sets; an empty result deletes the key.
func storeSet(c *Ctx, event string, op func([]*keyspace.Set) *keyspace.Set) {
	dst := c.Args[1]
	sets, ok := c.readSets(c.Args[2:])
	if !ok {
		return
	}
	result := op(sets)
	n := result.Len()
	switch {
	case n > 0:
		c.db().SetObject(dst, result)
		c.EffectSelf()
		c.Changed(EventSet, event, dst)
	case c.db().Delete(dst):
		c.Effect(wordDEL, dst)
		c.Changed(EventGeneric, "del", dst)
	}
	c.Out.Int(int64(n))
}

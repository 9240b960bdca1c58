package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// zrangeQuery is a request of the ZRANGE family.
type zrangeQuery struct {
	zrange
	reverse    bool
	withScores bool
	offset     int64 // of LIMIT
	limit      int64 // of LIMIT, negative: none
}

func cmdZRange(c *Ctx)           { answerRange(c, 1, &zrangeForm{options: true}) }
func cmdZRevRange(c *Ctx)        { answerRange(c, 1, &zrangeForm{reverse: true}) }
func cmdZRangeByScore(c *Ctx)    { answerRange(c, 1, &zrangeForm{by: byScore}) }
func cmdZRevRangeByScore(c *Ctx) { answerRange(c, 1, &zrangeForm{by: byScore, reverse: true}) }
func cmdZRangeByLex(c *Ctx)      { answerRange(c, 1, &zrangeForm{by: byLex}) }
func cmdZRevRangeByLex(c *Ctx)   { answerRange(c, 1, &zrangeForm{by: byLex, reverse: true}) }

// zrangeForm is what a command of the ZRANGE family fixes.
type zrangeForm struct {
	by      zorder
	reverse bool
	options bool // BYSCORE, BYLEX and REV are options
	store   bool // WITHSCORES is not
}

// parse reads a request whose key is argument key. When ok is false an error has
// been answered.
func (f *zrangeForm) parse(c *Ctx, key int) (q zrangeQuery, ok bool) {
	q.limit = -1
	by, reverse := f.by, f.reverse
	bySet, reverseSet := !f.options, !f.options
	for o := c.Options(key + 3); o.Next(); {
		switch {
		case !f.store && o.Is("WITHSCORES"):
			q.withScores = true
		case o.Is("LIMIT") && o.Values(2):
			if q.offset, ok = c.Int(o.Pos - 1); !ok {
				return q, false
			}
			if q.limit, ok = c.Int(o.Pos); !ok {
				return q, false
			}
		case !reverseSet && o.Is("REV"):
			reverse, reverseSet = true, true
		case !bySet && o.Is("BYLEX"):
			by, bySet = byLex, true
		case !bySet && o.Is("BYSCORE"):
			by, bySet = byScore, true
		default:
			c.SyntaxError()
			return q, false
		}
	}
	switch {
	case q.limit != -1 && by == byRank:
		c.Error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
		return q, false
	case q.withScores && by == byLex:
		c.Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
		return q, false
	}
	q.reverse = reverse
	low, high := key+1, key+2
	if reverse && by != byRank {
		low, high = high, low
	}
	q.zrange, ok = c.zrange(by, low, high)
	return q, ok
}

// of is the range in a set, which may be nil, with its LIMIT: n members from a rank
// on, also when they are asked for in reverse.
func (q *zrangeQuery) of(z *keyspace.ZSet) (rank, n int) {
	rank, n = q.zrange.of(z)
	if q.by == byRank {
		if q.reverse && n > 0 {
			rank = z.Len() - rank - n
		}
		return rank, n
	}
	if q.offset < 0 || q.offset >= int64(n) {
		return 0, 0
	}
	skip := int(q.offset)
	count := n - skip
	if q.limit >= 0 {
		count = int(min(q.limit, int64(count)))
	}
	if q.reverse {
		return rank + n - skip - count, count
	}
	return rank + skip, count
}

func answerRange(c *Ctx, key int, form *zrangeForm) {
	q, ok := form.parse(c, key)
	if !ok {
		return
	}
	z, ok := c.readZSet(c.Args[key])
	if !ok {
		return
	}
	rank, n := q.of(z)
	c.membersHeader(n, q.withScores)
	if n == 0 {
		return
	}
	each := z.Range
	if q.reverse {
		each = z.RangeBack
	}
	each(rank, n, func(member []byte, score float64) bool {
		c.member(member, score, q.withScores)
		return true
	})
}

// membersHeader begins an answer of n members: in RESP3 each is a pair with its
// score, in RESP2 they take turns.
func (c *Ctx) membersHeader(n int, withScores bool) {
	if withScores && c.Out.Proto < 3 {
		n *= 2
	}
	c.Out.Array(n)
}

func (c *Ctx) member(member []byte, score float64, withScores bool) {
	if withScores && c.Out.Proto >= 3 {
		c.Out.Array(2)
	}
	c.Out.Bulk(member)
	if withScores {
		c.Out.Double(score)
	}
}

func cmdZRangeStore(c *Ctx) {
	form := zrangeForm{options: true, store: true}
	q, ok := form.parse(c, 2)
	if !ok {
		return
	}
	z, ok := c.readZSet(c.Args[2])
	if !ok {
		return
	}
	rank, n := q.of(z)
	result := c.KS.NewZSet()
	exact := true
	if n > 0 {
		exact = q.exact(z)
		z.Range(rank, n, func(member []byte, score float64) bool {
			result.Set(member, score)
			return true
		})
	}
	c.storeZSet(c.Args[1], result, "zrangestore", exact)
}

// storeZSet stores the result of a command under dst, or deletes that key when it is
// empty, and answers its size. exact says that the command has the same result
// wherever it is applied again.
func (c *Ctx) storeZSet(dst []byte, z *keyspace.ZSet, event string, exact bool) {
	c.Out.Int(int64(z.Len()))
	if z.Len() == 0 {
		if c.db().Delete(dst) {
			c.Effect(wordDEL, dst)
			c.Changed(EventGeneric, "del", dst)
		}
		return
	}
	if exact {
		c.EffectSelf()
	} else {
		c.effectOf(dst, z)
	}
	c.db().SetObject(dst, z)
	c.Changed(EventZSet, event, dst)
}

// effectOf records that dst becomes the sorted set, member by member.
func (c *Ctx) effectOf(dst []byte, z *keyspace.ZSet) {
	if c.db().Delete(dst) {
		c.Effect(wordDEL, dst)
	}
	effect := c.beginEffect(wordZADD, dst)
	z.Each(func(member []byte, score float64) bool {
		effect = append(effect, resp.AppendDouble(nil, score), member)
		return true
	})
	c.endEffect(effect, true)
}

package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// zaddOptions are the options of ZADD and GEOADD.
type zaddOptions struct {
	nx, xx, gt, lt bool // which members may be given a score
	ch             bool // count changed members and not only new ones
	incr           bool // add to the score of one member, and answer it
}

// allows reports whether a member may be given a score.
func (o *zaddOptions) allows(found bool, old, score float64) bool {
	if !found {
		return !o.xx
	}
	return !(o.nx || o.gt && score <= old || o.lt && score >= old)
}

func cmdZAdd(c *Ctx)    { zadd(c, zaddOptions{}) }
func cmdZIncrBy(c *Ctx) { zadd(c, zaddOptions{incr: true}) }

func zadd(c *Ctx, o zaddOptions) {
	first := o.parse(c)
	pairs := c.Args[first:]
	switch {
	case len(pairs) == 0 || len(pairs)%2 != 0:
		c.SyntaxError()
		return
	case o.nx && o.xx:
		c.Error("ERR XX and NX options at the same time are not compatible")
		return
	case o.gt && o.nx || o.lt && o.nx || o.gt && o.lt:
		c.Error("ERR GT, LT, and/or NX options at the same time are not compatible")
		return
	case o.incr && len(pairs) > 2:
		c.Error("ERR INCR option supports a single increment-element pair")
		return
	}
	scores := make([]float64, 0, 16)
	for i := first; i < len(c.Args); i += 2 {
		score, ok := c.Double(i, ErrNotFloat)
		if !ok {
			return
		}
		scores = append(scores, score)
	}
	z, ok := c.writeZSet(c.Args[1])
	switch {
	case !ok:
	case o.incr:
		zincr(c, &o, z, scores[0], pairs[1])
	default:
		c.Out.Int(int64(setScores(c, &o, z, scores, pairs)))
	}
}

// parse reads the options and returns where the scores begin.
func (o *zaddOptions) parse(c *Ctx) (first int) {
	i := 2
	for ; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case EqualFold(word, "NX"):
			o.nx = true
		case EqualFold(word, "XX"):
			o.xx = true
		case EqualFold(word, "GT"):
			o.gt = true
		case EqualFold(word, "LT"):
			o.lt = true
		case EqualFold(word, "CH"):
			o.ch = true
		case EqualFold(word, "INCR"):
			o.incr = true
		default:
			return i
		}
	}
	return i
}

// setScores gives members scores, as far as the options allow, and returns the
// number to answer. z is the set of the command's key, nil when it is absent; pairs
// are scores, as text, and members in turns.
func setScores(c *Ctx, o *zaddOptions, z *keyspace.ZSet, scores []float64, pairs [][]byte) (n int) {
	key := c.Args[1]
	effect := c.beginEffect(wordZADD, key)
	head := len(effect)
	added := 0
	for i, score := range scores {
		member := pairs[2*i+1]
		var old float64
		found := false
		if z != nil {
			old, found = z.Score(member)
		}
		if !o.allows(found, old, score) || found && old == score {
			continue
		}
		if z == nil {
			z, _ = c.db().ZSetForWrite(key) // it is absent
		}
		z.Set(member, score)
		if !found {
			added++
		}
		effect = append(effect, pairs[2*i], member)
	}
	changed := (len(effect) - head) / 2
	c.endEffect(effect, changed > 0)
	if changed > 0 {
		c.Changed(EventZSet, "zadd", key)
	}
	if o.ch {
		return changed
	}
	return added
}

// zincr adds to the score of a member, and answers what it is then.
func zincr(c *Ctx, o *zaddOptions, z *keyspace.ZSet, by float64, member []byte) {
	key := c.Args[1]
	var old float64
	found := false
	if z != nil {
		old, found = z.Score(member)
	}
	score := by
	if found && !o.nx {
		if score += old; math.IsNaN(score) {
			c.Error("ERR resulting score is not a number (NaN)")
			return
		}
	}
	if !o.allows(found, old, score) {
		c.Out.Null()
		return
	}
	if !found || old != score {
		if z == nil {
			z, _ = c.db().ZSetForWrite(key) // it is absent
		}
		z.Set(member, score)
		c.Effect(wordZADD, key, c.scoreText(score), member)
		c.Changed(EventZSet, "zincr", key)
	}
	c.Out.Double(score)
}

// scoreText writes a score as an argument of an effect, from which it is read back
// exactly. It is valid until the next call, or one of digits.
func (c *Ctx) scoreText(score float64) []byte { return resp.AppendDouble(c.number[:0], score) }

package command

import (
	"fmt"
	"math"
	"slices"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// Unions, intersections and differences of sorted sets.

// zinput is one operand: a sorted set, a set, whose members all count one, or an
// absent key, which is an empty one.
type zinput struct {
	zset   *keyspace.ZSet
	set    *keyspace.Set
	weight float64
}

func (in *zinput) len() int {
	switch {
	case in.zset != nil:
		return in.zset.Len()
	case in.set != nil:
		return in.set.Len()
	}
	return 0
}

// score is a member's, without the weight.
func (in *zinput) score(member []byte) (float64, bool) {
	switch {
	case in.zset != nil:
		return in.zset.Score(member)
	case in.set != nil:
		return 1, in.set.Contains(member)
	}
	return 0, false
}

func (in *zinput) each(fn func(member []byte, score float64) bool) {
	switch {
	case in.zset != nil:
		in.zset.Each(fn)
	case in.set != nil:
		in.set.Each(func(member []byte) bool { return fn(member, 1) })
	}
}

// readInput looks an operand up; see readZSet.
func (c *Ctx) readInput(key []byte) (in zinput, ok bool) {
	obj, ok := readObject[keyspace.Object](c, key)
	switch obj := obj.(type) {
	case nil:
	case *keyspace.ZSet:
		in.zset = obj
	case *keyspace.Set:
		in.set = obj
	default:
		c.WrongType()
		ok = false
	}
	in.weight = 1
	return in, ok
}

// is reports whether two operands are the same sorted set.
func (in *zinput) is(other *zinput) bool { return in.zset != nil && in.zset == other.zset }

// weighted is a score with the operand's weight; infinity times zero is zero.
func (in *zinput) weighted(score float64) float64 {
	if score *= in.weight; math.IsNaN(score) {
		return 0
	}
	return score
}

// aggregate makes one score of two.
type aggregate func(a, b float64) float64

// aggregateSum says zero where infinities cancel out.
func aggregateSum(a, b float64) float64 {
	if a += b; math.IsNaN(a) {
		return 0
	}
	return a
}

func aggregateMin(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func aggregateMax(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// zcombination is a request of the ZUNION family.
type zcombination struct {
	inputs     []zinput
	aggregate  aggregate
	withScores bool
	limit      int64 // of ZINTERCARD, 0: none
}

// zcombineForm is which options a command of the ZUNION family has.
type zcombineForm struct {
	weights, scores, limit bool
}

var (
	formCombine      = &zcombineForm{weights: true, scores: true}
	formCombineStore = &zcombineForm{weights: true}
	formDiff         = &zcombineForm{scores: true}
	formDiffStore    = &zcombineForm{}
	formCard         = &zcombineForm{limit: true}
)

// parse reads a request whose number of keys is argument at. When ok is false an
// error has been answered.
func (f *zcombineForm) parse(c *Ctx, at int) (q zcombination, ok bool) {
	n, ok := c.Int(at)
	if !ok {
		return q, false
	}
	keys := c.Args[at+1:]
	switch {
	case n < 1:
		c.Error(Error(fmt.Sprintf("ERR at least 1 input key is needed for '%s' command", c.Cmd.FullName())))
		return q, false
	case n > int64(len(keys)):
		c.SyntaxError()
		return q, false
	}
	for _, key := range keys[:n] {
		in, ok := c.readInput(key)
		if !ok {
			return q, false
		}
		q.inputs = append(q.inputs, in)
	}
	q.aggregate = aggregateSum
	return q, f.options(c, &q, at+1+int(n))
}

func (f *zcombineForm) options(c *Ctx, q *zcombination, from int) (ok bool) {
	for o := c.Options(from); o.Next(); {
		switch {
		case f.weights && o.Is("WEIGHTS") && o.Values(len(q.inputs)):
			for i := range q.inputs {
				in := &q.inputs[i]
				if in.weight, ok = c.Double(o.Pos-len(q.inputs)+1+i, "ERR weight value is not a float"); !ok {
					return false
				}
			}
		case f.weights && o.Is("AGGREGATE") && o.Value():
			if q.aggregate = aggregateOf(c.Args[o.Pos]); q.aggregate == nil {
				c.SyntaxError()
				return false
			}
		case f.scores && o.Is("WITHSCORES"):
			q.withScores = true
		case f.limit && o.Is("LIMIT") && o.Value():
			if q.limit, ok = c.IntWithin(o.Pos, 0, math.MaxInt64, "ERR LIMIT can't be negative"); !ok {
				return false
			}
		default:
			c.SyntaxError()
			return false
		}
	}
	return true
}

func aggregateOf(word []byte) aggregate {
	switch {
	case EqualFold(word, "SUM"):
		return aggregateSum
	case EqualFold(word, "MIN"):
		return aggregateMin
	case EqualFold(word, "MAX"):
		return aggregateMax
	}
	return nil
}

// bySize puts the smallest operand first. Scores are added up in this order, which
// shows in their last digits; operands of one size keep theirs.
func (q *zcombination) bySize() {
	slices.SortStableFunc(q.inputs, func(a, b zinput) int { return a.len() - b.len() })
}

func (q *zcombination) union(ks *keyspace.Keyspace) *keyspace.ZSet {
	q.bySize()
	out := ks.NewZSet()
	for i := range q.inputs {
		in := &q.inputs[i]
		in.each(func(member []byte, score float64) bool {
			score = in.weighted(score)
			if old, found := out.Score(member); found {
				score = q.aggregate(old, score)
			}
			out.Set(member, score)
			return true
		})
	}
	return out
}

// eachCommon calls fn with the members of the intersection until it returns false.
func (q *zcombination) eachCommon(fn func(member []byte, score float64) bool) {
	q.bySize()
	first := &q.inputs[0]
	first.each(func(member []byte, score float64) bool {
		sum := first.weighted(score)
		for i := range q.inputs[1:] {
			in := &q.inputs[1+i]
			other, found := score, true
			if !in.is(first) {
				other, found = in.score(member)
			}
			if !found {
				return true
			}
			sum = q.aggregate(sum, other*in.weight)
		}
		return fn(member, sum)
	})
}

func (q *zcombination) inter(ks *keyspace.Keyspace) *keyspace.ZSet {
	out := ks.NewZSet()
	q.eachCommon(func(member []byte, score float64) bool {
		out.Set(member, score)
		return true
	})
	return out
}

func (q *zcombination) diff(ks *keyspace.Keyspace) *keyspace.ZSet {
	out := ks.NewZSet()
	q.inputs[0].each(func(member []byte, score float64) bool {
		for i := range q.inputs[1:] {
			if _, found := q.inputs[1+i].score(member); found {
				return true
			}
		}
		out.Set(member, score)
		return true
	})
	return out
}

func cmdZUnion(c *Ctx) { answerCombined(c, formCombine, (*zcombination).union) }
func cmdZInter(c *Ctx) { answerCombined(c, formCombine, (*zcombination).inter) }
func cmdZDiff(c *Ctx)  { answerCombined(c, formDiff, (*zcombination).diff) }

func cmdZUnionStore(c *Ctx) {
	storeCombined(c, formCombineStore, (*zcombination).union, "zunionstore")
}

func cmdZInterStore(c *Ctx) {
	storeCombined(c, formCombineStore, (*zcombination).inter, "zinterstore")
}

func cmdZDiffStore(c *Ctx) {
	storeCombined(c, formDiffStore, (*zcombination).diff, "zdiffstore")
}

type zoperation = func(q *zcombination, ks *keyspace.Keyspace) *keyspace.ZSet

func answerCombined(c *Ctx, form *zcombineForm, operation zoperation) {
	q, ok := form.parse(c, 1)
	if !ok {
		return
	}
	z := operation(&q, c.KS)
	c.membersHeader(z.Len(), q.withScores)
	z.Each(func(member []byte, score float64) bool {
		c.member(member, score, q.withScores)
		return true
	})
}

func storeCombined(c *Ctx, form *zcombineForm, operation zoperation, event string) {
	if q, ok := form.parse(c, 2); ok {
		c.storeZSet(c.Args[1], operation(&q, c.KS), event, true)
	}
}

func cmdZInterCard(c *Ctx) {
	q, ok := formCard.parse(c, 1)
	if !ok {
		return
	}
	n := int64(0)
	q.eachCommon(func([]byte, float64) bool {
		n++
		return n != q.limit
	})
	c.Out.Int(n)
}

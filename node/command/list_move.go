package command

import (
	"bytes"
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// end reads argument i as LEFT (front) or RIGHT; otherwise it answers a syntax error.
func (c *Ctx) end(i int) (front, ok bool) {
	front = EqualFold(c.Args[i], "LEFT")
	if !front && !EqualFold(c.Args[i], "RIGHT") {
		c.SyntaxError()
		return false, false
	}
	return front, true
}

// ends reads arguments i and i+1 as the ends that an element moves between.
func (c *Ctx) ends(i int) (from, to, ok bool) {
	if from, ok = c.end(i); ok {
		to, ok = c.end(i + 1)
	}
	return from, to, ok
}

func cmdLMove(c *Ctx) {
	if from, to, ok := c.ends(3); ok {
		move(c, from, to)
	}
}

func cmdRPopLPush(c *Ctx) { move(c, false, true) }

// move is LMOVE from an end of the list at argument 1 to one of that at argument 2.
func move(c *Ctx, from, to bool) {
	src, ok := c.writeList(c.Args[1])
	switch {
	case !ok:
	case src == nil:
		c.Out.Null()
	default:
		c.move(src, from, to)
	}
}

// move moves an element of src, which is not empty, and answers it.
func (c *Ctx) move(src *keyspace.List, from, to bool) {
	srcKey, dstKey := c.Args[1], c.Args[2]
	if bytes.Equal(srcKey, dstKey) {
		c.Out.Bulk(src.Rotate(from, to))
		c.Changed(EventList, listEvent(to, "push"), srcKey)
		c.event(EventList, listEvent(from, "pop"), srcKey)
		c.Effect(wordLMOVE, srcKey, dstKey, endWord(from), endWord(to))
		return
	}
	dst, ok := c.writeList(dstKey)
	if !ok {
		return
	}
	c.Effect(wordLMOVE, srcKey, dstKey, endWord(from), endWord(to))
	if dst == nil {
		dst, _ = c.db().ListForWrite(dstKey)
	}
	it := src.Iterate(from)
	e, _ := it.Next()
	dst.Push(to, e)
	c.Out.Bulk(e)
	c.Changed(EventList, listEvent(to, "push"), dstKey)
	c.removed(srcKey, src, from, 1)
}

func endWord(front bool) []byte {
	if front {
		return wordLEFT
	}
	return wordRIGHT
}

// multiPop is what LMPOP, ZMPOP and their blocking forms are asked for.
type multiPop struct {
	keys  [][]byte
	front bool // or the lowest scores
	count int64
}

// multiPop reads the arguments from the number of keys on; end reads which end.
func (c *Ctx) multiPop(i int, end func(i int) (front, ok bool)) (p multiPop, ok bool) {
	n, ok := c.atLeast(i, 1, "ERR numkeys should be greater than 0")
	if !ok {
		return p, false
	}
	if n >= int64(len(c.Args)-i-1) {
		c.SyntaxError()
		return p, false
	}
	where := i + 1 + int(n)
	p.keys, p.count = c.Args[i+1:where], 1
	if p.front, ok = end(where); !ok {
		return p, false
	}
	counted := false
	for o := c.Options(where + 1); o.Next(); counted = true {
		if counted || !o.Is("COUNT") || !o.Value() {
			c.SyntaxError()
			return p, false
		}
		if p.count, ok = c.atLeast(o.Pos, 1, "ERR count should be greater than 0"); !ok {
			return p, false
		}
	}
	return p, true
}

// run pops from the first of the lists that is there. done: it has answered, if only
// that a key is no list.
func (p *multiPop) run(c *Ctx) (done bool) {
	for _, key := range p.keys {
		l, ok := c.writeList(key)
		if !ok {
			return true
		}
		if l != nil {
			c.Out.Array(2)
			c.Out.Bulk(key)
			c.pop(key, l, p.front, p.count)
			return true
		}
	}
	return false
}

func cmdLMPop(c *Ctx) {
	if p, ok := c.multiPop(1, c.end); ok && !p.run(c) {
		c.Out.NullArray()
	}
}

// atLeast reads argument i as a number of at least low; otherwise it answers e, also if
// it is no number.
func (c *Ctx) atLeast(i int, low int64, e Error) (int64, bool) {
	n, ok := resp.ParseInt(c.Args[i])
	if !ok || n < low {
		c.Error(e)
		return 0, false
	}
	return n, true
}

// rank reads argument i as LPOS's RANK.
func (c *Ctx) rank(i int) (int64, bool) {
	n, ok := c.IntRange(i, -math.MaxInt64, math.MaxInt64, "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	if ok && n == 0 {
		c.Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
		ok = false
	}
	return n, ok
}

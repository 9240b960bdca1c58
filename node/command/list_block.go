package command

import "github.com/redoubtdb/redoubt/node/keyspace"

// blockingPop answers with pop of the first of a request's keys that is there, or
// waits until one is: BLPOP, BZPOPMIN and their kin, whose last argument is the timeout.
func blockingPop[T interface {
	keyspace.Object
	comparable
}](c *Ctx, typ keyspace.Type, pop func(key []byte, value T)) {
	last := len(c.Args) - 1
	until, ok := c.Timeout(last)
	if !ok {
		return
	}
	var absent T
	keys := c.Args[1:last]
	for _, key := range keys {
		value, ok := writeObject[T](c, key)
		if !ok {
			return
		}
		if value != absent {
			pop(key, value)
			return
		}
	}
	if !c.Block(Wait{Keys: keys, Type: typ, Until: until}) {
		c.Out.NullArray()
	}
}

// blockingListPop is BLPOP and BRPOP.
func blockingListPop(c *Ctx, front bool) {
	blockingPop(c, keyspace.TypeList, func(key []byte, l *keyspace.List) {
		c.Out.Array(2)
		c.Out.Bulk(key)
		it := l.Iterate(front)
		e, _ := it.Next()
		c.Out.Bulk(e)
		c.dropped(key, l, front, 1)
	})
}

// waitForList lets the client wait until one of keys is a list.
func (c *Ctx) waitForList(until int64, keys ...[]byte) bool {
	return c.Block(Wait{Keys: keys, Type: keyspace.TypeList, Until: until})
}

func cmdBLMove(c *Ctx) {
	if from, to, ok := c.ends(3); ok {
		blockingMove(c, from, to, 5)
	}
}

func cmdBRPopLPush(c *Ctx) { blockingMove(c, false, true, 3) }

// blockingMove is move, waiting as long as argument timeout says.
func blockingMove(c *Ctx, from, to bool, timeout int) {
	until, ok := c.Timeout(timeout)
	if !ok {
		return
	}
	src, ok := c.writeList(c.Args[1])
	switch {
	case !ok:
	case src != nil:
		c.move(src, from, to)
	case !c.waitForList(until, c.Args[1]):
		c.Out.Null()
	}
}

func cmdBLMPop(c *Ctx) {
	p, ok := c.multiPop(2, c.end)
	if !ok {
		return
	}
	until, ok := c.Timeout(1)
	if ok && !p.run(c) && !c.waitForList(until, p.keys...) {
		c.Out.NullArray()
	}
}

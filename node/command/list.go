package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
)

func listRows() []*Command {
	const (
		access = KeyRO | KeyAccess
		insert = KeyRW | KeyInsert
		pop    = KeyRW | KeyAccess | KeyDelete
		block  = Write | NoScript | Blocking
	)
	twoLists := []KeySpec{Key(1, pop), Key(2, insert)}
	counted := func(index int) []KeySpec {
		return []KeySpec{{Flags: pop, Index: index, Find: FindKeyNum, First: 1, Step: 1}}
	}
	rows := []*Command{
		{Name: "lpush", Summary: "Adds elements to the front of a list",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: one(insert), Handler: func(c *Ctx) { push(c, true, false) }},
		{Name: "rpush", Summary: "Adds elements to the back of a list",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: one(insert), Handler: func(c *Ctx) { push(c, false, false) }},
		{Name: "lpushx", Summary: "Adds elements to the front of a list if there is one",
			Since: "2.2.0", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: one(insert), Handler: func(c *Ctx) { push(c, true, true) }},
		{Name: "rpushx", Summary: "Adds elements to the back of a list if there is one",
			Since: "2.2.0", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: one(insert), Handler: func(c *Ctx) { push(c, false, true) }},
		{Name: "lpop", Summary: "Removes elements from the front of a list and returns them",
			Since: "1.0.0", Arity: -2, Flags: Write | Fast, KeySpecs: one(pop), Handler: func(c *Ctx) { popEnd(c, true) }},
		{Name: "rpop", Summary: "Removes elements from the back of a list and returns them",
			Since: "1.0.0", Arity: -2, Flags: Write | Fast, KeySpecs: one(pop), Handler: func(c *Ctx) { popEnd(c, false) }},
		{Name: "llen", Summary: "Counts the elements of a list",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdLLen},
		{Name: "lindex", Summary: "Returns the element at a place in a list",
			Since: "1.0.0", Arity: 3, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdLIndex},
		{Name: "lrange", Summary: "Returns the elements from one place in a list to another",
			Since: "1.0.0", Arity: 4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdLRange},
		{Name: "lpos", Summary: "Finds elements of a list by value",
			Since: "6.0.6", Arity: -3, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdLPos},
		{Name: "lset", Summary: "Replaces the element at a place in a list",
			Since: "1.0.0", Arity: 4, Flags: Write | DenyOOM, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdLSet},
		{Name: "linsert", Summary: "Adds an element before or behind another",
			Since: "2.2.0", Arity: 5, Flags: Write | DenyOOM, KeySpecs: one(insert), Handler: cmdLInsert},
		{Name: "lrem", Summary: "Removes elements of a list by value",
			Since: "1.0.0", Arity: 4, Flags: Write, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdLRem},
		{Name: "ltrim", Summary: "Removes the elements outside of a range",
			Since: "1.0.0", Arity: 4, Flags: Write, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdLTrim},
		{Name: "lmove", Summary: "Moves an element from one end of a list to one of another",
			Since: "6.2.0", Arity: 5, Flags: Write | DenyOOM, KeySpecs: twoLists, Handler: cmdLMove},
		{Name: "rpoplpush", Summary: "Moves the last element of a list to the front of another",
			Since: "1.2.0", Arity: 3, Flags: Write | DenyOOM, KeySpecs: twoLists, Handler: cmdRPopLPush},
		{Name: "lmpop", Summary: "Removes elements from the first list that has any and returns them",
			Since: "7.0.0", Arity: -4, Flags: Write, KeySpecs: counted(1), GetKeys: countedKeys(1, 2), Handler: cmdLMPop},

		{Name: "blpop", Summary: "Waits for an element at the front of one of several lists, removes and returns it",
			Since: "2.0.0", Arity: -3, Flags: block, KeySpecs: []KeySpec{Keys(1, -2, 1, pop)}, Handler: func(c *Ctx) { blockingListPop(c, true) }},
		{Name: "brpop", Summary: "Waits for an element at the back of one of several lists, removes and returns it",
			Since: "2.0.0", Arity: -3, Flags: block, KeySpecs: []KeySpec{Keys(1, -2, 1, pop)}, Handler: func(c *Ctx) { blockingListPop(c, false) }},
		{Name: "blmove", Summary: "Waits for an element of a list and moves it to another",
			Since: "6.2.0", Arity: 6, Flags: block | DenyOOM, KeySpecs: twoLists, Handler: cmdBLMove},
		{Name: "brpoplpush", Summary: "Waits for the last element of a list and moves it to the front of another",
			Since: "2.2.0", Arity: 4, Flags: block | DenyOOM, KeySpecs: twoLists, Handler: cmdBRPopLPush},
		{Name: "blmpop", Summary: "Waits until one of several lists has elements, removes some and returns them",
			Since: "7.0.0", Arity: -5, Flags: Write | Blocking, KeySpecs: counted(2), GetKeys: countedKeys(2, 3), Handler: cmdBLMPop},
	}
	for _, r := range rows {
		r.Group, r.Categories = "list", CatList
	}
	return rows
}

// readList is LookupRead of a list, nil when the key is absent; see readString.
func (c *Ctx) readList(key []byte) (l *keyspace.List, ok bool) {
	return readObject[*keyspace.List](c, key)
}

// writeList is LookupWrite of a list, nil when the key is absent; see readString.
func (c *Ctx) writeList(key []byte) (l *keyspace.List, ok bool) {
	return writeObject[*keyspace.List](c, key)
}

// length is the number of elements; l may be nil.
func length(l *keyspace.List) int {
	if l == nil {
		return 0
	}
	return l.Len()
}

// listEvent is the notification of an element added ("push") to or taken ("pop") from
// an end.
func listEvent(front bool, what string) string {
	if front {
		return "l" + what
	}
	return "r" + what
}

// push adds elements to an end, if existing only to a list that is there.
func push(c *Ctx, front, existing bool) {
	key := c.Args[1]
	l, ok := c.writeList(key)
	if !ok {
		return
	}
	if l == nil {
		if existing {
			c.Out.Int(0)
			return
		}
		l, _ = c.db().ListForWrite(key)
	}
	l.Push(front, c.Args[2:]...)
	c.EffectSelf()
	c.Out.Int(int64(l.Len()))
	c.Changed(EventList, listEvent(front, "push"), key)
}

// popEnd is LPOP and RPOP.
func popEnd(c *Ctx, front bool) {
	if len(c.Args) > 3 {
		c.Error(wrongArity(c.Cmd))
		return
	}
	many, count := len(c.Args) == 3, int64(1)
	if many {
		var ok bool
		if count, ok = c.positive(2, ErrNotPositive); !ok {
			return
		}
	}
	key := c.Args[1]
	l, ok := c.writeList(key)
	switch {
	case !ok:
	case l == nil && many:
		c.Out.NullArray()
	case l == nil:
		c.Out.Null()
	case count == 0:
		c.Out.Array(0)
	case many:
		c.pop(key, l, front, count)
	default:
		it := l.Iterate(front)
		e, _ := it.Next()
		c.Out.Bulk(e)
		c.dropped(key, l, front, 1)
	}
}

// positive reads argument i as a number that is not negative; otherwise it answers e.
func (c *Ctx) positive(i int, e Error) (int64, bool) { return c.atLeast(i, 0, e) }

// pop answers up to count elements from an end of the list at key, as an array, and
// removes them.
func (c *Ctx) pop(key []byte, l *keyspace.List, front bool, count int64) {
	n := int(min(count, int64(l.Len())))
	c.Out.Array(n)
	it := l.Iterate(front)
	for range n {
		e, _ := it.Next()
		c.Out.Bulk(e)
	}
	c.dropped(key, l, front, n)
}

// dropped removes n elements, which have been answered, from an end of the list at key.
func (c *Ctx) dropped(key []byte, l *keyspace.List, front bool, n int) {
	word := wordRPOP
	if front {
		word = wordLPOP
	}
	if n == 1 {
		c.Effect(word, key)
	} else {
		c.Effect(word, key, c.digits(int64(n)))
	}
	c.removed(key, l, front, n)
}

// removed removes n elements from an end of the list at key, and the key with the last.
func (c *Ctx) removed(key []byte, l *keyspace.List, front bool, n int) {
	l.Drop(front, n)
	empty := c.db().DeleteIfEmpty(key)
	c.Changed(EventList, listEvent(front, "pop"), key)
	if empty {
		c.event(EventGeneric, "del", key)
	}
}

func cmdLLen(c *Ctx) {
	if l, ok := c.readList(c.Args[1]); ok {
		c.Out.Int(int64(length(l)))
	}
}

func cmdLIndex(c *Ctx) {
	l, ok := c.readList(c.Args[1])
	switch {
	case !ok:
		return
	case l == nil:
		c.Out.Null()
		return
	}
	i, ok := c.Int(2)
	if !ok {
		return
	}
	if i < 0 {
		i += int64(l.Len())
	}
	if i < 0 || i >= int64(l.Len()) {
		c.Out.Null()
		return
	}
	it := l.From(int(i))
	e, _ := it.Next()
	c.Out.Bulk(e)
}

// span is the range of indices from start to stop, of which negative ones count from
// the end, in a list of n elements: the first, and how many.
func span(start, stop int64, n int) (first, count int) {
	if start < 0 {
		start = max(0, start+int64(n))
	}
	if stop < 0 {
		stop += int64(n)
	}
	stop = min(stop, int64(n)-1)
	if start > stop {
		return 0, 0
	}
	return int(start), int(stop - start + 1)
}

func cmdLRange(c *Ctx) {
	start, ok := c.Int(2)
	if !ok {
		return
	}
	stop, ok := c.Int(3)
	if !ok {
		return
	}
	l, ok := c.readList(c.Args[1])
	if !ok {
		return
	}
	first, n := span(start, stop, length(l))
	c.Out.Array(n)
	if n == 0 {
		return
	}
	it := l.From(first)
	for range n {
		e, _ := it.Next()
		if c.Out.Bulk(e); c.Out.Over {
			return
		}
	}
}

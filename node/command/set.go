package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func setRows() []*Command {
	const access = KeyRO | KeyAccess
	anyOrder := []string{TipAnyOrder}
	random := []string{TipNondeterministic}
	store := func(dst KeyFlags) []KeySpec { return []KeySpec{Key(1, dst|KeyUpdate), Keys(2, -1, 1, access)} }
	rows := []*Command{
		{Name: "sadd", Summary: "Adds members to a set",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: one(KeyRW | KeyInsert), Handler: cmdSAdd},
		{Name: "srem", Summary: "Removes members from a set",
			Since: "1.0.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdSRem},
		{Name: "smove", Summary: "Moves a member from one set to another",
			Since: "1.0.0", Arity: 4, Flags: Write | Fast,
			KeySpecs: []KeySpec{Key(1, KeyRW|KeyAccess|KeyDelete), Key(2, KeyRW|KeyInsert)}, Handler: cmdSMove},
		{Name: "sismember", Summary: "Tells whether a set has a member",
			Since: "1.0.0", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdSIsMember},
		{Name: "smismember", Summary: "Tells which members a set has",
			Since: "6.2.0", Arity: -3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdSMIsMember},
		{Name: "scard", Summary: "Counts the members of a set",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdSCard},
		{Name: "smembers", Summary: "Returns all members of a set",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly, KeySpecs: one(access), Tips: anyOrder, Handler: cmdSMembers},
		{Name: "sscan", Summary: "Goes through the members of a set step by step",
			Since: "2.8.0", Arity: -3, Flags: ReadOnly, KeySpecs: one(access), Tips: random, Handler: cmdSScan},
		{Name: "spop", Summary: "Removes members of a set picked at random and returns them",
			Since: "1.0.0", Arity: -2, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyAccess | KeyDelete), Tips: random, Handler: cmdSPop},
		{Name: "srandmember", Summary: "Returns members of a set picked at random",
			Since: "1.0.0", Arity: -2, Flags: ReadOnly, KeySpecs: one(access), Tips: random, Handler: cmdSRandMember},

		{Name: "sinter", Summary: "Returns what several sets have in common",
			Since: "1.0.0", Arity: -2, Flags: ReadOnly, KeySpecs: all(access), Tips: anyOrder, Handler: cmdSInter},
		{Name: "sintercard", Summary: "Counts what several sets have in common",
			Since: "7.0.0", Arity: -3, Flags: ReadOnly,
			KeySpecs: []KeySpec{{Flags: access, Index: 1, Find: FindKeyNum, First: 1, Step: 1}},
			GetKeys:  countedKeys(1, 2), Handler: cmdSInterCard},
		{Name: "sinterstore", Summary: "Stores what several sets have in common",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM, KeySpecs: store(KeyRW), Handler: cmdSInterStore},
		{Name: "sunion", Summary: "Returns what any of several sets has",
			Since: "1.0.0", Arity: -2, Flags: ReadOnly, KeySpecs: all(access), Tips: anyOrder, Handler: cmdSUnion},
		{Name: "sunionstore", Summary: "Stores what any of several sets has",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM, KeySpecs: store(KeyOW), Handler: cmdSUnionStore},
		{Name: "sdiff", Summary: "Returns what a set has and none of others",
			Since: "1.0.0", Arity: -2, Flags: ReadOnly, KeySpecs: all(access), Tips: anyOrder, Handler: cmdSDiff},
		{Name: "sdiffstore", Summary: "Stores what a set has and none of others",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM, KeySpecs: store(KeyOW), Handler: cmdSDiffStore},
	}
	for _, r := range rows {
		r.Group, r.Categories = "set", CatSet
	}
	return rows
}

// members is the number of members; s may be nil.
func members(s *keyspace.Set) int {
	if s == nil {
		return 0
	}
	return s.Len()
}

// contains reports whether s, which may be nil, has the member.
func contains(s *keyspace.Set, member []byte) bool { return s != nil && s.Contains(member) }

func cmdSAdd(c *Ctx) {
	key := c.Args[1]
	if _, ok := c.writeSet(key); !ok {
		return
	}
	s, err := c.db().SetForWrite(key)
	if err != nil {
		c.WrongType()
		return
	}
	added := s.AddAll(c.Args[2:])
	if added > 0 {
		c.EffectSelf()
		c.Changed(EventSet, "sadd", key)
	}
	c.Out.Int(int64(added))
}

func cmdSRem(c *Ctx) {
	key := c.Args[1]
	s, ok := c.writeSet(key)
	if !ok {
		return
	}
	if s == nil {
		c.Out.Int(0)
		return
	}
	effect := c.beginEffect(wordSREM, key)
	for _, m := range c.Args[2:] {
		if s.Remove(m) {
			effect = append(effect, m)
		}
	}
	n := len(effect) - 2
	c.endEffect(effect, n > 0)
	if n > 0 {
		c.Changed(EventSet, "srem", key)
		c.dropIfEmpty(key)
	}
	c.Out.Int(int64(n))
}

func cmdSMove(c *Ctx) {
	src, dst, member := c.Args[1], c.Args[2], c.Args[3]
	ref, found := c.LookupWrite(src)
	from := ref.Set()
	dstRef, dstFound := c.LookupWrite(dst)
	switch {
	case !found:
		c.Out.Int(0)
		return
	case from == nil:
		c.WrongType()
		return
	}
	to, ok := objectOf[*keyspace.Set](c, dstRef, dstFound)
	if !ok {
		return
	}
	if has := from.Contains(member); from == to || !has {
		c.boolInt(has)
		return
	}
	to, err := c.db().SetForWrite(dst)
	if err != nil {
		c.WrongType()
		return
	}
	c.EffectSelf()
	from.Remove(member)
	c.Changed(EventSet, "srem", src)
	c.dropIfEmpty(src)
	if to.AddAll(c.Args[3:]) > 0 {
		c.Changed(EventSet, "sadd", dst)
	}
	c.Out.Int(1)
}

func cmdSIsMember(c *Ctx) {
	if s, ok := c.readSet(c.Args[1]); ok {
		c.boolInt(contains(s, c.Args[2]))
	}
}

func cmdSMIsMember(c *Ctx) {
	s, ok := c.readSet(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		c.boolInt(contains(s, m))
	}
}

func cmdSCard(c *Ctx) {
	if s, ok := c.readSet(c.Args[1]); ok {
		c.Out.Int(int64(members(s)))
	}
}

func cmdSMembers(c *Ctx) {
	if s, ok := c.readSet(c.Args[1]); ok {
		c.wholeSet(s)
	}
}

// wholeSet answers all members; s may be nil.
func (c *Ctx) wholeSet(s *keyspace.Set) {
	c.Out.Set(members(s))
	if s != nil {
		s.Each(func(m []byte) bool {
			c.Out.Bulk(m)
			return !c.Out.Over
		})
	}
}

func cmdSScan(c *Ctx) {
	cursor, ok := c.parseCursor(2)
	if !ok {
		return
	}
	s, ok := c.readSet(c.Args[1])
	if !ok {
		return
	}
	if s == nil {
		c.beginScan().endScan(0)
		return
	}
	so := scanOptions{cursor: cursor}
	if !so.parse(c, 3, false) {
		return
	}
	a := c.beginScan()
	next := s.Scan(so.cursor, so.count, func(m []byte) {
		if so.match(m) {
			a.n++
			c.Out.Bulk(m)
		}
	})
	a.endScan(next)
}

package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func zsetRows() []*Command {
	rows := append(zsetReadRows(), zsetWriteRows()...)
	for _, r := range rows {
		r.Group, r.Categories = "sorted-set", CatSortedSet
	}
	return rows
}

func zsetReadRows() []*Command {
	const access = KeyRO | KeyAccess
	random := []string{TipNondeterministic}
	return []*Command{
		{Name: "zscore", Summary: "Returns the score of a member",
			Since: "1.2.0", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdZScore},
		{Name: "zmscore", Summary: "Returns the scores of several members",
			Since: "6.2.0", Arity: -3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdZMScore},
		{Name: "zcard", Summary: "Counts the members of a sorted set",
			Since: "1.2.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdZCard},
		{Name: "zcount", Summary: "Counts the members with scores in a range",
			Since: "2.0.0", Arity: 4, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdZCount},
		{Name: "zlexcount", Summary: "Counts the members in a range of the alphabet",
			Since: "2.8.9", Arity: 4, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdZLexCount},
		{Name: "zrank", Summary: "Returns the place of a member, the lowest score first",
			Since: "2.0.0", Arity: -3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdZRank},
		{Name: "zrevrank", Summary: "Returns the place of a member, the highest score first",
			Since: "2.0.0", Arity: -3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdZRevRank},
		{Name: "zrange", Summary: "Returns the members in a range of places, scores or the alphabet",
			Since: "1.2.0", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdZRange},
		{Name: "zrevrange", Summary: "Returns the members in a range of places, the highest score first",
			Since: "1.2.0", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdZRevRange},
		{Name: "zrangebyscore", Summary: "Returns the members with scores in a range",
			Since: "1.0.5", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdZRangeByScore},
		{Name: "zrevrangebyscore", Summary: "Returns the members with scores in a range, the highest first",
			Since: "2.2.0", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdZRevRangeByScore},
		{Name: "zrangebylex", Summary: "Returns the members in a range of the alphabet",
			Since: "2.8.9", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdZRangeByLex},
		{Name: "zrevrangebylex", Summary: "Returns the members in a range of the alphabet, the last first",
			Since: "2.8.9", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdZRevRangeByLex},
		{Name: "zrandmember", Summary: "Returns members picked at random",
			Since: "6.2.0", Arity: -2, Flags: ReadOnly, KeySpecs: one(access), Tips: random, Handler: cmdZRandMember},
		{Name: "zscan", Summary: "Goes through the members of a sorted set step by step",
			Since: "2.8.0", Arity: -3, Flags: ReadOnly, KeySpecs: one(access), Tips: random, Handler: cmdZScan},
		{Name: "zunion", Summary: "Returns the union of sorted sets",
			Since: "6.2.0", Arity: -3, Flags: ReadOnly, KeySpecs: counted(1, access),
			GetKeys: countedKeys(1, 2), Handler: cmdZUnion},
		{Name: "zinter", Summary: "Returns the intersection of sorted sets",
			Since: "6.2.0", Arity: -3, Flags: ReadOnly, KeySpecs: counted(1, access),
			GetKeys: countedKeys(1, 2), Handler: cmdZInter},
		{Name: "zdiff", Summary: "Returns what of a sorted set is not in others",
			Since: "6.2.0", Arity: -3, Flags: ReadOnly, KeySpecs: counted(1, access),
			GetKeys: countedKeys(1, 2), Handler: cmdZDiff},
		{Name: "zintercard", Summary: "Counts the intersection of sorted sets",
			Since: "7.0.0", Arity: -3, Flags: ReadOnly, KeySpecs: counted(1, access),
			GetKeys: countedKeys(1, 2), Handler: cmdZInterCard},
	}
}

func zsetWriteRows() []*Command {
	const (
		update = Write | DenyOOM | Fast
		store  = Write | DenyOOM
		pop    = KeyRW | KeyAccess | KeyDelete
		access = KeyRO | KeyAccess
	)
	stored := Key(1, KeyOW|KeyUpdate)
	combined := append([]KeySpec{stored}, counted(2, access)...)
	return []*Command{
		{Name: "zadd", Summary: "Gives members scores",
			Since: "1.2.0", Arity: -4, Flags: update, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdZAdd},
		{Name: "zincrby", Summary: "Adds to the score of a member",
			Since: "1.2.0", Arity: 4, Flags: update, KeySpecs: one(KeyRW | KeyAccess | KeyUpdate), Handler: cmdZIncrBy},
		{Name: "zrem", Summary: "Removes members",
			Since: "1.2.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdZRem},
		{Name: "zremrangebyrank", Summary: "Removes the members in a range of places",
			Since: "2.0.0", Arity: 4, Flags: Write, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdZRemRangeByRank},
		{Name: "zremrangebyscore", Summary: "Removes the members with scores in a range",
			Since: "1.2.0", Arity: 4, Flags: Write, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdZRemRangeByScore},
		{Name: "zremrangebylex", Summary: "Removes the members in a range of the alphabet",
			Since: "2.8.9", Arity: 4, Flags: Write, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdZRemRangeByLex},
		{Name: "zpopmin", Summary: "Returns and removes the members with the lowest scores",
			Since: "5.0.0", Arity: -2, Flags: Write | Fast, KeySpecs: one(pop), Handler: cmdZPopMin},
		{Name: "zpopmax", Summary: "Returns and removes the members with the highest scores",
			Since: "5.0.0", Arity: -2, Flags: Write | Fast, KeySpecs: one(pop), Handler: cmdZPopMax},
		{Name: "zmpop", Summary: "Returns and removes members of the first sorted set that has any",
			Since: "7.0.0", Arity: -4, Flags: Write, KeySpecs: counted(1, pop),
			GetKeys: countedKeys(1, 2), Handler: cmdZMPop},
		{Name: "bzpopmin", Summary: "Waits for a member with the lowest score in one of several sorted sets, returns and removes it",
			Since: "5.0.0", Arity: -3, Flags: Write | NoScript | Blocking | Fast, KeySpecs: []KeySpec{Keys(1, -2, 1, pop)}, Handler: cmdBZPopMin},
		{Name: "bzpopmax", Summary: "Waits for a member with the highest score in one of several sorted sets, returns and removes it",
			Since: "5.0.0", Arity: -3, Flags: Write | NoScript | Blocking | Fast, KeySpecs: []KeySpec{Keys(1, -2, 1, pop)}, Handler: cmdBZPopMax},
		{Name: "bzmpop", Summary: "Waits for members of one of several sorted sets, returns and removes them",
			Since: "7.0.0", Arity: -5, Flags: Write | Blocking, KeySpecs: counted(2, pop),
			GetKeys: countedKeys(2, 3), Handler: cmdBZMPop},
		{Name: "zrangestore", Summary: "Stores a range of a sorted set",
			Since: "6.2.0", Arity: -5, Flags: store, KeySpecs: []KeySpec{stored, Key(2, access)}, Handler: cmdZRangeStore},
		{Name: "zunionstore", Summary: "Stores the union of sorted sets",
			Since: "2.0.0", Arity: -4, Flags: store, KeySpecs: combined,
			GetKeys: storeKeys, Handler: cmdZUnionStore},
		{Name: "zinterstore", Summary: "Stores the intersection of sorted sets",
			Since: "2.0.0", Arity: -4, Flags: store, KeySpecs: combined,
			GetKeys: storeKeys, Handler: cmdZInterStore},
		{Name: "zdiffstore", Summary: "Stores what of a sorted set is not in others",
			Since: "6.2.0", Arity: -4, Flags: store, KeySpecs: combined,
			GetKeys: storeKeys, Handler: cmdZDiffStore},
	}
}

// storeKeys is countedKeys of a command that stores under its first argument.
func storeKeys(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
	dst, err := countedKeys(2, 3)(dst, args)
	if err == nil {
		dst = append(dst, KeyPos{Index: 1})
	}
	return dst, err
}

// readZSet is LookupRead of a sorted set, nil when the key is absent; see readString.
func (c *Ctx) readZSet(key []byte) (z *keyspace.ZSet, ok bool) {
	return readObject[*keyspace.ZSet](c, key)
}

// writeZSet is readZSet with LookupWrite.
func (c *Ctx) writeZSet(key []byte) (z *keyspace.ZSet, ok bool) {
	return writeObject[*keyspace.ZSet](c, key)
}

// score answers the score of a member or null; z may be nil.
func (c *Ctx) score(z *keyspace.ZSet, member []byte) {
	if z != nil {
		if score, found := z.Score(member); found {
			c.Out.Double(score)
			return
		}
	}
	c.Out.Null()
}

func cmdZScore(c *Ctx) {
	if z, ok := c.readZSet(c.Args[1]); ok {
		c.score(z, c.Args[2])
	}
}

func cmdZMScore(c *Ctx) {
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		c.score(z, member)
	}
}

func cmdZCard(c *Ctx) {
	z, ok := c.readZSet(c.Args[1])
	switch {
	case !ok:
	case z == nil:
		c.Out.Int(0)
	default:
		c.Out.Int(int64(z.Len()))
	}
}

func cmdZCount(c *Ctx)    { zcount(c, byScore) }
func cmdZLexCount(c *Ctx) { zcount(c, byLex) }

func zcount(c *Ctx, by zorder) {
	r, ok := c.zrange(by, 2, 3)
	if !ok {
		return
	}
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	_, n := r.of(z)
	c.Out.Int(int64(n))
}

func cmdZRank(c *Ctx)    { zrank(c, false) }
func cmdZRevRank(c *Ctx) { zrank(c, true) }

func zrank(c *Ctx, reverse bool) {
	withScore := len(c.Args) > 3
	switch {
	case len(c.Args) > 4:
		c.Error(wrongArity(c.Cmd))
		return
	case withScore && !EqualFold(c.Args[3], "WITHSCORE"):
		c.SyntaxError()
		return
	}
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	var rank int
	var score float64
	found := false
	if z != nil {
		rank, score, found = z.Rank(c.Args[2])
	}
	if !found {
		if withScore {
			c.Out.NullArray()
		} else {
			c.Out.Null()
		}
		return
	}
	if reverse {
		rank = z.Len() - 1 - rank
	}
	if withScore {
		c.Out.Array(2)
	}
	c.Out.Int(int64(rank))
	if withScore {
		c.Out.Double(score)
	}
}

package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
)

func stringRows() []*Command {
	const (
		rw     = KeyRW | KeyAccess | KeyUpdate
		incr   = Write | DenyOOM | Fast
		access = KeyRO | KeyAccess
	)
	set := one(rw | KeyVariableFlags)
	set[0].Notes = "RW and ACCESS due to the optional `GET` argument"
	getex := one(rw)
	getex[0].Notes = "RW and UPDATE because it changes the TTL"
	rows := []*Command{
		{Name: "get", Summary: "Returns a string",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdGet},
		{Name: "mget", Summary: "Returns the strings of several keys",
			Since: "1.0.0", Arity: -2, Flags: ReadOnly | Fast, KeySpecs: all(access),
			Tips: []string{TipMultiShard}, Handler: cmdMGet},
		{Name: "strlen", Summary: "Returns the length of a string",
			Since: "2.2.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdStrLen},
		{Name: "getrange", Summary: "Returns a part of a string",
			Since: "2.4.0", Arity: 4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGetRange},
		{Name: "substr", Summary: "Returns a part of a string; an old name of GETRANGE",
			Since: "1.0.0", Arity: 4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGetRange},
		{Name: "lcs", Summary: "Finds the longest common subsequence of two strings",
			Since: "7.0.0", Arity: -3, Flags: ReadOnly, KeySpecs: []KeySpec{Keys(1, 1, 1, access)}, Handler: cmdLCS},

		{Name: "set", Summary: "Stores a string, under conditions and with an expiry if asked to",
			Since: "1.0.0", Arity: -3, Flags: Write | DenyOOM, KeySpecs: set, GetKeys: setKeys, Handler: cmdSet},
		{Name: "setnx", Summary: "Stores a string if the key does not exist",
			Since: "1.0.0", Arity: 3, Flags: Write | DenyOOM | Fast, KeySpecs: one(KeyOW | KeyInsert), Handler: cmdSetNX},
		{Name: "setex", Summary: "Stores a string with an expiry in seconds",
			Since: "2.0.0", Arity: 4, Flags: Write | DenyOOM, KeySpecs: one(KeyOW | KeyUpdate), Handler: cmdSetEX},
		{Name: "psetex", Summary: "Stores a string with an expiry in milliseconds",
			Since: "2.6.0", Arity: 4, Flags: Write | DenyOOM, KeySpecs: one(KeyOW | KeyUpdate), Handler: cmdPSetEX},
		{Name: "getset", Summary: "Stores a string and returns the one before",
			Since: "1.0.0", Arity: 3, Flags: Write | DenyOOM | Fast, KeySpecs: one(rw), Handler: cmdGetSet},
		{Name: "getdel", Summary: "Returns a string and deletes the key",
			Since: "6.2.0", Arity: 2, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyAccess | KeyDelete), Handler: cmdGetDel},
		{Name: "getex", Summary: "Returns a string and changes its expiry",
			Since: "6.2.0", Arity: -2, Flags: Write | Fast, KeySpecs: getex, Handler: cmdGetEX},
		{Name: "mset", Summary: "Stores the strings of several keys",
			Since: "1.0.1", Arity: -3, Flags: Write | DenyOOM, KeySpecs: []KeySpec{Keys(1, -1, 2, KeyOW|KeyUpdate)},
			Tips: []string{TipMultiShard, TipAllSucceeded}, Handler: cmdMSet},
		{Name: "msetnx", Summary: "Stores the strings of several keys if none of them exists",
			Since: "1.0.1", Arity: -3, Flags: Write | DenyOOM, KeySpecs: []KeySpec{Keys(1, -1, 2, KeyOW|KeyInsert)},
			Tips: []string{TipMultiShard, TipAggMin}, Handler: cmdMSetNX},
		{Name: "append", Summary: "Appends to a string",
			Since: "2.0.0", Arity: 3, Flags: Write | DenyOOM | Fast, KeySpecs: one(KeyRW | KeyInsert), Handler: cmdAppend},
		{Name: "setrange", Summary: "Overwrites a part of a string from an offset on",
			Since: "2.2.0", Arity: 4, Flags: Write | DenyOOM, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdSetRange},

		{Name: "incr", Summary: "Adds one to an integer",
			Since: "1.0.0", Arity: 2, Flags: incr, KeySpecs: one(rw), Handler: cmdIncr},
		{Name: "decr", Summary: "Subtracts one from an integer",
			Since: "1.0.0", Arity: 2, Flags: incr, KeySpecs: one(rw), Handler: cmdDecr},
		{Name: "incrby", Summary: "Adds to an integer",
			Since: "1.0.0", Arity: 3, Flags: incr, KeySpecs: one(rw), Handler: cmdIncrBy},
		{Name: "decrby", Summary: "Subtracts from an integer",
			Since: "1.0.0", Arity: 3, Flags: incr, KeySpecs: one(rw), Handler: cmdDecrBy},
		{Name: "incrbyfloat", Summary: "Adds to a floating point number",
			Since: "2.6.0", Arity: 3, Flags: incr, KeySpecs: one(rw), Handler: cmdIncrByFloat},
	}
	for _, r := range rows {
		r.Group, r.Categories = "string", CatString
	}
	return rows
}

func cmdGet(c *Ctx) {
	if s, found, ok := c.readString(c.Args[1]); ok {
		c.bulkOrNull(s, found)
	}
}

func (c *Ctx) bulkOrNull(s []byte, found bool) {
	if found {
		c.Out.Bulk(s)
	} else {
		c.Out.Null()
	}
}

func cmdMGet(c *Ctx) {
	c.Out.Array(len(c.Args) - 1)
	for _, key := range c.Args[1:] {
		ref, found := c.LookupRead(key)
		if found && ref.Type() == keyspace.TypeString {
			c.Out.Bulk(ref.Str())
		} else {
			c.Out.Null()
		}
	}
}

func cmdStrLen(c *Ctx) {
	if s, _, ok := c.readString(c.Args[1]); ok {
		c.Out.Int(int64(len(s)))
	}
}

func cmdGetRange(c *Ctx) {
	start, ok := c.Int(2)
	if !ok {
		return
	}
	end, ok := c.Int(3)
	if !ok {
		return
	}
	s, _, ok := c.readString(c.Args[1])
	if !ok {
		return
	}
	from, to := clampRange(start, end, len(s))
	c.Out.Bulk(s[from:to])
}

// clampRange turns GETRANGE's inclusive range, which counts from the end where
// negative, into a slice of n bytes. A range wholly before the first byte
// is the first byte unless it is written backwards, as in Redis.
func clampRange(start, end int64, n int) (from, to int) {
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	size := int64(n)
	if start < 0 {
		start = max(0, start+size)
	}
	if end < 0 {
		end = max(0, end+size)
	}
	end = min(end, size-1)
	if start > end {
		return 0, 0
	}
	return int(start), int(end) + 1
}

func cmdAppend(c *Ctx) {
	key, tail := c.Args[1], c.Args[2]
	s, _, ok := c.writeString(key)
	if !ok {
		return
	}
	if len(s)+len(tail) > c.maxString() {
		c.Error(ErrTooBig)
		return
	}
	n, err := c.db().AppendString(key, tail)
	if err != nil {
		c.WrongType()
		return
	}
	c.EffectSelf()
	c.Changed(EventString, "append", key)
	c.Out.Int(int64(n))
}

func cmdSetRange(c *Ctx) {
	key, val := c.Args[1], c.Args[3]
	off, ok := c.Int(2)
	if !ok {
		return
	}
	if off < 0 {
		c.Error(ErrOffset)
		return
	}
	s, _, ok := c.writeString(key)
	if !ok {
		return
	}
	if len(val) == 0 {
		c.Out.Int(int64(len(s)))
		return
	}
	if off > int64(c.maxString()-len(val)) {
		c.Error(ErrTooBig)
		return
	}
	n, err := c.db().SetRange(key, int(off), val)
	if err != nil {
		c.WrongType()
		return
	}
	c.EffectSelf()
	c.Changed(EventString, "setrange", key)
	c.Out.Int(int64(n))
}

package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

func hashRows() []*Command {
	const (
		rw     = KeyRW | KeyAccess | KeyUpdate
		update = Write | DenyOOM | Fast
		access = KeyRO | KeyAccess
	)
	anyOrder := []string{TipAnyOrder}
	random := []string{TipNondeterministic}
	rows := []*Command{
		{Name: "hget", Summary: "Returns a field of a hash",
			Since: "2.0.0", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdHGet},
		{Name: "hmget", Summary: "Returns several fields of a hash",
			Since: "2.0.0", Arity: -3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdHMGet},
		{Name: "hgetall", Summary: "Returns all fields and values of a hash",
			Since: "2.0.0", Arity: 2, Flags: ReadOnly, KeySpecs: one(access), Tips: anyOrder, Handler: cmdHGetAll},
		{Name: "hkeys", Summary: "Returns all fields of a hash",
			Since: "2.0.0", Arity: 2, Flags: ReadOnly, KeySpecs: one(access), Tips: anyOrder, Handler: cmdHKeys},
		{Name: "hvals", Summary: "Returns all values of a hash",
			Since: "2.0.0", Arity: 2, Flags: ReadOnly, KeySpecs: one(access), Tips: anyOrder, Handler: cmdHVals},
		{Name: "hlen", Summary: "Counts the fields of a hash",
			Since: "2.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdHLen},
		{Name: "hstrlen", Summary: "Returns the length of a field's value",
			Since: "3.2.0", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdHStrLen},
		{Name: "hexists", Summary: "Tells whether a hash has a field",
			Since: "2.0.0", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdHExists},
		{Name: "hrandfield", Summary: "Returns fields of a hash picked at random",
			Since: "6.2.0", Arity: -2, Flags: ReadOnly, KeySpecs: one(access), Tips: random, Handler: cmdHRandField},
		{Name: "hscan", Summary: "Goes through the fields of a hash step by step",
			Since: "2.8.0", Arity: -3, Flags: ReadOnly, KeySpecs: one(access), Tips: random, Handler: cmdHScan},
		{Name: "hset", Summary: "Sets fields of a hash",
			Since: "2.0.0", Arity: -4, Flags: update, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdHSet},
		{Name: "hmset", Summary: "Sets fields of a hash; an old form of HSET",
			Since: "2.0.0", Arity: -4, Flags: update, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdHMSet},
		{Name: "hsetnx", Summary: "Sets a field of a hash if it does not exist",
			Since: "2.0.0", Arity: 4, Flags: update, KeySpecs: one(KeyRW | KeyInsert), Handler: cmdHSetNX},
		{Name: "hdel", Summary: "Deletes fields of a hash",
			Since: "2.0.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdHDel},
		{Name: "hincrby", Summary: "Adds to an integer in a hash",
			Since: "2.0.0", Arity: 4, Flags: update, KeySpecs: one(rw), Handler: cmdHIncrBy},
		{Name: "hincrbyfloat", Summary: "Adds to a floating point number in a hash",
			Since: "2.6.0", Arity: 4, Flags: update, KeySpecs: one(rw), Handler: cmdHIncrByFloat},
	}
	for _, r := range rows {
		r.Group, r.Categories = "hash", CatHash
	}
	return rows
}

// field returns the value of a field; h may be nil.
func field(h *keyspace.Hash, name []byte) ([]byte, bool) {
	if h == nil {
		return nil, false
	}
	return h.Get(name)
}

// size is the number of fields; h may be nil.
func size(h *keyspace.Hash) int {
	if h == nil {
		return 0
	}
	return h.Len()
}

func cmdHGet(c *Ctx) {
	if h, ok := c.readHash(c.Args[1]); ok {
		c.bulkOrNull(field(h, c.Args[2]))
	}
}

func cmdHMGet(c *Ctx) {
	h, ok := c.readHash(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		c.bulkOrNull(field(h, name))
	}
}

func cmdHGetAll(c *Ctx) {
	h, ok := c.readHash(c.Args[1])
	if !ok {
		return
	}
	c.Out.Map(size(h))
	if h != nil {
		h.Each(func(name, value []byte) bool {
			c.Out.Bulk(name)
			c.Out.Bulk(value)
			return true
		})
	}
}

func cmdHKeys(c *Ctx) {
	hashColumn(c, func(name, _ []byte) []byte { return name })
}

func cmdHVals(c *Ctx) {
	hashColumn(c, func(_, value []byte) []byte { return value })
}

func hashColumn(c *Ctx, column func(name, value []byte) []byte) {
	h, ok := c.readHash(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(size(h))
	if h != nil {
		h.Each(func(name, value []byte) bool {
			c.Out.Bulk(column(name, value))
			return true
		})
	}
}

func cmdHLen(c *Ctx) {
	if h, ok := c.readHash(c.Args[1]); ok {
		c.Out.Int(int64(size(h)))
	}
}

func cmdHStrLen(c *Ctx) {
	if h, ok := c.readHash(c.Args[1]); ok {
		value, _ := field(h, c.Args[2])
		c.Out.Int(int64(len(value)))
	}
}

func cmdHExists(c *Ctx) {
	if h, ok := c.readHash(c.Args[1]); ok {
		_, found := field(h, c.Args[2])
		c.boolInt(found)
	}
}

func cmdHSet(c *Ctx) {
	if added, ok := setFields(c); ok {
		c.Out.Int(int64(added))
	}
}

func cmdHMSet(c *Ctx) {
	if _, ok := setFields(c); ok {
		c.Out.OK()
	}
}

// setFields sets the fields of HSET and HMSET and returns how many are new. When
// ok is false an error has been answered.
func setFields(c *Ctx) (added int, ok bool) {
	if len(c.Args)%2 != 0 {
		c.Error(wrongArity(c.Cmd))
		return 0, false
	}
	key := c.Args[1]
	if _, ok = c.writeHash(key); !ok {
		return 0, false
	}
	h, err := c.db().HashForWrite(key)
	if err != nil {
		c.WrongType()
		return 0, false
	}
	for i := 2; i < len(c.Args); i += 2 {
		if h.Set(c.Args[i], c.Args[i+1]) {
			added++
		}
	}
	c.EffectSelf()
	c.Changed(EventHash, "hset", key)
	return added, true
}

// setField sets one field of the hash at key, which may be absent, and records it.
func (c *Ctx) setField(key, name, value []byte, event string) {
	h, err := c.db().HashForWrite(key)
	if err != nil {
		c.WrongType()
		return
	}
	h.Set(name, value)
	c.Effect(wordHSET, key, name, value)
	c.Changed(EventHash, event, key)
}

func cmdHSetNX(c *Ctx) {
	key, name := c.Args[1], c.Args[2]
	h, ok := c.writeHash(key)
	if !ok {
		return
	}
	if _, found := field(h, name); found {
		c.Out.Int(0)
		return
	}
	c.setField(key, name, c.Args[3], "hset")
	c.Out.Int(1)
}

func cmdHDel(c *Ctx) {
	key := c.Args[1]
	h, ok := c.writeHash(key)
	if !ok {
		return
	}
	if h == nil {
		c.Out.Int(0)
		return
	}
	effect := c.beginEffect(wordHDEL, key)
	for _, name := range c.Args[2:] {
		if h.Del(name) {
			effect = append(effect, name)
		}
	}
	n := len(effect) - 2
	c.endEffect(effect, n > 0)
	if n > 0 {
		c.Changed(EventHash, "hdel", key)
		c.dropIfEmpty(key)
	}
	c.Out.Int(int64(n))
}

func cmdHIncrBy(c *Ctx) {
	key, name := c.Args[1], c.Args[2]
	by, ok := c.Int(3)
	if !ok {
		return
	}
	h, ok := c.writeHash(key)
	if !ok {
		return
	}
	var n int64
	value, found := field(h, name)
	if found {
		if n, ok = resp.ParseInt(value); !ok {
			c.Error("ERR hash value is not an integer")
			return
		}
	}
	sum := n + by
	if (sum < n) != (by < 0) {
		c.Error(ErrOverflow)
		return
	}
	c.setField(key, name, c.digits(sum), "hincrby")
	c.Out.Int(sum)
}

func cmdHIncrByFloat(c *Ctx) {
	key, name := c.Args[1], c.Args[2]
	by, ok := c.LongDouble(3)
	if !ok {
		return
	}
	if _, finite := by.Add(resp.LongDouble{}); !finite {
		c.Error("ERR value is NaN or Infinity")
		return
	}
	h, ok := c.writeHash(key)
	if !ok {
		return
	}
	var x resp.LongDouble
	value, found := field(h, name)
	if found {
		if x, ok = resp.ParseLongDouble(value); !ok {
			c.Error("ERR hash value is not a float")
			return
		}
	}
	sum, ok := x.Add(by)
	if !ok {
		c.Error(ErrNaN)
		return
	}
	text := sum.Append(c.number[:0])
	c.setField(key, name, text, "hincrbyfloat")
	c.Out.Bulk(text)
}

package command

import (
	"bytes"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

func genericRows() []*Command {
	const (
		access = KeyRO | KeyAccess
		source = KeyRW | KeyAccess | KeyDelete
	)
	sum := []string{TipMultiShard, TipAggSum}
	rows := []*Command{
		{Name: "del", Summary: "Deletes keys",
			Since: "1.0.0", Arity: -2, Flags: Write, KeySpecs: all(KeyRM | KeyDelete), Tips: sum, Handler: cmdDel},
		{Name: "unlink", Summary: "Deletes keys, without delay whatever their size",
			Since: "4.0.0", Arity: -2, Flags: Write | Fast, KeySpecs: all(KeyRM | KeyDelete), Tips: sum, Handler: cmdDel},
		{Name: "exists", Summary: "Counts which of the keys exist",
			Since: "1.0.0", Arity: -2, Flags: ReadOnly | Fast, KeySpecs: all(KeyRO), Tips: sum, Handler: cmdExists},
		{Name: "touch", Summary: "Counts which of the keys exist, as EXISTS does",
			Since: "3.2.1", Arity: -2, Flags: ReadOnly | Fast, KeySpecs: all(KeyRO), Tips: sum, Handler: cmdExists},
		{Name: "type", Summary: "Returns the type of a key's value",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdType},
		{Name: "rename", Summary: "Renames a key, in the place of any that has the name",
			Since: "1.0.0", Arity: 3, Flags: Write,
			KeySpecs: []KeySpec{Key(1, source), Key(2, KeyOW|KeyUpdate)}, Handler: cmdRename},
		{Name: "renamenx", Summary: "Renames a key if the new name is free",
			Since: "1.0.0", Arity: 3, Flags: Write | Fast,
			KeySpecs: []KeySpec{Key(1, source), Key(2, KeyOW|KeyInsert)}, Handler: cmdRenameNX},
		{Name: "copy", Summary: "Copies a key to another name or database",
			Since: "6.2.0", Arity: -3, Flags: Write | DenyOOM,
			KeySpecs: []KeySpec{Key(1, access), Key(2, KeyOW|KeyUpdate)}, Handler: cmdCopy},
		{Name: "move", Summary: "Moves a key to another database",
			Since: "1.0.0", Arity: 3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyAccess | KeyUpdate), Handler: cmdMove},
		{Name: "dump", Summary: "Returns a value as bytes for RESTORE",
			Since: "2.6.0", Arity: 2, Flags: ReadOnly, KeySpecs: one(access), Tips: []string{TipNondeterministic}, Handler: cmdDump},
		{Name: "restore", Summary: "Creates a key from the bytes that DUMP returned",
			Since: "2.6.0", Arity: -4, Flags: Write | DenyOOM, Categories: CatDangerous,
			KeySpecs: one(KeyOW | KeyUpdate), Handler: cmdRestore},
		{Name: "restore-asking", Summary: "RESTORE into a slot that is on its way to this node", Group: "server",
			Since: "3.0.0", Arity: -4, Flags: Write | DenyOOM | Asking, Categories: CatDangerous,
			KeySpecs: one(KeyOW | KeyUpdate), Handler: cmdRestore},
		{Name: "keys", Summary: "Returns all keys that match a pattern",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly, Categories: CatDangerous, Keyspace: true,
			Tips: []string{TipAllShards, TipAnyOrder}, Handler: cmdKeys},
		{Name: "scan", Summary: "Goes through the keys step by step",
			Since: "2.8.0", Arity: -2, Flags: ReadOnly, Keyspace: true,
			Tips: []string{TipNondeterministic, TipSpecial}, Handler: cmdScan},
		{Name: "randomkey", Summary: "Returns a key picked at random",
			Since: "1.0.0", Arity: 1, Flags: ReadOnly, Keyspace: true,
			Tips: []string{TipAllShards, TipNondeterministic}, Handler: cmdRandomKey},
		objectRow(),

		{Name: "dbsize", Summary: "Counts the keys of the database",
			Group: "server", Since: "1.0.0", Arity: 1, Flags: ReadOnly | Fast, Keyspace: true,
			Tips: []string{TipAllShards, TipAggSum}, Handler: cmdDBSize},
		{Name: "flushdb", Summary: "Deletes all keys of the database",
			Group: "server", Since: "1.0.0", Arity: -1, Flags: Write, Categories: CatDangerous, Keyspace: true,
			Tips: []string{TipAllShards, TipAllSucceeded}, Handler: cmdFlushDB},
		{Name: "flushall", Summary: "Deletes all keys of all databases",
			Group: "server", Since: "1.0.0", Arity: -1, Flags: Write, Categories: CatDangerous, Keyspace: true,
			Tips: []string{TipAllShards, TipAllSucceeded}, Handler: cmdFlushAll},
		{Name: "swapdb", Summary: "Exchanges two databases",
			Group: "server", Since: "4.0.0", Arity: 3, Flags: Write | Fast, Categories: CatDangerous, Keyspace: true,
			Handler: cmdSwapDB},
	}
	for _, r := range rows {
		if r.Group == "" {
			r.Group = "generic"
		}
		if len(r.Sub) == 0 {
			r.Categories |= CatKeyspace
		}
	}
	return rows
}

// cmdDel is DEL and UNLINK: memory is given back by the garbage collector
// either way.
func cmdDel(c *Ctx) {
	db := c.db()
	effect := c.beginEffect(wordDEL)
	for _, key := range c.Args[1:] {
		if _, found := c.LookupWrite(key); found {
			db.Delete(key)
			effect = append(effect, key)
			c.Changed(EventGeneric, "del", key)
		}
	}
	n := len(effect) - 1
	c.endEffect(effect, n > 0)
	c.Out.Int(int64(n))
}

// beginEffect returns the beginning of an effect to append arguments to;
// endEffect takes it back and records it.
func (c *Ctx) beginEffect(args ...[]byte) [][]byte { return append(c.argv[:0], args...) }

func (c *Ctx) endEffect(args [][]byte, record bool) {
	if record {
		c.Effect(args...)
	}
	const keep = 64 // requests with more arguments are rare, and their memory is large
	if cap(args) <= keep {
		clear(args)
		c.argv = args[:0]
	}
}

// cmdExists is EXISTS and TOUCH.
func cmdExists(c *Ctx) {
	n := 0
	for _, key := range c.Args[1:] {
		if _, found := c.LookupRead(key); found {
			n++
		}
	}
	c.Out.Int(int64(n))
}

func cmdType(c *Ctx) {
	ref, found := c.LookupRead(c.Args[1])
	if !found {
		c.Out.SimpleString("none")
		return
	}
	c.Out.SimpleString(ref.Type().String())
}

func cmdRename(c *Ctx) {
	if _, ok := rename(c, false); ok {
		c.Out.OK()
	}
}

func cmdRenameNX(c *Ctx) {
	if done, ok := rename(c, true); ok {
		c.boolInt(done)
	}
}

// rename moves a key unless nx forbids it. When ok is false an error has been
// answered.
func rename(c *Ctx, nx bool) (done, ok bool) {
	src, dst := c.Args[1], c.Args[2]
	if _, found := c.LookupWrite(src); !found {
		c.Error(ErrNoKey)
		return false, false
	}
	if bytes.Equal(src, dst) {
		return false, true
	}
	if _, found := c.LookupWrite(dst); found && nx {
		return false, true
	}
	c.db().Rename(src, dst)
	c.Effect(wordRENAME, src, dst)
	c.Changed(EventGeneric, "rename_from", src)
	c.Changed(EventGeneric, "rename_to", dst)
	return true, true
}

func cmdCopy(c *Ctx) {
	src, dst := c.Args[1], c.Args[2]
	to, replace := c.DB, false
	for o := c.Options(3); o.Next(); {
		switch {
		case o.Is("REPLACE"):
			replace = true
		case o.Is("DB") && o.Value():
			var ok bool
			if to, ok = c.dbIndex(o.Pos); !ok {
				return
			}
		default:
			c.SyntaxError()
			return
		}
	}
	if to == c.DB && bytes.Equal(src, dst) {
		c.Error(ErrSameObject)
		return
	}
	if _, found := c.LookupRead(src); !found {
		c.Out.Int(0)
		return
	}
	if _, found := c.lookupIn(to, dst); found && !replace {
		c.Out.Int(0)
		return
	}
	c.db().CopyTo(c.KS.DB(to), src, dst)
	c.Effect(wordCOPY, src, dst, wordDB, c.digits(int64(to)), wordREPLACE)
	c.ChangedIn(to, EventGeneric, "copy_to", dst)
	c.Out.Int(1)
}

func cmdMove(c *Ctx) {
	key := c.Args[1]
	to, ok := c.dbIndex(2)
	if !ok {
		return
	}
	if to == c.DB {
		c.Error(ErrSameObject)
		return
	}
	if _, found := c.LookupWrite(key); !found {
		c.Out.Int(0)
		return
	}
	if _, found := c.lookupIn(to, key); found {
		c.Out.Int(0)
		return
	}
	c.db().Move(c.KS.DB(to), key)
	c.EffectSelf()
	c.Changed(EventGeneric, "move_from", key)
	c.ChangedIn(to, EventGeneric, "move_to", key)
	c.Out.Int(1)
}

func objectRow() *Command {
	sub := func(name, summary, since string, h func(*Ctx, keyspace.Ref)) *Command {
		return &Command{Name: name, Summary: summary, Since: since, Arity: 3, Flags: ReadOnly, Categories: CatKeyspace,
			KeySpecs: []KeySpec{Key(2, KeyRO)}, Tips: []string{TipNondeterministic},
			Handler: func(c *Ctx) {
				ref, found := c.LookupWrite(c.Args[2])
				if !found {
					c.Out.Null()
					return
				}
				h(c, ref)
			}}
	}
	return &Command{Name: "object", Summary: "Looks into the representation of values", Since: "2.2.3", Arity: -2, Sub: []*Command{
		sub("encoding", "Returns how a value is represented in memory", "2.2.3", func(c *Ctx, ref keyspace.Ref) { c.Out.BulkString(ref.Encoding()) }),
		// No value is shared between keys.
		sub("refcount", "Returns how many keys share a value", "2.2.3", func(c *Ctx, _ keyspace.Ref) { c.Out.Int(1) }),
		// Nothing is ever evicted, so no access times are kept: every key counts as
		// just used.
		sub("idletime", "Returns the seconds since a key was used", "2.2.3", func(c *Ctx, _ keyspace.Ref) { c.Out.Int(0) }),
		sub("freq", "Returns how often a key is used", "4.0.0", func(c *Ctx, _ keyspace.Ref) {
			c.Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
		}),
		{Name: "help", Summary: "Explains the subcommands", Since: "6.2.0", Arity: 2, Flags: Loading | Stale, Categories: CatKeyspace,
			Handler: func(c *Ctx) { c.Help(objectHelp...) }},
	}}
}

var objectHelp = []string{
	"ENCODING <key>",
	"    Return the kind of internal representation used in order to store the value",
	"    associated with a <key>.",
	"FREQ <key>",
	"    Return the access frequency index of the <key>. The returned integer is",
	"    proportional to the logarithm of the recent access frequency of the key.",
	"IDLETIME <key>",
	"    Return the idle time of the <key>, that is the approximated number of",
	"    seconds elapsed since the last access to the key.",
	"REFCOUNT <key>",
	"    Return the number of references of the value associated with the specified",
	"    <key>.",
}

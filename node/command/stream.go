package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func streamRows() []*Command {
	const (
		access = KeyRO | KeyAccess
		update = KeyRW | KeyUpdate
	)
	volatile := []string{TipNondeterministic}
	rows := []*Command{
		{Name: "xadd", Summary: "Appends an entry to a stream",
			Since: "5.0.0", Arity: -5, Flags: Write | DenyOOM | Fast, Tips: volatile, Handler: cmdXAdd,
			KeySpecs: []KeySpec{{Notes: "UPDATE instead of INSERT because of the optional trimming feature", Flags: update, Index: 1, Step: 1}}},
		{Name: "xtrim", Summary: "Removes entries from the beginning of a stream",
			Since: "5.0.0", Arity: -4, Flags: Write, KeySpecs: one(KeyRW | KeyDelete), Tips: volatile, Handler: cmdXTrim},
		{Name: "xdel", Summary: "Deletes entries of a stream",
			Since: "5.0.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyDelete), Handler: cmdXDel},
		{Name: "xsetid", Summary: "Sets the last ID of a stream",
			Since: "5.0.0", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: one(update), Handler: cmdXSetID},
		{Name: "xlen", Summary: "Counts the entries of a stream",
			Since: "5.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(KeyRO), Handler: cmdXLen},
		{Name: "xrange", Summary: "Returns the entries between two IDs",
			Since: "5.0.0", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdXRange},
		{Name: "xrevrange", Summary: "Returns the entries between two IDs, the last one first",
			Since: "5.0.0", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdXRevRange},
		{Name: "xread", Summary: "Returns what is behind given IDs in several streams",
			Since: "5.0.0", Arity: -4, Flags: ReadOnly | Blocking, KeySpecs: streamKeys(1), Handler: cmdXRead},
		{Name: "xreadgroup", Summary: "Delivers new or pending entries of several streams to a consumer",
			Since: "5.0.0", Arity: -7, Flags: Write | Blocking, KeySpecs: streamKeys(4), Handler: cmdXReadGroup},
		{Name: "xack", Summary: "Acknowledges entries that were delivered to a group",
			Since: "5.0.0", Arity: -4, Flags: Write | Fast, KeySpecs: one(update), Handler: cmdXAck},
		{Name: "xpending", Summary: "Tells what is pending in a group",
			Since: "5.0.0", Arity: -3, Flags: ReadOnly, KeySpecs: one(access), Tips: volatile, Handler: cmdXPending},
		{Name: "xclaim", Summary: "Makes pending entries another consumer's",
			Since: "5.0.0", Arity: -6, Flags: Write | Fast, KeySpecs: one(update), Tips: volatile, Handler: cmdXClaim},
		{Name: "xautoclaim", Summary: "Makes entries another consumer's that have been pending for long",
			Since: "6.2.0", Arity: -6, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyDelete), Tips: volatile, Handler: cmdXAutoClaim},
		xgroupRow(), xinfoRow(),
	}
	for _, r := range rows {
		r.Group = "stream"
		if len(r.Sub) == 0 {
			r.Categories = CatStream
		}
	}
	return rows
}

// streamKeys is the key specs of XREAD and XREADGROUP: the first half of what follows
// STREAMS, which is looked for from argument from on.
func streamKeys(from int) []KeySpec {
	return []KeySpec{{Flags: KeyRO | KeyAccess, Begin: BeginKeyword, Keyword: "STREAMS", From: from, Last: -1, Step: 1, Limit: 2}}
}

// readStream is LookupRead of a stream, nil when the key is absent; see readString.
func (c *Ctx) readStream(key []byte) (s *keyspace.Stream, ok bool) {
	return readObject[*keyspace.Stream](c, key)
}

// writeStream is LookupWrite of a stream, nil when the key is absent; see readString.
func (c *Ctx) writeStream(key []byte) (s *keyspace.Stream, ok bool) {
	return writeObject[*keyspace.Stream](c, key)
}

// readGroup is readStream with one of its groups, nil when that or the key is
// absent.
func (c *Ctx) readGroup(key, name []byte) (s *keyspace.Stream, g *keyspace.StreamGroup, ok bool) {
	if s, ok = c.readStream(key); ok && s != nil {
		g = s.Group(name)
	}
	return s, g, ok
}

// noGroup answers that a group or its key is absent.
func (c *Ctx) noGroup(key, group []byte) {
	c.Error(errorf("NOGROUP No such key '%s' or consumer group '%s'", text(key), text(group)))
}

// subcommandSyntax answers that a subcommand has no such arguments.
func (c *Ctx) subcommandSyntax(container string) {
	c.Error(errorf("ERR unknown subcommand or wrong number of arguments for '%s'. Try %s HELP.", clip(c.Args[1], 128), container))
}

// text is an argument as C's printf shows it.
func text(arg []byte) []byte { return clip(arg, len(arg)) }

func cmdXLen(c *Ctx) {
	s, ok := c.readStream(c.Args[1])
	switch {
	case !ok:
	case s == nil:
		c.Out.Int(0)
	default:
		c.Out.Int(int64(s.Len()))
	}
}

// streamID answers an ID.
func (c *Ctx) streamID(id keyspace.StreamID) {
	var buf [48]byte
	c.Out.Bulk(id.Append(buf[:0]))
}

// streamEntry answers an entry: its ID and its fields.
func (c *Ctx) streamEntry(e *keyspace.StreamEntry) {
	c.Out.Array(2)
	c.streamID(e.ID)
	c.Out.Array(2 * e.Len())
	e.Each(func(field, value []byte) {
		c.Out.Bulk(field)
		c.Out.Bulk(value)
	})
}

// streamEntryAt answers the entry of that ID and reports whether there is one.
func (c *Ctx) streamEntryAt(s *keyspace.Stream, id keyspace.StreamID) (found bool) {
	s.Range(id, id, func(e *keyspace.StreamEntry) bool {
		c.streamEntry(e)
		found = true
		return false
	})
	return found
}

package command

import "github.com/redoubtdb/redoubt/node/resp"

// maxBits is the longest string in bits. No bit is ever set beyond it: Redis lets
// the last field of BITFIELD reach up to seven bytes further, but such a string
// fits neither a reply nor the limit of whoever reads a snapshot.
const maxBits = MaxString * 8

const (
	errBitOffset Error = "ERR bit offset is not an integer or out of range"
	errBitValue  Error = "ERR bit is not an integer or out of range"
)

func bitmapRows() []*Command {
	const (
		rw     = KeyRW | KeyAccess | KeyUpdate
		access = KeyRO | KeyAccess
	)
	field := one(rw | KeyVariableFlags)
	field[0].Notes = "This command allows both access and modification of the key"
	rows := []*Command{
		{Name: "setbit", Summary: "Sets or clears a bit of a string",
			Since: "2.2.0", Arity: 4, Flags: Write | DenyOOM, KeySpecs: one(rw), Handler: cmdSetBit},
		{Name: "getbit", Summary: "Returns a bit of a string",
			Since: "2.2.0", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdGetBit},
		{Name: "bitcount", Summary: "Counts the bits that are set in a string or a part of it",
			Since: "2.6.0", Arity: -2, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdBitCount},
		{Name: "bitpos", Summary: "Finds the first bit that is set, or clear, in a string or a part of it",
			Since: "2.8.7", Arity: -3, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdBitPos},
		{Name: "bitop", Summary: "Combines strings bit by bit and stores the result",
			Since: "2.6.0", Arity: -4, Flags: Write | DenyOOM,
			KeySpecs: []KeySpec{Key(2, KeyOW|KeyUpdate), Keys(3, -1, 1, access)}, Handler: cmdBitOp},
		{Name: "bitfield", Summary: "Reads and changes integers of any width within a string",
			Since: "3.2.0", Arity: -2, Flags: Write | DenyOOM, KeySpecs: field, GetKeys: bitFieldKeys, Handler: cmdBitField},
		{Name: "bitfield_ro", Summary: "Reads integers of any width within a string",
			Since: "6.0.0", Arity: -2, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdBitFieldRO},
	}
	for _, r := range rows {
		r.Group, r.Categories = "bitmap", CatBitmap
	}
	return rows
}

// bitOffset reads argument i as the place of a bit; otherwise the error has been
// answered.
func (c *Ctx) bitOffset(i int) (int64, bool) {
	n, ok := resp.ParseInt(c.Args[i])
	if !ok || n < 0 || n>>3 >= int64(c.maxString()) {
		c.Error(errBitOffset)
		return 0, false
	}
	return n, true
}

// bitAt is a bit of s, whose first byte has the bits 0 to 7 from the highest on. What
// is behind the end is clear.
func bitAt(s []byte, offset int64) byte {
	if offset>>3 >= int64(len(s)) {
		return 0
	}
	return s[offset>>3] >> (7 - offset&7) & 1
}

func cmdSetBit(c *Ctx) {
	key := c.Args[1]
	offset, ok := c.bitOffset(2)
	if !ok {
		return
	}
	on, ok := resp.ParseInt(c.Args[3])
	if !ok || on&^1 != 0 {
		c.Error(errBitValue)
		return
	}
	s, _, ok := c.writeString(key)
	if !ok {
		return
	}
	size := int(offset>>3) + 1
	old, grows := bitAt(s, offset), size > len(s)
	s, err := c.db().StringForWrite(key, size)
	if err != nil {
		c.WrongType()
		return
	}
	if grows || old != byte(on) {
		s[size-1] ^= (old ^ byte(on)) << (7 - offset&7)
		c.EffectSelf()
		c.Changed(EventString, "setbit", key)
	}
	c.Out.Int(int64(old))
}

func cmdGetBit(c *Ctx) {
	offset, ok := c.bitOffset(2)
	if !ok {
		return
	}
	if s, _, ok := c.readString(c.Args[1]); ok {
		c.Out.Int(int64(bitAt(s, offset)))
	}
}

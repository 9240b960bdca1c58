package command

import (
	"bytes"

	"github.com/redoubtdb/redoubt/node/resp"
)

// fieldOp is one operation of BITFIELD.
type fieldOp struct {
	kind     fieldOpKind
	typ      fieldType
	offset   int64 // bits
	operand  int64 // of SET and INCRBY
	overflow overflow
}

type fieldOpKind uint8

const (
	fieldGet fieldOpKind = iota
	fieldSet
	fieldIncrBy
)

// fieldOps are the operations of a request.
type fieldOps struct {
	ops  []fieldOp
	size int64 // bytes the string needs for what is written, 0 when nothing is
}

// parse reads the operations; otherwise the error has been answered.
func (f *fieldOps) parse(c *Ctx) (ok bool) {
	mode := overflowWrap
	for o := c.Options(2); o.Next(); {
		var op fieldOp
		switch {
		case o.Is("GET") && o.Values(2):
			op, ok = c.fieldOp(fieldGet, o.Pos-1)
		case o.Is("SET") && o.Values(3):
			op, ok = c.fieldOp(fieldSet, o.Pos-2)
		case o.Is("INCRBY") && o.Values(3):
			op, ok = c.fieldOp(fieldIncrBy, o.Pos-2)
		case o.Is("OVERFLOW") && o.Value():
			if mode, ok = parseOverflow(c.Args[o.Pos]); !ok {
				c.Error("ERR Invalid OVERFLOW type specified")
				return false
			}
			continue
		default:
			c.SyntaxError()
			return false
		}
		if !ok {
			return false
		}
		op.overflow = mode
		if op.kind != fieldGet {
			f.size = max(f.size, (op.offset+int64(op.typ.width)+7)>>3)
		}
		f.ops = append(f.ops, op)
	}
	return true
}

// fieldOp reads the operation whose type is argument i; otherwise the error has
// been answered.
func (c *Ctx) fieldOp(kind fieldOpKind, i int) (op fieldOp, ok bool) {
	op.kind = kind
	if op.typ, ok = parseFieldType(c.Args[i]); !ok {
		c.Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
		return op, false
	}
	if op.offset, ok = c.fieldOffset(i+1, op.typ); !ok {
		return op, false
	}
	if kind != fieldGet {
		op.operand, ok = c.Int(i + 2)
	}
	return op, ok
}

// fieldOffset is bitOffset of a field: "#n" counts in widths of it.
func (c *Ctx) fieldOffset(i int, t fieldType) (int64, bool) {
	text, times := bytes.CutPrefix(c.Args[i], []byte("#"))
	n, ok := resp.ParseInt(text)
	if times {
		n *= int64(t.width) // wraps, as in Redis
	}
	if !ok || n < 0 || n>>3 >= int64(c.maxString()) || n > maxBits-int64(t.width) {
		c.Error(errBitOffset)
		return 0, false
	}
	return n, true
}

func parseOverflow(text []byte) (overflow, bool) {
	switch {
	case EqualFold(text, "WRAP"):
		return overflowWrap, true
	case EqualFold(text, "SAT"):
		return overflowSat, true
	case EqualFold(text, "FAIL"):
		return overflowFail, true
	}
	return 0, false
}

func cmdBitField(c *Ctx) {
	var f fieldOps
	if !f.parse(c) {
		return
	}
	if f.size == 0 {
		f.read(c)
		return
	}
	key := c.Args[1]
	s, _, ok := c.writeString(key)
	if !ok {
		return
	}
	grows := f.size > int64(len(s))
	s, err := c.db().StringForWrite(key, int(f.size))
	if err != nil {
		c.WrongType()
		return
	}
	c.Out.Array(len(f.ops))
	wrote := false
	for _, op := range f.ops {
		n, changed, ok := op.apply(s)
		if ok {
			c.Out.Int(n)
		} else {
			c.Out.Null()
		}
		wrote = wrote || changed || ok && grows && op.kind != fieldGet
	}
	switch {
	case wrote:
		c.EffectSelf()
		c.Changed(EventString, "setbit", key)
	case grows:
		// Everything overflowed. The string has grown all the same, which Redis
		// neither replicates nor tells anybody.
		c.EffectSelf()
		c.Touched(c.DB, key)
	}
}

func cmdBitFieldRO(c *Ctx) {
	var f fieldOps
	switch {
	case !f.parse(c):
	case f.size > 0:
		c.Error("ERR BITFIELD_RO only supports the GET subcommand")
	default:
		f.read(c)
	}
}

// read answers operations that are all GET.
func (f *fieldOps) read(c *Ctx) {
	s, _, ok := c.readString(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(len(f.ops))
	for _, op := range f.ops {
		c.Out.Int(op.typ.get(s, op.offset))
	}
}

// apply executes an operation on s, which is long enough for it. The reply is null
// when ok is false.
func (op *fieldOp) apply(s []byte) (reply int64, changed, ok bool) {
	old := op.typ.get(s, op.offset)
	var n int64
	var fits bool
	switch op.kind {
	case fieldGet:
		return old, false, true
	case fieldSet:
		n, fits = op.typ.store(op.operand, op.overflow)
		reply = old
	case fieldIncrBy:
		n, fits = op.typ.add(old, op.operand, op.overflow)
		reply = n
	}
	if !fits && op.overflow == overflowFail {
		return 0, false, false
	}
	op.typ.set(s, op.offset, n)
	return reply, n != old, true
}

// bitFieldKeys tells BITFIELD that only reads from one that writes.
func bitFieldKeys(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
	flags := KeyRO | KeyAccess
	o := Options{Pos: 1, args: args}
	for o.Next() {
		if o.Is("GET") && o.Values(2) || o.Is("OVERFLOW") && o.Value() {
			continue
		}
		flags = KeyRW | KeyAccess | KeyUpdate
		break
	}
	return append(dst, KeyPos{1, flags}), nil
}

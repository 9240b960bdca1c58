package command

import (
	"math"
	"strconv"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// Commands over the whole keyspace hide expired keys and leave their deletion to
// those that name them: one KEYS must not write a log entry of any size.

func cmdKeys(c *Ctx) {
	everything := string(c.Args[1]) == "*"
	pattern := CompilePattern(c.Args[1], false)
	a := c.beginArray()
	c.db().Each(func(key []byte, ref keyspace.Ref) bool {
		if (everything || pattern.Match(key)) && !c.expired(ref) {
			a.n++
			c.Out.Bulk(key)
		}
		return true
	})
	a.end()
}

func cmdRandomKey(c *Ctx) {
	const tries = 100
	for range tries {
		key, ref, ok := c.db().RandomKey(c.rng())
		if !ok {
			c.Out.Null()
			return
		}
		if !c.expired(ref) {
			c.Out.Bulk(key)
			return
		}
	}
	// Nearly every key has expired: take any that has not.
	var live []byte
	c.db().Each(func(key []byte, ref keyspace.Ref) bool {
		if !c.expired(ref) {
			live = key
		}
		return live == nil
	})
	c.bulkOrNull(live, live != nil)
}

func cmdDBSize(c *Ctx) { c.Out.Int(int64(c.db().Len())) }

// scanOptions are the options of the SCAN family.
type scanOptions struct {
	cursor  uint64
	count   int
	pattern *Pattern // nil for any
	typ     []byte   // SCAN only; nil for any
}

func (so *scanOptions) match(b []byte) bool {
	return so.pattern == nil || so.pattern.Match(b)
}

// parse reads the options from argument from on; when ok is false an error has
// been answered.
func (so *scanOptions) parse(c *Ctx, from int, types bool) (ok bool) {
	so.count = 10
	for o := c.Options(from); o.Next(); {
		switch {
		case o.Is("COUNT") && o.Value():
			n, ok := c.IntRange(o.Pos, 1, math.MaxInt64, ErrSyntax)
			if !ok {
				return false
			}
			so.count = int(min(n, math.MaxInt32))
		case o.Is("MATCH") && o.Value():
			so.pattern = nil
			if string(c.Args[o.Pos]) != "*" {
				so.pattern = CompilePattern(c.Args[o.Pos], false)
			}
		case types && o.Is("TYPE") && o.Value():
			so.typ = c.Args[o.Pos]
		default:
			c.SyntaxError()
			return false
		}
	}
	return true
}

// parseCursor reads argument i as C's strtoul does; otherwise it answers that
// the cursor is invalid. The empty string is 0, and a negative number wraps.
func (c *Ctx) parseCursor(i int) (cursor uint64, ok bool) {
	text := c.Args[i]
	if len(text) == 0 {
		return 0, true
	}
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	cursor, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		c.Error(ErrCursor)
		return 0, false
	}
	if negative {
		cursor = -cursor
	}
	return cursor, true
}

func cmdScan(c *Ctx) {
	cursor, ok := c.parseCursor(1)
	if !ok {
		return
	}
	so := scanOptions{cursor: cursor}
	if !so.parse(c, 2, true) {
		return
	}
	s := c.beginScan()
	next := c.db().Scan(so.cursor, so.count, func(key []byte, ref keyspace.Ref) {
		if so.match(key) && (so.typ == nil || EqualFold(so.typ, ref.Type().String())) && !c.expired(ref) {
			s.n++
			c.Out.Bulk(key)
		}
	})
	s.endScan(next)
}

// array is an array reply whose length is known only behind its elements.
type array struct {
	c    *Ctx
	from int // where the header belongs
	n    int // elements written so far
}

func (c *Ctx) beginArray() *array { return &array{c: c, from: len(c.Out.B)} }

// end puts the header before the elements.
func (a *array) end() {
	a.prepend(func() { a.c.Out.Array(a.n) })
}

// prepend moves what write writes before the elements.
func (a *array) prepend(write func()) {
	w := a.c.Out
	elements := len(w.B) - a.from
	write()
	var head [64]byte
	h := append(head[:0], w.B[a.from+elements:]...)
	copy(w.B[a.from+len(h):], w.B[a.from:a.from+elements])
	copy(w.B[a.from:], h)
}

// beginScan begins the reply of the SCAN family, whose first part, the next
// cursor, is known only at its end.
func (c *Ctx) beginScan() *array { return c.beginArray() }

func (a *array) endScan(next uint64) {
	a.prepend(func() {
		a.c.Out.Array(2)
		a.c.Out.BulkString(strconv.FormatUint(next, 10))
		a.c.Out.Array(a.n)
	})
}

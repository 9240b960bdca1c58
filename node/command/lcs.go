package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// lcsOptions are the options of LCS.
type lcsOptions struct {
	length   bool  // LEN
	indexes  bool  // IDX
	matchLen bool  // WITHMATCHLEN
	minMatch int64 // MINMATCHLEN
}

func (lo *lcsOptions) parse(c *Ctx) (ok bool) {
	for o := c.Options(3); o.Next(); {
		switch {
		case o.Is("LEN"):
			lo.length = true
		case o.Is("IDX"):
			lo.indexes = true
		case o.Is("WITHMATCHLEN"):
			lo.matchLen = true
		case o.Is("MINMATCHLEN") && o.Value():
			if lo.minMatch, ok = c.Int(o.Pos); !ok {
				return false
			}
		default:
			c.SyntaxError()
			return false
		}
	}
	if lo.length && lo.indexes {
		c.Error("ERR If you want both the length and indexes, please just use IDX.")
		return false
	}
	return true
}

func cmdLCS(c *Ctx) {
	a, aFound := c.LookupRead(c.Args[1])
	b, bFound := c.LookupRead(c.Args[2])
	if aFound && a.Type() != keyspace.TypeString || bFound && b.Type() != keyspace.TypeString {
		c.Error("ERR The specified keys must contain string values")
		return
	}
	var lo lcsOptions
	if !lo.parse(c) {
		return
	}
	// The look-up of the second key may have deleted it, which ends the first
	// look-up's validity.
	var sa, sb []byte
	if a, ok := c.LookupWrite(c.Args[1]); ok {
		sa = a.Str()
	}
	if bFound {
		sb = b.Str()
	}
	const cell = 4
	most := c.maxString()
	if limit := c.Out.Limit; limit > 0 {
		most = min(most, limit) // what no reply may take, its making may not either
	}
	if (len(sa)+1)*(len(sb)+1) > most/cell {
		c.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	t := newLCSTable(sa, sb)
	switch {
	case lo.length:
		c.Out.Int(int64(t.at(len(sa), len(sb))))
	case lo.indexes:
		t.writeMatches(c, &lo)
	default:
		c.Out.Bulk(t.text())
	}
}

// lcsTable holds the length of the longest common subsequence of every pair of
// prefixes of a and b.
type lcsTable struct {
	a, b []byte
	len  []uint32
}

func newLCSTable(a, b []byte) *lcsTable {
	t := &lcsTable{a: a, b: b, len: make([]uint32, (len(a)+1)*(len(b)+1))}
	width := len(b) + 1
	for i := range a {
		above, row := t.len[i*width:(i+1)*width], t.len[(i+1)*width:(i+2)*width]
		for j := range b {
			if a[i] == b[j] {
				row[j+1] = above[j] + 1
			} else {
				row[j+1] = max(above[j+1], row[j])
			}
		}
	}
	return t
}

func (t *lcsTable) at(i, j int) uint32 { return t.len[i*(len(t.b)+1)+j] }

// walk goes back from the ends of both strings along one longest common
// subsequence and calls fn for each byte of it, the last one first.
func (t *lcsTable) walk(fn func(i, j int)) {
	for i, j := len(t.a), len(t.b); i > 0 && j > 0; {
		switch {
		case t.a[i-1] == t.b[j-1]:
			i--
			j--
			fn(i, j)
		case t.at(i-1, j) > t.at(i, j-1):
			i--
		default:
			j--
		}
	}
}

func (t *lcsTable) text() []byte {
	n := t.at(len(t.a), len(t.b))
	out := make([]byte, n)
	t.walk(func(i, _ int) {
		n--
		out[n] = t.a[i]
	})
	return out
}

// lcsRange is a run of bytes common to both strings.
type lcsRange struct{ a, b, n int }

// ranges are the runs that make up the subsequence, the last one first.
func (t *lcsTable) ranges() []lcsRange {
	var out []lcsRange
	t.walk(func(i, j int) {
		if k := len(out) - 1; k >= 0 && out[k].a == i+1 && out[k].b == j+1 {
			out[k] = lcsRange{i, j, out[k].n + 1}
			return
		}
		out = append(out, lcsRange{i, j, 1})
	})
	return out
}

func (t *lcsTable) writeMatches(c *Ctx, lo *lcsOptions) {
	c.Out.Map(2)
	c.Out.BulkString("matches")
	matches := c.beginArray()
	for _, r := range t.ranges() {
		if int64(r.n) < lo.minMatch {
			continue
		}
		matches.n++
		if lo.matchLen {
			c.Out.Array(3)
		} else {
			c.Out.Array(2)
		}
		writeRange(c, r.a, r.n)
		writeRange(c, r.b, r.n)
		if lo.matchLen {
			c.Out.Int(int64(r.n))
		}
	}
	matches.end()
	c.Out.BulkString("len")
	c.Out.Int(int64(t.at(len(t.a), len(t.b))))
}

func writeRange(c *Ctx, start, n int) {
	c.Out.Array(2)
	c.Out.Int(int64(start))
	c.Out.Int(int64(start + n - 1))
}

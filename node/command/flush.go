package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/resp"
)

// flushMode reads FLUSHDB's and FLUSHALL's only option, which makes no
// difference: both take constant time.
func flushMode(c *Ctx) (ok bool) {
	if len(c.Args) == 1 || len(c.Args) == 2 && (EqualFold(c.Args[1], "SYNC") || EqualFold(c.Args[1], "ASYNC")) {
		return true
	}
	c.SyntaxError()
	return false
}

func cmdFlushDB(c *Ctx) {
	if !flushMode(c) {
		return
	}
	if db := c.db(); db.Len() > 0 {
		db.Flush()
		c.Effect(wordFLUSHDB)
		c.ChangedDB(c.DB)
	}
	c.Out.OK()
}

func cmdFlushAll(c *Ctx) {
	if !flushMode(c) {
		return
	}
	if c.KS.Len() > 0 {
		c.KS.FlushAll()
		c.Effect(wordFLUSHALL)
		for db := range c.KS.NumDBs() {
			c.ChangedDB(db)
		}
	}
	c.Out.OK()
}

func cmdSwapDB(c *Ctx) {
	a, ok := c.int32(1, "ERR invalid first DB index")
	if !ok {
		return
	}
	b, ok := c.int32(2, "ERR invalid second DB index")
	if !ok {
		return
	}
	if !c.dbExists(a) || !c.dbExists(b) {
		c.Error(ErrDBRange)
		return
	}
	if a != b {
		c.KS.Swap(a, b)
		c.EffectSelf()
		c.ChangedDB(a)
		c.ChangedDB(b)
	}
	c.Out.OK()
}

func (c *Ctx) dbExists(i int) bool { return i >= 0 && i < c.KS.NumDBs() }

// int32 reads argument i as an integer of C's type int; otherwise it answers e.
func (c *Ctx) int32(i int, e Error) (int, bool) {
	n, ok := resp.ParseInt(c.Args[i])
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		c.Error(e)
		return 0, false
	}
	return int(n), true
}

// dbIndex reads argument i as the number of a database; otherwise it answers
// what is wrong with it.
func (c *Ctx) dbIndex(i int) (int, bool) {
	n, ok := c.IntRange(i, math.MinInt32, math.MaxInt32, "ERR value is out of range, value must between -2147483648 and 2147483647")
	if ok && !c.dbExists(int(n)) {
		c.Error(ErrDBRange)
		ok = false
	}
	return int(n), ok
}

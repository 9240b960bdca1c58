package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

func cmdIncr(c *Ctx) { incrBy(c, 1) }
func cmdDecr(c *Ctx) { incrBy(c, -1) }

func cmdIncrBy(c *Ctx) {
	if n, ok := c.Int(2); ok {
		incrBy(c, n)
	}
}

func cmdDecrBy(c *Ctx) {
	n, ok := c.Int(2)
	if !ok {
		return
	}
	if n == math.MinInt64 {
		c.Error("ERR decrement would overflow")
		return
	}
	incrBy(c, -n)
}

func incrBy(c *Ctx, by int64) {
	key := c.Args[1]
	s, found, ok := c.writeString(key)
	if !ok {
		return
	}
	var n int64
	if found {
		if n, ok = resp.ParseInt(s); !ok {
			c.Error(ErrNotInteger)
			return
		}
	}
	sum := n + by
	if (sum < n) != (by < 0) {
		c.Error(ErrOverflow)
		return
	}
	c.db().SetStringKeepExpire(key, c.digits(sum), keyspace.FormAuto)
	c.EffectSelf()
	c.Changed(EventString, "incrby", key)
	c.Out.Int(sum)
}

func cmdIncrByFloat(c *Ctx) {
	key := c.Args[1]
	s, found, ok := c.writeString(key)
	if !ok {
		return
	}
	var x resp.LongDouble
	if found {
		if x, ok = resp.ParseLongDouble(s); !ok {
			c.Error(ErrNotFloat)
			return
		}
	}
	by, ok := c.LongDouble(2)
	if !ok {
		return
	}
	sum, ok := x.Add(by)
	if !ok {
		c.Error(ErrNaN)
		return
	}
	text := sum.Append(c.number[:0])
	c.db().SetStringKeepExpire(key, text, keyspace.FormText)
	c.Effect(wordSET, key, text, wordKEEPTTL)
	c.Changed(EventString, "incrbyfloat", key)
	c.Out.Bulk(text)
}

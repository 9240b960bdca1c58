package command

import (
	"math"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

func expireRows() []*Command {
	const access = KeyRO | KeyAccess
	volatile := []string{TipNondeterministic}
	rows := []*Command{
		{Name: "expire", Summary: "Sets the expiry of a key in seconds from now",
			Since: "1.0.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdExpire},
		{Name: "pexpire", Summary: "Sets the expiry of a key in milliseconds from now",
			Since: "2.6.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdPExpire},
		{Name: "expireat", Summary: "Sets the expiry of a key to a Unix time in seconds",
			Since: "1.2.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdExpireAt},
		{Name: "pexpireat", Summary: "Sets the expiry of a key to a Unix time in milliseconds",
			Since: "2.6.0", Arity: -3, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdPExpireAt},
		{Name: "persist", Summary: "Removes the expiry of a key",
			Since: "2.2.0", Arity: 2, Flags: Write | Fast, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdPersist},
		{Name: "ttl", Summary: "Returns the seconds a key has to live",
			Since: "1.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(access), Tips: volatile, Handler: cmdTTL},
		{Name: "pttl", Summary: "Returns the milliseconds a key has to live",
			Since: "2.6.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(access), Tips: volatile, Handler: cmdPTTL},
		{Name: "expiretime", Summary: "Returns the expiry of a key as Unix time in seconds",
			Since: "7.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdExpireTime},
		{Name: "pexpiretime", Summary: "Returns the expiry of a key as Unix time in milliseconds",
			Since: "7.0.0", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: one(access), Handler: cmdPExpireTime},
	}
	for _, r := range rows {
		r.Group, r.Categories = "generic", CatKeyspace
	}
	return rows
}

func cmdExpire(c *Ctx)    { expireBy(c, expireEX) }
func cmdPExpire(c *Ctx)   { expireBy(c, expirePX) }
func cmdExpireAt(c *Ctx)  { expireBy(c, expireEXAT) }
func cmdPExpireAt(c *Ctx) { expireBy(c, expirePXAT) }

func expireBy(c *Ctx, form expireForm) {
	var cond expireCondition
	if !cond.parse(c) {
		return
	}
	at, ok := c.Int(2)
	if !ok {
		return
	}
	// Unlike SET, EXPIRE takes times in the past; only overflows are refused.
	if form.seconds() {
		if at > math.MaxInt64/1000 || at < math.MinInt64/1000 {
			c.invalidExpire()
			return
		}
		at *= 1000
	}
	if form.relative() {
		if at > math.MaxInt64-c.Now {
			c.invalidExpire()
			return
		}
		at += c.Now
	}
	key := c.Args[1]
	ref, found := c.LookupWrite(key)
	if !found || !cond.met(ref.ExpireAt(), at) {
		c.Out.Int(0)
		return
	}
	c.expireKey(key, at)
	c.Out.Int(1)
}

// expireCondition are the options of the EXPIRE family.
type expireCondition struct{ nx, xx, gt, lt bool }

func (e *expireCondition) parse(c *Ctx) (ok bool) {
	for o := c.Options(3); o.Next(); {
		switch {
		case o.Is("NX"):
			e.nx = true
		case o.Is("XX"):
			e.xx = true
		case o.Is("GT"):
			e.gt = true
		case o.Is("LT"):
			e.lt = true
		default:
			c.Error(errorf("ERR Unsupported option %s", clip(c.Args[o.Pos], math.MaxInt)))
			return false
		}
	}
	switch {
	case e.nx && (e.xx || e.gt || e.lt):
		c.Error("ERR NX and XX, GT or LT options at the same time are not compatible")
		return false
	case e.gt && e.lt:
		c.Error("ERR GT and LT options at the same time are not compatible")
		return false
	}
	return true
}

// met reports whether a key whose expiry is current may get a new one. A key
// without expiry lives for ever: nothing is greater, everything is less.
func (e *expireCondition) met(current, at int64) bool {
	has := current != keyspace.NoExpire
	switch {
	case e.nx && has, e.xx && !has:
		return false
	case e.gt && (!has || at <= current), e.lt && has && at >= current:
		return false
	}
	return true
}

// expireKey sets the expiry of a key that is there, or deletes it when the time
// has come already.
func (c *Ctx) expireKey(key []byte, at int64) {
	if at <= c.Now && c.Mode != Replay {
		c.deleteKey(key)
		return
	}
	c.db().SetExpire(key, at)
	word, when := c.expiry(at, wordPEXPIREAT, wordPEXPIRE)
	c.Effect(word, key, when)
	c.Changed(EventGeneric, "expire", key)
}

// expiry is how an effect says when a key expires, as a Unix time: then it is the
// same wherever and whenever it is applied.
func (c *Ctx) expiry(at int64, absolute, relative []byte) (word, when []byte) {
	if broken.Is(broken.RelativeExpiry) {
		return relative, c.digits(max(1, at-c.Now))
	}
	return absolute, c.digits(at)
}

// persistKey removes a key's expiry and reports whether it had one.
func (c *Ctx) persistKey(key []byte) bool {
	if !c.db().Persist(key) {
		return false
	}
	c.Effect(wordPERSIST, key)
	c.Changed(EventGeneric, "persist", key)
	return true
}

func cmdPersist(c *Ctx) {
	_, found := c.LookupWrite(c.Args[1])
	c.boolInt(found && c.persistKey(c.Args[1]))
}

// boolInt answers 1 or 0.
func (c *Ctx) boolInt(b bool) {
	if b {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
}

func cmdTTL(c *Ctx)         { answerExpiry(c, true, true) }
func cmdPTTL(c *Ctx)        { answerExpiry(c, false, true) }
func cmdExpireTime(c *Ctx)  { answerExpiry(c, true, false) }
func cmdPExpireTime(c *Ctx) { answerExpiry(c, false, false) }

func answerExpiry(c *Ctx, seconds, relative bool) {
	ref, found := c.LookupRead(c.Args[1])
	if !found {
		c.Out.Int(-2)
		return
	}
	at := ref.ExpireAt()
	if at == keyspace.NoExpire {
		c.Out.Int(-1)
		return
	}
	if relative {
		at = max(0, at-c.Now)
	}
	if seconds {
		at = int64((uint64(at) + 500) / 1000) // also near the end of the range
	}
	c.Out.Int(at)
}

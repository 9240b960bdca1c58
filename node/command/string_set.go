package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// expireForm is the way an expiry is given.
type expireForm uint8

const (
	expireNone expireForm = iota
	expireEX              // seconds from now
	expirePX              // milliseconds from now
	expireEXAT            // Unix seconds
	expirePXAT            // Unix milliseconds
)

var expireForms = [...]string{expireEX: "EX", expirePX: "PX", expireEXAT: "EXAT", expirePXAT: "PXAT"}

func (f expireForm) relative() bool { return f == expireEX || f == expirePX }
func (f expireForm) seconds() bool  { return f == expireEX || f == expireEXAT }

// storeOptions are the options of SET and GETEX.
type storeOptions struct {
	nx, xx  bool
	get     bool
	keepTTL bool
	persist bool
	form    expireForm
	expire  []byte // its value
}

// parse reads the options of SET, or of GETEX, from argument from on; a syntax
// error has been answered when ok is false.
func (so *storeOptions) parse(c *Ctx, from int, set bool) (ok bool) {
	for o := c.Options(from); o.Next(); {
		switch {
		case set && o.Is("NX") && !so.xx:
			so.nx = true
		case set && o.Is("XX") && !so.nx:
			so.xx = true
		case set && o.Is("GET"):
			so.get = true
		case set && o.Is("KEEPTTL") && so.form == expireNone:
			so.keepTTL = true
		case !set && o.Is("PERSIST") && so.form == expireNone:
			so.persist = true
		default:
			form := expireForm(len(expireForms) - 1)
			for form > expireNone && !o.Is(expireForms[form]) {
				form--
			}
			taken := so.keepTTL || so.persist || so.form != expireNone && so.form != form
			if form == expireNone || taken || !o.Value() {
				c.SyntaxError()
				return false
			}
			so.form, so.expire = form, c.Args[o.Pos]
		}
	}
	return true
}

// expireAt is the absolute expiry in Unix milliseconds that text gives, which is
// positive; otherwise the error has been answered.
func (c *Ctx) expireAt(text []byte, form expireForm) (at int64, ok bool) {
	at, ok = resp.ParseInt(text)
	if !ok {
		c.Error(ErrNotInteger)
		return 0, false
	}
	if at <= 0 || form.seconds() && at > math.MaxInt64/1000 {
		c.invalidExpire()
		return 0, false
	}
	if form.seconds() {
		at *= 1000
	}
	if form.relative() {
		at += c.Now // wraps to a negative number when out of range
	}
	if at <= 0 {
		c.invalidExpire()
		return 0, false
	}
	return at, true
}

func (c *Ctx) invalidExpire() {
	c.Error(errorf("ERR invalid expire time in '%s' command", c.Cmd.full))
}

func cmdSet(c *Ctx) {
	key, val := c.Args[1], c.Args[2]
	if len(c.Args) == 3 {
		c.db().SetString(key, val)
		c.EffectSelf()
		c.Changed(EventString, "set", key)
		c.Out.OK()
		return
	}
	var so storeOptions
	if !so.parse(c, 3, true) {
		return
	}
	at := keyspace.NoExpire
	if so.form != expireNone {
		var ok bool
		if at, ok = c.expireAt(so.expire, so.form); !ok {
			return
		}
	}
	if so.get {
		old, found, ok := c.readString(key)
		if !ok {
			return
		}
		c.bulkOrNull(old, found)
	}
	_, found := c.LookupWrite(key)
	if so.nx && found || so.xx && !found {
		if !so.get {
			c.Out.Null()
		}
		return
	}
	if so.keepTTL {
		c.db().SetStringKeepExpire(key, val, keyspace.FormAuto)
		c.Effect(wordSET, key, val, wordKEEPTTL)
		c.Changed(EventString, "set", key)
	} else {
		c.store(key, val, at)
	}
	if !so.get {
		c.Out.OK()
	}
}

// store sets a string with a new expiry, or none.
func (c *Ctx) store(key, val []byte, at int64) {
	c.db().SetStringExpireAt(key, val, at, keyspace.FormAuto)
	if at == keyspace.NoExpire {
		c.Effect(wordSET, key, val)
		c.Changed(EventString, "set", key)
		return
	}
	word, when := c.expiry(at, wordPXAT, wordPX)
	c.Effect(wordSET, key, val, word, when)
	c.Changed(EventString, "set", key)
	c.event(EventGeneric, "expire", key)
}

// setKeys tells SET with GET, which reads the key, from SET without.
func setKeys(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
	flags := KeyOW | KeyUpdate
	for _, a := range args[3:] {
		if EqualFold(a, "GET") {
			flags = KeyRW | KeyAccess | KeyUpdate
		}
	}
	return append(dst, KeyPos{1, flags}), nil
}

func cmdSetNX(c *Ctx) {
	key := c.Args[1]
	if _, found := c.LookupWrite(key); found {
		c.Out.Int(0)
		return
	}
	c.store(key, c.Args[2], keyspace.NoExpire)
	c.Out.Int(1)
}

func cmdSetEX(c *Ctx)  { setWithExpire(c, expireEX) }
func cmdPSetEX(c *Ctx) { setWithExpire(c, expirePX) }

func setWithExpire(c *Ctx, form expireForm) {
	at, ok := c.expireAt(c.Args[2], form)
	if !ok {
		return
	}
	c.store(c.Args[1], c.Args[3], at)
	c.Out.OK()
}

func cmdGetSet(c *Ctx) {
	key := c.Args[1]
	old, found, ok := c.readString(key)
	if !ok {
		return
	}
	c.bulkOrNull(old, found)
	c.store(key, c.Args[2], keyspace.NoExpire)
}

func cmdGetDel(c *Ctx) {
	key := c.Args[1]
	old, found, ok := c.readString(key)
	if !ok {
		return
	}
	c.bulkOrNull(old, found)
	if found {
		c.deleteKey(key)
	}
}

// deleteKey deletes a key that is there.
func (c *Ctx) deleteKey(key []byte) {
	c.db().Delete(key)
	c.Effect(wordDEL, key)
	c.Changed(EventGeneric, "del", key)
}

func cmdGetEX(c *Ctx) {
	key := c.Args[1]
	var so storeOptions
	if !so.parse(c, 2, false) {
		return
	}
	s, found, ok := c.readString(key)
	if !ok {
		return
	}
	if !found {
		c.Out.Null()
		return
	}
	at := keyspace.NoExpire
	if so.form != expireNone {
		if at, ok = c.expireAt(so.expire, so.form); !ok {
			return
		}
	}
	c.Out.Bulk(s)
	switch {
	case so.form != expireNone:
		c.expireKey(key, at)
	case so.persist:
		c.persistKey(key)
	}
}

func cmdMSet(c *Ctx) {
	if !c.pairs() {
		return
	}
	c.EffectSelf()
	c.storePairs()
	c.Out.OK()
}

func cmdMSetNX(c *Ctx) {
	if !c.pairs() {
		return
	}
	for i := 1; i < len(c.Args); i += 2 {
		if _, found := c.LookupWrite(c.Args[i]); found {
			c.Out.Int(0)
			return
		}
	}
	c.argv = append(append(c.argv[:0], wordMSET), c.Args[1:]...)
	c.Effect(c.argv...)
	c.storePairs()
	c.Out.Int(1)
}

// pairs reports whether the arguments are keys with values; otherwise it
// answers that their number is wrong.
func (c *Ctx) pairs() bool {
	if len(c.Args)%2 == 0 {
		c.Error(wrongArity(c.Cmd))
		return false
	}
	return true
}

func (c *Ctx) storePairs() {
	db := c.db()
	for i := 1; i < len(c.Args); i += 2 {
		db.SetString(c.Args[i], c.Args[i+1])
		c.Changed(EventString, "set", c.Args[i])
	}
}

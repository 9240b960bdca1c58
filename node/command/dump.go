package command

import (
	"errors"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

func cmdDump(c *Ctx) {
	ref, found := c.LookupRead(c.Args[1])
	if !found {
		c.Out.Null()
		return
	}
	dump, err := rdb.AppendDump(nil, ref, c.Out.Limit)
	if err != nil {
		// Every type can be written, so it is larger than any reply may be.
		c.Out.Over = true
		return
	}
	c.Out.Bulk(dump)
}

// restoreOptions are the options of RESTORE. IDLETIME and FREQ are read and left
// alone: nothing is ever evicted, so no access times are kept.
type restoreOptions struct{ replace, absolute bool }

func (ro *restoreOptions) parse(c *Ctx) (ok bool) {
	idle, freq := false, false
	for o := c.Options(4); o.Next(); {
		switch {
		case o.Is("REPLACE"):
			ro.replace = true
		case o.Is("ABSTTL"):
			ro.absolute = true
		case o.Is("IDLETIME") && !freq && o.Value():
			n, ok := c.Int(o.Pos)
			if !ok {
				return false
			}
			if n < 0 {
				c.Error("ERR Invalid IDLETIME value, must be >= 0")
				return false
			}
			idle = true
		case o.Is("FREQ") && !idle && o.Value():
			if _, ok := c.IntRange(o.Pos, 0, 255, "ERR Invalid FREQ value, must be >= 0 and <= 255"); !ok {
				return false
			}
			freq = true
		default:
			c.SyntaxError()
			return false
		}
	}
	return true
}

func cmdRestore(c *Ctx) {
	key, dump := c.Args[1], c.Args[3]
	var ro restoreOptions
	if !ro.parse(c) {
		return
	}
	if !ro.replace {
		if _, found := c.LookupWrite(key); found {
			c.Error("BUSYKEY Target key name already exists.")
			return
		}
	}
	ttl, ok := c.Int(2)
	if !ok {
		return
	}
	if ttl < 0 {
		c.Error("ERR Invalid TTL value, must be >= 0")
		return
	}
	at := keyspace.NoExpire
	if ttl > 0 {
		at = ttl
		if !ro.absolute {
			at += c.Now // wraps into the past when out of range, as in Redis
		}
	}
	// The value is read aside, so that a bad one changes nothing.
	aside := c.KS.NewDB()
	switch err := rdb.Restore(dump, c.KS, aside, key, at); {
	case errors.Is(err, rdb.ErrBadDump):
		c.Error("ERR DUMP payload version or checksum are wrong")
		return
	case err != nil:
		c.Error("ERR Bad data format")
		return
	}
	replaced := c.db().Delete(key)
	if ttl > 0 && at <= c.Now && c.Mode != Replay {
		if replaced {
			c.Effect(wordDEL, key)
			c.Changed(EventGeneric, "del", key)
		}
		c.Out.OK()
		return
	}
	aside.Move(c.db(), key)
	c.Effect(wordRESTORE, key, c.digits(max(at, 0)), dump, wordABSTTL, wordREPLACE)
	c.Changed(EventGeneric, "restore", key)
	c.Out.OK()
}

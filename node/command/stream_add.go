package command

import (
	"errors"
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// streamAdd is what XADD and XTRIM are asked for.
type streamAdd struct {
	id       keyspace.StreamID
	auto     bool // "*"
	autoSeq  bool // "<ms>-*"
	idArg    int  // the argument with the ID
	noCreate bool
	trims    bool
	trim     keyspace.StreamTrim
	hasLimit bool
}

// parse reads the options of XADD, up to the ID, or of XTRIM; when ok is false an
// error has been answered.
func (a *streamAdd) parse(c *Ctx, xadd bool) (ok bool) {
	o := c.Options(2)
options:
	for o.Next() {
		switch {
		case xadd && string(text(c.Args[o.Pos])) == "*":
			a.auto = true
			break options
		case o.Is("MAXLEN") && o.Value():
			if !a.parseThreshold(c, &o, false) {
				return false
			}
		case o.Is("MINID") && o.Value():
			if !a.parseThreshold(c, &o, true) {
				return false
			}
		case o.Is("LIMIT") && o.Value():
			if a.trim.Limit, ok = c.IntRange(o.Pos, 0, math.MaxInt64, "ERR The LIMIT argument must be >= 0."); !ok {
				return false
			}
			a.hasLimit = true
		case xadd && o.Is("NOMKSTREAM"):
			a.noCreate = true
		case xadd:
			if a.id, a.autoSeq, ok = parseStreamID(c.Args[o.Pos], idAutoSeq, 0); !ok {
				c.Error(errStreamID)
				return false
			}
			break options
		default:
			c.SyntaxError()
			return false
		}
	}
	a.idArg = o.Pos
	return a.checkTrim(c, xadd)
}

// parseThreshold reads what follows MAXLEN or MINID, of which the option's value is the
// first argument.
func (a *streamAdd) parseThreshold(c *Ctx, o *Options, byID bool) (ok bool) {
	if a.trims {
		c.Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
		return false
	}
	a.trims, a.trim.ByID = true, byID
	if sign := string(text(c.Args[o.Pos])); (sign == "~" || sign == "=") && o.Value() {
		a.trim.Approximate = sign == "~"
	}
	if byID {
		a.trim.MinID, ok = c.parseID(o.Pos)
		return ok
	}
	n, ok := c.IntRange(o.Pos, 0, math.MaxInt64, "ERR The MAXLEN argument must be >= 0.")
	a.trim.MaxLen = uint64(n)
	return ok
}

// checkTrim judges the options together and sets the limit of an approximate trim
// that has none.
func (a *streamAdd) checkTrim(c *Ctx, xadd bool) bool {
	switch {
	case a.trim.Limit > 0 && !a.trims:
		c.Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
		return false
	case !xadd && !a.trims:
		c.Error("ERR syntax error, XTRIM must be called with a trimming strategy")
		return false
	case a.hasLimit && !a.trim.Approximate:
		c.Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
		return false
	case !a.hasLimit && a.trim.Approximate:
		a.trim.Limit = defaultTrimLimit(c.KS.Config().StreamNodeMaxEntries)
	}
	return true
}

// defaultTrimLimit bounds the work of an approximate trim to 100 blocks.
func defaultTrimLimit(blockEntries int) int64 {
	const blocks, unlimited, most = 100, 10_000, 1_000_000
	if blockEntries <= 0 {
		return unlimited
	}
	return min(blocks*min(int64(blockEntries), most), most)
}

func cmdXAdd(c *Ctx) {
	var a streamAdd
	if !a.parse(c, true) {
		return
	}
	key, fields := c.Args[1], c.Args[min(a.idArg+1, len(c.Args)):]
	switch {
	case len(fields) < 2 || len(fields)%2 != 0:
		c.Error(wrongArity(c.Cmd))
		return
	case !a.auto && !a.autoSeq && a.id.IsZero():
		c.Error("ERR The ID specified in XADD must be greater than 0-0")
		return
	}
	s, ok := c.writeStream(key)
	if !ok {
		return
	}
	created := s == nil
	switch {
	case created && a.noCreate:
		c.Out.Null()
		return
	case created:
		s = c.KS.NewStream()
	case s.LastID() == keyspace.MaxStreamID:
		c.Error("ERR The stream has exhausted the last possible ID, unable to add more items")
		return
	}
	id, err := a.newID(s.LastID(), uint64(c.Now))
	if err == nil {
		err = s.Add(id, fields)
	}
	switch {
	case errors.Is(err, keyspace.ErrStreamOrder):
		c.Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
		return
	case err != nil:
		c.Error("ERR Elements are too large to be stored")
		return
	}
	if created {
		c.db().SetObject(key, s)
	}
	c.streamID(id)
	trimmed := a.trims && s.Trim(a.trim) > 0
	c.effectAdd(key, s, id, fields, trimmed)
	c.Changed(EventStream, "xadd", key)
	if trimmed {
		c.event(EventStream, "xtrim", key)
	}
}

// newID is the ID of the entry to add behind last. Error: keyspace.ErrStreamOrder
// when there is none.
func (a *streamAdd) newID(last keyspace.StreamID, nowMs uint64) (keyspace.StreamID, error) {
	id := a.id
	switch {
	case a.auto:
		if id = (keyspace.StreamID{MS: nowMs}); !last.Less(id) {
			id, _ = last.Next()
		}
	case a.autoSeq && id.MS == last.MS:
		if last.Seq == math.MaxUint64 {
			return id, keyspace.ErrStreamOrder
		}
		id.Seq = last.Seq + 1
	}
	return id, nil
}

func cmdXTrim(c *Ctx) {
	var a streamAdd
	if !a.parse(c, false) {
		return
	}
	key := c.Args[1]
	s, ok := c.writeStream(key)
	if !ok {
		return
	}
	if s == nil {
		c.Out.Int(0)
		return
	}
	n := s.Trim(a.trim)
	if n > 0 {
		c.Effect(wordXTRIM, key, wordMAXLEN, wordEquals, c.digits(int64(s.Len())))
		c.Changed(EventStream, "xtrim", key)
	}
	c.Out.Int(n)
}

func cmdXDel(c *Ctx) {
	key := c.Args[1]
	s, ok := c.writeStream(key)
	if !ok {
		return
	}
	if s == nil {
		c.Out.Int(0)
		return
	}
	ids, ok := c.parseIDs(2)
	if !ok {
		return
	}
	effect := c.beginEffect(wordXDEL, key)
	for i, id := range ids {
		if s.Delete(id) {
			effect = append(effect, c.Args[2+i])
		}
	}
	n := len(effect) - 2
	c.endEffect(effect, n > 0)
	if n > 0 {
		c.Changed(EventStream, "xdel", key)
	}
	c.Out.Int(int64(n))
}

func cmdXSetID(c *Ctx) {
	key := c.Args[1]
	id, ok := c.parseID(2)
	if !ok {
		return
	}
	added, deleted := int64(-1), keyspace.StreamID{}
	for o := c.Options(3); o.Next(); {
		switch {
		case o.Is("ENTRIESADDED") && o.Value():
			if added, ok = c.IntRange(o.Pos, 0, math.MaxInt64, "ERR entries_added must be positive"); !ok {
				return
			}
		case o.Is("MAXDELETEDID") && o.Value():
			if deleted, ok = c.parseID(o.Pos); !ok {
				return
			}
			if id.Less(deleted) {
				c.Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
				return
			}
		default:
			c.SyntaxError()
			return
		}
	}
	s, ok := c.writeStream(key)
	if !ok {
		return
	}
	if s == nil {
		c.Error(ErrNoKey)
		return
	}
	top, some := s.LastEntryID()
	switch {
	case id.Less(s.MaxDeletedID()):
		c.Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
		return
	case some && id.Less(top):
		c.Error("ERR The ID specified in XSETID is smaller than the target stream top item")
		return
	case some && added >= 0 && int64(s.Len()) > added:
		c.Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
		return
	}
	s.SetLastID(id)
	if added >= 0 {
		s.SetEntriesAdded(uint64(added))
	}
	if !deleted.IsZero() {
		s.SetMaxDeletedID(deleted)
	}
	c.EffectSelf()
	c.Changed(EventStream, "xsetid", key)
	c.Out.OK()
}

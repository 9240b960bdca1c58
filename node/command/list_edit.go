package command

func cmdLSet(c *Ctx) {
	key := c.Args[1]
	l, ok := c.writeList(key)
	switch {
	case !ok:
		return
	case l == nil:
		c.Error(ErrNoKey)
		return
	}
	i, ok := c.Int(2)
	if !ok {
		return
	}
	if i < 0 {
		i += int64(l.Len())
	}
	if i < 0 || i >= int64(l.Len()) {
		c.Error("ERR index out of range")
		return
	}
	l.Set(int(i), c.Args[3])
	c.EffectSelf()
	c.Out.OK()
	c.Changed(EventList, "lset", key)
}

func cmdLInsert(c *Ctx) {
	key, before := c.Args[1], EqualFold(c.Args[2], "BEFORE")
	if !before && !EqualFold(c.Args[2], "AFTER") {
		c.SyntaxError()
		return
	}
	l, ok := c.writeList(key)
	switch {
	case !ok:
	case l == nil:
		c.Out.Int(0)
	case !l.Insert(before, c.Args[3], c.Args[4]):
		c.Out.Int(-1)
	default:
		c.EffectSelf()
		c.Out.Int(int64(l.Len()))
		c.Changed(EventList, "linsert", key)
	}
}

func cmdLRem(c *Ctx) {
	key := c.Args[1]
	count, ok := c.Int(2)
	if !ok {
		return
	}
	l, ok := c.writeList(key)
	if !ok {
		return
	}
	n := 0
	if l != nil {
		n = l.Remove(int(count), c.Args[3])
	}
	if n > 0 {
		c.EffectSelf()
		empty := c.db().DeleteIfEmpty(key)
		c.Changed(EventList, "lrem", key)
		if empty {
			c.event(EventGeneric, "del", key)
		}
	}
	c.Out.Int(int64(n))
}

func cmdLTrim(c *Ctx) {
	key := c.Args[1]
	start, ok := c.Int(2)
	if !ok {
		return
	}
	stop, ok := c.Int(3)
	if !ok {
		return
	}
	l, ok := c.writeList(key)
	if !ok {
		return
	}
	c.Out.OK()
	if l == nil {
		return
	}
	first, n := span(start, stop, l.Len())
	if n < l.Len() {
		l.Trim(first, n)
		c.EffectSelf()
	}
	empty := c.db().DeleteIfEmpty(key)
	c.Changed(EventList, "ltrim", key)
	if empty {
		c.event(EventGeneric, "del", key)
	}
}

// cmdLPos answers the first of the matches that it is asked for or, with COUNT, all of
// them.
func cmdLPos(c *Ctx) {
	rank, count, most, all := int64(1), int64(1), int64(0), false
	for o := c.Options(3); o.Next(); {
		var ok bool
		switch {
		case o.Is("RANK") && o.Value():
			rank, ok = c.rank(o.Pos)
		case o.Is("COUNT") && o.Value():
			all = true
			count, ok = c.positive(o.Pos, "ERR COUNT can't be negative")
		case o.Is("MAXLEN") && o.Value():
			most, ok = c.positive(o.Pos, "ERR MAXLEN can't be negative")
		default:
			c.SyntaxError()
		}
		if !ok {
			return
		}
	}
	l, ok := c.readList(c.Args[1])
	if !ok {
		return
	}
	forward := rank > 0
	skip := max(rank, -rank) - 1
	var found []int
	if l != nil {
		l.Search(c.Args[2], forward, int(most), func(i int) bool {
			if skip > 0 {
				skip--
				return true
			}
			found = append(found, i)
			return count == 0 || int64(len(found)) < count
		})
	}
	switch {
	case all:
		c.Out.Array(len(found))
		for _, i := range found {
			c.Out.Int(int64(i))
		}
	case len(found) > 0:
		c.Out.Int(int64(found[0]))
	default:
		c.Out.Null()
	}
}

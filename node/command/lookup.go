package command

import "github.com/redoubtdb/redoubt/node/keyspace"

// db is the connection's database.
func (c *Ctx) db() *keyspace.DB { return c.KS.DB(c.DB) }

// LookupRead finds a key for a command that returns what is there: it counts a
// hit or a miss. The Ref is valid until the next change of the database.
func (c *Ctx) LookupRead(key []byte) (keyspace.Ref, bool) {
	ref, ok := c.LookupWrite(key)
	if ok {
		if c.Stats != nil {
			c.Stats.Hits++
		}
		return ref, true
	}
	if c.Stats != nil {
		c.Stats.Misses++
	}
	if c.Listener != nil {
		c.Listener.Event(EventKeyMiss, "keymiss", c.DB, key)
	}
	return ref, false
}

// LookupWrite finds a key to change it. Like LookupRead it meets an expired key
// as Mode says.
func (c *Ctx) LookupWrite(key []byte) (keyspace.Ref, bool) {
	return c.lookupIn(c.DB, key)
}

func (c *Ctx) lookupIn(db int, key []byte) (keyspace.Ref, bool) {
	ref, ok := c.KS.DB(db).Lookup(key)
	if !ok || !c.expired(ref) {
		return ref, ok
	}
	if c.Mode == Primary {
		c.DeleteExpired(db, key)
	}
	return keyspace.Ref{}, false
}

// expired reports whether a key's time has come. As in Redis it lives through
// the millisecond of its expiry.
func (c *Ctx) expired(ref keyspace.Ref) bool {
	at := ref.ExpireAt()
	return at != keyspace.NoExpire && c.Now > at && c.Mode != Replay
}

// DeleteExpired deletes a key of a primary because its time has come, with its
// effect and notification.
func (c *Ctx) DeleteExpired(db int, key []byte) {
	if !c.KS.DB(db).Delete(key) {
		return
	}
	c.EffectIn(db, wordDEL, key)
	if c.Stats != nil {
		c.Stats.Expired++
	}
	c.ChangedIn(db, EventExpired, "expired", key)
}

// dropIfEmpty deletes a key whose last element went, and notifies of that.
func (c *Ctx) dropIfEmpty(key []byte) {
	if c.db().DeleteIfEmpty(key) {
		c.event(EventGeneric, "del", key)
	}
}

// readString is LookupRead of a string. When ok is false, the error that the key
// holds another type has been answered.
func (c *Ctx) readString(key []byte) (s []byte, found, ok bool) {
	ref, found := c.LookupRead(key)
	return c.stringOf(ref, found)
}

// writeString is LookupWrite of a string; see readString.
func (c *Ctx) writeString(key []byte) (s []byte, found, ok bool) {
	ref, found := c.LookupWrite(key)
	return c.stringOf(ref, found)
}

func (c *Ctx) stringOf(ref keyspace.Ref, found bool) ([]byte, bool, bool) {
	if !found {
		return nil, false, true
	}
	if ref.Type() != keyspace.TypeString {
		c.WrongType()
		return nil, true, false
	}
	return ref.Str(), true, true
}

// readHash is LookupRead of a hash, nil when the key is absent; see readString.
func (c *Ctx) readHash(key []byte) (h *keyspace.Hash, ok bool) {
	return readObject[*keyspace.Hash](c, key)
}

// writeHash is LookupWrite of a hash, nil when the key is absent; see readString.
func (c *Ctx) writeHash(key []byte) (h *keyspace.Hash, ok bool) {
	return writeObject[*keyspace.Hash](c, key)
}

// readSet is LookupRead of a set, nil when the key is absent; see readString.
func (c *Ctx) readSet(key []byte) (s *keyspace.Set, ok bool) {
	return readObject[*keyspace.Set](c, key)
}

// writeSet is LookupWrite of a set, nil when the key is absent; see readString.
func (c *Ctx) writeSet(key []byte) (s *keyspace.Set, ok bool) {
	return writeObject[*keyspace.Set](c, key)
}

// readObject is LookupRead of a type that is no string, nil when the key is absent;
// see readString.
func readObject[T keyspace.Object](c *Ctx, key []byte) (obj T, ok bool) {
	ref, found := c.LookupRead(key)
	return objectOf[T](c, ref, found)
}

// writeObject is readObject with LookupWrite.
func writeObject[T keyspace.Object](c *Ctx, key []byte) (obj T, ok bool) {
	ref, found := c.LookupWrite(key)
	return objectOf[T](c, ref, found)
}

func objectOf[T keyspace.Object](c *Ctx, ref keyspace.Ref, found bool) (obj T, ok bool) {
	if !found {
		return obj, true
	}
	if obj, ok = ref.Object().(T); !ok {
		c.WrongType()
	}
	return obj, ok
}

package node

import (
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// watchKey is a key as WATCH names it.
type watchKey struct {
	db  int
	key string
}

// watched is a key that a connection watches, as it was found then.
type watched struct {
	key     watchKey
	existed bool
	expired bool // it was past its expiry already: for a client there was none
}

// watchTable knows which connections watch a key.
type watchTable map[watchKey]map[*conn]*watched

// keyState is what a key is for clients: there is none when it is absent or past
// its expiry, and to lose it in the second case is no change.
type keyState struct{ exists, expired bool }

// touch breaks the transactions of those who watch the key, which has changed to
// what now tells.
func (t watchTable) touch(db int, key []byte, now func(key []byte) keyState) {
	for c, w := range t[watchKey{db, string(key)}] {
		if w.expired && !now(key).exists {
			w.expired, w.existed = false, false
			continue
		}
		c.watchBroken = true
	}
}

// touchDB breaks the transactions of those who watch a key of db for whom it has
// changed when all of the database was flushed or swapped.
func (t watchTable) touchDB(db int, now func(key []byte) keyState) {
	for k, conns := range t {
		if k.db != db {
			continue
		}
		for c, w := range conns {
			next := now([]byte(k.key))
			if w.existed && !w.expired || next.exists && !next.expired {
				c.watchBroken = true
			}
			w.existed, w.expired = next.exists, next.expired
		}
	}
}

// touchAll breaks everybody's transactions.
func (t watchTable) touchAll() {
	for _, conns := range t {
		for c := range conns {
			c.watchBroken = true
		}
	}
}

func (c *conn) watch(db int, key []byte, now int64) {
	t := c.srv.engine.watched
	k := watchKey{db, string(key)}
	if t[k] == nil {
		t[k] = map[*conn]*watched{}
	}
	if t[k][c] == nil {
		is := c.srv.engine.keyState(db, key, now)
		t[k][c] = &watched{k, is.exists, is.expired}
		c.watching = append(c.watching, t[k][c])
		c.watchMemory += watchedMemory + int64(len(key))
	}
}

// unwatch forgets everything that the connection watches.
func (c *conn) unwatch() {
	c.unwatchSome(len(c.watching))
	c.watching, c.watchMemory, c.watchBroken = nil, 0, false
}

// unwatchSome forgets the last n keys that the connection watches.
func (c *conn) unwatchSome(n int) {
	t, keep := c.srv.engine.watched, len(c.watching)-n
	for _, w := range c.watching[keep:] {
		delete(t[w.key], c)
		if len(t[w.key]) == 0 {
			delete(t, w.key)
		}
	}
	c.watching = c.watching[:keep]
}

// unwatchAtOnce is how many keys of a connection that has ended are forgotten
// under one hold of the engine's lock.
const unwatchAtOnce = 1 << 10

// forgetWatched is unwatch for a connection that has ended, when nothing any
// more makes it one step.
func (s *server) forgetWatched(c *conn) {
	long := len(c.watching) > unwatchAtOnce
	for len(c.watching) > 0 {
		s.engine.turns.take(long)
		c.unwatchSome(min(unwatchAtOnce, len(c.watching)))
		s.engine.turns.end(long)
	}
}

// watchFailed reports whether a watched key has changed, or has expired since it
// was watched without having been deleted yet.
func (c *conn) watchFailed(now int64) bool {
	if c.watchBroken {
		return true
	}
	for _, w := range c.watching {
		if !w.expired && c.srv.engine.keyState(w.key.db, []byte(w.key.key), now).expired {
			return true
		}
	}
	return false
}

func (e *engine) keyState(db int, key []byte, now int64) keyState {
	ref, ok := e.ks.DB(db).Lookup(key)
	return keyState{ok, ok && ref.ExpireAt() != keyspace.NoExpire && now > ref.ExpireAt()}
}

func watch(x *command.Ctx) {
	c := client(x)
	if c.tx != nil {
		x.Out.Error("ERR WATCH inside MULTI is not allowed")
		return
	}
	for _, key := range x.Args[1:] {
		c.watch(x.DB, key, x.Now)
	}
	x.Out.OK()
}

func unwatch(x *command.Ctx) {
	client(x).unwatch()
	x.Out.OK()
}

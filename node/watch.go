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

// watched is a key that a connection watches.
type watched struct {
	key     watchKey
	expired bool // it was past its expiry already when WATCH came
}

// watchTable knows which connections watch a key, and whether it existed when
// each began.
type watchTable map[watchKey]map[*conn]bool

// touch breaks the transactions of those who watch the key.
func (t watchTable) touch(db int, key []byte) {
	if len(t) == 0 {
		return
	}
	for c := range t[watchKey{db, string(key)}] {
		c.watchBroken = true
	}
}

// touchDB breaks the transactions of those who watch a key of db that existed
// or exists now: flushing or swapping leaves a missing key what it was.
func (t watchTable) touchDB(db int, exists func(key []byte) bool) {
	for k, conns := range t {
		if k.db != db {
			continue
		}
		for c, existed := range conns {
			c.watchBroken = c.watchBroken || existed || exists([]byte(k.key))
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
		t[k] = map[*conn]bool{}
	}
	if _, already := t[k][c]; !already {
		_, t[k][c] = c.srv.engine.ks.DB(db).Lookup(key)
		c.watching = append(c.watching, watched{k, c.pastExpiry(k, now)})
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
		if !w.expired && c.pastExpiry(w.key, now) {
			return true
		}
	}
	return false
}

func (c *conn) pastExpiry(k watchKey, now int64) bool {
	ref, ok := c.srv.engine.ks.DB(k.db).Lookup([]byte(k.key))
	return ok && ref.ExpireAt() != keyspace.NoExpire && now > ref.ExpireAt()
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

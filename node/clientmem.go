package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What connections take beside the bytes that clients send and are sent.
const (
	// connMemory is an idle connection: its structures and its goroutine's stack.
	connMemory = 6 << 10
	// argMemory is an argument beside its bytes.
	argMemory = 24
	// queuedMemory is a command queued by MULTI beside its arguments.
	queuedMemory = 64
	// watchedMemory is a watched key beside its name.
	watchedMemory = 400
	// heldMemory is a held reply beside its bytes.
	heldMemory = 64
)

// evictMore is the part of maxmemory-clients by which an eviction goes below it,
// so that it pays to have looked at every connection.
const evictMore = 16

// patient is what a connection may hold without ever waiting for others to go:
// clients that ask for little at a time are not to suffer from the rest.
const patient = maxChunkReply

// evictPause is for how long nothing is looked for after nothing was found to
// evict.
const evictPause = 100 * time.Millisecond

// errEvicted: the connection was among those that held most when all together
// passed maxmemory-clients.
var errEvicted = errors.New("node: client evicted, maxmemory-clients is reached")

// clientMemory is what all connections take together.
type clientMemory struct {
	total   atomic.Int64
	live    atomic.Int64 // the part of it that is held by connections that go on
	evicted atomic.Uint64

	mu       sync.Mutex    // one eviction at a time
	notAgain time.Time     // before this there is nothing to evict
	gone     chan struct{} // closed when a connection has gone; nil: nobody waits
}

// doomed is the part of total that is held by connections about to go.
func (m *clientMemory) doomed() int64 { return m.total.Load() - m.live.Load() }

// waitGone blocks while connections about to go hold more than limit. They wait for
// nothing but their turn at the engine's lock, to find out that they are closed.
func (m *clientMemory) waitGone(ctx context.Context, limit int64) error {
	for m.doomed() > limit {
		m.mu.Lock()
		if m.gone == nil {
			m.gone = make(chan struct{})
		}
		gone := m.gone
		m.mu.Unlock()
		// Looked at again: who has gone before may have been the last.
		if m.doomed() <= limit {
			break
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// footprint is what one connection takes: buffers, the commands that MULTI has
// queued, watched keys, names, and replies that have not left.
type footprint struct {
	all *clientMemory

	mu     sync.Mutex
	bytes  int64
	doomed bool // about to go: whatever it still takes, nobody else need go for it
}

// add notes that the connection takes so much more, or less.
func (f *footprint) add(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += n
	f.all.total.Add(n)
	if !f.doomed {
		f.all.live.Add(n)
	}
}

// size is what the connection takes, and whether that can be had by evicting it.
func (f *footprint) size() (bytes int64, evictable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes, !f.doomed
}

// doom gives the connection's memory up for lost, and returns how much it is.
func (f *footprint) doom() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.doomed {
		return 0
	}
	f.doomed = true
	f.all.live.Add(-f.bytes)
	return f.bytes
}

// end takes a connection that is gone out of the sums.
func (f *footprint) end() {
	f.doom()
	f.mu.Lock()
	f.all.total.Add(-f.bytes)
	f.bytes = 0
	f.mu.Unlock()
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	if f.all.gone != nil {
		close(f.all.gone)
		f.all.gone = nil
	}
}

// makeWay is called by a connection before it holds more: it evicts whoever has
// to go, and waits until those that have to are really gone.
func (c *conn) makeWay(ctx context.Context) error {
	c.weigh()
	own := c.weighed
	if c.chunk != nil {
		own -= int64(cap(c.w.B)) // room that replies of others have left
	}
	c.srv.evict(own > patient)
	if limit := c.srv.cfg.clientMemory(); limit > 0 && own > patient {
		return c.srv.memory.waitGone(ctx, limit)
	}
	return nil
}

// evict closes connections until the others hold less than maxmemory-clients,
// as Redis does: those that hold most go first, and none that has said CLIENT
// NO-EVICT ON. Without wait it leaves that to somebody who is at it already.
func (s *server) evict(wait bool) {
	limit := s.cfg.clientMemory()
	m := &s.memory
	if limit == 0 || m.live.Load() <= limit {
		return
	}
	if !m.mu.TryLock() {
		// Somebody does it already.
		if !wait {
			return
		}
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	over := m.live.Load() - limit
	now := time.Now()
	if over <= 0 || now.Before(m.notAgain) {
		return
	}
	var all []candidate
	s.each(func(c *conn) {
		if bytes, ok := c.mem.size(); ok && !c.noEvict.Load() {
			all = append(all, candidate{c, bytes})
		}
	})
	chosen := victims(all, over+limit/evictMore)
	for _, v := range chosen {
		bytes := v.c.mem.doom()
		m.evicted.Add(1)
		v.c.out.end(errEvicted)
		s.log.Debug("client evicted", "id", v.c.id, "addr", v.c.nc.RemoteAddr(), "memory", bytes, "maxmemory_clients", limit)
	}
	if len(chosen) == 0 {
		m.notAgain = now.Add(evictPause)
	}
}

// candidate is a connection that may be evicted, and what it holds.
type candidate struct {
	c     *conn
	bytes int64
}

// victims are those to evict, in order, for at least so much to be given back,
// as far as there is so much.
func victims(all []candidate, back int64) []candidate {
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.bytes, a.bytes) })
	n := 0
	for ; n < len(all) && back > 0; n++ {
		back -= all[n].bytes
	}
	return all[:n]
}

// replyLimit is how long the replies of one chunk may be; 0: as long as they
// will. What passes the hard client-output-buffer-limit is never sent, so it
// need not be made, and a client whose replies take half of what all clients may
// hold is as good as evicted: while a reply grows it is there twice.
func (s *server) replyLimit() int {
	limit := s.cfg.clientMemory() / 2
	if hard := s.cfg.outputLimit(classNormal).hard; hard > 0 && (limit == 0 || hard < limit) {
		limit = hard
	}
	return int(limit)
}

// weigh brings the connection's footprint up to date, but for what its output
// holds. Only the connection's goroutine calls it.
func (c *conn) weigh() {
	n := connMemory + int64(c.rd.Memory()) + c.session.memory() + c.blockedMemory
	if c.chunk != nil {
		n += c.chunk.memory()
	}
	if _, ok := c.nc.(*tlsConn); ok {
		n += tlsMemory
	}
	if n != c.weighed {
		c.mem.add(n - c.weighed)
		c.weighed = n
	}
}

// memory is what the state of a session takes.
func (s *session) memory() int64 {
	n := int64(len(s.name)+len(s.libName)+len(s.libVer)) + s.watchMemory
	if s.tx != nil {
		n += s.tx.memory
	}
	return n
}

// memory is what a round of commands takes.
func (ch *chunk) memory() int64 {
	return int64(cap(ch.w.B) + argMemory*cap(ch.args) + 8*cap(ch.ends) + 16*cap(ch.marks))
}

package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/node/resp"
)

// server accepts clients and runs their connections. It owns a goroutine for
// accepting and one or two a connection; close ends them all.
type server struct {
	engine *engine
	cfg    *settings
	log    *slog.Logger
	node   *Node
	ln     listeners

	nextID atomic.Int64
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	memory  clientMemory
	warned  atomic.Int64 // Unix seconds of the last warnCrossProtocol
	purging atomic.Bool

	handshakes chan struct{} // slots of those that compute
	warnedTLS  atomic.Int64  // Unix seconds of the last handshakeFailed that was logged

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

func newServer(n *Node, ln listeners) *server {
	ctx, cancel := context.WithCancel(context.Background())
	return &server{
		engine: n.engine, cfg: n.settings, log: n.log, node: n, ln: ln,
		ctx: ctx, cancel: cancel, conns: map[*conn]struct{}{},
		handshakes: handshakeSlots(),
	}
}

// start accepts connections until close.
func (s *server) start() {
	if s.ln.plain != nil {
		s.wg.Add(1)
		go s.accept(s.ln.plain, func(nc net.Conn) net.Conn { return nc })
	}
	if s.ln.tls != nil {
		s.wg.Add(1)
		go s.accept(s.ln.tls, func(nc net.Conn) net.Conn { return newTLSConn(nc, s.ln.files.Config(), s.handshakes) })
	}
}

// accept runs one listener. The handshake of TLS is left to the connection's own
// goroutine: whoever takes long over it holds up nobody.
func (s *server) accept(ln net.Listener, wrap func(net.Conn) net.Conn) {
	defer s.wg.Done()
	pause := 5 * time.Millisecond
	for {
		nc, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, most likely: wait for some to be freed.
			s.log.Warn("accept", "err", err)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		s.keepAlive(nc)
		nc = wrap(nc)
		switch {
		case s.protects(nc):
			s.turnAway(nc, errProtected)
		case !s.welcome(nc):
			s.turnAway(nc, errMaxClients)
		}
	}
}

// keepAlive finds out about clients that have gone without a word.
func (s *server) keepAlive(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		keepAlive := time.Duration(s.cfg.tcpKeepAlive.Load()) * time.Second
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: keepAlive > 0, Idle: keepAlive, Interval: keepAlive / 3, Count: 3})
	}
}

const errMaxClients = "ERR max number of clients reached"

// turnAway tells a client why it is not let in. Over TLS it is just closed: there is
// no handshake yet that could carry it.
func (s *server) turnAway(nc net.Conn, why string) {
	s.engine.stats.rejectedConnections.Add(1)
	if _, ok := nc.(*tlsConn); ok {
		nc.Close()
		return
	}
	// The socket buffer of a new connection takes this without blocking.
	nc.SetWriteDeadline(time.Now().Add(time.Second))
	nc.Write([]byte("-" + why + "\r\n"))
	nc.Close()
}

// welcome starts a connection; false when there are as many as there may be.
func (s *server) welcome(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return true
	}
	if len(s.conns) >= int(s.cfg.maxClients.Load()) {
		return false
	}
	s.engine.stats.connections.Add(1)
	c := &conn{
		srv: s, id: s.nextID.Add(1), nc: nc,
		rd:      resp.NewReader(s.cfg.limits()),
		created: time.Now(),
	}
	c.mem.all = &s.memory
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithCancel(s.ctx)
	c.out = newOutput(nc, func() outputLimit { return s.cfg.outputLimit(classNormal) })
	c.out.count, c.out.mem, c.out.ended = &s.engine.stats.netOutput, &c.mem, cancel
	c.session = c.newSession()
	c.lastActive = c.created
	c.rd.SetAuthenticated(c.authenticated)
	c.weigh()
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	go s.run(c)
	return true
}

// newSession is the state of a connection that has not said anything.
func (c *conn) newSession() session {
	us := c.srv.engine.users
	return session{proto: 2, account: us.def, authenticated: us.open()}
}

func (s *server) run(c *conn) {
	defer s.wg.Done()
	err := error(nil)
	if t, ok := c.nc.(*tlsConn); ok {
		err = c.handshake(t, s.node.cfg.TLS.Handshake)
	}
	if err == nil {
		if err = c.serve(); !errors.Is(err, io.EOF) {
			c.farewell()
		}
	}
	switch {
	case errors.Is(err, errHandshake):
		s.handshakeFailed(c, err)
	case errors.Is(err, errOutputLimit):
		s.engine.stats.outputLimitCuts.Add(1)
	case errors.Is(err, resp.ErrQueryBufferLimit):
		s.engine.stats.queryLimitCuts.Add(1)
	}
	// From here on nobody can evict it, and nobody else need go for it.
	c.mem.doom()
	c.stopWaiting(err)
	c.rd = nil
	c.out.close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.forgetWatched(c)
	s.forgetMonitor(c)
	c.mem.end()
	s.log.Debug("connection closed", "id", c.id, "addr", c.nc.RemoteAddr(), "why", err)
}

// warnEvery is how often, in seconds, a log line that clients can cause is
// written.
const warnEvery = 60

// warnCrossProtocol logs that c sent HTTP; at most once a minute, as Redis does.
func (s *server) warnCrossProtocol(c *conn) {
	now, last := time.Now().Unix(), s.warned.Load()
	if now-last >= warnEvery && s.warned.CompareAndSwap(last, now) {
		s.log.Warn("possible cross-protocol attack, closing the connection", "addr", c.nc.RemoteAddr())
	}
}

// each calls fn for every connection.
func (s *server) each(fn func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		fn(c)
	}
}

// clients is the number of connections.
func (s *server) clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// close stops accepting, ends every connection and waits.
func (s *server) close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	for c := range s.conns {
		c.out.end(net.ErrClosed)
	}
	s.mu.Unlock()
	var err error
	if !already {
		s.cancel()
		err = s.ln.close()
	}
	s.wg.Wait()
	return err
}

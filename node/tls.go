package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

const (
	// farewellTimeout is how long a client is told that the conversation is over.
	farewellTimeout = time.Second
	// tlsMemory is what TLS takes for an idle connection: keys and its buffer.
	tlsMemory = 10 << 10
	// maxHandshake is how many bytes a client may send for its handshake. A hello
	// and a chain of certificates take a few thousand.
	maxHandshake = 32 << 10
)

// errLongHandshake: a handshake is not that long.
var errLongHandshake = errors.New("the client sends more than a handshake takes")

// errHandshake: the client and the node did not come to terms on TLS.
var errHandshake = errors.New("node: TLS handshake failed")

// TLSConfig says how clients are served over TLS.
type TLSConfig struct {
	Listen    string // address for clients, host:port; port 0 picks one; "": TLS is not served
	Announce  string // address that others are told; default: Announce's host, or the address listened on
	Files     tlsfiles.Server
	LookEvery time.Duration // how often the files are looked at; default tlsfiles.LookEvery
	Handshake time.Duration // how long a client may take for its handshake; default 10 s
}

// tlsConn is a client's connection over TLS.
type tlsConn struct {
	*tls.Conn
	raw *pacedConn
}

func newTLSConn(nc net.Conn, config *tls.Config, slots chan struct{}) *tlsConn {
	raw := &pacedConn{Conn: nc, slots: slots}
	return &tlsConn{tls.Server(raw, config), raw}
}

// Close ends the connection without a word to the client. To say goodbye may
// wait for a client that reads nothing, and who closes a connection holds locks.
func (t *tlsConn) Close() error { return t.raw.Close() }

// pacedConn is the connection below TLS. During the handshake it holds one of a
// few slots whenever it is not waiting for the client: what a handshake computes
// is worth many commands, and thousands of them at once must not keep the
// processors from everything else, the lease's renewal first of all. Only the
// connection's goroutine reads.
type pacedConn struct {
	net.Conn
	slots chan struct{}   // nil once the handshake is over
	took  func(bytes int) // is told what the client has sent of it
	sent  int
}

func (p *pacedConn) Read(b []byte) (int, error) {
	if p.slots == nil {
		return p.Conn.Read(b)
	}
	<-p.slots
	n, err := p.Conn.Read(b)
	if p.sent += n; p.sent > maxHandshake {
		n, err = 0, errLongHandshake
	}
	p.took(n)
	p.slots <- struct{}{}
	return n, err
}

// handshakeSlots is how many handshakes compute at the same time: half of the
// processors' worth.
func handshakeSlots() chan struct{} { return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) }

// handshake agrees with the client on TLS before anything is read from it. What it
// sends for that is held until then, in a buffer that grows by doubling, and
// counts for maxmemory-clients.
func (c *conn) handshake(t *tlsConn, timeout time.Duration) error {
	held := int64(0)
	t.raw.took = func(bytes int) {
		more := 2 * int64(bytes)
		held += more
		c.mem.add(more)
		c.srv.evict(false)
	}
	defer func() { c.mem.add(-held) }()
	slots := t.raw.slots
	slots <- struct{}{}
	err := t.SetDeadline(time.Now().Add(timeout))
	if err == nil {
		err = t.Handshake()
	}
	t.raw.slots = nil
	<-slots
	if err == nil {
		err = t.SetDeadline(time.Time{})
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	return nil
}

// farewell tells the client that nothing follows, so that it does not take the
// end for an attack. Only the connection's goroutine may call it.
func (c *conn) farewell() {
	t, ok := c.nc.(*tlsConn)
	if !ok || c.out.over() != nil {
		return
	}
	_ = t.SetWriteDeadline(time.Now().Add(farewellTimeout)) // for what is being written now
	_ = t.CloseWrite()
}

// handshakeFailed counts and logs it, at most once a minute: clients can cause it.
func (s *server) handshakeFailed(c *conn, err error) {
	s.engine.stats.tlsFailures.Add(1)
	now, last := time.Now().Unix(), s.warnedTLS.Load()
	if now-last >= warnEvery && s.warnedTLS.CompareAndSwap(last, now) {
		s.log.Warn("a client could not be served over TLS; more of this is logged once a minute", "addr", c.nc.RemoteAddr(), "err", err)
	}
}

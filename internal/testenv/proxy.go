package testenv

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Direction names one of a link's two flows.
type Direction int

// The flows of a link.
const (
	Up   Direction = iota // from the client to the target
	Down                  // from the target to the client
)

const (
	chunkSize    = 32 << 10
	chunksQueued = 16 // of one flow, read and not yet written
	dialTimeout  = 5 * time.Second
)

// Proxy forwards TCP connections to a target and breaks them on request. A link
// is one client's connection and its connection to the target. Faults apply to
// the links there are and to those that come, until Heal.
type Proxy struct {
	ln     net.Listener
	ctx    context.Context // ends with the proxy
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loop and links

	mu     sync.Mutex
	target string
	cut    bool
	links  map[*link]struct{}
	flows  [2]flowFault
	held   [2]atomic.Int64
}

type flowFault struct {
	delay time.Duration
	open  chan struct{} // closed while bytes may pass
}

type link struct {
	ctx    context.Context
	cancel context.CancelFunc
	ends   [2]*net.TCPConn // Up's source, Down's source
	writes [2]sync.Mutex   // held while writing, by flow
}

type chunk struct {
	b   []byte
	due time.Time
}

// NewProxy starts a proxy of target, a host:port, on a free port of 127.0.0.1.
func NewProxy(t TB, target string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy of %s: %v", target, err)
	}
	p := &Proxy{ln: ln, target: target, links: make(map[*link]struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.Heal()
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr returns the address to connect to, as host:port.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// SetTarget makes new links go to another address.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Reset breaks all links with a TCP reset; what was on its way is lost. New
// links work.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Cut is Reset, and new connections are reset as well.
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.cut = true
	p.mu.Unlock()
	p.Reset()
}

// Delay holds every byte of one flow back for d, as a long line would: bytes
// that follow each other closely arrive so.
func (p *Proxy) Delay(dir Direction, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows[dir].delay = d
}

// Blackhole stops one flow. Once it has returned not a byte passes, while
// connections stay open, as if a network dropped every packet; after Heal the
// bytes arrive, as TCP would have repeated them.
func (p *Proxy) Blackhole(dir Direction) {
	p.mu.Lock()
	if isOpen(p.flows[dir].open) {
		p.flows[dir].open = make(chan struct{})
	}
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		l.interruptWrite(dir)
	}
}

// Heal ends Cut, Delay and Blackhole.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	for i := range p.flows {
		p.flows[i].delay = 0
		if p.flows[i].open == nil {
			p.flows[i].open = make(chan struct{})
		}
		if !isOpen(p.flows[i].open) {
			close(p.flows[i].open)
		}
	}
}

// Held returns how many bytes of one flow the proxy has received and not passed
// on. A test that wants an answer lost blackholes Down, waits until the answer is
// held, and resets; with gRPC, whose connections carry more than answers, it asks
// the server by another way whether the request was served.
func (p *Proxy) Held(dir Direction) int64 { return p.held[dir].Load() }

// Links returns the number of connections being forwarded.
func (p *Proxy) Links() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) close() {
	p.cancel()
	p.ln.Close()
	p.Reset()
	p.wg.Wait()
}

func isOpen(gate chan struct{}) bool {
	select {
	case <-gate:
		return true
	default:
		return false
	}
}

func (p *Proxy) accept() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	l, err := p.connect(client)
	if err != nil {
		resetConn(client)
		return
	}
	var flows sync.WaitGroup
	flows.Go(func() { p.forward(l, Up) })
	flows.Go(func() { p.forward(l, Down) })
	flows.Wait()
	l.cancel()
	l.ends[Up].Close()
	l.ends[Down].Close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

var errCut = errors.New("testenv: proxy is cut")

func (p *Proxy) connect(client *net.TCPConn) (*link, error) {
	p.mu.Lock()
	target, cut := p.target, p.cut
	p.mu.Unlock()
	if cut {
		return nil, errCut
	}
	d := net.Dialer{Timeout: dialTimeout}
	server, err := d.DialContext(p.ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	l := &link{ends: [2]*net.TCPConn{Up: client, Down: server.(*net.TCPConn)}}
	l.ctx, l.cancel = context.WithCancel(p.ctx)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.ctx.Err() != nil { // while we were dialling
		l.reset()
		return nil, errCut
	}
	p.links[l] = struct{}{}
	return l, nil
}

// forward moves one flow until its source ends, then passes the end on. The
// reading goroutine and this one meet at a bounded queue, so that delayed bytes
// do not hold up those behind them.
func (p *Proxy) forward(l *link, dir Direction) {
	queue := make(chan chunk, chunksQueued)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		p.read(l, dir, queue)
	})
	for c := range queue {
		n := int64(len(c.b))
		if err := p.deliver(l, dir, c); err != nil {
			l.reset()
		}
		p.held[dir].Add(-n)
	}
	reader.Wait()
	if l.ctx.Err() == nil {
		if err := l.sink(dir).CloseWrite(); err != nil {
			l.reset()
		}
	}
}

func (p *Proxy) read(l *link, dir Direction, queue chan<- chunk) {
	for {
		b := make([]byte, chunkSize)
		n, err := l.ends[dir].Read(b)
		if n > 0 {
			p.held[dir].Add(int64(n))
			p.mu.Lock()
			due := time.Now().Add(p.flows[dir].delay)
			p.mu.Unlock()
			queue <- chunk{b[:n], due} // forward drains the queue to its end
		}
		if err != nil {
			if err != io.EOF {
				l.reset()
			}
			return
		}
	}
}

// deliver writes c when it is due and its flow is open.
func (p *Proxy) deliver(l *link, dir Direction, c chunk) error {
	if wait := time.Until(c.due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
	for len(c.b) > 0 {
		p.mu.Lock()
		gate := p.flows[dir].open
		p.mu.Unlock()
		select {
		case <-gate:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
		n, err := p.writeIfOpen(l, dir, c.b)
		c.b = c.b[n:]
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// writeIfOpen looks at the gate and writes as one step for interruptWrite.
func (p *Proxy) writeIfOpen(l *link, dir Direction, b []byte) (int, error) {
	l.writes[dir].Lock()
	defer l.writes[dir].Unlock()
	p.mu.Lock()
	open := isOpen(p.flows[dir].open)
	p.mu.Unlock()
	if !open {
		return 0, nil
	}
	return l.sink(dir).Write(b)
}

// sink is where a flow's bytes go: the other flow's source.
func (l *link) sink(dir Direction) *net.TCPConn { return l.ends[1-dir] }

// interruptWrite returns when no write of the flow is under way, cutting short
// one that waits for a slow receiver.
func (l *link) interruptWrite(dir Direction) {
	sink := l.sink(dir)
	sink.SetWriteDeadline(time.Unix(1, 0)) // fails only on a closed link
	l.writes[dir].Lock()
	defer l.writes[dir].Unlock()
	sink.SetWriteDeadline(time.Time{})
}

func (l *link) reset() {
	l.cancel()
	for _, c := range l.ends {
		resetConn(c)
	}
}

// resetConn closes with a TCP reset in place of an orderly end.
func resetConn(c *net.TCPConn) {
	c.SetLinger(0) // fails only on a closed connection
	c.Close()
}

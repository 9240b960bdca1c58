package testenv

import (
	"context"
	"net"
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

// Proxy forwards TCP connections to a target and breaks them on request. A link
// is one client's connection and its connection to the target. Faults apply to
// the links there are and to those that come, until Heal.
type Proxy struct {
	ln     net.Listener    // nil: links come from a peerNet
	ctx    context.Context // ends with the proxy
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loop and links

	mu     sync.Mutex
	target string
	cut    bool
	links  map[*link]struct{}
	flows  [2]flowFault
	ends   chan struct{} // closed while ends of clients' connections are passed on
	held   [2]atomic.Int64
}

type flowFault struct {
	delay time.Duration
	open  chan struct{} // closed while bytes may pass
	pace  pace
}

// NewProxy starts a proxy of target, a host:port, on a free port of 127.0.0.1.
func NewProxy(t TB, target string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy of %s: %v", target, err)
	}
	p := newProxy(target)
	p.ln = ln
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// newProxy makes a proxy that serves the connections that it is given.
func newProxy(target string) *Proxy {
	p := &Proxy{target: target, links: make(map[*link]struct{}), ends: make(chan struct{})}
	for dir := range p.flows {
		p.flows[dir] = flowFault{open: make(chan struct{}), pace: newPace()}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.Heal()
	return p
}

// Addr returns the address to connect to, as host:port. Etcd.PeerLink's proxies
// have none.
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

// Throttle lets no more than so many bytes a second through one flow, over all
// links together, as a slow line would; 0 is without limit.
func (p *Proxy) Throttle(dir Direction, bytesPerSecond int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows[dir].pace.set(bytesPerSecond)
}

// Blackhole stops one flow. Once it has returned not a byte passes, while
// connections stay open, as if a network dropped every packet; after Open or Heal
// the bytes arrive, as TCP would have repeated them.
func (p *Proxy) Blackhole(dir Direction) {
	p.mu.Lock()
	shut(&p.flows[dir].open)
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		l.interruptWrite(dir)
	}
}

// Open ends Blackhole of one flow.
func (p *Proxy) Open(dir Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open(p.flows[dir].open)
}

// HoldEnds keeps from the target that a client's connection has ended, in
// whichever way, as when the client's host loses power and so never says it.
// Bytes of the client's that the proxy has received, and holds because of
// Blackhole, Delay or Throttle, still reach the target: the last packets of a host
// may arrive long after it has died. The target sees the end after Heal, or a
// reset after Reset.
func (p *Proxy) HoldEnds() {
	p.mu.Lock()
	defer p.mu.Unlock()
	shut(&p.ends)
}

// Heal ends Cut, Delay, Throttle, Blackhole and HoldEnds.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	for dir := range p.flows {
		f := &p.flows[dir]
		f.delay = 0
		f.pace.set(0)
		open(f.open)
	}
	open(p.ends)
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
	p.ln.Close()
	p.end()
	p.wg.Wait()
}

// end resets all links, also those that are still being made.
func (p *Proxy) end() {
	p.cancel()
	p.Reset()
}

// open, shut and isOpen work a gate: a channel that is closed while the gate is
// open. The proxy's mutex must be held for the first two.
func open(gate chan struct{}) {
	if !isOpen(gate) {
		close(gate)
	}
}

func shut(gate *chan struct{}) {
	if isOpen(*gate) {
		*gate = make(chan struct{})
	}
}

func isOpen(gate chan struct{}) bool {
	select {
	case <-gate:
		return true
	default:
		return false
	}
}

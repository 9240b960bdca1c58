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

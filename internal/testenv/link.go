package testenv

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	chunkSize    = 32 << 10
	chunksQueued = 16 // of one flow, read and not yet written
	dialTimeout  = 5 * time.Second
)

// link is one forwarded connection.
type link struct {
	ctx    context.Context
	cancel context.CancelFunc
	ends   [2]*net.TCPConn // Up's source, Down's source
	writes [2]sync.Mutex   // held while writing, by flow
	gone   chan struct{}   // closed when the client has ended and the target must not know
	upDone chan struct{}   // closed when the flow Up has passed on all and its end
}

// chunk is a piece of a flow on its way.
type chunk struct {
	b   []byte
	due time.Time
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

var (
	errCut  = errors.New("testenv: proxy is cut")
	errGone = errors.New("testenv: the client is gone")
)

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
	l := &link{
		ends: [2]*net.TCPConn{Up: client, Down: server.(*net.TCPConn)},
		gone: make(chan struct{}), upDone: make(chan struct{}),
	}
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
	var end error
	reader.Go(func() {
		defer close(queue)
		end = p.read(l, dir, queue)
	})
	for c := range queue {
		n := int64(len(c.b))
		if err := p.deliver(l, dir, c); err != nil {
			p.failed(l, dir)
		}
		p.held[dir].Add(-n)
	}
	reader.Wait()
	if dir == Up {
		defer close(l.upDone)
		p.mayEnd(l)
	}
	if l.ctx.Err() != nil {
		return
	}
	if end != io.EOF {
		l.reset()
	} else if err := l.sink(dir).CloseWrite(); err != nil {
		p.failed(l, dir)
	}
}

// failed resets the link because a flow's sink takes no more: at once, but when
// that is a client and the target must not know, not before it may.
func (p *Proxy) failed(l *link, dir Direction) {
	if dir == Down && p.holdsEnds() {
		p.mayEnd(l)
		select { // the client's last bytes go first
		case <-l.upDone:
		case <-l.ctx.Done():
		}
	}
	l.reset()
}

// mayEnd returns once the target may learn that the client's connection has ended.
func (p *Proxy) mayEnd(l *link) {
	p.mu.Lock()
	gate := p.ends
	p.mu.Unlock()
	select {
	case <-gate:
	case <-l.ctx.Done():
	}
}

func (p *Proxy) holdsEnds() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !isOpen(p.ends)
}

// read queues what comes from a flow's source until that ends, and returns how.
func (p *Proxy) read(l *link, dir Direction, queue chan<- chunk) error {
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
		if err == nil {
			continue
		}
		if dir == Up && p.holdsEnds() {
			close(l.gone)
		} else if err != io.EOF {
			l.reset() // what is on its way is lost
		}
		return err
	}
}

// deliver writes c when it is due and its flow is open, at the flow's pace.
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
		if err := p.passable(l, dir); err != nil {
			return err
		}
		share, err := p.takeTurn(l, dir, len(c.b))
		if err != nil {
			return err
		}
		n, err := p.writeIfOpen(l, dir, c.b[:share])
		c.b = c.b[n:]
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// passable waits until a flow is open. To a client that is gone it never is.
func (p *Proxy) passable(l *link, dir Direction) error {
	gone := l.gone
	if dir == Up {
		gone = nil
	}
	select {
	case <-gone:
		return errGone
	default:
	}
	p.mu.Lock()
	gate := p.flows[dir].open
	p.mu.Unlock()
	select {
	case <-gate:
		return nil
	case <-gone:
		return errGone
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
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

package etcdfence

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// faults is a client whose requests a test interferes with.
type faults struct {
	cli *clientv3.Client

	mu     sync.Mutex
	do     func(op string, send sendFunc) (clientv3.OpResponse, error)
	renew  func(send func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error)
	grant  func()
	count  map[string]int
	leases []clientv3.LeaseID // granted
}

// sendFunc sends the request. It may be called any number of times, and after
// the request was given up too.
type sendFunc func() (clientv3.OpResponse, error)

// errAnswerLost is what a client sees when a connection breaks.
var errAnswerLost = rpctypes.ErrTimeoutDueToConnectionLost

func newFaults(t testing.TB, cli *clientv3.Client) *faults {
	f := &faults{cli: clientv3.NewCtxClient(context.Background()), count: make(map[string]int)}
	f.cli.KV = &faultKV{cli.KV, f}
	f.cli.Lease = &faultLease{cli.Lease, f}
	f.cli.Watcher = cli.Watcher
	return f
}

// on interferes with requests from now on; nil stops that.
func (f *faults) on(do func(op string, send sendFunc) (clientv3.OpResponse, error)) {
	f.mu.Lock()
	f.do = do
	f.mu.Unlock()
}

func (f *faults) onRenew(fn func(send func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error)) {
	f.mu.Lock()
	f.renew = fn
	f.mu.Unlock()
}

// once interferes with the next request of a kind.
func (f *faults) once(kind string, fn func(send sendFunc) (clientv3.OpResponse, error)) {
	f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		if op != kind {
			return send()
		}
		f.on(nil)
		return fn(send)
	})
}

// sent is how many requests of a kind were made.
func (f *faults) sent(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[kind]
}

// live is how many of the leases granted are still there.
func (f *faults) live(e *env) int {
	e.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, id := range f.leases {
		resp, err := e.cli.TimeToLive(e.ctx(), id)
		e.ok(err)
		if resp.TTL > 0 {
			n++
		}
	}
	return n
}

type faultKV struct {
	clientv3.KV
	f *faults
}

func (k *faultKV) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	kind := kindOf(op)
	k.f.mu.Lock()
	k.f.count[kind]++
	do := k.f.do
	k.f.mu.Unlock()
	if do == nil {
		return k.KV.Do(ctx, op)
	}
	return do(kind, func() (clientv3.OpResponse, error) {
		return k.KV.Do(context.WithoutCancel(ctx), op)
	})
}

// kindOf names a request by what it would put.
func kindOf(op clientv3.Op) string {
	_, then, _ := op.Txn()
	if len(then) == 0 || !then[0].IsPut() {
		return "read"
	}
	switch key := string(then[0].KeyBytes()); {
	case strings.Contains(key, "/log/"):
		return "append"
	case strings.HasSuffix(key, "/leader"):
		return "campaign"
	case strings.HasSuffix(key, "/sealed"):
		return "trim"
	}
	return "put"
}

type faultLease struct {
	clientv3.Lease
	f *faults
}

func (l *faultLease) Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	resp, err := l.Lease.Grant(ctx, ttl)
	if err == nil {
		l.f.mu.Lock()
		l.f.leases = append(l.f.leases, resp.ID)
		l.f.mu.Unlock()
	}
	if l.f.grant != nil {
		l.f.grant()
	}
	return resp, err
}

func (l *faultLease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	send := func() (*clientv3.LeaseKeepAliveResponse, error) {
		return l.Lease.KeepAliveOnce(context.WithoutCancel(ctx), id)
	}
	l.f.mu.Lock()
	fn := l.f.renew
	l.f.mu.Unlock()
	if fn == nil {
		return l.Lease.KeepAliveOnce(ctx, id)
	}
	return fn(send)
}

// The faults used over and over.

func answerLost(send sendFunc) (clientv3.OpResponse, error) {
	if _, err := send(); err != nil {
		return clientv3.OpResponse{}, err
	}
	return clientv3.OpResponse{}, errAnswerLost
}

func requestLost(sendFunc) (clientv3.OpResponse, error) {
	return clientv3.OpResponse{}, errAnswerLost
}

func sentTwice(send sendFunc) (clientv3.OpResponse, error) {
	if _, err := send(); err != nil {
		return clientv3.OpResponse{}, err
	}
	return send()
}

// proxy forwards TCP connections to a target until it is cut.
type proxy struct {
	t      testing.TB
	target string
	addr   string

	mu    sync.Mutex
	ln    net.Listener
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func newProxy(t testing.TB, target string) *proxy {
	p := &proxy{t: t, target: target, addr: "127.0.0.1:0", conns: make(map[net.Conn]bool)}
	p.heal()
	t.Cleanup(func() { p.cut(); p.wg.Wait() })
	return p
}

// heal listens, on the same address each time.
func (p *proxy) heal() {
	p.t.Helper()
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.ln, p.addr = ln, ln.Addr().String()
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", p.target)
			if err != nil {
				c.Close()
				continue
			}
			p.pipe(c, up)
		}
	})
}

func (p *proxy) pipe(a, b net.Conn) {
	p.mu.Lock()
	p.conns[a], p.conns[b] = true, true
	p.mu.Unlock()
	copyTo := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		err := errors.Join(dst.Close(), src.Close())
		_ = err // both ends close on either's end, so one of them always fails
	}
	p.wg.Go(func() { copyTo(a, b) })
	p.wg.Go(func() { copyTo(b, a) })
}

// cut closes the listener and every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ln.Close()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

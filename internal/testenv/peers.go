package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// peerNet stands between the members of an etcd cluster, with a Proxy for what
// each member dials of each other one. All others dial a member at the same
// address, the one that it announces, so that the address cannot tell them apart.
// Therefore members announce addresses that lead nowhere, and each one dials them
// by way of a SOCKS server of its own, which knows who asks and forwards to where
// the member asked for listens in truth.
type peerNet struct {
	ctx     context.Context // ends with the peerNet
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	dialers []net.Listener // the members' SOCKS servers
	links   [][]*Proxy     // by who dials and whom; nil for oneself
}

// newPeerNet makes the net of members whose peer ports are at listen.
func newPeerNet(t TB, listen []string) *peerNet {
	t.Helper()
	n := &peerNet{}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	t.Cleanup(n.close)
	for from := range listen {
		links := make([]*Proxy, len(listen))
		for to, addr := range listen {
			if to != from {
				links[to] = newProxy(addr)
			}
		}
		n.links = append(n.links, links)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("start the SOCKS server of etcd member m%d: %v", from, err)
		}
		n.dialers = append(n.dialers, ln)
		n.wg.Go(func() { n.accept(ln, links) })
	}
	return n
}

// peerAddr is where member i says that it is: in a network kept for examples (RFC
// 5737). It must not be a loopback address, which Go dials without a proxy.
func peerAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 2380)
}

// urls are the peer URLs that members announce.
func (n *peerNet) urls() []string {
	var all []string
	for i := range n.links {
		all = append(all, "http://"+peerAddr(i).String())
	}
	return all
}

// env makes member i dial through its SOCKS server.
func (n *peerNet) env(i int) []string {
	if n == nil {
		return nil
	}
	return []string{"HTTP_PROXY=socks5://" + n.dialers[i].Addr().String(), "NO_PROXY=", "no_proxy="}
}

func (n *peerNet) accept(ln net.Listener, links []*Proxy) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		n.wg.Go(func() { n.serve(conn.(*net.TCPConn), links) })
	}
}

// serve forwards one connection to the member that it asks for.
func (n *peerNet) serve(conn *net.TCPConn, links []*Proxy) {
	stop := context.AfterFunc(n.ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(dialTimeout)) // fails only on a closed connection, as below
	target, err := socksAccept(conn)
	if err != nil {
		resetConn(conn)
		return
	}
	conn.SetDeadline(time.Time{})
	for to, p := range links {
		if p != nil && target == peerAddr(to) {
			p.serve(conn)
			return
		}
	}
	resetConn(conn)
}

func (n *peerNet) close() {
	n.cancel()
	for _, ln := range n.dialers {
		ln.Close()
	}
	for _, p := range n.all() {
		p.end()
	}
	n.wg.Wait()
}

func (n *peerNet) all() []*Proxy {
	var all []*Proxy
	for _, links := range n.links {
		for _, p := range links {
			if p != nil {
				all = append(all, p)
			}
		}
	}
	return all
}

// SOCKS 5 (RFC 1928), as much of it as Go's HTTP client uses: no authentication,
// CONNECT, IPv4 addresses.
const (
	socksVersion = 5
	socksConnect = 1
	socksIPv4    = 1
)

var errSOCKS = errors.New("testenv: not a SOCKS request that is served here")

// socksAccept grants what a client asks for at the beginning of a connection, and
// returns where it wants to be connected to.
func socksAccept(conn io.ReadWriter) (netip.AddrPort, error) {
	var greeting [2]byte // version, number of ways to authenticate
	if _, err := io.ReadFull(conn, greeting[:]); err != nil {
		return netip.AddrPort{}, err
	}
	if greeting[0] != socksVersion {
		return netip.AddrPort{}, fmt.Errorf("%w: version %d", errSOCKS, greeting[0])
	}
	if _, err := io.ReadFull(conn, make([]byte, greeting[1])); err != nil {
		return netip.AddrPort{}, err
	}
	if _, err := conn.Write([]byte{socksVersion, 0}); err != nil {
		return netip.AddrPort{}, err
	}
	var request [10]byte // version, command, reserved, kind of address, address, port
	if _, err := io.ReadFull(conn, request[:]); err != nil {
		return netip.AddrPort{}, err
	}
	if request[0] != socksVersion || request[1] != socksConnect || request[3] != socksIPv4 {
		return netip.AddrPort{}, fmt.Errorf("%w: % x", errSOCKS, request)
	}
	// Granted, from an address that nobody asks about.
	if _, err := conn.Write([]byte{socksVersion, 0, 0, socksIPv4, 0, 0, 0, 0, 0, 0}); err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(request[4:8])), uint16(request[8])<<8|uint16(request[9])), nil
}

// PeerLink returns the proxy of the connections that member from makes to member
// to, for which the members must have been started with EtcdOptions.PeerLinks. What
// two members say to each other is on the connections of both: see DropPeer.
func (e *Etcd) PeerLink(from, to int) *Proxy { return e.peers.links[from][to] }

// PeerLinks returns the proxies between all members; none without
// EtcdOptions.PeerLinks.
func (e *Etcd) PeerLinks() []*Proxy {
	if e.peers == nil {
		return nil
	}
	return e.peers.all()
}

// DropPeer drops all that member from says to member to, silently, and nothing
// that it hears from it. On from's connections these are requests; on to's they are
// answers, among them the streams in which Raft's messages come.
func (e *Etcd) DropPeer(from, to int) {
	e.PeerLink(from, to).Blackhole(Up)
	e.PeerLink(to, from).Blackhole(Down)
}

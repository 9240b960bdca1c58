package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestEtcdPeerLinks breaks etcd's leader off in every way there is, and finds each
// time that the others go on without it and that it knows nothing of that.
func TestEtcdPeerLinks(t *testing.T) {
	e := StartEtcd(t, 3, EtcdOptions{PeerLinks: true})
	members := len(e.Endpoints())
	var each []*clientv3.Client
	for _, url := range e.Endpoints() {
		each = append(each, e.Client(t, url))
	}
	if got := len(e.PeerLinks()); got != members*(members-1) {
		t.Fatalf("%d links between %d members", got, members)
	}
	for from := range members {
		for to := range members {
			if from != to && e.PeerLink(from, to).Links() == 0 {
				t.Errorf("member %d has no connection to member %d", from, to)
			}
		}
	}
	both := func(fn func(*Etcd, int, int)) func(int, int) {
		return func(a, b int) { fn(e, a, b); fn(e, b, a) }
	}
	for i, c := range []struct {
		name  string
		fault func(leader, other int)
	}{
		{"cut", both(func(e *Etcd, a, b int) { e.PeerLink(a, b).Cut() })},
		{"silent", both((*Etcd).DropPeer)},
		{"deaf", func(leader, other int) { e.DropPeer(other, leader) }},
		{"mute", func(leader, other int) { e.DropPeer(leader, other) }},
	} {
		leader := e.Leader()
		others, err := e.Followers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range others {
			c.fault(leader, other)
		}
		Eventually(t, 30*time.Second, c.name+": the others have a leader", func(ctx context.Context) error {
			now, err := e.FindLeader(ctx)
			if err == nil && now == leader {
				err = errors.New("it is the old one")
			}
			return err
		})
		value := fmt.Sprint(c.name, i)
		etcdPut(t, each[others[0]], "k", value)
		if got, err := read(t, each[leader], clientv3.WithSerializable()); err != nil || got == value {
			t.Errorf("%s: the old leader holds %q, %v", c.name, got, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if _, err := each[leader].Put(ctx, "k", "of the minority"); err == nil {
			t.Errorf("%s: the old leader took a put", c.name)
		}
		cancel()
		for _, p := range e.PeerLinks() {
			// What the minority was told must not happen later.
			p.Reset()
			p.Heal()
		}
		e.WaitReady(leader)
		if got, err := read(t, each[leader]); err != nil || got != value {
			t.Errorf("%s: healed, the old leader reads %q, %v", c.name, got, err)
		}
	}
}

func read(t *testing.T, cli *clientv3.Client, opts ...clientv3.OpOption) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp, err := cli.Get(ctx, "k", opts...)
	if err != nil || len(resp.Kvs) == 0 {
		return "", err
	}
	return string(resp.Kvs[0].Value), nil
}

func TestEtcdWithoutPeerLinks(t *testing.T) {
	if got := (&Etcd{}).PeerLinks(); len(got) != 0 {
		t.Errorf("%d links", len(got))
	}
}

// wire is a connection of which everything has been received.
type wire struct {
	io.Reader
	bytes.Buffer // what was answered
}

func (w *wire) Read(b []byte) (int, error) { return w.Reader.Read(b) }

func TestSOCKS(t *testing.T) {
	for _, c := range []struct {
		name, sent string
		want       error // nil: granted
	}{
		{"granted", "\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x09\x4c", nil},
		{"several ways to authenticate", "\x05\x02\x00\x02\x05\x01\x00\x01\xc0\x00\x02\x01\x09\x4c", nil},
		{"version 4", "\x04\x01\x00", errSOCKS},
		{"version 4 of the request", "\x05\x01\x00\x04\x01\x00\x01\xc0\x00\x02\x01\x09\x4c", errSOCKS},
		{"BIND", "\x05\x01\x00\x05\x02\x00\x01\xc0\x00\x02\x01\x09\x4c", errSOCKS},
		{"a name", "\x05\x01\x00\x05\x01\x00\x03\x05etcd0\x09\x4c", errSOCKS},
		{"nothing", "", io.EOF},
		{"no ways to authenticate", "\x05\x01", io.EOF},
		{"no request", "\x05\x01\x00", io.EOF},
		{"half a request", "\x05\x01\x00\x05\x01", io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{Reader: bytes.NewReader([]byte(c.sent))}
			got, err := socksAccept(w)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if want := netip.MustParseAddrPort("192.0.2.1:2380"); got != want {
				t.Errorf("to %v, want %v", got, want)
			}
			if answer := w.String(); answer != "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00" {
				t.Errorf("answered % x", answer)
			}
		})
	}
}

// TestPeerNetRefuses: who asks for anything but another member is reset.
func TestPeerNetRefuses(t *testing.T) {
	n := newPeerNet(t, []string{echoServer(t), echoServer(t)})
	ask := func(to netip.AddrPort) string {
		a := to.Addr().As4()
		return "\x05\x01\x00\x05\x01\x00\x01" + string(a[:]) + string([]byte{byte(to.Port() >> 8), byte(to.Port())})
	}
	const granted = "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	for name, request := range map[string]string{
		"itself": ask(peerAddr(0)), "nobody": ask(peerAddr(2)), "no SOCKS": "GET / HTTP/1.1\r\n\r\n",
	} {
		conn := dial(t, n.dialers[0].Addr().String())
		send(t, conn, request)
		if got, err := io.ReadAll(conn); err == nil {
			t.Errorf("%s: answered % x", name, got)
		}
	}
	conn := dial(t, n.dialers[0].Addr().String())
	send(t, conn, ask(peerAddr(1))+"x")
	receive(t, conn, granted+"x")
	if got := n.links[0][1].Links(); got != 1 {
		t.Errorf("%d links", got)
	}
	stuck := dial(t, n.dialers[1].Addr().String())
	send(t, stuck, "\x05")
	n.close() // does not wait for the rest of the request
}

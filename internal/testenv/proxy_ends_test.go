package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sink is a server that takes one connection and reads it to its end.
type sink struct {
	addr  string
	conns chan *net.TCPConn // the connection
	end   chan error        // how it ended

	mu  sync.Mutex
	got bytes.Buffer
}

func newSink(t *testing.T) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{addr: ln.Addr().String(), conns: make(chan *net.TCPConn, 1), end: make(chan error, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s.conns <- conn.(*net.TCPConn)
		_, err = io.Copy(s, conn)
		s.end <- err
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return s
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(b)
}

func (s *sink) received() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

func (s *sink) receives(t *testing.T, want string) {
	t.Helper()
	Eventually(t, 10*time.Second, "the target has received "+want, func(context.Context) error {
		if got := s.received(); got != want {
			return fmt.Errorf("received %q", got)
		}
		return nil
	})
}

// waitEnd returns how the connection ended.
func (s *sink) waitEnd(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.end:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the target does not see the end of its connection")
		return nil
	}
}

// stillOpen gives a connection's end the time to show.
func (s *sink) stillOpen(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.end:
		t.Fatalf("the target sees the end of its connection: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
}

// talksToNobody has the target send until the proxy holds what it says.
func (s *sink) talksToNobody(t *testing.T, p *Proxy) {
	t.Helper()
	conn := <-s.conns
	Eventually(t, 10*time.Second, "the target's bytes stay on their way", func(context.Context) error {
		send(t, conn, "are you there?")
		if p.Held(Down) == 0 {
			return errors.New("none is held")
		}
		return nil
	})
}

// deaths are the ways a client's connection ends.
var deaths = map[string]func(*net.TCPConn){
	"end":   func(c *net.TCPConn) { c.Close() },
	"reset": resetConn,
}

// lateBytes brings a link to where the proxy has bytes of a client that is gone,
// on a blackholed flow, and the target knows of neither.
func lateBytes(t *testing.T, die func(*net.TCPConn)) (*Proxy, *sink) {
	t.Helper()
	s := newSink(t)
	p := NewProxy(t, s.addr)
	client := dial(t, p.Addr())
	send(t, client, "early,")
	s.receives(t, "early,")
	p.Blackhole(Up)
	p.HoldEnds()
	send(t, client, "late")
	Eventually(t, 10*time.Second, "the proxy holds the bytes", held(p, Up, int64(len("late"))))
	die(client)
	s.stillOpen(t)
	return p, s
}

func TestProxyHoldsEnds(t *testing.T) {
	for name, die := range deaths {
		t.Run(name, func(t *testing.T) {
			p, s := lateBytes(t, die)
			p.Open(Up)
			s.receives(t, "early,late")
			// What the target says to the dead host is neither answered nor refused.
			s.talksToNobody(t, p)
			s.stillOpen(t)

			p.Heal()
			if err := s.waitEnd(t); name == "reset" && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection ended with %v", err)
			}
			Eventually(t, 10*time.Second, "the link is gone", links(p, 0))
		})
	}
}

// TestProxyHealDeliversBeforeTheEnd: that the other flow has nobody to go to must
// not cost the client's last bytes.
func TestProxyHealDeliversBeforeTheEnd(t *testing.T) {
	for name, die := range deaths {
		t.Run(name, func(t *testing.T) {
			p, s := lateBytes(t, die)
			s.talksToNobody(t, p)
			p.Heal()
			if err := s.waitEnd(t); s.received() != "early,late" {
				t.Errorf("received %q, then %v", s.received(), err)
			}
		})
	}
}

func TestProxyResetDropsWhatEndsHeld(t *testing.T) {
	p, s := lateBytes(t, deaths["reset"])
	p.Reset()
	if err := s.waitEnd(t); !errors.Is(err, syscall.ECONNRESET) || s.received() != "early," {
		t.Errorf("received %q, then %v", s.received(), err)
	}
	Eventually(t, 10*time.Second, "nothing is held", held(p, Up, 0))
}

// TestProxyHoldsEndsOfDelayedBytes: what is on a long line arrives when it is
// due, whatever became of its sender.
func TestProxyHoldsEndsOfDelayedBytes(t *testing.T) {
	s := newSink(t)
	p := NewProxy(t, s.addr)
	client := dial(t, p.Addr())
	p.HoldEnds()
	p.Delay(Up, 50*time.Millisecond)
	send(t, client, "late")
	Eventually(t, 10*time.Second, "the proxy holds the bytes", held(p, Up, int64(len("late"))))
	resetConn(client)
	s.receives(t, "late")
	s.stillOpen(t)
}

// TestProxyHoldsNoEndOfTheTarget: only clients die silently.
func TestProxyHoldsNoEndOfTheTarget(t *testing.T) {
	s := newSink(t)
	p := NewProxy(t, s.addr)
	client := dial(t, p.Addr())
	p.HoldEnds()
	resetConn(<-s.conns)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after the target's reset: %v", err)
	}
}

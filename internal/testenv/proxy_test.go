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

// echoServer answers every connection with what it receives, until its end.
func echoServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
				_ = conn.(*net.TCPConn).CloseWrite()
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// dialAndRead returns how a connection that is reset at once fails: while it is
// made or at its first read.
func dialAndRead(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

func send(t *testing.T, conn net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(conn, s); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("received %q, %v, want %q", got, err, want)
	}
}

func held(p *Proxy, dir Direction, want int64) func(context.Context) error {
	return func(context.Context) error {
		if got := p.Held(dir); got != want {
			return fmt.Errorf("%d bytes held, want %d", got, want)
		}
		return nil
	}
}

func links(p *Proxy, want int) func(context.Context) error {
	return func(context.Context) error {
		if got := p.Links(); got != want {
			return fmt.Errorf("%d links, want %d", got, want)
		}
		return nil
	}
}

func TestProxyForwards(t *testing.T) {
	p := NewProxy(t, echoServer(t))
	conn := dial(t, p.Addr())
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB, past every buffer on the way
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = conn.Write(big)
		_ = conn.CloseWrite()
	})
	got, err := io.ReadAll(conn)
	wg.Wait()
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("%d bytes came back, %v; want the %d sent", len(got), err, len(big))
	}
	Eventually(t, 10*time.Second, "the link ends with its connections", links(p, 0))
}

func TestProxyBlackhole(t *testing.T) {
	for _, c := range []struct {
		name string
		dir  Direction
		end  func(*Proxy)
	}{
		{"up, healed", Up, (*Proxy).Heal},
		{"down, healed", Down, (*Proxy).Heal},
		{"up, opened", Up, func(p *Proxy) { p.Open(Up) }},
		{"down, opened", Down, func(p *Proxy) { p.Open(Down) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.dir
			p := NewProxy(t, echoServer(t))
			conn := dial(t, p.Addr())
			send(t, conn, "before")
			receive(t, conn, "before")
			p.Blackhole(dir)
			send(t, conn, "swallowed")
			Eventually(t, 10*time.Second, "the proxy holds the bytes", held(p, dir, int64(len("swallowed"))))
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
				t.Fatalf("read %d bytes, %v from a blackhole", n, err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			p.Open(1 - dir)
			if got := p.Held(dir); got != int64(len("swallowed")) {
				t.Fatalf("%d bytes held after the other flow was opened", got)
			}
			c.end(p)
			receive(t, conn, "swallowed")
		})
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// TestProxyBlackholeCutsWriteShort: a write that waits for a slow receiver must
// not keep Blackhole from returning, and its rest must come after Heal.
func TestProxyBlackholeCutsWriteShort(t *testing.T) {
	p := NewProxy(t, echoServer(t))
	conn := dial(t, p.Addr())
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB: fills every buffer while nobody reads
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = conn.Write(big) })
	Eventually(t, 10*time.Second, "the flow to the client is stuck", func(context.Context) error {
		if p.Held(Down) < chunksQueued*chunkSize/2 {
			return errors.New("still flows")
		}
		return nil
	})
	p.Blackhole(Down)
	p.Heal()
	got := make([]byte, len(big))
	_, err := io.ReadFull(conn, got)
	wg.Wait()
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("the bytes came back changed or short: %v", err)
	}
}

func TestProxyReset(t *testing.T) {
	p := NewProxy(t, echoServer(t))
	conn := dial(t, p.Addr())
	p.Blackhole(Down)
	send(t, conn, "lost answer")
	Eventually(t, 10*time.Second, "the answer is on its way", held(p, Down, int64(len("lost answer"))))
	p.Reset()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after Reset: %v, want %v", err, syscall.ECONNRESET)
	}
	p.Heal()
	again := dial(t, p.Addr())
	send(t, again, "new link")
	receive(t, again, "new link")
	Eventually(t, 10*time.Second, "nothing is held for the broken link", held(p, Down, 0))
}

func TestProxyCut(t *testing.T) {
	p := NewProxy(t, echoServer(t))
	conn := dial(t, p.Addr())
	send(t, conn, "x")
	receive(t, conn, "x")
	p.Cut()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("old connection while cut: %v, want %v", err, syscall.ECONNRESET)
	}
	if err := dialAndRead(p.Addr()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("new connection while cut: %v, want %v", err, syscall.ECONNRESET)
	}
	p.Heal()
	healed := dial(t, p.Addr())
	send(t, healed, "y")
	receive(t, healed, "y")
}

func TestProxyDelay(t *testing.T) {
	p := NewProxy(t, echoServer(t))
	conn := dial(t, p.Addr())
	const d = 50 * time.Millisecond
	p.Delay(Up, d)
	p.Delay(Down, d)
	start := time.Now()
	send(t, conn, "slow")
	receive(t, conn, "slow")
	if took := time.Since(start); took < 2*d {
		t.Errorf("a round trip took %v with %v each way", took, d)
	}
}

func TestProxyToNowhere(t *testing.T) {
	p := NewProxy(t, FreeAddr(t))
	if err := dialAndRead(p.Addr()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("new connection: %v, want %v", err, syscall.ECONNRESET)
	}
	p.SetTarget(echoServer(t))
	conn := dial(t, p.Addr())
	send(t, conn, "x")
	receive(t, conn, "x")
}

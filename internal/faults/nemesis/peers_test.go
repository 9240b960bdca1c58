package nemesis

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestDrawParting: every way to part members comes up, and a seed has one.
func TestDrawParting(t *testing.T) {
	draw := func(seed uint64) (p parting, d time.Duration) {
		r := fake(func(Event) {}, quick("x", func(_ context.Context, e *Env) error {
			p, d = e.drawParting(), e.longerOrShorter()
			return nil
		}))
		if err := r.step(t.Context(), Step{Nemesis: "x", Seed: seed}); err != nil {
			t.Fatal(err)
		}
		return p, d
	}
	ways, longer, shorter := map[parting]bool{}, 0, 0
	for seed := range uint64(100) {
		p, d := draw(seed)
		if again, same := draw(seed); again != p || same != d {
			t.Errorf("seed %d drew %v for %v, then %v for %v", seed, p, d, again, same)
		}
		ways[p] = true
		switch lease := time.Second; {
		case d > lease && d <= 2*lease:
			longer++
		case d < lease/2:
			shorter++
		default:
			t.Errorf("seed %d: %v is neither clearly less than the lease nor more", seed, d)
		}
	}
	if len(ways) != 4 || longer == 0 || shorter == 0 {
		t.Errorf("ways %v, %d longer, %d shorter", ways, longer, shorter)
	}
}

func TestPartingString(t *testing.T) {
	for want, p := range map[string]parting{
		"reset all connections":                    {late: true},
		"drop all packets (arriving later: true)":  {silent: true, late: true},
		"drop all packets (arriving later: false)": {silent: true},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestParting: what is said while a link is broken arrives after it only if that
// was drawn; new connections work again in any case.
func TestParting(t *testing.T) {
	for _, c := range []struct {
		name    string
		how     parting
		arrives bool
	}{
		{"reset", parting{}, false},
		{"reset, late", parting{late: true}, false},
		{"silent", parting{silent: true}, false},
		{"silent, late", parting{silent: true, late: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testenv.NewProxy(t, echo(t))
			conn := connect(t, p)
			if got := say(conn, "before"); got != "before" {
				t.Fatalf("heard %q", got)
			}
			l := links{p}
			c.how.begin(l)
			_, _ = io.WriteString(conn, "later") // fails where the connection is reset
			if c.how.silent {
				testenv.Eventually(t, 10*time.Second, "it is on its way", func(context.Context) error {
					if l.held(testenv.Up) == 0 {
						return io.ErrShortWrite
					}
					return nil
				})
			}
			c.how.end(l)
			got := make([]byte, len("later"))
			_, err := io.ReadFull(conn, got)
			if c.arrives && (err != nil || string(got) != "later") || !c.arrives && err == nil {
				t.Errorf("heard %q, %v", got, err)
			}
			if got := say(connect(t, p), "after"); got != "after" {
				t.Errorf("a new connection heard %q", got)
			}
		})
	}
}

// say sends what must come back, and returns what did.
func say(conn net.Conn, s string) string {
	if _, err := io.WriteString(conn, s); err != nil {
		return err.Error()
	}
	b := make([]byte, len(s))
	if _, err := io.ReadFull(conn, b); err != nil {
		return err.Error()
	}
	return string(b)
}

func connect(t *testing.T, p *testenv.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// echo is a server that sends back what it receives.
func echo(t *testing.T) string {
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
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

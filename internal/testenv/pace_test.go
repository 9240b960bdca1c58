package testenv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

func TestProxyThrottle(t *testing.T) {
	for _, dir := range []Direction{Up, Down} {
		p := NewProxy(t, echoServer(t))
		const size, rate = 64 << 10, 256 << 10
		p.Throttle(dir, rate)
		sent := bytes.Repeat([]byte("0123456789abcdef"), size/32)
		start := time.Now()
		var wg sync.WaitGroup
		for range 2 { // links share the line
			wg.Go(func() {
				conn := dial(t, p.Addr())
				_, _ = conn.Write(sent)
				_ = conn.CloseWrite()
				if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d bytes came back, %v; want the %d sent", len(got), err, len(sent))
				}
			})
		}
		wg.Wait()
		if took, least := time.Since(start), time.Second*size/rate; took < least {
			t.Errorf("%d bytes passed in %v, want at least %v", size, took, least)
		}
	}
}

func TestProxyThrottleEnds(t *testing.T) {
	p := NewProxy(t, echoServer(t))
	conn := dial(t, p.Addr())
	p.Throttle(Up, 1)
	send(t, conn, "this would take most of half a minute")
	Eventually(t, 10*time.Second, "the proxy holds bytes", func(context.Context) error {
		if p.Held(Up) == 0 {
			return errors.New("none")
		}
		return nil
	})
	p.Heal()
	receive(t, conn, "this would take most of half a minute")
}

func TestPaceAdmit(t *testing.T) {
	start := time.Unix(1000, 0)
	limited := newPace()
	limited.set(1000)
	for i, c := range []struct {
		now   time.Duration
		n     int
		share int
		at    time.Duration
	}{
		{0, 5, 5, 5 * time.Millisecond},
		{0, 1000, 20, 25 * time.Millisecond},                     // in portions, behind what was admitted
		{time.Second, 10, 10, time.Second + 10*time.Millisecond}, // unused time is lost
	} {
		share, at := limited.admit(start.Add(c.now), c.n)
		if share != c.share || !at.Equal(start.Add(c.at)) {
			t.Errorf("step %d: %d bytes at %v, want %d at %v", i, share, at.Sub(start), c.share, c.at)
		}
	}
	limited.set(0)
	if share, at := limited.admit(start, 1<<20); share != 1<<20 || !at.Equal(start) {
		t.Errorf("without a limit: %d bytes at %v", share, at.Sub(start))
	}
}

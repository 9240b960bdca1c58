package metricsserver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

func TestServer(t *testing.T) {
	var unwell error
	s, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Metrics: NewRegistry(), Healthy: func() error { return unwell }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, body := get("/metrics"); code != 200 || !strings.Contains(body, "go_goroutines") {
		t.Errorf("/metrics: %d %.200s", code, body)
	}
	if code, body := get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
	unwell = errors.New("loading")
	if code, body := get("/healthz"); code != 503 || body != "loading\n" {
		t.Errorf("/healthz when unwell: %d %q", code, body)
	}
	if code, _ := get("/"); code != 404 {
		t.Errorf("/: %d", code)
	}
	if _, err := Start(t.Context(), Config{Addr: s.Addr(), Metrics: NewRegistry()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second server on the address: %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("still listening after Close")
	}
}

// Package metricsserver serves Prometheus metrics and a health check over HTTP. Health is
// for everybody; the rest takes a token, or comes from the same machine (see Config).
package metricsserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second
	maxHeader     = 16 << 10
	maxScrapes    = 4 // at once
)

// gcCPU adds how much of the processor the garbage collector takes.
var gcCPU = collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
	Matcher: regexp.MustCompile(`^/cpu/classes/(gc/)?total:cpu-seconds$`),
})

// NewRegistry returns a registry that exports the process and the Go runtime.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(gcCPU), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Server answers GET /metrics with what a registry gathers, and GET /healthz
// with 200, or with 503 and the reason. It owns one goroutine beside those of
// its connections; Close ends them.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{}
	err  error // of Serve, set before done is closed

	closeOnce sync.Once
	closeErr  error
}

// Route is something else that a Server answers, to those who get its metrics.
type Route struct {
	Pattern string // as http.ServeMux has it
	Handler http.Handler
	Health  bool // for everybody
}

// Config is what a Server serves, and to whom.
type Config struct {
	// Addr is host:port or unix:path. A socket at a path is for this user alone, and
	// replaces one that a process has left there.
	Addr    string
	Metrics prometheus.Gatherer
	Healthy func() error // asked for every health check
	Routes  []Route

	// Token is what has to be shown, as "Authorization: Bearer", for all but health.
	// Without one only this machine, by a loopback address, gets an answer, unless Open.
	Token string
	Open  bool
}

// Start serves until Close.
func Start(ctx context.Context, c Config) (*Server, error) {
	l, err := listen(ctx, c.Addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	for _, r := range c.Routes {
		h := r.Handler
		if !r.Health {
			h = c.guard(h)
		}
		mux.Handle(r.Pattern, h)
	}
	mux.Handle("GET /metrics", c.guard(promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := c.Healthy(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	s := &Server{addr: l.Addr(), done: make(chan struct{}), http: &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: maxHeader,
	}}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("metrics: %w", err)
		}
	}()
	return s, nil
}

// UnixPrefix begins an address that is the path of a socket.
const UnixPrefix = "unix:"

func listen(ctx context.Context, addr string) (net.Listener, error) {
	path, isPath := strings.CutPrefix(addr, UnixPrefix)
	if !isPath {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Addr is the address listened on.
func (s *Server) Addr() string { return s.addr.String() }

// Close stops serving at once. It is idempotent; of a nil Server it does nothing.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	s.closeOnce.Do(func() {
		err := s.http.Close()
		<-s.done
		s.closeErr = errors.Join(err, s.err)
	})
	return s.closeErr
}

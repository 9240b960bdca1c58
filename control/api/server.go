package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	maxConns      = 1024
	// closeTimeout is what requests have to end in.
	closeTimeout = 5 * time.Second
)

// Server serves an API over TLS. It owns one goroutine beside those of its
// connections; Close ends them.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{}
	err  error // of Serve, set before done is closed

	closeOnce sync.Once
	closeErr  error
}

// Serve listens on addr, host:port, until Close. tlsConfig is asked for each
// connection, so that certificates can change.
func Serve(ctx context.Context, addr string, h http.Handler, tlsConfig func() *tls.Config, logger *slog.Logger) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	s := &Server{addr: l.Addr(), done: make(chan struct{}), http: &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // failed handshakes
	}}
	outer := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := tlsConfig().Clone()
			c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
			c.NextProtos = []string{"h2", "http/1.1"}
			return c, nil
		},
	}
	s.http.TLSConfig = outer
	go func() {
		defer close(s.done)
		if err := s.http.ServeTLS(netutil.LimitListener(l, maxConns), "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("API: %w", err)
		}
	}()
	return s, nil
}

// Addr is the address listened on.
func (s *Server) Addr() string { return s.addr.String() }

// Done is closed when the server has ended, by Close or because it failed.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close lets requests end, for some seconds, and stops. It is idempotent.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		err := s.http.Shutdown(ctx)
		if err != nil {
			err = s.http.Close()
		}
		<-s.done
		s.closeErr = errors.Join(err, s.err)
	})
	return s.closeErr
}

// Package apitest serves a real API over a real etcd to tests.
package apitest

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/internal/etcdtest"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
)

// API is a running one.
type API struct {
	URL     string
	CA      []byte       // PEM
	HTTP    *http.Client // that trusts it
	Handler http.Handler // without the connection
	Etcd    *clientv3.Client
	Store   *store.Store
	Tokens  map[wire.Role]string // one of each role
	Hosts   *Hosts
	Log     *Log

	from atomic.Int64
}

// Start serves an API until the test ends.
func Start(t testing.TB) *API {
	t.Helper()
	etcd := etcdtest.Client(t)
	s, err := store.Open(t.Context(), etcd, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &API{Etcd: etcd, Store: s, Tokens: map[wire.Role]string{}, Log: &Log{}, Hosts: &Hosts{}}
	a.Hosts.Set(fleet.Host{ID: "h1", AZ: "a", Engines: []string{"1.0.0", "1.2.0"}}, fleet.Host{ID: "h2", AZ: "b", Engines: []string{"1.0.0", "1.2.0"}})
	tokens := token.Open(etcd)
	for _, role := range wire.Roles {
		made, err := tokens.Create(t.Context(), "the test", wire.NewToken{Role: role, Description: string(role)})
		if err != nil {
			t.Fatal(err)
		}
		a.Tokens[role] = string(made.Secret)
	}
	a.Handler = api.New(api.Config{
		Etcd: etcd, Store: s, Tokens: tokens, Hosts: a.Hosts, Logger: slog.New(slog.NewTextHandler(a.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	srv := httptest.NewTLSServer(a.Handler)
	t.Cleanup(srv.Close)
	a.URL = srv.URL
	a.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	a.HTTP = srv.Client()
	return a
}

// Request is one that is put to the handler, as if it had come over TLS.
type Request struct {
	Method, Path string
	Token        string
	Body         string // "": none
	From         string // address; default: one that has failed nothing
	Header       map[string]string
	Plain        bool // not over TLS
}

// Do puts a request to the handler.
func (a *API) Do(t testing.TB, r Request) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), r.Method, "https://api"+r.Path, strings.NewReader(r.Body))
	req.RemoteAddr = r.From
	if r.From == "" {
		req.RemoteAddr = fmt.Sprintf("192.0.2.%d:%d", a.from.Add(1), 1)
	}
	if r.Plain {
		req.TLS = nil
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	a.Handler.ServeHTTP(w, req)
	return w
}

// Hosts are those that a test says there are.
type Hosts struct {
	mu  sync.Mutex
	all []fleet.Host
}

// Set says which hosts there are.
func (h *Hosts) Set(all ...fleet.Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = all
}

// Hosts implements api.Hosts.
func (h *Hosts) Hosts(context.Context) ([]fleet.Host, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all), nil
}

// Drain implements api.Hosts.
func (h *Hosts) Drain(_ context.Context, host string, drain bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.all {
		if h.all[i].ID == host {
			h.all[i].Draining = drain
		}
	}
	return nil
}

// Log keeps what was logged.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Clone(l.b.String())
}

package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
)

const (
	// requestTimeout bounds the work on one request.
	requestTimeout = 15 * time.Second
	// maxRequests are worked on at once; others wait for queueTimeout.
	maxRequests  = 128
	queueTimeout = time.Second
)

// Config is what an API needs. All of it stays the caller's to close.
type Config struct {
	Etcd   *clientv3.Client
	Store  *store.Store
	Tokens *token.Store
	Hosts  Hosts
	// Reserved are names of clusters that somebody else runs on the same etcd and object
	// storage: they are refused.
	Reserved []string
	Logger   *slog.Logger // default: nothing is logged
}

// API answers requests. It is safe for concurrent use and has nothing to close.
type API struct {
	etcd     *clientv3.Client
	store    *store.Store
	tokens   *token.Store
	hosts    Hosts
	reserved []string
	log      *slog.Logger

	mux    *http.ServeMux
	table  []route
	slots  chan struct{}
	logins *logins
	well   wellness
}

// New makes an API.
func New(c Config) *API {
	a := &API{
		etcd: c.Etcd, store: c.Store, tokens: c.Tokens, hosts: c.Hosts, reserved: c.Reserved, log: c.Logger,
		mux: http.NewServeMux(), slots: make(chan struct{}, maxRequests), logins: newLogins(),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.table = a.routes()
	for _, r := range a.table {
		a.mux.Handle(r.method+" "+r.path, a.serve(r))
	}
	a.mux.Handle("/", a.serve(route{role: wire.Read, handle: a.nowhere}))
	return a
}

// nowhere answers at paths, and methods of paths, that there are none of.
func (a *API) nowhere(r *request) (reply, error) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Request.Clone(r.Context())
		probe.Method = method
		if _, pattern := a.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return reply{}, errNoRoute
	}
	r.answer.Header().Set("Allow", strings.Join(allowed, ", "))
	return reply{}, errMethod
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would redirect what is not clean, and say by that what there is.
	if r.URL.Path != cleanPath(r.URL.Path) {
		a.serve(route{role: wire.Read, handle: func(*request) (reply, error) { return reply{}, errNoRoute }}).ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

func cleanPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") {
		return ""
	}
	if slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return ""
	}
	return p
}

// acquire waits for a slot; release gives it back.
func (a *API) acquire(ctx context.Context) error {
	t := time.NewTimer(queueTimeout)
	defer t.Stop()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-t.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *API) release() { <-a.slots }

// admit lets a request in, to wait for its turn where it cannot keep others from theirs:
// before it has a slot. done gives the slot back.
func (a *API) admit(r *request, needs wire.Role) (done func(), err error) {
	end := func() {}
	if text, ok := bearer(r); ok && needs != "" {
		if end, err = a.logins.begin(r.Context(), r.RemoteAddr, text); err != nil {
			return nil, err
		}
	}
	defer end()
	if err := a.acquire(r.Context()); err != nil {
		return nil, err
	}
	if err := a.authenticate(r, needs); err != nil {
		a.release()
		return nil, err
	}
	return a.release, nil
}

// bearer is the text that a request has for a token.
func bearer(r *request) (text string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// authenticate finds the token of a request, and judges its role.
func (a *API) authenticate(r *request, needs wire.Role) error {
	if needs == "" {
		return nil
	}
	text, ok := bearer(r)
	if !ok {
		return a.logins.failed(r.RemoteAddr, "")
	}
	t, err := a.tokens.Authenticate(r.Context(), text)
	if errors.Is(err, token.ErrInvalid) {
		return a.logins.failed(r.RemoteAddr, text)
	}
	if err != nil {
		return err
	}
	a.logins.succeeded(r.RemoteAddr, text)
	r.token = t
	if slices.Index(wire.Roles, t.Role) < slices.Index(wire.Roles, needs) {
		return tooWeak(t.Role, needs)
	}
	return nil
}

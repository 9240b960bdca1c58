package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
)

// request is one request on its way.
type request struct {
	*http.Request
	answer http.ResponseWriter
	id     string
	token  *wire.Token // nil: none was needed
}

// by is who asks, in operations and events.
func (r *request) by() string { return "token " + r.token.ID }

// name is the resource that the path names. What is no name is that of nothing.
func (r *request) name() (string, error) {
	name := r.PathValue("name")
	if spec.CheckSnapshotName(name) != nil {
		return "", fmt.Errorf("%.100q: %w", name, store.ErrNotFound)
	}
	return name, nil
}

// maxKey bounds idempotency keys, which are kept with operations.
const maxKey = 64

// idempotencyKey is by which a creation is known again; "" for none.
func (r *request) idempotencyKey() (string, error) {
	key := r.Header.Get(wire.IdempotencyKey)
	if len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", malformed("%s must have at most %d letters, digits and marks", wire.IdempotencyKey, maxKey)
	}
	return key, nil
}

const (
	usualPage = 100
	maxPage   = 1000
)

// page is which part of a list is asked for. Other parameters than these and the given
// ones are refused.
func (r *request) page(others ...string) (after string, limit int, err error) {
	q := r.URL.Query()
	for name := range q {
		if name != "after" && name != "limit" && !slices.Contains(others, name) {
			return "", 0, malformed("there is no parameter %q here", name)
		}
	}
	limit = usualPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return "", 0, malformed("limit must be a whole number from 1 to %d", maxPage)
		}
	}
	return q.Get("after"), limit, nil
}

// requestHeader has the id that a request is known by.
const requestHeader = "X-Request-Id"

// serve is a route with all that goes around it.
func (a *API) serve(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(hr.Context(), requestTimeout)
		defer cancel()
		r := &request{Request: hr.WithContext(ctx), answer: w, id: uuid.NewString()}
		w.Header().Set(requestHeader, r.id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		out, err := a.work(r, route)
		status := a.send(r, out, err)
		by := "-"
		if r.token != nil {
			by = r.token.ID
		}
		a.log.Info("request", "request", r.id, "method", hr.Method, "path", token.Redact(hr.URL.Path), "status", status,
			"token", by, "from", hr.RemoteAddr, "took", time.Since(began).Round(time.Microsecond))
	})
}

// work does what a request asks for.
func (a *API) work(r *request, route route) (out reply, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	done, err := a.admit(r, route.role)
	if err != nil {
		return reply{}, err
	}
	defer done()
	return route.handle(r)
}

// send answers, and returns the status.
func (a *API) send(r *request, out reply, err error) int {
	h := r.answer.Header()
	if err != nil {
		return a.sendProblem(r, err)
	}
	if out.version != 0 {
		h.Set("ETag", strconv.Quote(strconv.FormatInt(out.version, 10)))
	}
	if out.location != "" {
		h.Set("Location", out.location)
	}
	if out.body == nil {
		r.answer.WriteHeader(out.status)
		return out.status
	}
	b, err := json.Marshal(out.body)
	if err != nil {
		return a.sendProblem(r, fmt.Errorf("answer: %w", err))
	}
	h.Set("Content-Type", "application/json")
	r.answer.WriteHeader(out.status)
	_, _ = r.answer.Write(append(b, '\n')) // who asked is gone
	return out.status
}

func (a *API) sendProblem(r *request, err error) int {
	p, retryAfter, known := problemOf(err)
	p.Instance, p.Detail = r.id, token.Redact(p.Detail)
	if !known {
		a.log.Error("request failed", "request", r.id, "method", r.Method, "path", token.Redact(r.URL.Path), "err", token.Redact(err.Error()))
	}
	h := r.answer.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="redoubt"`)
	}
	if p.Version != 0 {
		h.Set("ETag", strconv.Quote(strconv.FormatInt(p.Version, 10)))
	}
	if retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	b, err := json.Marshal(p)
	if err != nil {
		b = []byte("{}") // of texts and numbers: cannot be
	}
	r.answer.WriteHeader(p.Status)
	_, _ = r.answer.Write(append(b, '\n'))
	return p.Status
}

// Package client is the API of the control plane from Go.
//
// A request that nothing was done for is tried again, with growing pauses, for as long
// as its context lasts or some tries: when the server says that it is busy, when it
// cannot be reached. Whether one that broke off was carried out is not known; of those
// only what can be asked twice is tried again: reading, deleting, and creating, which
// has a key by which the server knows it again.
//
// Errors that the server answers with are *Error, and NotFoundError, ConflictError or
// InvalidError around it where that says more.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	maxTries   = 8
	maxAnswer  = 64 << 20
	// tryTimeout bounds one try.
	tryTimeout = 30 * time.Second
)

// Config of a Client.
type Config struct {
	URL       string      // such as https://10.0.0.1:8443
	Token     wire.Secret // rdt_...
	CA        []byte      // PEM of what the server's certificate is checked against, beside the system's
	UserAgent string
	// Transport replaces the client's own, which CA is for.
	Transport http.RoundTripper
}

// Client speaks to one control plane. It is safe for concurrent use.
type Client struct {
	Clusters        *Clusters
	Users           *Resources[wire.UserInput, wire.User]
	ACLs            *Resources[spec.ACL, spec.ACL]
	ParameterGroups *Resources[spec.ParameterGroup, spec.ParameterGroup]
	Snapshots       *Resources[spec.Snapshot, spec.Snapshot]

	base  *url.URL
	token wire.Secret
	agent string
	http  *http.Client
	pause func(ctx context.Context, d time.Duration) error
}

// New makes a client; nothing is asked yet.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return nil, fmt.Errorf("the API's URL must be such as https://10.0.0.1:8443, not %q", c.URL)
	}
	if c.Token == "" {
		return nil, errors.New("a token is needed (rdt_...)")
	}
	cl := &Client{base: u, token: c.Token, agent: c.UserAgent, pause: sleep, http: &http.Client{
		// The API redirects nobody, and the token is for it alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     c.Transport,
	}}
	if c.Transport == nil {
		if cl.http.Transport, err = transport(c.CA); err != nil {
			return nil, err
		}
	}
	cl.Clusters = &Clusters{Resources[spec.Cluster, spec.Cluster]{cl, wire.Clusters}}
	cl.Users = &Resources[wire.UserInput, wire.User]{cl, wire.Users}
	cl.ACLs = &Resources[spec.ACL, spec.ACL]{cl, wire.ACLs}
	cl.ParameterGroups = &Resources[spec.ParameterGroup, spec.ParameterGroup]{cl, wire.ParameterGroups}
	cl.Snapshots = &Resources[spec.Snapshot, spec.Snapshot]{cl, wire.Snapshots}
	return cl, nil
}

func transport(ca []byte) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) == 0 {
		return t, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA has no certificate in PEM")
	}
	t.TLSClientConfig.RootCAs = roots
	return t, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// call is one request.
type call struct {
	method  string
	path    []string
	query   url.Values
	body    any    // nil: none
	version int64  // for If-Match; 0: none
	key     string // for wire.IdempotencyKey; "": none
}

// repeatable reports whether it comes to the same when it is carried out twice.
func (k *call) repeatable() bool {
	return k.method == http.MethodGet || k.method == http.MethodDelete || k.key != ""
}

// do sends a request, again where that is right, and reads the answer into out.
func (c *Client) do(ctx context.Context, k call, out any) error {
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return fmt.Errorf("%s %s: %w", k.method, strings.Join(k.path, "/"), err)
		}
	}
	pause := firstPause
	for try := 1; ; try++ {
		err := c.once(ctx, k, body, out)
		after, again := c.mayRetry(&k, err)
		if err == nil || !again || try == maxTries || ctx.Err() != nil {
			return err
		}
		wait := max(after, pause/2+rand.N(pause/2))
		if c.pause(ctx, wait) != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// mayRetry judges an error: whether the request may be sent again, and after what time
// the server asks for that.
func (c *Client) mayRetry(k *call, err error) (after time.Duration, again bool) {
	var answered *Error
	if errors.As(err, &answered) {
		switch answered.Type {
		case wire.ProblemBusy, wire.ProblemTooMany:
			return answered.RetryAfter, true
		case wire.ProblemUnavailable:
			return answered.RetryAfter, k.repeatable()
		}
		return 0, false
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return 0, true // it never left
	}
	var broken *url.Error
	if !errors.As(err, &broken) || untrusted(err) {
		return 0, false
	}
	return 0, k.repeatable()
}

// untrusted tells errors that stay the same however often one tries.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var plain tls.RecordHeaderError
	return errors.As(err, &verify) || errors.As(err, &alert) || errors.As(err, &plain)
}

// once is one try.
func (c *Client) once(ctx context.Context, k call, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	u := c.base.JoinPath(append([]string{"v1"}, escaped(k.path)...)...)
	u.RawQuery = k.query.Encode()
	req, err := http.NewRequestWithContext(ctx, k.method, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: %w", k.method, u.Redacted(), err)
	}
	req.Header.Set("Authorization", "Bearer "+string(c.token))
	req.Header.Set("Accept", "application/json")
	if c.agent != "" {
		req.Header.Set("User-Agent", c.agent)
	}
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if k.key != "" {
		req.Header.Set(wire.IdempotencyKey, k.key)
	}
	if k.version != 0 {
		req.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(k.version, 10)))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &url.Error{Op: k.method, URL: u.Redacted(), Err: err}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return readError(k, resp, b)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what this version of the client reads: %w", k.method, u.Redacted(), err)
	}
	return nil
}

func escaped(path []string) []string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = url.PathEscape(p)
	}
	return out
}

// readError makes the error of an answer that says that something is wrong.
func readError(k call, resp *http.Response, body []byte) error {
	e := &Error{Request: k.method + " /v1/" + strings.Join(k.path, "/")}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/problem+json" || json.Unmarshal(body, &e.Problem) != nil {
		e.Problem = wire.Problem{Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode,
			Detail: fmt.Sprintf("what answered with %s is not the API of Redoubt", resp.Status)}
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	switch e.Type {
	case wire.ProblemNotFound:
		return &NotFoundError{e}
	case wire.ProblemVersion:
		return &ConflictError{Err: e, Version: e.Problem.Version}
	case wire.ProblemInvalid:
		return &InvalidError{Err: e, Fields: e.Errors}
	}
	return e
}

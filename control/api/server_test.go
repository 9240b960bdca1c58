package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// trusting is a client that trusts the certificates in a file.
func trusting(t *testing.T, file string) *http.Client {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	cert, key, err := api.SelfSigned(dir, []string{"localhost", "127.0.0.1"}, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", st.Mode(), err)
	}
	c, err := tlsfiles.Keep(tlsfiles.Server{CertFile: cert, KeyFile: key, AuthClients: "no"}, 10*time.Millisecond, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	s, err := api.Serve(t.Context(), "127.0.0.1:0", h, c.Config, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	get := func(client *http.Client) (string, error) {
		resp, err := client.Get("https://" + s.Addr())
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	first := trusting(t, cert)
	if got, err := get(first); err != nil || !strings.HasPrefix(got, "HTTP/") {
		t.Errorf("%q, %v", got, err)
	}
	if conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was spoken")
	}
	if resp, err := http.Get("http://" + s.Addr()); err == nil {
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("plain HTTP: %s", resp.Status)
		}
	}
	// A key without its certificate, then the two of another.
	other, otherKey, err := api.SelfSigned(t.TempDir(), []string{"127.0.0.1"}, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	second := trusting(t, other)
	move(otherKey, key)
	if _, err := get(first); err != nil {
		t.Errorf("while the files are being replaced: %v", err)
	}
	move(other, cert)
	testenv.Eventually(t, 20*time.Second, "the new certificate is shown", func(context.Context) error {
		_, err := get(second)
		return err
	})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := get(second); err == nil {
		t.Error("it serves after Close")
	}
}

// A self-signed certificate stays as long as it is good for what is asked of it.
func TestSelfSignedStays(t *testing.T) {
	dir := t.TempDir()
	var last string
	for _, c := range []struct {
		hosts, others []string
		damage        func(cert, key string) error
		stays         bool
	}{
		{hosts: []string{"localhost", "127.0.0.1"}, others: []string{"laptop"}},
		{hosts: []string{"localhost", "127.0.0.1"}, others: []string{"laptop"}, stays: true},
		{hosts: []string{"localhost"}, others: []string{"laptop-2"}, stays: true},
		{hosts: []string{"localhost", "*.example.com", "::1"}},
		{hosts: []string{"localhost", "*.example.com", "::1"}, stays: true},
		{hosts: []string{"localhost", "api.example.com"}},
		{hosts: []string{"api.example.com", "10.0.0.1"}},
		{hosts: []string{"api.example.com", "10.0.0.1"}, stays: true},
		{hosts: []string{"10.0.0.1"}, damage: func(_, key string) error { return os.Remove(key) }},
		{hosts: []string{"10.0.0.1"}, damage: func(_, key string) error { // as if it had been stopped in between
			_, other, err := api.SelfSigned(t.TempDir(), nil, nil, quiet())
			if err != nil {
				return err
			}
			return os.Rename(other, key)
		}},
	} {
		if c.damage != nil {
			if err := c.damage(filepath.Join(dir, "api-cert.pem"), filepath.Join(dir, "api-key.pem")); err != nil {
				t.Fatal(err)
			}
		}
		cert, key, err := api.SelfSigned(dir, c.hosts, c.others, quiet())
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range c.hosts {
			if err := pair.Leaf.VerifyHostname(strings.Replace(h, "*", "a", 1)); err != nil {
				t.Error(err)
			}
		}
		if now := pair.Leaf.SerialNumber.String(); (now == last) != c.stays {
			t.Errorf("for %v: it stays: %v", c.hosts, now == last)
		} else {
			last = now
		}
	}
}

package dev

import (
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/pki"
)

func TestIssuer(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	make := func(bind string, at time.Time) *issuer {
		t.Helper()
		i, err := newIssuer(dir, bind, at)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	serves := func(i *issuer, name string, at time.Time) {
		t.Helper()
		b, err := os.ReadFile(i.path(caName))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(b)
		if _, err := i.current.Certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	first := make("127.0.0.1", now)
	for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
		serves(first, name, now)
	}
	second := make("127.0.0.7", now.Add(time.Hour))
	serves(second, "127.0.0.7", now.Add(time.Hour))
	if !second.ca.Certificate().Equal(first.ca.Certificate()) {
		t.Error("the authority was made anew: clients would have to be told")
	}
	everywhere := make("0.0.0.0", now)
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			serves(everywhere, a.(*net.IPNet).IP.String(), now)
		}
	}
	for _, c := range []struct {
		after time.Duration
		again bool
	}{{pki.Life / 2, false}, {pki.Life / 3 * 2, true}} {
		before := second.current
		if err := second.renew(now.Add(time.Hour + c.after)); err != nil || (second.current != before) != c.again {
			t.Errorf("after %v: renewed %v, %v", c.after, second.current != before, err)
		}
	}
	serves(second, "localhost", now.Add(pki.Life+24*time.Hour))
	late := now.Add(pki.AuthorityLife / 4 * 3)
	third := make("127.0.0.1", late)
	if third.ca.Certificate().Equal(first.ca.Certificate()) {
		t.Error("an authority about to expire is kept")
	}
	serves(third, "localhost", late)
	if info, err := os.Stat(third.path(caKeyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(third.path(caName), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newIssuer(dir, "127.0.0.1", late); err == nil || !strings.Contains(err.Error(), "remove the directory") {
		t.Errorf("a damaged authority: %v", err)
	}
}

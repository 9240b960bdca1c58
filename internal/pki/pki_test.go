package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func authority(t testing.TB, name string, at time.Time) *Authority {
	t.Helper()
	a, err := NewAuthority(name, at)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t testing.TB, a *Authority, r Request, at time.Time) *Issued {
	t.Helper()
	i, err := a.Issue(r, at)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var both = Request{
	Name: "node-1", DNSNames: []string{"node-1.example", "localhost"},
	IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP("::1")}, Server: true, Client: true,
}

// verify is what a peer that trusts these authorities says of a certificate.
func verify(c *x509.Certificate, trusted []*x509.Certificate, name string, usage x509.ExtKeyUsage, at time.Time) error {
	roots := x509.NewCertPool()
	for _, t := range trusted {
		roots.AddCert(t)
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestIssueIsVerified(t *testing.T) {
	a, other := authority(t, "shop CA", now), authority(t, "shop CA", now)
	cas, others := []*x509.Certificate{a.Certificate()}, []*x509.Certificate{other.Certificate()}
	full := issue(t, a, both, now).Certificate
	server := issue(t, a, Request{Name: "s", DNSNames: []string{"s.example"}, Server: true}, now).Certificate
	client := issue(t, a, Request{Name: "c", Client: true}, now).Certificate
	const asServer, asClient = x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	for _, c := range []struct {
		name  string
		cert  *x509.Certificate
		cas   []*x509.Certificate
		host  string
		usage x509.ExtKeyUsage
		at    time.Time
		good  bool
	}{
		{"by name", full, cas, "node-1.example", asServer, now, true},
		{"by IPv4", full, cas, "127.0.0.1", asServer, now, true},
		{"by IPv6", full, cas, "::1", asServer, now, true},
		{"as client", full, cas, "", asClient, now, true},
		{"client only, as client", client, cas, "", asClient, now, true},
		{"on its last day", full, cas, "localhost", asServer, now.Add(Life - time.Hour), true},
		{"clock behind", full, cas, "localhost", asServer, now.Add(-skew / 2), true},
		{"other name", full, cas, "node-2.example", asServer, now, false},
		{"other IP", full, cas, "127.0.0.2", asServer, now, false},
		{"other authority of that name", full, others, "localhost", asServer, now, false},
		{"expired", full, cas, "localhost", asServer, now.Add(Life + time.Hour), false},
		{"not yet valid", full, cas, "localhost", asServer, now.Add(-time.Hour), false},
		{"client as server", client, cas, "", asServer, now, false},
		{"server as client", server, cas, "", asClient, now, false},
	} {
		if err := verify(c.cert, c.cas, c.host, c.usage, c.at); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A certificate cannot sign others.
	if err := mustSign(full); !errors.Is(err, ErrNotAuthority) {
		t.Errorf("a node's certificate as authority: %v", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	a := authority(t, "ca", now)
	for name, c := range map[string]struct {
		r    Request
		at   time.Time
		want error
	}{
		"no name":                 {Request{Client: true}, now, ErrRequest},
		"no use":                  {Request{Name: "n", DNSNames: []string{"n"}}, now, ErrRequest},
		"server nobody can reach": {Request{Name: "n", Server: true}, now, ErrRequest},
		"bad IP":                  {Request{Name: "n", Server: true, IPs: []net.IP{{1, 2}}}, now, ErrRequest},
		"before the authority":    {both, now.Add(-day), ErrExpired},
		"after the authority":     {both, now.Add(AuthorityLife + day), ErrExpired},
	} {
		if _, err := a.Issue(c.r, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewAuthority("", now); !errors.Is(err, ErrRequest) {
		t.Errorf("authority without a name: %v", err)
	}
	late := issue(t, a, both, now.Add(AuthorityLife-day)).Certificate
	if late.NotAfter.After(a.Certificate().NotAfter) {
		t.Errorf("valid until %v, its authority until %v", late.NotAfter, a.Certificate().NotAfter)
	}
}

func TestPEMRoundTrip(t *testing.T) {
	a := authority(t, "ca", now)
	key, err := a.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAuthority(a.CertPEM(), key)
	if err != nil || !again.cert.Equal(a.cert) || !again.key.Equal(a.key) {
		t.Fatalf("authority read back: %v", err)
	}
	i := issue(t, again, both, now)
	if err := verify(i.Certificate, []*x509.Certificate{a.cert}, "localhost", x509.ExtKeyUsageServerAuth, now); err != nil {
		t.Errorf("issued by the one read back: %v", err)
	}
	back, err := ParseIssued(i.CertPEM, i.KeyPEM)
	if err != nil || !back.Certificate.Equal(i.Certificate) {
		t.Errorf("certificate read back: %v", err)
	}

	j := issue(t, a, both, now)
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"key of another":             {second(ParseIssued(i.CertPEM, j.KeyPEM)), ErrMismatch},
		"authority, key of another":  {second(ParseAuthority(a.CertPEM(), i.KeyPEM)), ErrMismatch},
		"no authority":               {second(ParseAuthority(i.CertPEM, i.KeyPEM)), ErrNotAuthority},
		"two authorities":            {second(ParseAuthority(slices.Concat(a.CertPEM(), a.CertPEM()), key)), ErrBadPEM},
		"empty":                      {second(ParseCertificates(nil)), ErrBadPEM},
		"key among certificates":     {second(ParseCertificates(slices.Concat(i.CertPEM, i.KeyPEM))), ErrBadPEM},
		"something after the key":    {second(ParseIssued(i.CertPEM, slices.Concat(i.KeyPEM, i.CertPEM))), ErrBadPEM},
		"certificate in place of it": {second(ParseIssued(i.CertPEM, i.CertPEM)), ErrBadPEM},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRenewDue(t *testing.T) {
	a, b := authority(t, "a", now), authority(t, "b", now)
	c := issue(t, a, both, now).Certificate
	for _, x := range []struct {
		name   string
		signer *Authority
		after  time.Duration
		want   bool
	}{
		{"new", a, 0, false},
		{"before two thirds", a, 59 * day, false},
		{"at two thirds", a, 60 * day, true},
		{"expired", a, 100 * day, true},
		{"another authority signs now", b, 0, true},
	} {
		if got := RenewDue(c, x.signer.Certificate(), now.Add(x.after)); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// TestOpenSSL has another implementation judge certificates.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatalf("%v: make tools installs it", err)
	}
	at := time.Now()
	ca := authority(t, "ca", at)
	node := issue(t, ca, both, at)
	stranger := issue(t, authority(t, "ca", at), both, at)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	trusted := file("ca.pem", ca.CertPEM())
	for _, c := range []struct {
		name string
		i    *Issued
		args []string
		good bool
	}{
		{"address.pem", node, []string{"-purpose", "sslserver", "-verify_ip", "127.0.0.1"}, true},
		{"name.pem", node, []string{"-purpose", "sslserver", "-verify_hostname", "node-1.example"}, true},
		{"client.pem", node, []string{"-purpose", "sslclient"}, true},
		{"wrong.pem", node, []string{"-purpose", "sslserver", "-verify_hostname", "node-2.example"}, false},
		{"stranger.pem", stranger, []string{"-purpose", "sslserver"}, false},
	} {
		args := append([]string{"verify", "-x509_strict", "-CAfile", trusted}, c.args...)
		out, err := exec.Command(openssl, append(args, file(c.name, c.i.CertPEM))...).CombinedOutput()
		if (err == nil) != c.good {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
	}
	out, err := exec.Command(openssl, "pkey", "-in", file("key.pem", node.KeyPEM), "-noout", "-text").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "prime256v1") {
		t.Errorf("key: %v\n%s", err, out)
	}
}

func FuzzParse(f *testing.F) {
	a := authority(f, "ca", now)
	i := issue(f, a, both, now)
	key, err := a.KeyPEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.CertPEM(), key)
	f.Add(i.CertPEM, i.KeyPEM)
	f.Add(slices.Concat(a.CertPEM(), []byte("text\n"), i.CertPEM), i.KeyPEM)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		if certs, err := ParseCertificates(cert); err == nil {
			var out []byte
			for _, c := range certs {
				out = append(out, certPEM(c)...)
			}
			again, err := ParseCertificates(out)
			if err != nil || len(again) != len(certs) {
				t.Fatalf("written and read again: %v", err)
			}
		}
		if i, err := ParseIssued(cert, key); err == nil && !bytes.Equal(i.CertPEM, cert) {
			t.Fatal("another certificate than was read")
		}
		if a, err := ParseAuthority(cert, key); err == nil {
			if err := mustSign(a.Certificate()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

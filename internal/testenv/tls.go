package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/pki"
)

// TLS is an authority for a test, with files of what it issues for 127.0.0.1. It
// is safe for concurrent use.
type TLS struct {
	CAFile, CertFile, KeyFile string // the authority's, and a server's

	t   TB
	dir string

	mu sync.Mutex
	ca *pki.Authority
}

// NewTLS makes an authority and a server's certificate.
func NewTLS(t TB) *TLS {
	t.Helper()
	s := &TLS{t: t, dir: t.TempDir()}
	s.NewAuthority()
	s.CertFile, s.KeyFile = s.Issue("server")
	return s
}

// NewAuthority begins again with another authority, which CAFile then names
// alone; what was issued stays as it is.
func (s *TLS) NewAuthority() {
	s.t.Helper()
	ca, err := pki.NewAuthority("testenv CA", time.Now())
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.mu.Lock()
	s.ca = ca
	s.mu.Unlock()
	s.CAFile = s.Write("ca.crt", ca.CertPEM())
}

// Issue writes a certificate for a server at 127.0.0.1 and a client; one of the
// same name is replaced.
func (s *TLS) Issue(name string) (certFile, keyFile string) {
	s.t.Helper()
	i, _ := s.issue(name)
	return s.Write(name+".crt", i.CertPEM), s.Write(name+".key", i.KeyPEM)
}

func (s *TLS) issue(name string) (*pki.Issued, *pki.Authority) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.ca.Issue(pki.Request{Name: name, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, Server: true, Client: true}, time.Now())
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return i, s.ca
}

// Write puts a file beside the others, as a whole or not at all.
func (s *TLS) Write(name string, b []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		s.t.Fatalf("%v", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatalf("%v", err)
	}
	return path
}

// Client trusts the authority and shows a certificate of its own.
func (s *TLS) Client() *tls.Config {
	s.t.Helper()
	i, ca := s.issue("client")
	pair, err := tls.X509KeyPair(i.CertPEM, i.KeyPEM)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate())
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
}

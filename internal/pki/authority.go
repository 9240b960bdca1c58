package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	// AuthorityLife is how long an authority's certificate is valid.
	AuthorityLife = 10 * 365 * 24 * time.Hour
	// Life is how long a certificate is valid that an authority issues.
	Life = 90 * 24 * time.Hour
	// skew is how far a peer's clock may be behind the issuer's.
	skew = 10 * time.Minute
)

var (
	// ErrBadPEM: the text is not what it should be.
	ErrBadPEM = errors.New("pki: bad PEM")
	// ErrMismatch: the private key is not the certificate's.
	ErrMismatch = errors.New("pki: key and certificate do not belong together")
	// ErrNotAuthority: the certificate may not sign others.
	ErrNotAuthority = errors.New("pki: not a certificate authority")
	// ErrExpired: the authority's own certificate is not valid at that time.
	ErrExpired = errors.New("pki: authority is not valid at this time")
	// ErrRequest: a certificate was asked for that serves nobody.
	ErrRequest = errors.New("pki: bad request")
)

// Authority is a self-signed certificate with its key.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority that is valid from now on. The name is for
// people who look at certificates.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	if name == "" {
		return nil, fmt.Errorf("%w: an authority has a name", ErrRequest)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: make key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-skew), NotAfter: now.Add(AuthorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	cert, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &Authority{cert: cert, key: key}, nil
}

// ParseAuthority reads what CertPEM and KeyPEM wrote.
func ParseAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	certs, err := ParseCertificates(certPEM)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("%w: an authority is one certificate, these are %d", ErrBadPEM, len(certs))
	}
	if err := mustSign(certs[0]); err != nil {
		return nil, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(certs[0].PublicKey) {
		return nil, fmt.Errorf("%w: authority %s", ErrMismatch, certs[0].Subject)
	}
	return &Authority{cert: certs[0], key: key}, nil
}

func mustSign(c *x509.Certificate) error {
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return fmt.Errorf("%w: %s", ErrNotAuthority, c.Subject)
	}
	return nil
}

// Certificate is the authority's own. It must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// CertPEM is what peers are given to trust.
func (a *Authority) CertPEM() []byte { return certPEM(a.cert) }

// KeyPEM is the private key, for whoever keeps the authority.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key) }

// Request says whom a certificate is for.
type Request struct {
	Name           string   // common name, for people and logs
	DNSNames       []string // of a server
	IPs            []net.IP // of a server
	Server, Client bool     // what it may be used as; at least one
}

func (r Request) check() error {
	switch {
	case r.Name == "":
		return fmt.Errorf("%w: a certificate has a name", ErrRequest)
	case !r.Server && !r.Client:
		return fmt.Errorf("%w: %s is neither a server nor a client", ErrRequest, r.Name)
	case r.Server && len(r.DNSNames)+len(r.IPs) == 0:
		return fmt.Errorf("%w: server %s has neither a DNS name nor an IP address", ErrRequest, r.Name)
	}
	for _, ip := range r.IPs {
		if len(ip) != net.IPv4len && len(ip) != net.IPv6len {
			return fmt.Errorf("%w: %q is no IP address", ErrRequest, ip)
		}
	}
	return nil
}

// Issued is a certificate with its key.
type Issued struct {
	Certificate *x509.Certificate
	CertPEM     []byte
	KeyPEM      []byte
}

// Issue makes a key and a certificate for it that is valid from now on for Life,
// or for as long as the authority itself if that is shorter.
func (a *Authority) Issue(r Request, now time.Time) (*Issued, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if now.Before(a.cert.NotBefore) || now.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("%w: %s is valid from %v to %v", ErrExpired, a.cert.Subject, a.cert.NotBefore, a.cert.NotAfter)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: make key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: r.Name},
		NotBefore: later(now.Add(-skew), a.cert.NotBefore), NotAfter: earlier(now.Add(Life), a.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		DNSNames: r.DNSNames, IPAddresses: r.IPs,
	}
	if r.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	cert, err := sign(template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	k, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	return &Issued{Certificate: cert, CertPEM: certPEM(cert), KeyPEM: k}, nil
}

// ParseIssued reads a certificate with its key.
func ParseIssued(certPEM, keyPEM []byte) (*Issued, error) {
	certs, err := ParseCertificates(certPEM)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(certs[0].PublicKey) {
		return nil, fmt.Errorf("%w: %s", ErrMismatch, certs[0].Subject)
	}
	return &Issued{Certificate: certs[0], CertPEM: bytes.Clone(certPEM), KeyPEM: bytes.Clone(keyPEM)}, nil
}

func sign(template, parent *x509.Certificate, pub *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, fmt.Errorf("pki: sign certificate of %s: %w", template.Subject, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: read back certificate of %s: %w", template.Subject, err)
	}
	return cert, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

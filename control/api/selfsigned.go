package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const selfSignedFor = 10 * 365 * 24 * time.Hour

// SelfSigned makes a certificate in a directory, for laptops: whoever is to trust the API
// is given its file as the CA. One that is there stays, unless it has expired or is not
// for all of hosts. A new one is for others, too, if they can be known; that they change
// is no reason for another, which clients would have to be given anew.
func SelfSigned(dir string, hosts, others []string, log *slog.Logger) (cert, key string, err error) {
	cert, key = filepath.Join(dir, "api-cert.pem"), filepath.Join(dir, "api-key.pem")
	now := time.Now()
	flaw, err := flawOf(cert, key, hosts, now)
	if err != nil {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	if flaw == nil {
		return cert, key, nil
	}
	if !errors.Is(flaw, fs.ErrNotExist) {
		log.Warn("the self-signed certificate is replaced: clients need the new file", "file", cert, "reason", flaw)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	certPEM, keyPEM, err := selfSigned(slices.Concat(hosts, others), now)
	if err != nil {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	// The certificate last: with it, both are there.
	for _, f := range []struct {
		name string
		b    []byte
		mode os.FileMode
	}{{key, keyPEM, 0o600}, {cert, certPEM, 0o644}} {
		if err := replaceFile(f.name, f.b, f.mode); err != nil {
			return "", "", fmt.Errorf("make a certificate: %w", err)
		}
	}
	return cert, key, nil
}

// flawOf is why a certificate cannot be kept, nil if it can. err is why that is not known.
func flawOf(cert, key string, hosts []string, now time.Time) (flaw, err error) {
	c, errCert := os.ReadFile(cert)
	k, errKey := os.ReadFile(key)
	if err := errors.Join(errCert, errKey); errors.Is(err, fs.ErrNotExist) {
		return err, nil
	} else if err != nil {
		return nil, err
	}
	// They are written one after the other.
	pair, err := tls.X509KeyPair(c, k)
	if err != nil {
		return err, nil
	}
	if now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("it has expired at %v", pair.Leaf.NotAfter), nil
	}
	for _, h := range hosts {
		ip := net.ParseIP(h)
		if !slices.Contains(pair.Leaf.DNSNames, h) && (ip == nil || !slices.ContainsFunc(pair.Leaf.IPAddresses, ip.Equal)) {
			return fmt.Errorf("it is not for %s", h), nil
		}
	}
	return nil, nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, b []byte, mode os.FileMode) error {
	if err := os.WriteFile(name+".new", b, mode); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func selfSigned(hosts []string, now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Redoubt API"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedFor),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

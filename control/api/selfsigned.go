package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const selfSignedFor = 10 * 365 * 24 * time.Hour

// SelfSigned makes a certificate in a directory, unless there is one, for laptops:
// whoever is to trust the API is given its file as the CA.
func SelfSigned(dir string, hosts []string) (cert, key string, err error) {
	cert, key = filepath.Join(dir, "api-cert.pem"), filepath.Join(dir, "api-key.pem")
	if _, err := os.Stat(cert); err == nil {
		return cert, key, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	certPEM, keyPEM, err := selfSigned(hosts, time.Now())
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

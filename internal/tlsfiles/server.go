package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// ErrSettings: files or settings that nobody can be served with.
var ErrSettings = errors.New("tls")

// Server says how clients are served, in Redis's words.
type Server struct {
	CertFile    string // tls-cert-file
	KeyFile     string // tls-key-file
	CACertFile  string // tls-ca-cert-file: who signs clients' certificates
	AuthClients string // tls-auth-clients: yes (which "" means), optional or no
	Protocols   string // tls-protocols: "TLSv1.2 TLSv1.3", or one of them; "": both
	Ciphers     string // tls-ciphers: of TLS 1.2, in OpenSSL's names with colons between; "": Go's choice
}

// contents is what the files of a Server hold.
type contents struct{ cert, key, ca []byte }

// loaded is a configuration to serve with.
type loaded struct {
	config *tls.Config
	leaf   *x509.Certificate
}

func (s Server) read() (contents, error) {
	var c contents
	for _, f := range []struct {
		path, what string
		to         *[]byte
	}{{s.CertFile, "tls-cert-file", &c.cert}, {s.KeyFile, "tls-key-file", &c.key}, {s.CACertFile, "tls-ca-cert-file", &c.ca}} {
		if f.path == "" {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			return c, fmt.Errorf("%w: %s: %w", ErrSettings, f.what, err)
		}
		*f.to = b
	}
	return c, nil
}

// build makes a configuration of what the files hold.
func (s Server) build(c contents) (*loaded, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrSettings, fmt.Errorf(format, args...))
	}
	if s.CertFile == "" || s.KeyFile == "" {
		return nil, bad("no tls-cert-file and tls-key-file configured")
	}
	if block, _ := pem.Decode(c.key); block != nil && (block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "") {
		return nil, bad("%s: the key is encrypted with a passphrase, which is not supported", s.KeyFile)
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, bad("%s, %s: %w", s.CertFile, s.KeyFile, err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		// Small records only delay what a reply of some size consists of.
		DynamicRecordSizingDisabled: true,
	}
	if config.MinVersion, config.MaxVersion, err = parseProtocols(s.Protocols); err != nil {
		return nil, bad("tls-protocols: %w", err)
	}
	if config.CipherSuites, err = parseCiphers(s.Ciphers); err != nil {
		return nil, bad("tls-ciphers: %w", err)
	}
	switch strings.ToLower(s.AuthClients) {
	case "yes", "":
		config.ClientAuth = tls.RequireAndVerifyClientCert
	case "optional":
		config.ClientAuth = tls.VerifyClientCertIfGiven
	case "no":
	default:
		return nil, bad("tls-auth-clients must be yes, optional or no, not %q", s.AuthClients)
	}
	if s.CACertFile != "" {
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(c.ca) {
			return nil, bad("%s: no certificate in it", s.CACertFile)
		}
	} else if config.ClientAuth != tls.NoClientCert {
		return nil, bad("tls-ca-cert-file must be given when clients show certificates, or tls-auth-clients be no")
	}
	return &loaded{config, pair.Leaf}, nil
}

// validity says what is wrong with a certificate's dates; "" when nothing is.
func validity(c *x509.Certificate, now time.Time) string {
	switch {
	case now.After(c.NotAfter):
		return "the certificate has expired"
	case now.Before(c.NotBefore):
		return "the certificate is not valid yet"
	}
	return ""
}

func parseProtocols(s string) (lo, hi uint16, err error) {
	versions := map[string]uint16{"tlsv1.2": tls.VersionTLS12, "tlsv1.3": tls.VersionTLS13}
	for _, word := range strings.Fields(s) {
		v, ok := versions[strings.ToLower(word)]
		if !ok {
			return 0, 0, fmt.Errorf("%q is none of TLSv1.2 and TLSv1.3", word)
		}
		if lo == 0 || v < lo {
			lo = v
		}
		hi = max(hi, v)
	}
	if lo == 0 {
		return tls.VersionTLS12, tls.VersionTLS13, nil
	}
	return lo, hi, nil
}

// ciphers are the suites of TLS 1.2 that are worth choosing, by OpenSSL's names.
// Those of TLS 1.3 cannot be chosen in Go.
var ciphers = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func parseCiphers(s string) ([]uint16, error) {
	var suites []uint16
	for _, name := range strings.FieldsFunc(s, func(r rune) bool { return r == ':' }) {
		id, ok := ciphers[strings.ToUpper(name)]
		if !ok {
			return nil, fmt.Errorf("%q is no cipher suite with forward secrecy and authenticated encryption, such as ECDHE-ECDSA-AES128-GCM-SHA256", name)
		}
		suites = append(suites, id)
	}
	return suites, nil
}

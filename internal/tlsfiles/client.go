package tlsfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Client says how servers are talked to. All files may be absent: servers are
// then checked against the system's authorities and shown no certificate.
type Client struct {
	CAFile   string // who signs servers' certificates
	CertFile string // what is shown to servers
	KeyFile  string
	// CAFlag and CertFlag are how whoever reads an error sets these files.
	CAFlag, CertFlag string
}

// Config reads the files for a new connection.
func (c Client) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		b, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrSettings, c.CAFlag, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%w: %s: no certificate in %s", ErrSettings, c.CAFlag, c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrSettings, c.CertFlag, err)
		}
		// Also when the server names authorities that did not sign it: its own
		// refusal says more than "certificate required".
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config, nil
}

// dialTimeout bounds a connection and its handshake.
const dialTimeout = 5 * time.Second

// Dial connects over TLS, for an HTTP transport.
func (c Client) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	config, err := c.Config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"h2", "http/1.1"}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := (&tls.Dialer{NetDialer: &net.Dialer{KeepAlive: 30 * time.Second}, Config: config}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, c.Explain(err)
	}
	return nc, nil
}

// Explain adds to the error of a handshake what to do about it. Others come back
// as they are.
func (c Client) Explain(err error) error {
	if hint := c.hint(err); hint != "" {
		return fmt.Errorf("%w: %s", err, hint)
	}
	return err
}

// Refused tells whether an error is one that trying again does not change.
func (c Client) Refused(err error) bool { return c.hint(err) != "" || errors.Is(err, ErrSettings) }

func (c Client) hint(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &unknown) && c.CAFile == "":
		return "give the authority's certificate with " + c.CAFlag
	case errors.As(err, &unknown):
		return fmt.Sprintf("%s names %s, which has not signed the server's certificate", c.CAFlag, c.CAFile)
	case errors.As(err, &host):
		return "the server must be named as its certificate names it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate must be renewed, or this machine's clock be set"
	case errors.As(err, &record):
		return "the server speaks no TLS there; its URL begins with http:// then"
	}
	// What the other side says has no type of its own in crypto/tls.
	text := err.Error()
	if !strings.Contains(text, "remote error: tls: ") {
		return ""
	}
	for _, s := range []string{"certificate required", "bad certificate", "unknown certificate", "expired certificate", "handshake failure"} {
		if !strings.Contains(text, s) {
			continue
		}
		if c.CertFile == "" {
			return "the server wants a certificate, give it with " + c.CertFlag
		}
		return fmt.Sprintf("the server refuses the certificate that %s names, %s", c.CertFlag, c.CertFile)
	}
	return ""
}

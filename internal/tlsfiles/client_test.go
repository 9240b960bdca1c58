package tlsfiles

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// TestExplain: whoever reads the error of a handshake learns which flag it is about.
func TestExplain(t *testing.T) {
	f, a, other := newFiles(t), authority(t, "ca"), authority(t, "other")
	cert, key := f.issue(a, "s")
	wrong, wrongKey := f.issue(other, "w")
	ca, otherCA := f.write("ca.crt", a.CertPEM()), f.write("other.crt", other.CertPEM())
	flags := Client{CAFlag: "--x-ca", CertFlag: "--x-cert"}
	for _, c := range []struct {
		name   string
		auth   string
		change func(*Client)
		host   string
		want   string
	}{
		{"nothing given", "no", func(*Client) {}, "127.0.0.1", "give the authority's certificate with --x-ca"},
		{"another authority", "no", func(c *Client) { c.CAFile = otherCA }, "127.0.0.1", "--x-ca names " + otherCA},
		{"another name", "no", func(c *Client) { c.CAFile = ca }, "127.0.0.9", "named as its certificate"},
		{"no certificate", "yes", func(c *Client) { c.CAFile = ca }, "127.0.0.1", "give it with --x-cert"},
		{"a stranger's certificate", "yes", func(c *Client) { c.CAFile, c.CertFile, c.KeyFile = ca, wrong, wrongKey }, "127.0.0.1", "refuses the certificate that --x-cert names"},
	} {
		client := flags
		c.change(&client)
		k := keep(t, Server{CertFile: cert, KeyFile: key, CACertFile: ca, AuthClients: c.auth}, time.Hour, slog.New(slog.DiscardHandler))
		config, err := client.Config()
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "127.0.0.1" {
			config.VerifyConnection = func(s tls.ConnectionState) error { return s.PeerCertificates[0].VerifyHostname(c.host) }
		}
		_, _, _, got := talk(t, k.Config(), config)
		if !client.Refused(got) || !strings.Contains(client.Explain(got).Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, client.Explain(got), c.want)
		}
	}
	for _, err := range []error{nil, io.EOF, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}} {
		if flags.Refused(err) || flags.Explain(err) != err {
			t.Errorf("%v: %v", err, flags.Explain(err))
		}
	}
	for name, c := range map[string]Client{
		"--x-ca":   {CAFile: f.path("none"), CAFlag: "--x-ca"},
		"--x-cert": {CertFile: cert, KeyFile: wrongKey, CertFlag: "--x-cert"},
	} {
		if _, err := c.Config(); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCredentialsReadAnew: a gRPC client whose files are replaced goes on with the
// next connection, and a server at another address than its certificate's, or of
// another authority, is refused.
func TestCredentialsReadAnew(t *testing.T) {
	f, a, next := newFiles(t), authority(t, "ca"), authority(t, "next")
	cert, key := f.issue(a, "s")
	own, ownKey := f.issue(a, "c")
	ca := f.write("ca.crt", a.CertPEM())
	k := keep(t, Server{CertFile: cert, KeyFile: key, CACertFile: ca, AuthClients: "yes"}, time.Hour, slog.New(slog.DiscardHandler))
	addr := serveHealth(t, k)
	client := Client{CAFile: ca, CertFile: own, KeyFile: ownKey, CAFlag: "--x-ca", CertFlag: "--x-cert"}
	// One connection for each call, as after an outage.
	creds := client.Credentials()
	call := func(addr string) error {
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return err
	}
	if err := call(addr); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	if err := call("localhost:" + port); err == nil || !strings.Contains(err.Error(), "named as its certificate") {
		t.Errorf("a certificate for 127.0.0.1 as localhost: %v", err)
	}

	// The server's authority is followed by another, the client's certificate too.
	f.issue(next, "s")
	f.write("ca.crt", next.CertPEM())
	if err := k.Change(k.Settings()); err != nil {
		t.Fatal(err)
	}
	if err := call(addr); err == nil {
		t.Error("the old certificate is taken")
	}
	if err := client.Probe(t.Context(), addr); err == nil || !strings.Contains(err.Error(), "--x-cert") {
		t.Errorf("probe with the old certificate: %v", err)
	}
	f.issue(next, "c")
	if err := call(addr); err != nil {
		t.Errorf("with the new files: %v", err)
	}
	if err := client.Probe(t.Context(), addr); err != nil {
		t.Errorf("probe with the new files: %v", err)
	}
	f.write("ca.crt", a.CertPEM())
	if err := call(addr); err == nil || !strings.Contains(err.Error(), "--x-ca") {
		t.Errorf("a server of another authority: %v", err)
	}
}

// serveHealth serves gRPC's health service at 127.0.0.1, with k's configuration
// of the moment.
func serveHealth(t *testing.T, k *Keeper) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		NextProtos: []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := k.Config().Clone()
			c.NextProtos = []string{"h2"}
			return c, nil
		},
	})))
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return ln.Addr().String()
}

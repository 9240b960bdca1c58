package tlsfiles

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/credentials"
)

// Credentials makes gRPC connections as Client says, reading the files anew for
// each: a client that lives for months goes on when they were renewed.
func (c Client) Credentials() credentials.TransportCredentials { return &reading{client: c} }

type reading struct {
	client Client
	name   string // of the server, if it is not the one dialed
}

func (r *reading) ClientHandshake(ctx context.Context, authority string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := r.client.Config()
	if err != nil {
		return nil, nil, err
	}
	config.ServerName = r.name
	conn, info, err := credentials.NewTLS(config).ClientHandshake(ctx, authority, nc)
	return conn, info, r.client.Explain(err)
}

func (r *reading) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(nil).ServerHandshake(nc) // which refuses: it has no certificate
}

func (r *reading) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (r *reading) Clone() credentials.TransportCredentials { c := *r; return &c }

func (r *reading) OverrideServerName(name string) error { r.name = name; return nil }

// probeWait is how long Probe waits for a server's first word.
const probeWait = time.Second

// Probe connects to a gRPC server and returns why it cannot be talked to, with
// what to do about it. gRPC itself tries again for ever, and may not hear why a
// certificate is refused: in TLS 1.3 that comes when the client is done.
func (c Client) Probe(ctx context.Context, addr string) error {
	config, err := c.Config()
	if err != nil {
		return err
	}
	config.NextProtos = []string{"h2"}
	nc, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return c.Explain(err)
	}
	defer nc.Close()
	if err := nc.SetReadDeadline(time.Now().Add(probeWait)); err != nil {
		return err
	}
	if _, err = nc.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return c.Explain(err)
}

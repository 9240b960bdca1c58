package tlsfiles

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/pki"
)

// files is a directory with certificates in it.
type files struct {
	t   *testing.T
	dir string
}

func newFiles(t *testing.T) files { return files{t, t.TempDir()} }

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) write(name string, b []byte) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

func authority(t *testing.T, name string) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue writes <name>.crt and <name>.key for a server at 127.0.0.1 and a client.
func (f files) issue(a *pki.Authority, name string) (cert, key string) {
	return f.issueAt(a, name, time.Now())
}

func (f files) issueAt(a *pki.Authority, name string, at time.Time) (cert, key string) {
	f.t.Helper()
	i, err := a.Issue(pki.Request{Name: name, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true, Client: true}, at)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.write(name+".crt", i.CertPEM), f.write(name+".key", i.KeyPEM)
}

// talk is one exchange between a server and a client; it returns who the server
// said it was and what either side says of the other.
func talk(t *testing.T, server, client *tls.Config) (name string, state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer nc.Close()
		c := tls.Server(nc, server)
		if err = c.Handshake(); err == nil {
			_, err = c.Write([]byte("k"))
		}
		done <- err
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	client = client.Clone()
	client.ServerName = "127.0.0.1"
	c := tls.Client(nc, client)
	if clientErr = c.Handshake(); clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1))
		state = c.ConnectionState()
		name = state.PeerCertificates[0].Subject.CommonName
	} else {
		nc.Close()
	}
	return name, state, <-done, clientErr
}

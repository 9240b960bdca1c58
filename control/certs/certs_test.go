package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/certs"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shake serves with what was issued, and connects as a client that trusts ca and
// expects name.
func shake(t *testing.T, served *fleet.TLS, ca, name string) error {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(served.Certificate), []byte(served.Key))
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatal("no CA")
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	must(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{RootCAs: roots, ServerName: name}}
	c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err == nil {
		_ = c.Close()
	}
	return err
}

func TestIssue(t *testing.T) {
	cli := testenv.StartEtcd(t, 1, testenv.EtcdOptions{}).Client(t)
	put, err := cli.Put(t.Context(), "/leader", "")
	must(t, err)
	i := &certs.Issuer{Etcd: cli, Fence: reconcile.Fence{Key: "/leader", CreateRevision: put.Header.Revision}}
	first, err := i.Issue(t.Context(), "shop", "shop-0001-001", "127.0.0.1")
	must(t, err)
	second, err := i.Issue(t.Context(), "shop", "shop-0001-002", "db.example.com")
	must(t, err)
	other, err := i.Issue(t.Context(), "other", "other-0001-001", "127.0.0.1")
	must(t, err)
	ca := first.CA
	if ca == "" || ca != second.CA || ca == other.CA || first.Key == second.Key {
		t.Error("not one CA for a cluster, and a key for each node")
	}
	for _, c := range []struct {
		tls  *fleet.TLS
		name string
		good bool
	}{
		{first, "127.0.0.1", true}, {first, "shop-0001-001", true}, {first, "shop", true}, {first, "127.0.0.2", false},
		{second, "db.example.com", true}, {second, "127.0.0.1", false}, {other, "127.0.0.1", false},
	} {
		if err := shake(t, c.tls, ca, c.name); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A leaf is no authority.
	if err := shake(t, second, first.Certificate, "db.example.com"); err == nil {
		t.Error("trusted by another leaf")
	}
	i.Now = func() time.Time { return time.Now().Add(-100 * 24 * time.Hour) }
	old, err := i.Issue(t.Context(), "old", "old-0001-001", "127.0.0.1")
	must(t, err)
	if err := shake(t, old, old.CA, "127.0.0.1"); err == nil {
		t.Error("an old certificate is taken")
	}

	_, err = cli.Delete(context.Background(), "/leader")
	must(t, err)
	if _, err := i.Issue(t.Context(), "new", "n", "127.0.0.1"); !errors.Is(err, reconcile.ErrDeposed) {
		t.Errorf("deposed, it makes a CA: %v", err)
	}
}

package main

import (
	"context"
	"crypto/x509"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

// The files that --etcd-ca, --etcd-cert and --etcd-key name are what a server
// that asks for a client certificate is talked to with, and what is wrong with
// them is said at once, by flag.
func TestConnectionTLS(t *testing.T) {
	info, err := transport.SelfCert(zap.NewNop(), t.TempDir(), []string{"127.0.0.1:0"}, 1, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	config, err := (&transport.TLSInfo{CertFile: info.CertFile, KeyFile: info.KeyFile, TrustedCAFile: info.CertFile, ClientCertAuth: true}).ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Stop(); <-done })
	there := "https://" + ln.Addr().String()
	nobody := "https://127.0.0.1:1"
	lost := filepath.Join(t.TempDir(), "lost.pem")
	for _, c := range []struct {
		name string
		conn connection
		etcd []string
		want string // "" for none
	}{
		{"CA and certificate", connection{etcdCA: info.CertFile, etcdCert: info.CertFile, etcdKey: info.KeyFile}, []string{there}, ""},
		{"one member of two is there", connection{etcdCA: info.CertFile, etcdCert: info.CertFile, etcdKey: info.KeyFile}, []string{nobody, there}, ""},
		{"no member is there", connection{etcdCA: info.CertFile}, []string{nobody}, ""}, // it may come
		{"no certificate", connection{etcdCA: info.CertFile}, []string{there}, "--etcd-cert"},
		{"no CA", connection{etcdCert: info.CertFile, etcdKey: info.KeyFile}, []string{nobody, there}, "--etcd-ca"},
		{"a CA that is not there", connection{etcdCA: lost}, []string{nobody}, lost},
		{"plain", connection{}, []string{"http://127.0.0.1:1"}, ""},
	} {
		c.conn.etcd = c.etcd
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cli, err := c.conn.dialEtcd(ctx)
		cancel()
		if err == nil {
			err = closeEtcd(cli)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	plain := connection{etcd: []string{"http://" + ln.Addr().String()}}
	if hint := plain.plainHint(t.Context()); !strings.Contains(hint, "https://") {
		t.Errorf("without TLS to a server that speaks it: %q", hint)
	}
	away := connection{etcd: []string{"http://127.0.0.1:1"}}
	if hint := away.plainHint(t.Context()); hint != "" {
		t.Errorf("nobody is there: %q", hint)
	}
}

func TestConnectionCheck(t *testing.T) {
	cmd := &cobra.Command{Use: "x"}
	for _, c := range []struct {
		conn connection
		want string
	}{
		{connection{etcd: []string{"http://h:2379", "http://i:2379"}}, ""},
		{connection{etcd: []string{"https://h:2379"}, etcdCert: "c", etcdKey: "k"}, ""},
		{connection{etcd: []string{"https://h:2379", "http://i:2379"}}, "all with https"},
		{connection{etcd: []string{"http://h:2379", "https://i:2379"}}, "all with https"},
		{connection{etcd: []string{"http://h:2379"}, etcdCA: "ca"}, "must begin with https"},
		{connection{etcd: []string{"https://h"}}, "names no port"},
		{connection{etcd: []string{"https://h:2379"}, etcdCert: "c"}, "go together"},
	} {
		err := c.conn.check(cmd)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.conn, err, c.want)
		}
	}
}

func TestTLSOptions(t *testing.T) {
	files := tlsfiles.Server{CertFile: "c", KeyFile: "k"}
	for _, c := range []struct {
		o           tlsOptions
		listen      string
		plain, over string
		want        string
	}{
		{tlsOptions{}, "h:6379", "h:6379", "", ""},
		{tlsOptions{}, "h:0", "h:0", "", ""}, // any port
		{tlsOptions{port: 6380, files: files}, "h:6379", "h:6379", "h:6380", ""},
		{tlsOptions{port: 6379, files: files}, "h:0", "", "h:6379", ""},
		{tlsOptions{port: 6379, files: files}, "[::1]:0", "", "[::1]:6379", ""},
		{tlsOptions{port: 6379, files: files}, "h:6379", "", "", "--listen h:0"},
		{tlsOptions{files: files}, "h:6379", "", "", "without --tls-port"},
		{tlsOptions{port: 65536, files: files}, "h:6379", "", "", "65535"},
		{tlsOptions{port: 6380, files: files}, "nonsense", "", "", "host:port"},
	} {
		plain, config, err := c.o.config(c.listen)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v at %s: %v, want %q", c.o, c.listen, err, c.want)
			}
			continue
		}
		if err != nil || plain != c.plain || config.Listen != c.over || config.Listen != "" && config.Files != files {
			t.Errorf("%+v at %s: %q, %+v, %v", c.o, c.listen, plain, config, err)
		}
	}
}

func TestDescribeAddress(t *testing.T) {
	for _, c := range [][3]string{
		{"h:1", "", "h:1"}, {"h:1", "h:1", "h:1 (TLS)"}, {"h:1", "h:2", "h:1, h:2 (TLS)"},
	} {
		if got := describeAddress(c[0], c[1]); got != c[2] {
			t.Errorf("%v: %q", c, got)
		}
	}
}

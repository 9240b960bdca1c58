package main

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"
)

// The files that --etcd-ca, --etcd-cert and --etcd-key name are what a server
// that asks for a client certificate is talked to with.
func TestConnectionTLS(t *testing.T) {
	info, err := transport.SelfCert(zap.NewNop(), t.TempDir(), []string{"127.0.0.1:0"}, 1, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	server, err := (&transport.TLSInfo{CertFile: info.CertFile, KeyFile: info.KeyFile, TrustedCAFile: info.CertFile, ClientCertAuth: true}).ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("k")) // once the handshake is done
			c.Close()
		}
	}()
	talk := func(c connection) error {
		t.Helper()
		c.etcd = []string{"https://" + l.Addr().String()}
		config, err := c.tls()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", l.Addr().String(), config)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		return err
	}
	if err := talk(connection{etcdCA: info.CertFile, etcdCert: info.CertFile, etcdKey: info.KeyFile}); err != nil {
		t.Errorf("with CA and certificate: %v", err)
	}
	if err := talk(connection{etcdCA: info.CertFile}); err == nil {
		t.Error("without a certificate the server answers")
	}
	if err := talk(connection{etcdCert: info.CertFile, etcdKey: info.KeyFile}); err == nil {
		t.Error("a server whose CA nobody trusts is trusted")
	}

	plain := connection{etcd: []string{"http://127.0.0.1:1"}}
	if config, err := plain.tls(); config != nil || err != nil {
		t.Errorf("http: %v, %v", config, err)
	}
	lost := connection{etcd: []string{"https://127.0.0.1:1"}, etcdCA: filepath.Join(t.TempDir(), "ca.pem")}
	if _, err := lost.tls(); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("a file that is not there: %v", err)
	}
}

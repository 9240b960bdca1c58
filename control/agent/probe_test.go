package agent

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

func TestJudge(t *testing.T) {
	for answer, want := range map[string]string{
		"+PONG": "", "-NOAUTH Authentication required.": "", "-ERR max number of clients reached": "",
		"-LOADING Redis is loading the dataset in memory": "it loads its data", "": "it answers PING", "HTTP/1.1 400 Bad Request": "it answers PING",
	} {
		err := judge(answer)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// answer answers each connection's first line, PING, with a line.
func answer(t *testing.T, l net.Listener, line string) fleet.Assignment {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if asked, err := bufio.NewReader(c).ReadString('\n'); err == nil && asked == "PING\r\n" {
				c.Write([]byte(line + "\r\n")) // what did not arrive fails the probe
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return fleet.Assignment{Port: l.Addr().(*net.TCPAddr).Port}
}

func TestPing(t *testing.T) {
	p := ping{site{Address: "127.0.0.1", Bind: "127.0.0.1"}}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	a := answer(t, plain, "+PONG")
	must(t, p.Probe(t.Context(), a))

	cert, key := selfSigned(t)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	must(t, err)
	secure, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	must(t, err)
	b := answer(t, secure, "-NOAUTH Authentication required.")
	b.TLS = &fleet.TLS{Certificate: cert, Key: key, CA: cert}
	must(t, p.Probe(t.Context(), b))
	other, _ := selfSigned(t)
	b.TLS = &fleet.TLS{CA: other}
	if err := p.Probe(t.Context(), b); err == nil {
		t.Error("a certificate of another CA is fine")
	}
	a.TLS = b.TLS
	if err := p.Probe(t.Context(), a); err == nil {
		t.Error("a plain port is fine where TLS is to be")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Probe(ctx, a); err == nil {
		t.Error("no error after the end")
	}
}

func selfSigned(t *testing.T) (certPEM, keyPEM string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

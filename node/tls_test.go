package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/pki"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

// certs is a directory with an authority's certificate and what it issues.
type certs struct {
	t   *testing.T
	dir string
	ca  *pki.Authority
}

func newCerts(t *testing.T) certs {
	t.Helper()
	ca, err := pki.NewAuthority("test CA", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := certs{t, t.TempDir(), ca}
	c.write("ca.crt", ca.CertPEM())
	return c
}

func (c certs) write(name string, b []byte) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c certs) path(name string) string { return filepath.Join(c.dir, name) }

// issue writes <name>.crt and <name>.key.
func (c certs) issue(name string) (cert, key string) {
	c.t.Helper()
	i, err := c.ca.Issue(pki.Request{Name: name, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true, Client: true}, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	return c.write(name+".crt", i.CertPEM), c.write(name+".key", i.KeyPEM)
}

// config is a TLSConfig for a certificate that is issued for it.
func (c certs) config(auth string) TLSConfig {
	cert, key := c.issue("server")
	return TLSConfig{Listen: "127.0.0.1:0", LookEvery: 5 * time.Millisecond, Files: tlsfiles.Server{
		CertFile: cert, KeyFile: key, CACertFile: c.path("ca.crt"), AuthClients: auth,
	}}
}

// client trusts the authority.
func (c certs) client() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(c.ca.Certificate())
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

func (c certs) dial(addr string) *tls.Conn {
	c.t.Helper()
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", addr, c.client())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	return nc
}

func (c certs) redis(addr string) *redis.Client {
	db := redis.NewClient(&redis.Options{Addr: addr, TLSConfig: c.client(), MaxRetries: -1, DisableIdentity: true})
	c.t.Cleanup(func() { db.Close() })
	return db
}

func plainRedis(t *testing.T, addr string) *redis.Client {
	db := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() { db.Close() })
	return db
}

// say sends a request and reads a reply of one line.
func say(t *testing.T, nc net.Conn, request string) string {
	t.Helper()
	if _, err := io.WriteString(nc, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(nc).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	return strings.TrimRight(line, "\r\n")
}

// TestTLSBesidePlain: one node, two ports, the same data, and each client is told
// of the port it came by.
func TestTLSBesidePlain(t *testing.T) {
	c := newCerts(t)
	n := startNode(t, func(cfg *Config) { cfg.TLS = c.config("no") })
	ctx := t.Context()
	plain, over := plainRedis(t, n.Addr()), c.redis(n.TLSAddr())
	big := strings.Repeat("x", 3<<20)
	for range 2 {
		if err := over.Set(ctx, "k", big, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := plain.Get(ctx, "k").Result(); err != nil || got != big {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if got, err := over.Get(ctx, "k").Result(); err != nil || got != big {
			t.Fatalf("over TLS %d bytes, %v", len(got), err)
		}
	}
	pipe := over.Pipeline()
	for i := range 1000 {
		pipe.Set(ctx, fmt.Sprint("p", i), i, 0)
		pipe.Get(ctx, fmt.Sprint("p", i))
	}
	replies, err := pipe.Exec(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if got := replies[2*i+1].(*redis.StringCmd).Val(); got != fmt.Sprint(i) {
			t.Fatalf("reply %d is %q", i, got)
		}
	}
	// A client that waits for a key is woken by a read deadline under TLS.
	for range 20 {
		got := make(chan string, 1)
		go func() {
			v, err := over.BLPop(ctx, 20*time.Second, "list").Result()
			got <- fmt.Sprint(v, err)
		}()
		testenv.Eventually(t, 20*time.Second, "a client waits", func(ctx context.Context) error {
			if info := plain.Info(ctx, "clients").Val(); !strings.Contains(info, "blocked_clients:1") {
				return errors.New(info)
			}
			return nil
		})
		plain.RPush(ctx, "list", "v")
		if v := <-got; v != "[list v] <nil>" {
			t.Fatalf("BLPOP: %s", v)
		}
	}

	_, tlsPort := splitAddress(n.TLSAddr())
	info := over.Info(ctx, "server").Val()
	host, port := splitAddress(n.Addr())
	for _, want := range []string{"tcp_port:" + port, "listener0:name=tcp,bind=" + host + ",port=" + port, "listener1:name=tls,bind=" + host + ",port=" + tlsPort} {
		if !strings.Contains(info, want+"\r\n") {
			t.Errorf("no %s in INFO:\n%s", want, info)
		}
	}
	if line := over.Do(ctx, "CLIENT", "INFO").String(); !strings.Contains(line, " laddr="+n.TLSAddr()+" ") {
		t.Errorf("CLIENT INFO over TLS: %s", line)
	}
	if got := over.ConfigGet(ctx, "tls-*").Val(); got["tls-port"] != tlsPort || got["tls-auth-clients"] != "no" {
		t.Errorf("CONFIG GET: %v", got)
	}
	if d := n.describe(); d.Address != n.Addr() || d.TLSAddress != n.TLSAddr() {
		t.Errorf("others are told %+v", d)
	}
}

// TestTLSAlone: without a plain port nothing is served without TLS, and what others
// are told says so.
func TestTLSAlone(t *testing.T) {
	c := newCerts(t)
	var cfg Config
	n := startNode(t, func(c2 *Config) { c2.Listen, c2.TLS = "", c.config("no"); cfg = *c2 })
	cfg.NodeID = "n2"
	replica := runNode(t, cfg)
	waitRole(t, replica, RoleReplica)
	ctx := t.Context()
	if n.Addr() != "" {
		t.Errorf("it listens at %s", n.Addr())
	}
	db := c.redis(n.TLSAddr())
	_, port := splitAddress(n.TLSAddr())
	if info := db.Info(ctx, "server").Val(); !strings.Contains(info, "tcp_port:"+port+"\r\n") || !strings.Contains(info, "listener0:name=tls,") {
		t.Error(info)
	}
	if got := db.ConfigGet(ctx, "port").Val()["port"]; got != "0" {
		t.Errorf("CONFIG GET port: %s", got)
	}
	st, err := n.shard.State(ctx)
	if err != nil || st.Leader == nil || st.Leader.Address != n.TLSAddr() || st.Leader.TLSAddress != n.TLSAddr() {
		t.Errorf("leader: %+v, %v", st.Leader, err)
	}
	role, err := c.redis(replica.TLSAddr()).Do(ctx, "ROLE").Slice()
	if err != nil || fmt.Sprint(role[2]) != port {
		t.Errorf("ROLE of the replica: %v, %v; want port %s", role, err, port)
	}

	// Who speaks no TLS is not served, nor answered in clear.
	nc, err := net.Dial("tcp", n.TLSAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(nc, "SET k v\r\n")
	if b, _ := io.ReadAll(nc); len(b) > 0 && b[0] != 21 { // an alert of TLS
		t.Errorf("a plain client is answered %q", b)
	}
	if err := db.Get(ctx, "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a plain client has written: %v", err)
	}
	if got := n.engine.stats.tlsFailures.Load(); got != 1 {
		t.Errorf("%d handshakes failed", got)
	}
}

func TestAnnounced(t *testing.T) {
	for _, c := range []struct {
		announce, announceTLS, plain, tls string
		want                              addresses
	}{
		{"", "", "h:1", "", addresses{"h:1", ""}},
		{"a:9", "", "h:1", "", addresses{"a:9", ""}},
		{"", "", "h:1", "h:2", addresses{"h:1", "h:2"}},
		{"a:9", "", "h:1", "h:2", addresses{"a:9", "a:2"}},
		{"a:9", "b:8", "h:1", "h:2", addresses{"a:9", "b:8"}},
		{"", "b:8", "h:1", "h:2", addresses{"h:1", "b:8"}},
		{"", "", "", "h:2", addresses{"h:2", "h:2"}},
		{"a:9", "", "", "h:2", addresses{"a:9", "a:9"}},
		{"a:9", "b:8", "", "h:2", addresses{"b:8", "b:8"}},
		{"[::1]:9", "", "h:1", "h:2", addresses{"[::1]:9", "[::1]:2"}},
	} {
		cfg := Config{Announce: c.announce, TLS: TLSConfig{Announce: c.announceTLS}}
		if got := cfg.announced(c.plain, c.tls); got != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// TestTLSHandshakesWait: clients that begin a handshake and do not go on hold up
// nobody, and count as clients.
func TestTLSHandshakesWait(t *testing.T) {
	c := newCerts(t)
	const clients = 40
	n := startNode(t, func(cfg *Config) {
		cfg.MaxClients = clients
		cfg.TLS = c.config("no")
		cfg.TLS.Handshake = time.Hour
	})
	ctx := t.Context()
	admin := plainRedis(t, n.Addr())
	if err := admin.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	hello := clientHello(t)
	for i := range clients - 2 {
		// Nothing, half a record, or a whole first message and no more.
		begin(t, n, hello[:[]int{0, 5, len(hello) / 2, len(hello)}[i%4]])
	}
	if got := say(t, c.dial(n.TLSAddr()), "PING"); got != "+PONG" {
		t.Errorf("PING among slow handshakes: %s", got)
	}
	testenv.Eventually(t, 20*time.Second, "everybody to be counted", func(ctx context.Context) error {
		if info := admin.Info(ctx, "clients").Val(); !strings.Contains(info, fmt.Sprintf("connected_clients:%d\r\n", clients)) {
			return errors.New(info)
		}
		return nil
	})
	over, err := net.Dial("tcp", n.TLSAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	over.SetDeadline(time.Now().Add(20 * time.Second))
	if b, err := io.ReadAll(over); len(b) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("one past maxclients: %q, %v", b, err)
	}
}

// TestTLSHandshakeTimeout: a handshake that does not go on is ended.
func TestTLSHandshakeTimeout(t *testing.T) {
	c := newCerts(t)
	n := startNode(t, func(cfg *Config) {
		cfg.TLS = c.config("no")
		cfg.TLS.Handshake = 100 * time.Millisecond
	})
	hello := clientHello(t)
	for _, sent := range []int{0, 5, len(hello) / 2, len(hello)} {
		nc := begin(t, n, hello[:sent])
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %d bytes of %d a client may wait for ever", sent, len(hello))
		}
	}
	testenv.Eventually(t, 20*time.Second, "the slow ones to be gone", func(context.Context) error {
		if got := n.server.clients(); got > 0 {
			return fmt.Errorf("%d clients", got)
		}
		return nil
	})
	if len(n.server.handshakes) != 0 {
		t.Error("a slot of the handshakes was not given back")
	}
}

// begin connects where TLS is spoken and sends these bytes.
func begin(t *testing.T, n *Node, b []byte) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", n.TLSAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
	return nc
}

// clientHello is the first message of a client.
func clientHello(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() { tls.Client(there, &tls.Config{ServerName: "localhost"}).Handshake(); there.Close() }()
	b := make([]byte, 4096)
	n, err := here.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestTLSHandshakeBytes: what a client sends for a handshake that it does not end
// is bounded, and counts as memory of clients.
func TestTLSHandshakeBytes(t *testing.T) {
	c := newCerts(t)
	n := startNode(t, func(cfg *Config) {
		cfg.TLS = c.config("no")
		cfg.TLS.Handshake = time.Hour
	})
	before := n.server.memory.total.Load()
	// The first message of a client, said to be 60,000 bytes, in records of 16,000.
	hello := append([]byte{1, 0, 60000 >> 8, 60000 & 255}, make([]byte, 60000)...)
	send := func(nc net.Conn, from, to int) error {
		for ; from < to; from += 16000 {
			part := hello[from:min(from+16000, to)]
			if _, err := nc.Write(append([]byte{22, 3, 1, byte(len(part) >> 8), byte(len(part))}, part...)); err != nil {
				return err
			}
		}
		return nil
	}
	nc, err := net.Dial("tcp", n.TLSAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	if err := send(nc, 0, 30000); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, "30,000 bytes to be counted", func(context.Context) error {
		if got := n.server.memory.total.Load() - before; got < 60000 {
			return fmt.Errorf("%d bytes", got)
		}
		return nil
	})
	_ = send(nc, 30000, 50000) // it may be closed by then
	if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("50,000 bytes for a handshake are taken")
	}
	testenv.Eventually(t, 20*time.Second, "the memory to be given back", func(context.Context) error {
		if got := n.server.memory.total.Load() - before; got != 0 {
			return fmt.Errorf("%d bytes", got)
		}
		return nil
	})
}

// TestTLSGoodbye: the end of a conversation is said, so that a client can tell it
// from an attacker's cut.
func TestTLSGoodbye(t *testing.T) {
	c := newCerts(t)
	n := startNode(t, func(cfg *Config) { cfg.TLS = c.config("no") })
	for _, request := range []string{"QUIT\r\n", "*1\r\n!\r\n"} {
		raw := &recorder{Conn: begin(t, n, nil)}
		config := c.client()
		config.MaxVersion = tls.VersionTLS12 // where what kind a record is can be seen from outside
		nc := tls.Client(raw, config)
		if _, err := io.WriteString(nc, request); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(nc)
		if err != nil || len(b) == 0 {
			t.Errorf("%q: %q, %v", request, b, err)
		}
		kind := byte(0)
		for got := raw.got; len(got) >= 5; got = got[5+(int(got[3])<<8|int(got[4])):] {
			kind = got[0]
		}
		if kind != 21 {
			t.Errorf("%q: the last record is of kind %d, not an alert", request, kind)
		}
	}
}

// recorder keeps what is read.
type recorder struct {
	net.Conn
	got []byte
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.got = append(r.got, b[:n]...)
	return n, err
}

// TestTLSKillFull: to close a client that takes nothing waits for nobody.
func TestTLSKillFull(t *testing.T) {
	c := newCerts(t)
	n := startNode(t, func(cfg *Config) { cfg.TLS = c.config("no") })
	ctx := t.Context()
	admin := plainRedis(t, n.Addr())
	if err := admin.Set(ctx, "big", strings.Repeat("x", 1<<20), 0).Err(); err != nil {
		t.Fatal(err)
	}
	var full []*tls.Conn
	for range 8 {
		nc := c.dial(n.TLSAddr())
		if _, err := io.WriteString(nc, strings.Repeat("GET big\r\n", 100)); err != nil {
			t.Fatal(err)
		}
		full = append(full, nc)
	}
	sent := uint64(0)
	testenv.Eventually(t, 20*time.Second, "the clients' buffers to be full", func(context.Context) error {
		before := sent
		if sent = n.engine.stats.netOutput.Load(); sent == 0 || sent != before {
			return errors.New("still sending")
		}
		return nil
	})
	began := time.Now()
	for _, nc := range full {
		if got := admin.ClientKillByFilter(ctx, "ADDR", nc.LocalAddr().String()).Val(); got != 1 {
			t.Errorf("%d killed", got)
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("to kill 8 clients took %v", took)
	}
}

// TestTLSReload: certificates are replaced under a running node, by files that
// change and by CONFIG SET; connections that exist go on.
func TestTLSReload(t *testing.T) {
	c := newCerts(t)
	n := startNode(t, func(cfg *Config) { cfg.TLS = c.config("no") })
	ctx := t.Context()
	admin := plainRedis(t, n.Addr())
	old := c.dial(n.TLSAddr())
	serves := func(want string) error {
		nc := c.dial(n.TLSAddr())
		defer nc.Close()
		if got := nc.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			return fmt.Errorf("served by %q, want %q", got, want)
		}
		return nil
	}
	cert, key := c.issue("second")
	for from, to := range map[string]string{cert: "server.crt", key: "server.key"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		c.write(to, b)
	}
	testenv.Eventually(t, 20*time.Second, "the new certificate", func(context.Context) error { return serves("second") })
	c.write("server.crt", []byte("rubbish"))

	third, thirdKey := c.issue("third")
	set := func(args ...any) string {
		t.Helper()
		_, err := admin.Do(ctx, append([]any{"CONFIG", "SET"}, args...)...).Result()
		if err == nil {
			return "OK"
		}
		return err.Error()
	}
	const refused = "ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update TLS configuration. Check server logs."
	if got := set("tls-cert-file", third, "timeout", "7"); got != refused {
		t.Errorf("a certificate with another's key: %s", got)
	}
	if got := admin.ConfigGet(ctx, "t*").Val(); got["tls-cert-file"] != c.path("server.crt") || got["timeout"] != "0" {
		t.Errorf("what was refused is kept: %v", got)
	}
	if err := serves("second"); err != nil {
		t.Error(err)
	}
	if got := set("tls-cert-file", third, "tls-key-file", thirdKey); got != "OK" {
		t.Error(got)
	}
	if got := admin.ConfigGet(ctx, "tls-cert-file").Val()["tls-cert-file"]; got != third {
		t.Errorf("CONFIG GET: %s", got)
	}
	if err := serves("third"); err != nil {
		t.Error(err)
	}
	if got := say(t, old, "PING"); got != "+PONG" {
		t.Errorf("a connection that existed: %s", got)
	}
	if got := set("tls-auth-clients", "yes"); got != "OK" {
		t.Error(got)
	}
	nc := c.dial(n.TLSAddr()) // in TLS 1.3 the refusal comes with the first read
	if _, err := nc.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("a client without a certificate: %v", err)
	}
}

// TestTLSSettingsEqualRedis: CONFIG says of TLS what redis-server says, with TLS.
func TestTLSSettingsEqualRedis(t *testing.T) {
	c := newCerts(t)
	cfg := c.config("optional")
	port := testenv.FreePort(t)
	oracle := testenv.StartRedis(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cfg.Files.CertFile,
		"--tls-key-file", cfg.Files.KeyFile, "--tls-ca-cert-file", cfg.Files.CACertFile, "--tls-auth-clients", "optional")
	n := startNode(t, func(c2 *Config) { c2.TLS = cfg })
	ctx := t.Context()
	ours, theirs := plainRedis(t, n.Addr()), plainRedis(t, oracle.Addr)
	other, otherKey := c.issue("other")
	for _, line := range []string{
		"CONFIG GET tls-auth-clients", "CONFIG GET tls-cert-file", "CONFIG GET tls-key-file", "CONFIG GET tls-ca-cert-file",
		"CONFIG GET tls-protocols", "CONFIG GET tls-ciphers",
		"CONFIG SET tls-auth-clients maybe", "CONFIG SET tls-auth-clients NO", "CONFIG GET tls-auth-clients",
		"CONFIG SET tls-cert-file /no/such/file", "CONFIG SET tls-cert-file " + other,
		"CONFIG SET tls-cert-file " + other + " tls-key-file " + otherKey, "CONFIG GET tls-cert-file",
		"CONFIG SET tls-key-file " + other, "CONFIG GET tls-key-file",
		"CONFIG SET tls-protocols TLSv1.2", "CONFIG GET tls-protocols", "CONFIG SET tls-protocols nonsense", "CONFIG GET tls-protocols",
		"CONFIG SET tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256", "CONFIG SET tls-ciphers nonsense", "CONFIG GET tls-ciphers",
		"CONFIG SET maxclients 100 tls-key-file /none tls-cert-file /none", "CONFIG GET maxclients",
	} {
		var args []any
		for _, w := range strings.Fields(line) {
			args = append(args, w)
		}
		a, errA := ours.Do(ctx, args...).Result()
		b, errB := theirs.Do(ctx, args...).Result()
		if got, want := fmt.Sprint(a, errA), fmt.Sprint(b, errB); got != want {
			t.Errorf("%s: %s, redis-server says %s", line, got, want)
		}
	}
}

// TestTLSRedisCLI: Debian's redis-cli and redis-benchmark, and every way to show a
// certificate or not.
func TestTLSRedisCLI(t *testing.T) {
	cli, bench := testenv.Tool(t, "redis-cli"), testenv.Tool(t, "redis-benchmark")
	c := newCerts(t)
	cert, key := c.issue("client")
	stranger := newCerts(t)
	bad, badKey := stranger.issue("client")
	show := func(cert, key string) []string {
		return []string{"--tls", "--cacert", c.path("ca.crt"), "--cert", cert, "--key", key}
	}
	for _, x := range []struct {
		auth string
		args []string
		good bool
	}{
		{"no", show(cert, key)[:3], true},
		{"no", []string{"--tls"}, false}, // which does not trust the node
		{"no", nil, false},
		{"optional", show(cert, key)[:3], true},
		{"optional", show(bad, badKey), false},
		{"yes", show(cert, key), true},
		{"yes", show(cert, key)[:3], false},
		{"yes", show(bad, badKey), false},
	} {
		n := startNode(t, func(cfg *Config) { cfg.TLS = c.config(x.auth) })
		_, port := splitAddress(n.TLSAddr())
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		cmd := osexec.CommandContext(ctx, cli, append([]string{"-p", port}, append(x.args, "SET", "k", "v")...)...)
		out, _ := cmd.CombinedOutput()
		if got := bytes.HasPrefix(out, []byte("OK")); got != x.good {
			t.Errorf("tls-auth-clients %s, redis-cli %v: %s", x.auth, x.args, out)
		}
		if x.good {
			args := append([]string{"-p", port, "-t", "set,get,lpush", "-n", "2000", "-P", "16", "-q"}, x.args...)
			if out, err := osexec.CommandContext(ctx, bench, args...).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("GET:")) {
				t.Errorf("redis-benchmark: %v\n%s", err, out)
			}
		}
		cancel()
	}
}

// countingKey notes how many handshakes sign at the same time.
type countingKey struct {
	crypto.Signer
	now, most atomic.Int64
}

func (k *countingKey) Sign(rand io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	n := k.now.Add(1)
	defer k.now.Add(-1)
	for most := k.most.Load(); n > most && !k.most.CompareAndSwap(most, n); most = k.most.Load() {
	}
	for range 1000 {
		runtime.Gosched() // let others in, if they may
	}
	return k.Signer.Sign(rand, digest, o)
}

// TestTLSHandshakesCompute: however many handshakes there are, no more compute at
// the same time than have slots.
func TestTLSHandshakesCompute(t *testing.T) {
	c := newCerts(t)
	pair, err := tls.LoadX509KeyPair(c.issue("server"))
	if err != nil {
		t.Fatal(err)
	}
	key := &countingKey{Signer: pair.PrivateKey.(crypto.Signer)}
	pair.PrivateKey = key
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	for _, slots := range []int{1, 3} {
		key.most.Store(0)
		all := make(chan struct{}, slots)
		var wg sync.WaitGroup
		for range 32 {
			here, there := net.Pipe()
			wg.Go(func() {
				defer here.Close()
				nc := newTLSConn(here, config, all)
				srv := &server{cfg: &settings{}}
				cn := &conn{srv: srv, nc: nc}
				cn.mem.all = &srv.memory
				if err := cn.handshake(nc, time.Minute); err != nil {
					t.Error(err)
				}
				if held, _ := cn.mem.size(); held != 0 {
					t.Errorf("%d bytes are counted after the handshake", held)
				}
			})
			wg.Go(func() {
				defer there.Close()
				nc := tls.Client(there, c.client())
				if err := nc.Handshake(); err != nil {
					t.Error(err)
				}
				_, _ = nc.Read(make([]byte, 1)) // tickets, then the end
			})
		}
		wg.Wait()
		if most := key.most.Load(); most > int64(slots) || most == 0 {
			t.Errorf("%d handshakes compute at the same time in %d slots", most, slots)
		}
	}
}

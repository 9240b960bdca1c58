package integration

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestTLSEverywhere: nodes that serve TLS alone, to clients that show certificates,
// on an etcd that wants certificates and an S3 server behind TLS. A primary is
// killed under writers; every command reaches the data; and when the certificates
// of everything are replaced, connections made later are made with the new ones.
func TestTLSEverywhere(t *testing.T) {
	files := testenv.NewTLS(t)
	c := startCluster(t, clusterOptions{nodes: 3, tls: files, args: []string{"--lease-ttl", "1s", "--segment-size", "64KiB", "--segment-age", "1s"}})
	ws := startWritersBy(t, 4, c.addrs, c.dial)
	for range testenv.Rounds(t, 3) {
		ws.waitAcks(200)
		old := c.waitPrimary("")
		old.proc.Kill()
		now := c.waitPrimary(old.id)
		ws.waitAcks(10)
		db := c.dial(now.addr)
		ws.verify(db)
		db.Close()
		old.proc.Restart()
		c.waitServing(old)
	}

	// What nodes tell of themselves is where TLS is spoken, and says so.
	st, err := c.shard.State(t.Context())
	must(t, err)
	if st.Leader.Address != c.waitPrimary("").addr || st.Leader.TLSAddress != st.Leader.Address {
		t.Errorf("the leader tells %+v", st.Leader)
	}
	for _, args := range [][]string{{"status"}, {"failover"}, {"snapshot", "create", "--name", "first"}, {"snapshot", "verify", "first"}, {"wal", "verify"}} {
		out, code := c.redoubt(args...)
		if code != 0 {
			t.Errorf("redoubt %s: exit %d\n%s", strings.Join(args, " "), code, out)
		}
		if (args[0] == "status" || args[0] == "failover") && !strings.Contains(out, " (TLS)") {
			t.Errorf("redoubt %s does not say that TLS is spoken:\n%s", args[0], out)
		}
	}

	renewEverything(t, c, files)
	ws.waitAcks(100)
	ws.end()
	db := c.dial(c.waitPrimary("").addr)
	defer db.Close()
	ws.verify(db)
	c.sameEverywhere()
}

// renewEverything replaces the certificates that nodes show to clients and to
// etcd, and the members by ones that trust a new authority only. Nodes go on
// without a restart.
func renewEverything(t *testing.T, c *cluster, files *testenv.TLS) {
	t.Helper()
	old := files.Client()
	files.NewAuthority()
	files.Issue("server")
	files.Issue("node-to-etcd")
	for i := range c.etcd.Endpoints() {
		c.etcd.Kill(i)
		c.etcd.Restart(i)
	}
	c.s3.Kill()
	c.s3.Renew()
	c.s3.Restart()
	c.etcd.Renew(files)
	for i := range c.etcd.Endpoints() {
		c.etcd.WaitReady(i)
	}
	c.cli = c.etcd.Client(t)
	c.shard = etcdfence.Open(c.cli, clusterName, 0, etcdfence.Options{})
	for _, m := range c.nodes {
		testenv.Eventually(t, time.Minute, m.id+" to show its new certificate", func(context.Context) error {
			nc, err := tls.Dial("tcp", m.addr, files.Client())
			if err != nil {
				return err
			}
			return nc.Close()
		})
		// In TLS 1.3 a client hears with its first read that it is refused.
		nc, err := tls.Dial("tcp", m.addr, &tls.Config{Certificates: old.Certificates, InsecureSkipVerify: true})
		if err == nil {
			must(t, nc.SetDeadline(time.Now().Add(20*time.Second)))
			_, err = nc.Read(make([]byte, 1))
			nc.Close()
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s takes a certificate of the authority that was replaced: %v", m.id, err)
		}
	}
	for _, m := range c.nodes {
		c.waitServing(m)
	}
}

// TestTLSMistakes: a command that etcd or S3 does not come to terms with says at
// once which flag it is about.
func TestTLSMistakes(t *testing.T) {
	files := testenv.NewTLS(t)
	c := startCluster(t, clusterOptions{nodes: 1, tls: files})
	stranger := testenv.NewTLS(t)
	cert, key := files.Issue("c")
	bad, badKey := stranger.Issue("c")
	etcd := strings.Join(c.etcd.Endpoints(), ",")
	store := []string{"--cluster", clusterName, "--store", c.s3.URL("redoubt"), "--store-endpoint", c.s3.Endpoint, "--store-path-style", "--region", c.s3.Region}
	toEtcd := func(ca, cert, key string) []string {
		return []string{"--etcd", etcd, "--etcd-ca", ca, "--etcd-cert", cert, "--etcd-key", key}
	}
	good := toEtcd(files.CAFile, cert, key)
	for _, x := range []struct {
		name string
		args []string
		want string // "" for none
	}{
		{"good", append(good, "--store-ca", files.CAFile), ""},
		{"no CA for etcd", []string{"--etcd", etcd, "--etcd-cert", cert, "--etcd-key", key}, "give the authority's certificate with --etcd-ca"},
		{"another CA for etcd", toEtcd(stranger.CAFile, cert, key), "--etcd-ca names " + stranger.CAFile},
		{"no certificate for etcd", []string{"--etcd", etcd, "--etcd-ca", files.CAFile}, "give it with --etcd-cert"},
		{"a stranger's certificate", toEtcd(files.CAFile, bad, badKey), "refuses the certificate that --etcd-cert names"},
		{"http in place of https", []string{"--etcd", strings.ReplaceAll(etcd, "https:", "http:")}, "its URL begins with https://"},
		{"no CA for S3", good, "--store-ca"},
		{"another CA for S3", append(good, "--store-ca", stranger.CAFile), "--store-ca names " + stranger.CAFile},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, testenv.Redoubt(t), append(append([]string{"status"}, store...), x.args...)...)
		cmd.Env = append(os.Environ(), c.s3.Env()...)
		out, err := cmd.CombinedOutput()
		cancel()
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(string(out), x.want)) {
			t.Errorf("%s: %v, want %q\n%s", x.name, err, x.want, out)
		}
	}
	// A node that can never talk to its etcd ends instead of trying for ever.
	node := exec.Command(testenv.Redoubt(t), append(append([]string{"node", "--node-id", "x", "--listen", "127.0.0.1:0"}, store...), toEtcd(stranger.CAFile, cert, key)...)...)
	node.Env = append(os.Environ(), c.s3.Env()...)
	out, err := node.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--etcd-ca") {
		t.Errorf("node: %v\n%s", err, out)
	}
}

// TestTLSDev: the line that `redoubt dev --tls` prints for redis-cli works, before
// and after the dev is killed.
func TestTLSDev(t *testing.T) {
	port := testenv.FreePort(t)
	dev, addr := startDev(t, "--tls", "--tls-port", fmt.Sprint(port))
	line := regexp.MustCompile(`redis-cli (-p \d+ --tls --cacert \S+)`)
	var args []string
	testenv.Eventually(t, 20*time.Second, "the line for redis-cli", func(context.Context) error {
		m := line.FindStringSubmatch(dev.Log())
		if m == nil {
			return errors.New(dev.Log())
		}
		args = strings.Fields(m[1])
		return nil
	})
	run := func(command ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, testenv.Tool(t, "redis-cli"), append(args, command...)...).CombinedOutput()
		if err != nil {
			t.Errorf("redis-cli %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run("SET", "k", "over TLS"); got != "OK" {
		t.Errorf("SET: %s", got)
	}
	dev.Kill()
	dev.Restart()
	waitDev(t, dev, addr)
	if got := run("GET", "k"); got != "over TLS" {
		t.Errorf("GET after a kill, by the authority of before: %s", got)
	}
}

// TestTLSManyIdleConnections: what an idle client over TLS takes is not much more
// than one in clear, and CLIENT LIST counts it.
func TestTLSManyIdleConnections(t *testing.T) {
	port := testenv.FreePort(t)
	dev, addr := startDev(t, "--tls", "--tls-port", fmt.Sprint(port))
	const n = 1000
	before := resident(t, dev)
	for range n {
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true})
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(c, "PING\r\n")
		must(t, err)
		b := make([]byte, 7)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "+PONG\r\n" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	each := (resident(t, dev) - before) / n
	db := dial(addr)
	defer db.Close()
	line := db.ClientList(t.Context()).Val()
	m := regexp.MustCompile(`tot-mem=(\d+) events=r cmd=ping`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("CLIENT LIST: %.500s", line)
	}
	t.Logf("%d idle connections over TLS take %d bytes each, CLIENT LIST says %s", n, each, m[1])
	if each > 64<<10 {
		t.Errorf("%d bytes for an idle connection", each)
	}
}

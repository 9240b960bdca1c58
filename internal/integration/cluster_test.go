package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

const clusterName = "it"

// cluster is one shard of redoubt processes on real etcd members and a real S3
// server.
type cluster struct {
	t     *testing.T
	etcd  *testenv.Etcd
	s3    *testenv.S3
	nodes []*member
	cli   *clientv3.Client
	shard *etcdfence.Shard
	tls   *testenv.TLS // nil: clients speak in clear
}

// member is one redoubt process.
type member struct {
	id   string
	addr string
	args []string
	proc *testenv.Process
}

type clusterOptions struct {
	nodes     int
	endpoints []string     // of etcd, in place of the members' own: proxies
	s3        string       // endpoint, in place of the server's own: a proxy
	args      []string     // further flags of every node
	tls       *testenv.TLS // nodes serve TLS alone, and so do etcd, which wants certificates, and S3
}

func startCluster(t *testing.T, o clusterOptions) *cluster {
	t.Helper()
	if o.tls != nil {
		c := newCluster(t, testenv.StartEtcd(t, 3, testenv.EtcdOptions{TLS: o.tls, Mutual: true}), testenv.StartVersityGWTLS(t, o.tls))
		c.tls = o.tls
		return c.addNodes(o)
	}
	return newCluster(t, testenv.StartEtcd(t, 3, testenv.EtcdOptions{}), testenv.StartVersityGW(t)).addNodes(o)
}

func (c *cluster) addNodes(o clusterOptions) *cluster {
	c.t.Helper()
	for i := range max(o.nodes, 1) {
		c.addNode(i, o)
	}
	return c
}

// newCluster is a cluster without nodes.
func newCluster(t *testing.T, etcd *testenv.Etcd, s3 *testenv.S3) *cluster {
	c := &cluster{t: t, etcd: etcd, s3: s3, cli: etcd.Client(t)}
	c.shard = etcdfence.Open(c.cli, clusterName, 0, etcdfence.Options{})
	return c
}

// addNode starts node i; the first one is waited for, so that it is primary.
func (c *cluster) addNode(i int, o clusterOptions) *member {
	c.t.Helper()
	m := &member{id: fmt.Sprintf("node-%d", i), addr: testenv.FreeAddr(c.t)}
	m.args = append([]string{"node", "--cluster", clusterName, "--shard", "0",
		"--node-id", m.id, "--az", string(rune('a' + i)),
		"--enable-debug-command", "local", "--log-level", "info"}, c.targets(o)...)
	m.args = append(m.args, c.serving(m.addr)...)
	m.args = append(m.args, o.args...)
	c.nodes = append(c.nodes, m)
	m.proc = testenv.Start(c.t, testenv.Command{
		Name: m.id, Path: testenv.Redoubt(c.t), Args: m.args, Env: c.s3.Env(), Forbid: testenv.RedoubtForbid,
	})
	c.waitServing(m)
	return m
}

// targets are the flags that name the real parts.
func (c *cluster) targets(o clusterOptions) []string {
	endpoints, s3 := o.endpoints, o.s3
	if endpoints == nil {
		endpoints = c.etcd.Endpoints()
	}
	if s3 == "" {
		s3 = c.s3.Endpoint
	}
	args := []string{"--etcd", strings.Join(endpoints, ","), "--store", c.s3.URL("redoubt"),
		"--store-endpoint", s3, "--store-path-style", "--region", c.s3.Region}
	if c.tls != nil {
		cert, key := c.tls.Issue("node-to-etcd")
		args = append(args, "--etcd-ca", c.tls.CAFile, "--etcd-cert", cert, "--etcd-key", key, "--store-ca", c.tls.CAFile)
	}
	return args
}

// serving are the flags that say where a node serves its clients.
func (c *cluster) serving(addr string) []string {
	if c.tls == nil {
		return []string{"--listen", addr}
	}
	_, port, _ := strings.Cut(addr, ":")
	return []string{"--listen", "127.0.0.1:0", "--tls-port", port, "--tls-cert-file", c.tls.CertFile, "--tls-key-file", c.tls.KeyFile,
		"--tls-ca-cert-file", c.tls.CAFile}
}

// dial is dial over TLS where the nodes serve that.
func (c *cluster) dial(addr string) *redis.Client {
	if c.tls == nil {
		return dial(addr)
	}
	o := dialOptions(addr)
	o.TLSConfig = c.tls.Client()
	return redis.NewClient(o)
}

// waitServing waits until a node has loaded its data and a primary is there.
func (c *cluster) waitServing(m *member) {
	c.t.Helper()
	testenv.Eventually(c.t, time.Minute, m.id+" to serve", func(ctx context.Context) error {
		if !m.proc.Running() {
			return fmt.Errorf("%s has ended:\n%s", m.id, m.proc.Log())
		}
		db := c.dial(m.addr)
		defer db.Close()
		if err := db.Ping(ctx).Err(); err != nil {
			return err
		}
		role, err := db.Do(ctx, "ROLE").Slice()
		if err != nil {
			return err
		}
		if role[0] == "slave" && role[3] != "connected" {
			return fmt.Errorf("replication state %v", role[3])
		}
		return nil
	})
	c.waitPrimary("")
}

// dial is a client that tries each command once, so that a test knows what
// became of it.
func dial(addr string) *redis.Client { return redis.NewClient(dialOptions(addr)) }

func dialOptions(addr string) *redis.Options {
	return &redis.Options{
		Addr: addr, MaxRetries: -1, DialTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 5 * time.Second, DisableIdentity: true, PoolSize: 1,
	}
}

// waitPrimary waits until a node other than the one named leads and answers.
func (c *cluster) waitPrimary(not string) *member {
	c.t.Helper()
	var primary *member
	testenv.Eventually(c.t, 30*time.Second, "a primary other than "+not, func(ctx context.Context) error {
		st, err := c.shard.State(ctx)
		if err != nil {
			return err
		}
		if st.Leader == nil || st.Leader.NodeID == not {
			return fmt.Errorf("leader: %+v", st.Leader)
		}
		for _, m := range c.nodes {
			if m.id != st.Leader.NodeID {
				continue
			}
			db := c.dial(m.addr)
			defer db.Close()
			if err := db.Get(ctx, "no-such-key").Err(); !errors.Is(err, redis.Nil) {
				return fmt.Errorf("%s leads and answers a read with %v", m.id, err)
			}
			primary = m
			return nil
		}
		return fmt.Errorf("unknown leader %s", st.Leader.NodeID)
	})
	return primary
}

func (c *cluster) addrs() []string {
	var all []string
	for _, m := range c.nodes {
		all = append(all, m.addr)
	}
	return all
}

// digest is DEBUG DIGEST of a node; of a replica once it has applied seq.
func (c *cluster) digest(m *member, seq uint64) string {
	c.t.Helper()
	db := c.dial(m.addr)
	defer db.Close()
	var digest string
	testenv.Eventually(c.t, 30*time.Second, fmt.Sprintf("%s to apply entry %d", m.id, seq), func(ctx context.Context) error {
		info, err := infoOf(ctx, db)
		if err != nil {
			return err
		}
		if got := info.number("seq_executed"); got < int64(seq) {
			return fmt.Errorf("applied %d", got)
		}
		pipe := db.Pipeline()
		pipe.Do(ctx, "READONLY")
		cmd := pipe.Do(ctx, "DEBUG", "DIGEST")
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		digest = cmd.Val().(string)
		return nil
	})
	return digest
}

// sameEverywhere checks that all running nodes hold the same data (DESIGN
// invariant 5).
func (c *cluster) sameEverywhere() {
	c.t.Helper()
	st, err := c.shard.State(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	want, from := "", ""
	for _, m := range c.nodes {
		if !m.proc.Running() {
			continue
		}
		got := c.digest(m, st.Tail)
		if want == "" {
			want, from = got, m.id
		}
		if got != want {
			c.t.Errorf("%s holds digest %s, %s holds %s", m.id, got, from, want)
		}
	}
}

// info is an INFO reply.
type info map[string]string

func infoOf(ctx context.Context, db *redis.Client) (info, error) {
	text, err := db.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	fields := info{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	return fields, nil
}

func (i info) number(name string) int64 {
	var n int64
	if _, err := fmt.Sscan(i[name], &n); err != nil {
		return -1
	}
	return n
}

// redoubt runs a command of the binary against the cluster's real parts.
func (c *cluster) redoubt(args ...string) (out string, code int) {
	c.t.Helper()
	args = append(args, "--cluster", clusterName)
	args = append(args, c.targets(clusterOptions{})...)
	return runRedoubt(c.t, c.s3.Env(), args...)
}

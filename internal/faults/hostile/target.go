package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

const (
	password    = "correct horse battery staple"
	goodClients = 6

	// leaseTTL is long, as the attackers take the processors away from etcd, too;
	// elsewhere they are on other machines.
	leaseTTL = 30 * time.Second

	// soon is how long what does come may take on a busy machine.
	soon = 2 * time.Minute
)

// node is a node on a real etcd and a real S3 server, with good clients that
// stay connected.
type node struct {
	Target
	t       testenv.TB
	clients int // its maxclients
	proc    *testenv.Process
	good    *Good
	db      *redis.Client
}

func startNode(ctx context.Context, t testenv.TB, clients int) *node {
	t.Helper()
	etcd, s3 := testenv.StartEtcd(t, 1, testenv.EtcdOptions{}), testenv.StartVersityGW(t)
	n := &node{Target: Target{Addr: testenv.FreeAddr(t), TLSAddr: testenv.FreeAddr(t), Password: password}, t: t, clients: clients}
	_, tlsPort, _ := strings.Cut(n.TLSAddr, ":")
	files := testenv.NewTLS(t)
	n.proc = testenv.Start(t, testenv.Command{
		Name: "node", Path: testenv.Redoubt(t), Env: s3.Env(), Forbid: testenv.RedoubtForbid,
		Args: []string{
			"node", "--cluster", "hostile", "--node-id", "node-0", "--listen", n.Addr,
			"--tls-port", tlsPort, "--tls-cert-file", files.CertFile, "--tls-key-file", files.KeyFile, "--tls-auth-clients", "no",
			"--etcd", strings.Join(etcd.Endpoints(), ","), "--store", s3.URL("redoubt"),
			"--store-endpoint", s3.Endpoint, "--store-path-style", "--region", s3.Region,
			"--requirepass", password, "--maxclients", strconv.Itoa(clients), "--maxmemory-clients", strconv.Itoa(clientMemory),
			"--enable-debug-command", "local", "--lease-ttl", leaseTTL.String(), "--log-level", "info",
		},
	})
	n.db = redis.NewClient(&redis.Options{
		Addr: n.Addr, Password: password, MaxRetries: -1, PoolSize: 1, DisableIdentity: true,
		DialTimeout: goodTimeout, ReadTimeout: goodTimeout, WriteTimeout: goodTimeout,
	})
	t.Cleanup(func() { n.db.Close() })
	n.waitPrimary()
	var err error
	if n.good, err = NewGood(ctx, n.Target, goodClients, n.proc.CPU); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { n.good.Close() })
	return n
}

func (n *node) waitPrimary() {
	n.t.Helper()
	testenv.Eventually(n.t, soon, "the node serves as primary", func(ctx context.Context) error {
		if !n.proc.Running() {
			return fmt.Errorf("it has ended")
		}
		if err := n.db.Get(ctx, "no-such-key").Err(); !errors.Is(err, redis.Nil) {
			return err
		}
		return nil
	})
}

func (n *node) resident() int64 {
	n.t.Helper()
	b, err := Resident(n.proc.PID())
	if err != nil {
		n.t.Fatalf("%v", err)
	}
	return b
}

// settle waits until only the good clients are connected and the heap is no
// larger than most, and returns INFO then.
func (n *node) settle(most int64) Info {
	n.t.Helper()
	var info Info
	testenv.Eventually(n.t, soon, "the node is at rest", func(ctx context.Context) error {
		if err := n.db.Do(ctx, "MEMORY", "PURGE").Err(); err != nil {
			return err
		}
		var err error
		if info, err = ReadInfo(ctx, n.db); err != nil {
			return err
		}
		if got := info.Number("connected_clients"); got != goodClients+1 {
			return fmt.Errorf("%d clients are connected, want %d", got, goodClients+1)
		}
		if got := info.Number("used_memory"); got > most {
			return fmt.Errorf("used_memory is %s, want at most %s", MiB(got), MiB(most))
		}
		return nil
	})
	return info
}

func (n *node) digest(ctx context.Context) string {
	n.t.Helper()
	d, err := n.db.Do(ctx, "DEBUG", "DIGEST").Text()
	if err != nil {
		n.t.Fatalf("DEBUG DIGEST: %v", err)
	}
	return d
}

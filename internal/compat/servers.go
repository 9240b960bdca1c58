package main

import (
	"context"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// server is what a file of the suite runs against.
type server struct {
	addr    string // host:port
	process *testenv.Process
}

// startTimeout bounds the time until a server answers.
const startTimeout = 60 * time.Second

// leaseTTL bridges minutes in which a busy machine lets nobody renew: no test is
// about losing the lease.
const leaseTTL = "60s"

// startRedis starts the real server as Redis's own tests of external servers do.
func startRedis(tb testenv.TB) server {
	r := testenv.StartRedis(tb, "--enable-protected-configs", "yes")
	return server{r.Addr, r.Process()}
}

// startRedoubt starts a whole Redoubt in one process: one node, etcd and S3.
func startRedoubt(tb testenv.TB) server {
	port, s3 := testenv.FreePort(tb), testenv.FreePort(tb)
	p := testenv.Start(tb, testenv.Command{
		Name: "redoubt-dev", Path: testenv.Redoubt(tb), Forbid: testenv.RedoubtForbid,
		Args: []string{
			"dev", "--dir", tb.TempDir(), "--bind", "127.0.0.1", "--replicas", "0",
			"--port", strconv.Itoa(port), "--s3-port", strconv.Itoa(s3), "--api-port", "0", "--enable-debug-command", "yes",
			"--lease-ttl", leaseTTL,
		},
	})
	addr := "127.0.0.1:" + strconv.Itoa(port)
	testenv.Eventually(tb, startTimeout, "redoubt answers", func(ctx context.Context) error {
		if !p.Running() {
			tb.Fatalf("redoubt ended:\n%s", p.Log())
		}
		return testenv.PingRedis(ctx, addr)
	})
	return server{addr, p}
}

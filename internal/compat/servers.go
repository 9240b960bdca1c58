package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

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
	db := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	defer db.Close()
	testenv.Eventually(tb, startTimeout, "redoubt is the primary", func(ctx context.Context) error {
		if !p.Running() {
			tb.Fatalf("redoubt ended:\n%s", p.Log())
		}
		// It answers PING before, too.
		role, err := db.Do(ctx, "ROLE").Slice()
		if err == nil && (len(role) == 0 || role[0] != "master") {
			err = fmt.Errorf("its role is %v", role)
		}
		return err
	})
	return server{addr, p}
}

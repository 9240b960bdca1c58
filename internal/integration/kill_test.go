package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestKillPrimary kills the primary over and over while writers write. A replica
// takes over, the killed one comes back as a replica.
func TestKillPrimary(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 3, args: []string{"--lease-ttl", "1s", "--segment-size", "64KiB", "--segment-age", "1s"}})
	ws := startWriters(t, 4, c.addrs)
	var outages []time.Duration
	for round := range testenv.Rounds(t, 20) {
		ws.waitAcks(int64(50 + rand.IntN(200)))
		old := c.waitPrimary("")
		old.proc.Kill()
		start := time.Now()
		now := c.waitPrimary(old.id)
		outages = append(outages, time.Since(start))
		ws.waitAcks(10)
		db := dial(now.addr)
		ws.verify(db)
		db.Close()
		old.proc.Restart()
		c.waitServing(old)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	ws.end()
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	ws.verify(db)
	c.sameEverywhere()
	t.Logf("%d operations acknowledged; time without a primary, by round: %v", ws.acked.Load(), outages)
	if out, code := c.redoubt("wal", "verify"); code != 0 {
		t.Errorf("wal verify: exit %d\n%s", code, out)
	}
}

// TestKillDev kills a whole `redoubt dev` and starts it again on its folder.
func TestKillDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	port := testenv.FreePorts(t, 2)
	addrs := []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1)}
	s3 := testenv.FreePort(t)
	dev := testenv.Start(t, testenv.Command{
		Name: "dev", Path: testenv.Redoubt(t), Forbid: testenv.RedoubtForbid,
		Args: []string{"dev", "--dir", dir, "--port", fmt.Sprint(port), "--s3-port", fmt.Sprint(s3), "--api-port", "0", "--segment-size", "64KiB", "--segment-age", "1s"},
	})
	waitDev(t, dev, addrs[0])
	ws := startWriters(t, 4, func() []string { return addrs })
	for range testenv.Rounds(t, 20) {
		ws.waitAcks(int64(50 + rand.IntN(200)))
		dev.Kill()
		dev.Restart()
		waitDev(t, dev, addrs[0])
		ws.waitAcks(10)
		db := dial(addrs[0])
		ws.verify(db)
		db.Close()
		if t.Failed() {
			return
		}
	}
	ws.end()
	// Ctrl-C stops cleanly and loses nothing either.
	if code := dev.Interrupt(20 * time.Second); code != 0 {
		t.Errorf("Ctrl-C: exit code %d\n%s", code, dev.Log())
	}
	dev.Restart()
	waitDev(t, dev, addrs[0])
	db := dial(addrs[0])
	defer db.Close()
	ws.verify(db)
	t.Logf("%d operations acknowledged", ws.acked.Load())
	if out, code := runRedoubt(t, nil, "wal", "verify", "--dir", dir); code != 0 {
		t.Errorf("wal verify: exit %d\n%s", code, out)
	}
}

// waitDev waits until the primary of a dev serves at addr.
func waitDev(t *testing.T, p *testenv.Process, addr string) {
	t.Helper()
	testenv.Eventually(t, 30*time.Second, "dev to serve", func(ctx context.Context) error {
		if !p.Running() {
			return fmt.Errorf("dev has ended:\n%s", p.Log())
		}
		db := dial(addr)
		defer db.Close()
		return db.Set(ctx, "probe", "1", 0).Err()
	})
}

// runRedoubt runs a command of the binary to its end.
func runRedoubt(t *testing.T, env []string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testenv.Redoubt(t), args...)
	cmd.Env = append(cmd.Environ(), env...)
	var b strings.Builder
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("redoubt %s did not end:\n%s", strings.Join(args, " "), b.String())
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// startDev runs `redoubt dev` and returns its process and the primary's address.
func startDev(t *testing.T, args ...string) (*testenv.Process, string) {
	t.Helper()
	port := testenv.FreePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	dev := testenv.Start(t, testenv.Command{
		Name: "dev", Path: testenv.Redoubt(t), Forbid: testenv.RedoubtForbid,
		Args: append([]string{"dev", "--dir", filepath.Join(t.TempDir(), "data"), "--replicas", "0",
			"--port", fmt.Sprint(port), "--s3-port", fmt.Sprint(testenv.FreePort(t)), "--api-port", "0"}, args...),
	})
	waitDev(t, dev, addr)
	return dev, addr
}

// resident is a process's resident memory in bytes.
func resident(t *testing.T, p *testenv.Process) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID()))
	must(t, err)
	var size, pages int64
	_, err = fmt.Sscan(string(b), &size, &pages)
	must(t, err)
	return pages * int64(os.Getpagesize())
}

// TestManyIdleConnections: thousands of connections that have talked and fallen
// silent cost little memory each, and everybody else is served.
func TestManyIdleConnections(t *testing.T) {
	dev, addr := startDev(t)
	n := 5000
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if room := int(limit.Cur) - 200; room < n {
		n = room
	}
	before := resident(t, dev)
	for range n {
		c, err := net.Dial("tcp", addr)
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
	each := (resident(t, dev) - before) / int64(n)
	t.Logf("%d idle connections take %d bytes each", n, each)
	if each > 24<<10 {
		t.Errorf("%d bytes for an idle connection", each)
	}
	db := dial(addr)
	defer db.Close()
	must(t, db.Set(t.Context(), "k", "v", 0).Err())
}

// TestSlowReader: a client that asks for much and reads nothing holds a bounded
// amount of the server's memory, is cut when client-output-buffer-limit says so,
// and nobody else waits for it.
func TestSlowReader(t *testing.T) {
	dev, addr := startDev(t)
	db := dial(addr)
	defer db.Close()
	ctx := t.Context()
	const size = 1 << 20
	must(t, db.Set(ctx, "big", strings.Repeat("x", size), 0).Err())
	ask := func() net.Conn {
		c, err := net.Dial("tcp", addr)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		// Far more than the sockets' buffers take: 2,000 MiB of replies.
		_, err = io.WriteString(c, strings.Repeat("GET big\r\n", 2000))
		must(t, err)
		return c
	}
	before := resident(t, dev)
	slow := ask()
	for range 200 {
		must(t, db.Set(ctx, "small", "v", 0).Err())
	}
	if grown := resident(t, dev) - before; grown > 200<<20 {
		t.Errorf("a client that does not read made the server grow by %d bytes", grown)
	}
	// It is served as soon as it reads.
	must(t, slow.SetDeadline(time.Now().Add(time.Minute)))
	if n, err := io.CopyN(io.Discard, slow, 100*size); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}

	must(t, db.ConfigSet(ctx, "client-output-buffer-limit", "normal 512kb 0 0").Err())
	cut := ask()
	must(t, cut.SetDeadline(time.Now().Add(time.Minute)))
	n, err := io.Copy(io.Discard, bufio.NewReader(cut))
	if n >= 2000*size || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("past its output limit the client was sent %d bytes and then %v", n, err)
	}
	testenv.Eventually(t, 10*time.Second, "others to be served", func(ctx context.Context) error {
		return db.Ping(ctx).Err()
	})
}

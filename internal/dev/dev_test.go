package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/internal/recovery"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/snapshot"
)

func start(t *testing.T, cfg Config) *Dev {
	t.Helper()
	d, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// client connects to the i-th node.
func client(t *testing.T, d *Dev, i int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: d.Endpoints().Nodes[i].Address, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDev(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Replicas: 2, Metrics: true, RequirePass: ""}
	d := start(t, cfg)
	e := d.Endpoints()
	if read, err := ReadEndpoints(dir); err != nil || fmt.Sprint(read) != fmt.Sprint(e) {
		t.Errorf("read from the directory: %+v, %v; want %+v", read, err, e)
	}
	testenv.Eventually(t, 10*time.Second, "the replicas are there", func(context.Context) error {
		if got := fmt.Sprint(d.Roles()); got != "[primary replica replica]" {
			return fmt.Errorf("roles after a clean start: %s", got)
		}
		return nil
	})
	if err := client(t, d, 0).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		eventuallyValue(t, client(t, d, i), i > 0, "k", "v")
	}
	health(t, e.Metrics)

	if _, err := Start(t.Context(), cfg); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second dev: %v", err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := ReadEndpoints(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("endpoints of a dev that was closed: %v", err)
	}
	for _, addr := range []string{e.Nodes[0].Address, e.Nodes[2].Address, strings.TrimPrefix(e.S3.Endpoint, "http://"), strings.TrimPrefix(e.Etcd[0], "http://")} {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("%s still answers", addr)
		}
	}

	cfg.Replicas = 0
	again := start(t, cfg)
	eventuallyValue(t, client(t, again, 0), false, "k", "v")
	if again.Endpoints().S3.SecretKey != e.S3.SecretKey {
		t.Error("the S3 endpoint has other credentials than before")
	}
}

func eventuallyValue(t *testing.T, c *redis.Client, replica bool, key, want string) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, key+" is there", func(ctx context.Context) error {
		got, err := "", error(nil)
		if replica {
			pipe := c.Pipeline()
			pipe.Do(ctx, "READONLY")
			get := pipe.Get(ctx, key)
			_, err = pipe.Exec(ctx)
			got = get.Val()
		} else {
			got, err = c.Get(ctx, key).Result()
		}
		if err == nil && got != want {
			err = fmt.Errorf("%s is %q, want %q", key, got, want)
		}
		return err
	})
}

func health(t *testing.T, metrics string) {
	t.Helper()
	get := func(url string) (int, string) {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, body := get(metrics); code != 200 || !strings.Contains(body, `node="dev-1"`) || !strings.Contains(body, `node="dev-3"`) || !strings.Contains(body, "go_goroutines") {
		t.Errorf("%s: %d, without a node's metrics or the process's", metrics, code)
	}
	if code, body := get(strings.TrimSuffix(metrics, "metrics") + "healthz"); code != 200 {
		t.Errorf("healthz: %d %s", code, body)
	}
}

// A dev that was killed leaves its primary's lease behind: here a term that is
// not ended stands for it. The next one must not wait until it expires.
func TestStartAfterKill(t *testing.T) {
	dir := t.TempDir()
	d := start(t, Config{Dir: dir})
	if err := client(t, d, 0).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	leaveLease(t, dir, nodeID(0))
	began := time.Now()
	again := start(t, Config{Dir: dir})
	took := time.Since(began)
	if took > deadLease/2 {
		t.Errorf("ready after %v, although the dead primary's lease of %v could be revoked", took, deadLease)
	}
	eventuallyValue(t, client(t, again, 0), false, "k", "v")
}

// Another process's node is not this directory's to end.
func TestStartLeavesOtherNodesAlone(t *testing.T) {
	dir := t.TempDir()
	if err := start(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	leaveLease(t, dir, "elsewhere")
	d := start(t, Config{Dir: dir})
	if roles := d.Roles(); roles[0] != node.RoleReplica {
		t.Errorf("another node leads, and this one is %v", roles[0])
	}
	st, err := d.shard().State(t.Context())
	if err != nil || st.Leader == nil || st.Leader.NodeID != "elsewhere" {
		t.Errorf("the other node's lease: %+v, %v", st.Leader, err)
	}
}

func TestLeaseTTL(t *testing.T) {
	const want = 45 * time.Second
	d := start(t, Config{Dir: t.TempDir(), LeaseTTL: want})
	st, err := d.shard().State(t.Context())
	if err != nil || st.Leader == nil {
		t.Fatalf("the leader: %+v, %v", st.Leader, err)
	}
	lease, err := d.etcd.client.TimeToLive(t.Context(), clientv3.LeaseID(st.Leader.LeaseID))
	if err != nil || lease.GrantedTTL != int64(want/time.Second) {
		t.Errorf("the leader's lease: %+v, %v", lease, err)
	}
}

const deadLease = 60 * time.Second

// leaveLease makes a node the leader as a process leaves it that was killed: on a
// lease that nobody renews.
func leaveLease(t *testing.T, dir, id string) {
	t.Helper()
	e, err := startEtcd(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	lease, err := e.client.Grant(t.Context(), int64(deadLease/time.Second))
	if err != nil {
		t.Fatal(err)
	}
	leader := fmt.Sprintf(`{"node_id":%q,"address":"127.0.0.1:1"}`, id)
	if _, err := e.client.Put(t.Context(), "/redoubt/dev/shards/0000/leader", leader, clientv3.WithLease(lease.ID)); err != nil {
		t.Fatal(err)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, text, _ := net.SplitHostPort(l.Addr().String())
	port, _ := strconv.Atoi(text)
	for flag, cfg := range map[string]Config{
		"--port":         {Port: port},
		"--s3-port":      {S3Port: port},
		"--metrics-port": {Metrics: true, MetricsPort: port},
	} {
		cfg.Dir = t.TempDir()
		_, err := Start(t.Context(), cfg)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "choose one with "+flag) || !strings.Contains(err.Error(), text) {
			t.Errorf("port for %s in use: %v", flag, err)
		}
		if held, _, err := holder(cfg.Dir); held || err != nil {
			t.Errorf("after a start that failed the directory is held: %v, %v", held, err)
		}
	}
	if _, err := Start(t.Context(), Config{Dir: t.TempDir(), Bind: "192.0.2.1"}); err == nil || !strings.Contains(err.Error(), "--bind") {
		t.Errorf("an address of another machine: %v", err)
	}
}

func TestRecover(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, SegmentAge: 10 * time.Millisecond}
	d := start(t, cfg)
	if err := client(t, d, 0).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "everything is sealed", func(ctx context.Context) error {
		st, err := d.shard().State(ctx)
		if err == nil && st.HeadEntries > 0 {
			err = fmt.Errorf("%d entries in the head", st.HeadEntries)
		}
		return err
	})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Dir: dir, Recover: true}); !errors.Is(err, recovery.ErrKnown) {
		t.Errorf("recovery of what is not lost: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "etcd")); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Dir: dir}); !errors.Is(err, snapshot.ErrDataLeft) {
		t.Fatalf("start without etcd's data: %v", err)
	}
	cfg.Recover = true
	again := start(t, cfg)
	r := again.Recovered()
	if r == nil || r.Position.Seq != 2 || r.Keys != 1 || r.EntryTime.IsZero() {
		t.Errorf("recovered %+v", r)
	}
	c := client(t, again, 0)
	eventuallyValue(t, c, false, "k", "v")
	if err := c.Set(t.Context(), "k", "w", 0).Err(); err != nil {
		t.Errorf("write after a recovery: %v", err)
	}
	if _, err := Start(t.Context(), Config{Dir: t.TempDir(), Recover: true}); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("recovery of nothing: %v", err)
	}
}

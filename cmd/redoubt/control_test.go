package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// lockedBuffer is written by a command while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startControl runs `redoubt control` on an etcd until the test ends, and points the
// environment of other commands to it.
func startControl(t *testing.T, etcd *testenv.Etcd) (log *lockedBuffer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var out lockedBuffer
	log = &lockedBuffer{}
	done := make(chan int, 1)
	dir := t.TempDir()
	go func() {
		done <- run(ctx, []string{"control", "--etcd", strings.Join(etcd.Endpoints(), ","), "--store", "s3://none/none", "--store-endpoint", "http://127.0.0.1:1", "--store-path-style",
			"--region", "us-east-1", "--listen", "127.0.0.1:0", "--dir", dir}, &out, log)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != exitOK {
			t.Errorf("redoubt control: exit code %d\n%s", code, log)
		}
	})
	testenv.Eventually(t, time.Minute, "the control plane serves", func(context.Context) error {
		_, rest, ok := strings.Cut(out.String(), "serves ")
		url, _, whole := strings.Cut(rest, "\n")
		if !ok || !whole {
			return errNotFound
		}
		t.Setenv("REDOUBT_API", url)
		return nil
	})
	t.Setenv("REDOUBT_API_CA", filepath.Join(dir, "api-cert.pem"))
	return log
}

func TestControl(t *testing.T) {
	etcd := testenv.StartEtcd(t, 1, testenv.EtcdOptions{})
	log := startControl(t, etcd)
	t.Setenv("REDOUBT_TOKEN", "")
	if _, stderr, code := cli(t, "cluster", "ls"); code != exitUsage || !strings.Contains(stderr, "--bootstrap") {
		t.Errorf("without a token: %d %s", code, stderr)
	}
	secret := strings.TrimSpace(mustCLI(t, "token", "create", "--bootstrap", "--etcd", etcd.Endpoints()[0]))
	t.Setenv("REDOUBT_TOKEN", secret)
	operator := strings.TrimSpace(mustCLI(t, "token", "create", "--role", "operate", "--description", "terraform", "--expires-in", "1h"))
	if out := mustCLI(t, "token", "ls"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "terraform") || strings.Contains(out, secret) {
		t.Errorf("tokens:\n%s", out)
	}
	t.Setenv("REDOUBT_TOKEN", operator)
	if _, stderr, code := cli(t, "token", "ls"); code != exitFailed || !strings.Contains(stderr, "needs admin") {
		t.Errorf("tokens for an operator: %d %s", code, stderr)
	}
	t.Run("access", controlsAccess)
	t.Run("clusters", func(t *testing.T) { controlsClusters(t, etcd.Client(t)) })
	t.Run("hosts", func(t *testing.T) { controlsHosts(t, etcd.Client(t)) })
	if text := log.String(); strings.Contains(text, secret) || strings.Contains(text, "a-long-password") {
		t.Error("the log has a secret")
	}
}

// controlsAccess goes through users, ACLs and parameter groups.
func controlsAccess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("a-long-password-1\na-long-password-2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustCLI(t, "user", "create", "alice", "--access-string", "on ~* +@all", "--password-file", file, "--tags", "team=a"); out != "User alice is there.\n" {
		t.Errorf("%q", out)
	}
	if out := mustCLI(t, "user", "update", "alice", "--access-string", "on ~* +@read"); out != "User alice has been changed.\n" {
		t.Errorf("%q", out)
	}
	if out := mustCLI(t, "user", "update", "alice", "--access-string", "on ~* +@read"); out != "User alice is like that already.\n" {
		t.Errorf("%q", out)
	}
	out := mustCLI(t, "user", "show", "alice")
	for _, want := range []string{"access string   on ~* +@read\n", "password count  2\n", "tags            team=a\n", "version         2\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("user show lacks %q:\n%s", want, out)
		}
	}
	if _, stderr, code := cli(t, "user", "create", "Bob", "--access-string", "on >secret"); code != exitUsage ||
		!strings.Contains(stderr, "name: must begin") || !strings.Contains(stderr, "access_string: must not have passwords") {
		t.Errorf("an invalid user: %d %s", code, stderr)
	}
	mustCLI(t, "acl", "create", "app", "--user-names", "alice")
	if _, stderr, code := cli(t, "user", "delete", "alice"); code != exitFailed || !strings.Contains(stderr, "in use by acls/app") {
		t.Errorf("a user in use: %d %s", code, stderr)
	}
	if out := mustCLI(t, "acl", "ls"); !strings.Contains(out, "open-access  default") || strings.Count(out, "active") != 2 {
		t.Errorf("ACLs:\n%s", out)
	}
	if out := mustCLI(t, "user", "show", "alice"); !strings.Contains(out, "status          active\nin acls         app\n") {
		t.Errorf("a user who is in an ACL:\n%s", out)
	}
	mustCLI(t, "parameter-group", "create", "mine", "--parameters", "maxclients=50,timeout=10")
	mustCLI(t, "parameter-group", "update", "mine", "--parameters", "timeout=20", "--reset", "maxclients")
	if out := mustCLI(t, "parameter-group", "show", "mine", "--json"); !strings.Contains(out, `"parameters": {
      "timeout": "20"
    }`) {
		t.Errorf("parameter group:\n%s", out)
	}
	if _, _, code := cli(t, "parameter-group", "update", "mine"); code != exitUsage {
		t.Errorf("an update of nothing: %d", code)
	}
	if _, _, code := cli(t, "acl", "show", "none"); code != exitNot {
		t.Errorf("what is not there: %d", code)
	}
}

func controlsClusters(t *testing.T, etcd *clientv3.Client) {
	_, stderr, code := cli(t, "cluster", "create", "main", "--node-memory", "1GiB", "--acl-name", "open-access")
	if code != exitUsage || !strings.Contains(stderr, "engine_version") {
		t.Errorf("without a host: %d %s", code, stderr)
	}
	if _, err := etcd.Put(t.Context(), "/redoubt-control/hosts/h1", `{"id":"h1","az":"a","memory":"16GiB","engines":["1.0.0"]}`); err != nil {
		t.Fatal(err)
	}
	if out := mustCLI(t, "cluster", "create", "main", "--node-memory", "1GiB", "--acl-name", "app", "--tls-enabled=false"); !strings.HasPrefix(out, "Cluster main is being made: `redoubt operation wait ") {
		t.Errorf("%q", out)
	}
	mustCLI(t, "cluster", "update", "main", "--num-replicas-per-shard", "0", "--availability-zones", "b,a")
	out := mustCLI(t, "cluster", "show", "main", "--json")
	var r struct {
		Version int
		Spec    struct {
			NumReplicasPerShard int      `json:"num_replicas_per_shard"`
			TLSEnabled          bool     `json:"tls_enabled"`
			Zones               []string `json:"availability_zones"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Version != 2 || r.Spec.NumReplicasPerShard != 0 || r.Spec.TLSEnabled || strings.Join(r.Spec.Zones, "") != "ab" {
		t.Errorf("%v: %s", err, out)
	}
	if out := mustCLI(t, "cluster", "ls"); !strings.Contains(out, "main  requested") && !strings.Contains(out, "main  creating") {
		t.Errorf("clusters:\n%s", out)
	}
	mustCLI(t, "cluster", "snapshot", "create", "first", "--cluster-name", "main")
	if out := mustCLI(t, "cluster", "snapshot", "ls"); !strings.Contains(out, "first  main") {
		t.Errorf("snapshots:\n%s", out)
	}
	mustCLI(t, "cluster", "failover", "main")
	mustCLI(t, "cluster", "delete", "main", "--final-snapshot-name", "last")
	// It has no nodes, so that it is soon gone.
	if out, stderr, code := cli(t, "cluster", "show", "main"); !regexp.MustCompile(`(?m)^status +deleting$`).MatchString(out) && !gone(stderr, code) {
		t.Errorf("cluster: %d %s\n%s", code, stderr, out)
	}
	if _, stderr, code := cli(t, "cluster", "update", "main", "--num-replicas-per-shard", "1"); code != exitFailed || !strings.Contains(stderr, "being deleted") && !gone(stderr, code) {
		t.Errorf("a cluster that is being deleted: %d %s", code, stderr)
	}
	if out := mustCLI(t, "operation", "ls", "--resource", "clusters/main"); strings.Count(out, "\n") != 5 {
		t.Errorf("operations:\n%s", out)
	}
	if out := mustCLI(t, "event", "ls", "--limit", "50"); !strings.Contains(out, "DeleteRequested") {
		t.Errorf("events:\n%s", out)
	}
	var ops []wire.Operation
	if err := json.Unmarshal([]byte(mustCLI(t, "operation", "ls", "--json")), &ops); err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		if op.State == wire.Done {
			mustCLI(t, "operation", "wait", op.ID)
			return
		}
	}
	t.Error("no operation is done")
}

func controlsHosts(t *testing.T, etcd *clientv3.Client) {
	if out := mustCLI(t, "host", "drain", "h1"); out != "Host h1 is draining.\n" {
		t.Errorf("%q", out)
	}
	if out := mustCLI(t, "host", "ls"); !strings.Contains(out, "draining") || !strings.Contains(out, "16.0 GiB") {
		t.Errorf("hosts:\n%s", out)
	}
	mustCLI(t, "host", "undrain", "h1")
	if out := mustCLI(t, "host", "show", "h1"); !strings.Contains(out, "state    ready") {
		t.Errorf("host:\n%s", out)
	}
	if _, _, code := cli(t, "host", "drain", "none"); code != exitNot {
		t.Errorf("a host that is not there: %d", code)
	}
	if resp, err := etcd.Get(t.Context(), "/redoubt-control/draining/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil || resp.Count != 0 {
		t.Errorf("%d hosts are draining, %v", resp.Count, err)
	}
}

// The API listens where `redoubt control` says, and nothing is served there in plain.
func TestControlServesTLSOnly(t *testing.T) {
	startControl(t, testenv.StartEtcd(t, 1, testenv.EtcdOptions{}))
	resp, err := http.Get(strings.Replace(os.Getenv("REDOUBT_API"), "https", "http", 1) + "/healthz")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("plain HTTP: %s", resp.Status)
		}
	}
	for _, args := range [][]string{
		{"control"}, {"control", "--etcd", "http://127.0.0.1:1"}, {"control", "--etcd", "x", "--store", "s3://x"},
		{"control", "--etcd", "http://127.0.0.1:1", "--store", "s3://x", "--tls-cert-file", "x"},
		{"control", "--etcd", "http://127.0.0.1:1", "--store", "s3://x", "--listen", "8443"},
		{"token", "create", "--bootstrap"}, {"token", "create"},
	} {
		if _, stderr, code := cli(t, args...); code != exitUsage {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

// gone reports whether a command failed because what it names is not there any more.
func gone(stderr string, code int) bool {
	return code == exitFailed && strings.Contains(stderr, "not found")
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// laptop is a `redoubt dev` with its control plane, as a process.
type laptop struct {
	t    *testing.T
	dir  string
	port int // of the first node of other clusters; there are two on each host
	proc *testenv.Process
}

func startLaptop(t *testing.T) *laptop {
	t.Helper()
	l := &laptop{t: t, dir: filepath.Join(t.TempDir(), "it's here"), port: testenv.FreePorts(t, 6)}
	// After the process has been killed: what it leaves then is to be ended here.
	t.Cleanup(func() {
		for _, pid := range l.nodes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	l.proc = testenv.Start(t, testenv.Command{
		Name: "dev", Path: testenv.Redoubt(t), Forbid: testenv.RedoubtForbid,
		Args: []string{
			"dev", "--dir", l.dir, "--replicas", "0", "--port", strconv.Itoa(testenv.FreePort(t)), "--s3-port", strconv.Itoa(testenv.FreePort(t)),
			"--api-port", strconv.Itoa(testenv.FreePort(t)), "--node-ports", fmt.Sprintf("%d-%d", l.port, l.port+5),
		},
		// The keys of somebody else's storage are of no use to it.
		Env: []string{"AWS_ACCESS_KEY_ID=other", "AWS_SECRET_ACCESS_KEY=other", "AWS_SESSION_TOKEN=other"},
	})
	l.ready()
	return l
}

func (l *laptop) ready() (e dev.Endpoints) {
	l.t.Helper()
	testenv.Eventually(l.t, time.Minute, "dev is ready", func(context.Context) (err error) {
		if !l.proc.Running() {
			l.t.Fatalf("dev has ended:\n%s", l.proc.Log())
		}
		e, err = dev.ReadEndpoints(l.dir)
		return err
	})
	return e
}

// nodes are the processes of other clusters' nodes that run.
func (l *laptop) nodes() (pids []int) {
	files, err := filepath.Glob(filepath.Join(l.dir, "hosts", "*", "nodes", "*", "pid"))
	if err != nil {
		l.t.Error(err)
	}
	for _, file := range files {
		var at struct{ PID int }
		b, err := os.ReadFile(file)
		if err = errors.Join(err, json.Unmarshal(b, &at)); err != nil {
			l.t.Errorf("%s: %v", file, err)
			continue
		}
		if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", at.PID)); err == nil && strings.Contains(string(cmdline), filepath.Dir(file)) {
			pids = append(pids, at.PID)
		}
	}
	return pids
}

func (l *laptop) cli(args ...string) string {
	l.t.Helper()
	return mustCLI(l.t, append(args, "--dir", l.dir)...)
}

// addrs are all places where another cluster's nodes may be.
func (l *laptop) addrs() (all []string) {
	for i := range 6 {
		all = append(all, net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port+i)))
	}
	return all
}

// recorder writes counted keys wherever a primary takes them, and knows which were
// acknowledged.
type recorder struct {
	t       *testing.T
	clients []*redis.Client
	stop    context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	acked []int
}

func startRecorder(t *testing.T, addrs []string) *recorder { return startRecorderAs(t, addrs, "", "") }

func startRecorderAs(t *testing.T, addrs []string, user, password string) *recorder {
	r := &recorder{t: t, done: make(chan struct{})}
	for _, addr := range addrs {
		c := redis.NewClient(&redis.Options{Addr: addr, Username: user, Password: password, MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { c.Close() })
		r.clients = append(r.clients, c)
	}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() {
		defer close(r.done)
		for i, at := 0, 0; ctx.Err() == nil; i++ {
			if err := r.clients[at].Set(ctx, fmt.Sprintf("k%d", i), i, 0).Err(); err != nil {
				at = (at + 1) % len(r.clients)
				continue
			}
			r.mu.Lock()
			r.acked = append(r.acked, i)
			r.mu.Unlock()
		}
	}()
	t.Cleanup(r.end)
	return r
}

func (r *recorder) end() { r.stop(); <-r.done }

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.acked)
}

// more waits until so many more writes have been acknowledged.
func (r *recorder) more(n int) {
	r.t.Helper()
	n += r.count()
	testenv.Eventually(r.t, time.Minute, "writes are acknowledged", func(context.Context) error {
		if have := r.count(); have < n {
			return fmt.Errorf("%d of %d", have, n)
		}
		return nil
	})
}

// verify reads all that was acknowledged from the primary, which find finds: it may just
// be moving.
func (r *recorder) verify(find func() *redis.Client) {
	r.t.Helper()
	lost := 0
	testenv.Eventually(r.t, time.Minute, "a primary that everything is read from", func(ctx context.Context) (err error) {
		lost, err = r.lost(ctx, find())
		return err
	})
	if lost > 0 {
		r.t.Errorf("%d of %d acknowledged writes are lost", lost, len(r.acked))
	}
}

// lost counts what was acknowledged and is not there; an error says that it is not known.
func (r *recorder) lost(ctx context.Context, primary *redis.Client) (n int, err error) {
	for _, i := range r.acked {
		got, err := primary.Get(ctx, fmt.Sprintf("k%d", i)).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return 0, err
		}
		if got != strconv.Itoa(i) {
			n++
		}
	}
	return n, nil
}

// primary is a client for the primary of a cluster that is available.
func (l *laptop) primary(name string) *redis.Client {
	l.t.Helper()
	return client(l.t, l.cluster(name).endpoint())
}

type shownCluster struct {
	Status struct {
		Status   string
		Endpoint struct {
			Address string
			Port    int
		} `json:"cluster_endpoint"`
		Shards []struct {
			Nodes []struct {
				Zone string `json:"availability_zone"`
				Role string
			}
		}
	}
}

func (c shownCluster) endpoint() string {
	return net.JoinHostPort(c.Status.Endpoint.Address, strconv.Itoa(c.Status.Endpoint.Port))
}

func (l *laptop) cluster(name string) (c shownCluster) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(l.cli("cluster", "show", name, "--json")), &c); err != nil {
		l.t.Fatal(err)
	}
	return c
}

// Everything that a cluster goes through works on a laptop, and neither Ctrl-C nor
// kill -9 of the dev loses a write of such a cluster.
func TestDevRunsClusters(t *testing.T) {
	l := startLaptop(t)
	token := func() string {
		b, err := os.ReadFile(filepath.Join(l.dir, "token"))
		if info, serr := os.Stat(filepath.Join(l.dir, "token")); err != nil || serr != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("token: %v, %v", err, serr)
		}
		return string(b)
	}
	first := token()
	if strings.Contains(l.proc.Log(), strings.TrimSpace(first)) {
		t.Error("the token is in what dev prints")
	}
	if _, stderr, code := cli(t, "cluster", "create", "dev", "--node-memory", "64MiB", "--acl-name", "open-access", "--dir", l.dir); code == exitOK || !strings.Contains(stderr, "choose another") {
		t.Errorf("a cluster called like the one of dev: %d %s", code, stderr)
	}
	l.cli("cluster", "create", "shop", "--node-memory", "64MiB", "--acl-name", "open-access", "--tls-enabled=false", "--wait")
	r := startRecorder(t, l.addrs())
	r.more(50)
	l.cli("cluster", "update", "shop", "--num-replicas-per-shard", "2", "--wait")
	zones := map[string]bool{}
	for _, n := range l.cluster("shop").Status.Shards[0].Nodes {
		zones[n.Zone] = true
	}
	if len(zones) != 3 {
		t.Errorf("two replicas and the primary are in %v", zones)
	}

	r.more(50)
	if code := l.proc.Terminate(time.Minute); code != 0 {
		t.Errorf("SIGTERM: exit code %d\n%s", code, l.proc.Log())
	}
	if left := l.nodes(); len(left) > 0 {
		t.Errorf("nodes %v outlive a dev that was stopped", left)
	}
	l.proc.Restart()
	l.ready()
	r.more(50)

	l.proc.Kill()
	if left := l.nodes(); len(left) != 3 {
		t.Errorf("%d nodes are left by a dev that was killed, the test wants 3", len(left))
	}
	l.proc.Restart()
	l.ready()
	r.more(50)
	if len(l.nodes()) != 3 {
		t.Errorf("%d nodes run, want 3", len(l.nodes()))
	}
	r.end()
	if token() != first {
		t.Error("the token is another one after a restart")
	}
	l.cli("cluster", "update", "shop", "--num-replicas-per-shard", "0", "--wait")
	r.verify(func() *redis.Client { return l.primary("shop") })

	l.cli("cluster", "delete", "shop", "--final-snapshot-name", "last", "--wait")
	l.listsSnapshot("_deleted/shop/snapshots/last/0000.rdb")
	l.cli("cluster", "create", "again", "--snapshot-name", "last", "--node-memory", "64MiB", "--num-replicas-per-shard", "0", "--acl-name", "open-access", "--tls-enabled=false", "--wait")
	r.verify(func() *redis.Client { return l.primary("again") })
	t.Logf("%d writes were acknowledged", len(r.acked))
	l.terraform()
	if code := l.proc.Terminate(time.Minute); code != 0 || len(l.nodes()) > 0 {
		t.Errorf("SIGTERM: exit code %d, %d nodes are left", code, len(l.nodes()))
	}
}

// listsSnapshot looks for an object with the real aws, with the keys in the directory.
func (l *laptop) listsSnapshot(key string) {
	l.t.Helper()
	e := l.ready()
	cmd := exec.Command(testenv.Tool(l.t, "aws"), "--endpoint-url", e.S3.Endpoint, "s3", "ls", "--recursive", e.S3.URL()+"/")
	cmd.Env = append(os.Environ(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(l.dir, "credentials"), "AWS_REGION="+e.S3.Region)
	if b, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(b), " "+key+"\n") {
		l.t.Errorf("aws s3 ls: %v, no %s in\n%s", err, key, b)
	}
}

// The commands over the API find the control plane of a dev, and that of another place
// when that one is named.
func TestFindDevsControlPlane(t *testing.T) {
	port := testenv.FreePorts(t, 3)
	d := startDev(t, dev.Config{Dir: t.TempDir(), Control: true, Program: "/nowhere", FirstNodePort: port, LastNodePort: port + 2})
	dir := filepath.Dir(d.Endpoints().API.TokenFile)
	if out := mustCLI(t, "host", "ls", "--dir", dir); strings.Count(out, "ready") != 3 {
		t.Errorf("hosts:\n%s", out)
	}
	for what, c := range map[string]struct {
		env  map[string]string
		args []string
		code int
		want string
	}{
		"by the variable":                 {env: map[string]string{"REDOUBT_DIR": dir}, want: "laptop-a"},
		"a flag goes before a variable":   {env: map[string]string{"REDOUBT_TOKEN": "rdt_x"}, args: []string{"--dir", dir}, want: "laptop-a"},
		"both":                            {args: []string{"--dir", dir, "--token", "rdt_x"}, code: exitUsage, want: "one or the other"},
		"no dev there":                    {args: []string{"--dir", t.TempDir()}, code: exitNot, want: "not running"},
		"no dev where none was asked for": {code: exitUsage, want: "--bootstrap"},
	} {
		t.Run(what, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			out, stderr, code := cli(t, append([]string{"host", "ls"}, c.args...)...)
			if code != c.code || !strings.Contains(out+stderr, c.want) {
				t.Errorf("%d, %s%s; want %d and %q", code, out, stderr, c.code, c.want)
			}
		})
	}
	without := t.TempDir()
	startDev(t, dev.Config{Dir: without})
	if _, stderr, code := cli(t, "host", "ls", "--dir", without); code != exitFailed || !strings.Contains(stderr, "--api-port 0") {
		t.Errorf("a dev without: %d %s", code, stderr)
	}
}

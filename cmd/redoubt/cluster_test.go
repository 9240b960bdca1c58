package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/objectserver"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/snapshot"
)

// cluster is a real etcd and an S3 endpoint, and the configuration file for
// them that node and the other commands share.
type cluster struct {
	config string
	listen string
	health string
	s3     *objectserver.Server
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	s3, err := objectserver.Start(t.Context(), objectserver.Config{
		Dir: t.TempDir(), Addr: "127.0.0.1:0", Bucket: "shop-redoubt", AccessKey: "key", SecretKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s3.Close() })
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	c := &cluster{config: filepath.Join(t.TempDir(), "node.yaml"), listen: testenv.FreeAddr(t), health: testenv.FreeAddr(t), s3: s3}
	yaml := fmt.Sprintf(`cluster: shop
shard: 2
node-id: n1
az: here
store: s3://shop-redoubt/prod
store-endpoint: %s
store-path-style: true
listen: %s
metrics-listen: %s
segment-age: 10ms
head-limit: 64MiB
`, s3.URL(), c.listen, c.health)
	if err := os.WriteFile(c.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c.newEtcd(t)
	return c
}

// newEtcd gives the cluster an etcd that knows nothing.
func (c *cluster) newEtcd(t *testing.T) {
	t.Helper()
	t.Setenv("REDOUBT_ETCD", strings.Join(testenv.StartEtcd(t, 1, testenv.EtcdOptions{}).Endpoints(), ","))
}

// run starts the node; the returned function stops it and returns the exit code.
func (c *cluster) run(t *testing.T) (output *syncBuffer, done <-chan int, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	output, ended := &syncBuffer{}, make(chan int, 1)
	go func() { ended <- run(ctx, []string{"node", "--config", c.config}, output, output) }()
	t.Cleanup(cancel)
	return output, ended, func() int { cancel(); return <-ended }
}

// set writes a key once there is a primary.
func (c *cluster) set(t *testing.T, key, value string) {
	t.Helper()
	conn := client(t, c.listen)
	testenv.Eventually(t, 20*time.Second, "the node takes writes", func(ctx context.Context) error {
		return conn.Set(ctx, key, value, 0).Err()
	})
}

func TestNodeAndRecover(t *testing.T) {
	c := newCluster(t)
	output, _, stop := c.run(t)
	c.set(t, "k", "v")
	if resp, err := http.Get("http://" + c.health + "/healthz"); err != nil || resp.Body.Close() != nil || resp.StatusCode != 200 {
		t.Errorf("healthz: %+v, %v", resp, err)
	}
	target := []string{"--config", c.config}
	with := func(args ...string) []string { return append(args, target...) }
	st := readJSON[clusterStatus](t, with("status")...)
	if st.Cluster != "shop" || len(st.Shards) != 1 || st.Shards[0].Shard != 2 || st.Shards[0].Leader.ID != "n1" || st.Shards[0].Leader.Address != c.listen {
		t.Errorf("status: %+v", st)
	}
	testenv.Eventually(t, 20*time.Second, "everything is sealed", func(context.Context) error {
		if l := readJSON[walList](t, with("wal", "ls")...); l.Head.Entries > 0 {
			return fmt.Errorf("%+v", l.Head)
		}
		return nil
	})
	if _, stderr, code := cli(t, with("recover")...); code != exitFailed || !strings.Contains(stderr, "etcd knows the shard") || !strings.Contains(stderr, "nothing to recover") {
		t.Errorf("recover of what is not lost: exit code %d, %s", code, stderr)
	}
	if code := stop(); code != exitOK || output.String() != "" {
		t.Errorf("stopped with exit code %d and output %s", code, output)
	}

	c.newEtcd(t)
	output, done, _ := c.run(t)
	if code := <-done; code != exitFailed || !strings.Contains(output.String(), "redoubt recover --help") {
		t.Errorf("a node in an etcd that has lost its data: exit code %d, %s", code, output)
	}
	if got := mustCLI(t, with("recover", "--dry-run")...); !strings.Contains(got, "Nothing was changed") || !strings.Contains(got, "last entry    2, written 2") {
		t.Errorf("recover --dry-run:\n%s", got)
	}
	r := readJSON[snapshot.Recovered](t, with("recover")...)
	if r.Shard != 2 || r.Position.Seq != 2 || r.Keys != 1 || r.EntryTime.IsZero() || len(r.Segments) == 0 || r.EpochBase < r.Position.Epoch {
		t.Errorf("recovered %+v", r)
	}
	if _, stderr, code := cli(t, with("recover")...); code != exitFailed || !strings.Contains(stderr, "etcd knows the shard") {
		t.Errorf("recover twice: exit code %d, %s", code, stderr)
	}

	_, _, stop = c.run(t)
	c.set(t, "later", "w")
	if v, err := client(t, c.listen).Get(t.Context(), "k").Result(); v != "v" {
		t.Errorf("after the recovery: %q, %v", v, err)
	}
	wr := readJSON[walReport](t, with("wal", "verify")...)
	if !wr.OK || wr.First != 1 || wr.Last != 4 {
		t.Errorf("the log goes on behind what was recovered: %+v", wr)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// Status is looked at when something is wrong: without object storage it shows
// what etcd knows, and exits with 1.
func TestStatusWithoutObjectStorage(t *testing.T) {
	c := newCluster(t)
	c.run(t)
	c.set(t, "k", "v")
	if err := c.s3.Close(); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := cli(t, "status", "--config", c.config)
	if code != exitFailed || !strings.Contains(stderr, "list snapshots") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	wantContains(t, "status", out, "primary   n1 at ", "snapshot  unknown, object storage does not answer")
}

// A node that stands still is listed as what it last said; it is not shown as a
// second primary.
func TestStatusOfDeposedPrimary(t *testing.T) {
	s := shardStatus{Nodes: []nodeStatus{{ID: "n1", Role: "primary"}, {ID: "n2", Role: "primary"}}, Leader: &leaderStatus{}}
	s.Leader.ID = "n2"
	var out strings.Builder
	if err := s.print(&out, &clusterStatus{Cluster: "shop"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	wantContains(t, "status", out.String(), "n1    deposed", "n2    primary")
}

func TestRecoverNothing(t *testing.T) {
	c := newCluster(t)
	_, stderr, code := cli(t, "recover", "--config", c.config)
	if code != exitNot || !strings.Contains(stderr, "neither segments nor snapshots") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if _, stderr, code := cli(t, "status", "--config", c.config); code != exitNot || !strings.Contains(stderr, "cluster shop has no shard 2") {
		t.Errorf("status of a shard that was never made: exit code %d, %s", code, stderr)
	}
}

// A config file that is wrong must not start a node.
func TestNodeConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(path, []byte("cluster: shop\nhead_limit: 1GiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"node", "--config", path}, {"status", "--config", path}} {
		_, stderr, code := cli(t, args...)
		if code != exitUsage || !strings.Contains(stderr, path) || !strings.Contains(stderr, `unknown key "head_limit"`) {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

package backup_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/backup"
	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
)

// leaderKey is what the elected control plane has.
const leaderKey = "/redoubt-control/leader/test"

// bench is a worker with a real etcd and a real S3.
type bench struct {
	t    *testing.T
	etcd *testenv.Etcd
	s3   *testenv.S3
	cli  *clientv3.Client
	args []string

	config backup.Config
	*backup.Worker
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, etcd: testenv.StartEtcd(t, 1, testenv.EtcdOptions{}), s3: testenv.StartVersityGW(t)}
	b.cli = b.etcd.Client(t)
	put, err := b.cli.Put(t.Context(), leaderKey, "")
	if err != nil {
		t.Fatal(err)
	}
	b.args = []string{
		"--etcd", strings.Join(b.etcd.Endpoints(), ","), "--store", b.s3.URL("redoubt"),
		"--store-endpoint", b.s3.Endpoint, "--store-path-style", "--region", b.s3.Region,
	}
	b.config = backup.Config{
		Program: testenv.Redoubt(t), Args: b.args, Env: b.s3.Env(), Etcd: b.cli, TempDir: t.TempDir(),
		Store: s3segments.Config{
			URL: b.s3.URL("redoubt"), Endpoint: b.s3.Endpoint, Region: b.s3.Region, PathStyle: true,
			AccessKey: b.s3.AccessKey, SecretKey: b.s3.SecretKey,
		},
		Fence: reconcile.Fence{Key: leaderKey, CreateRevision: put.Header.Revision},
	}
	b.Worker = backup.New(b.config)
	return b
}

// node runs a node of a cluster until the test ends or it is stopped.
func (b *bench) node(cluster string) (*testenv.Process, *redis.Client) {
	b.t.Helper()
	addr := testenv.FreeAddr(b.t)
	p := testenv.Start(b.t, testenv.Command{
		Name: cluster, Path: testenv.Redoubt(b.t), Env: b.s3.Env(), Forbid: testenv.RedoubtForbid,
		Args: append([]string{"node", "--cluster", cluster, "--node-id", "n1", "--listen", addr}, b.args...),
	})
	db := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	b.t.Cleanup(func() { _ = db.Close() })
	testenv.Eventually(b.t, time.Minute, cluster+" to serve", func(ctx context.Context) error {
		return db.Set(ctx, "begun", "1", 0).Err()
	})
	return p, db
}

func (b *bench) initialize(cluster string, files ...string) error {
	return b.Initialize(b.t.Context(), cluster, 0, files, func(string) {})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLifeOfData: begin a cluster, snapshot it, begin another one with that, delete the
// first but for the snapshot, begin again under its name with the snapshot.
func TestLifeOfData(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	quiet := func(string) {}
	must(t, b.initialize("shop"))
	must(t, b.initialize("shop")) // may be repeated
	node, db := b.node("shop")
	must(t, db.Set(ctx, "k", "v", 0).Err())
	node.Terminate(30 * time.Second)

	made, err := b.Create(ctx, "shop", "first", quiet)
	must(t, err)
	again, err := b.Create(ctx, "shop", "first", quiet)
	must(t, err)
	if made.Keys != 2 || len(made.URIs) != 1 || made.Size == 0 || again.URIs[0] != made.URIs[0] {
		t.Fatalf("made %+v, then %+v", made, again)
	}
	_, err = b.Create(ctx, "shop", "second", quiet)
	must(t, err)
	l, err := b.Log(ctx, "shop")
	must(t, err)
	if !l.Known || l.SnapshotSize == 0 {
		t.Errorf("log %+v", l)
	}

	must(t, b.initialize("copy", made.URIs...))
	must(t, b.initialize("copy", made.URIs...))
	_, copied := b.node("copy")
	if got := copied.Get(ctx, "k").Val(); got != "v" {
		t.Errorf("the copy has %q", got)
	}

	if err := b.initialize("shop2"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds all moved
		moved, err := b.Purge(ctx, "shop", []string{"first"}, quiet)
		must(t, err)
		if len(moved["first"]) != 1 || !strings.Contains(moved["first"][0], "/_deleted/shop/") {
			t.Fatalf("moved %v", moved)
		}
		made.URIs = moved["first"]
	}
	left, err := b.cli.Get(ctx, "/redoubt/shop/", clientv3.WithPrefix())
	must(t, err)
	if left.Count != 0 {
		t.Errorf("etcd has %s", left.Kvs[0].Key)
	}
	must(t, b.initialize("shop", made.URIs...))
	_, db = b.node("shop")
	if got := db.Get(ctx, "k").Val(); got != "v" {
		t.Errorf("begun again with the snapshot, it has %q", got)
	}
	must(t, b.Remove(ctx, "shop", "first"))
	must(t, b.Remove(ctx, "shop", "first"))
	if err := b.initialize("late", made.URIs...); !errors.Is(err, reconcile.ErrPermanent) {
		t.Errorf("begin with a snapshot that is removed: %v", err)
	}
}

// TestWhatCannotBegin says so for good.
func TestWhatCannotBegin(t *testing.T) {
	b := newBench(t)
	must(t, os.WriteFile(b.s3.ObjectPath("bad.rdb"), []byte("REDIS0010 and nothing more"), 0o644))
	for _, uri := range []string{"s3://" + b.s3.Bucket + "/bad.rdb", "s3://" + b.s3.Bucket + "/absent.rdb", "file:///x.rdb"} {
		if err := b.initialize("shop", uri); !errors.Is(err, reconcile.ErrPermanent) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	// Objects of an earlier cluster must not be taken for this one's.
	must(t, b.initialize("old"))
	_, db := b.node("old")
	must(t, db.Set(t.Context(), "k", "v", 0).Err())
	_, err := b.Create(t.Context(), "old", "s", func(string) {})
	must(t, err)
	_, err = b.cli.Delete(t.Context(), "/redoubt/old/", clientv3.WithPrefix())
	must(t, err)
	if err := b.initialize("old"); !errors.Is(err, reconcile.ErrPermanent) {
		t.Errorf("begun on another cluster's objects: %v", err)
	}
}

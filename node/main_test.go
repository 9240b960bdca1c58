package node

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"github.com/redoubtdb/redoubt/internal/objectserver"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
)

// member is one embedded etcd member for all tests of the package, etcd a client
// of it; each test has clusters of its own in it.
var (
	member *embed.Etcd
	etcd   *clientv3.Client
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "redoubt-node-test-")
	if err != nil {
		panic(err)
	}
	if member, err = startEtcd(dir); err != nil {
		panic(err)
	}
	etcd = v3client.New(member.Server)
	code := m.Run()
	etcd.Close()
	member.Close()
	os.RemoveAll(dir)
	os.Exit(code)
}

func startEtcd(dir string) (*embed.Etcd, error) {
	local := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = local, local
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = local, local
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 50, 500
	cfg.UnsafeNoFsync = true // no test here cuts the power
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case <-time.After(30 * time.Second):
		e.Close()
		return nil, errors.New("etcd is not ready after 30 s")
	}
}

var clusters atomic.Int64

// longLease is one that no slow test machine lets run out.
const longLease = time.Minute

// startNode runs a node of a new cluster until the test ends and waits until
// it leads.
func startNode(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	cfg := Config{
		Cluster: fmt.Sprintf("c%d", clusters.Add(1)), NodeID: "n1", AZ: "a", Listen: "127.0.0.1:0",
		Etcd: etcd, Store: testStore(t), LeaseTTL: longLease, EnableDebugCommand: "local",
	}
	if change != nil {
		change(&cfg)
	}
	n := runNode(t, cfg)
	waitRole(t, n, RolePrimary)
	return n
}

// runNode runs a node until the test ends.
func runNode(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("node %s: %v", cfg.NodeID, err)
		}
		if err := n.Close(); err != nil {
			t.Errorf("close node %s: %v", cfg.NodeID, err)
		}
	})
	return n
}

func waitRole(t *testing.T, n *Node, want Role) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, fmt.Sprintf("%s to be %v", n.cfg.NodeID, want), func(context.Context) error {
		if got := n.Role(); got != want {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
}

// words splits a request at spaces but for those between quotation marks.
func words(s string) []string {
	f := regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(s, -1)
	for i := range f {
		if len(f[i]) >= 2 && f[i][0] == '"' {
			f[i] = f[i][1 : len(f[i])-1]
		}
	}
	return f
}

// testStore is an object store of the test's own, in an embedded S3 server.
func testStore(t *testing.T) *s3segments.Store {
	t.Helper()
	server, err := objectserver.Start(t.Context(), objectserver.Config{
		Dir: t.TempDir(), Addr: "127.0.0.1:0", Bucket: "test", AccessKey: "key", SecretKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	store, err := s3segments.OpenStore(t.Context(), s3segments.Config{
		URL: "s3://test/p", Cluster: "c", Endpoint: server.URL(), PathStyle: true, AccessKey: "key", SecretKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

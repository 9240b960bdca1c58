package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
)

// Name of the cluster in etcd and S3; it has one shard, number 0.
const (
	Name  = "faults"
	shard = 0
)

const (
	etcdMembers  = 3
	startTimeout = time.Minute // until all nodes serve
)

// Options say what to start. The zero value is what campaigns use: small enough
// that a minute of load seals, trims and fills the head many times over.
type Options struct {
	Nodes       int           // 0: 3
	LeaseTTL    time.Duration // 0: the node's default
	HeadLimit   string        // "": 4MiB
	SegmentSize string        // "": 64KiB
	SegmentAge  time.Duration // 0: 1 s
	// Broken names a deliberately broken variant (package broken) that every
	// redoubt process is to be. "": none, and the binary has no variants in it.
	Broken string
}

func (o Options) withDefaults() Options {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.HeadLimit == "" {
		o.HeadLimit = "4MiB"
	}
	if o.SegmentSize == "" {
		o.SegmentSize = "64KiB"
	}
	if o.SegmentAge == 0 {
		o.SegmentAge = time.Second
	}
	return o
}

// Cluster is a running shard.
type Cluster struct {
	Etcd  *testenv.Etcd
	S3    *testenv.S3
	Nodes []*Node

	options Options
	bin     string
	tmp     string // for temporary files of redoubt processes
	client  *clientv3.Client
	shard   *etcdfence.Shard
	store   *s3segments.Store
	// members are the shard as each etcd member knows it, by index.
	members  []*etcdfence.Shard
	answered atomic.Int32 // which of them answered last
}

// Start starts everything and returns when a primary and caught-up replicas
// serve. It is all ended by t's Cleanup.
func Start(t testenv.TB, o Options) *Cluster {
	t.Helper()
	c := &Cluster{
		options: o.withDefaults(), tmp: t.TempDir(),
		Etcd: testenv.StartEtcd(t, etcdMembers, testenv.EtcdOptions{PeerLinks: true}),
		S3:   testenv.StartVersityGW(t),
	}
	c.bin = testenv.Redoubt(t)
	if o.Broken != "" {
		c.bin = testenv.RedoubtWithTags(t, "broken")
	}
	c.connect(t)
	for i := range c.options.Nodes {
		c.Nodes = append(c.Nodes, c.startNode(t, i))
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := c.WaitHealthy(ctx); err != nil {
		t.Fatalf("start the cluster: %v", err)
	}
	return c
}

// connect makes the clients that go around the proxies.
func (c *Cluster) connect(t testenv.TB) {
	t.Helper()
	store, err := s3segments.OpenStore(context.Background(), s3segments.Config{
		URL: c.S3.URL(Name), Cluster: Name, Endpoint: c.S3.Endpoint, Region: c.S3.Region, PathStyle: true,
		AccessKey: c.S3.AccessKey, SecretKey: c.S3.SecretKey,
	})
	if err != nil {
		t.Fatalf("open the object store: %v", err)
	}
	t.Cleanup(store.Close)
	c.store = store
	c.client = c.Etcd.Client(t)
	c.shard = c.open(c.client)
	for _, url := range c.Etcd.Endpoints() {
		c.members = append(c.members, c.open(c.Etcd.Client(t, url)))
	}
}

func (c *Cluster) open(cli *clientv3.Client) *etcdfence.Shard {
	return etcdfence.Open(cli, Name, shard, etcdfence.Options{Spill: s3segments.NewShard(c.store, shard)})
}

// EtcdClient is a client of all etcd members. Of its requests, and of Shard's, a
// part goes to each member and waits for one that stands still: State does not.
func (c *Cluster) EtcdClient() *clientv3.Client { return c.client }

// Shard is the shard in etcd.
func (c *Cluster) Shard() *etcdfence.Shard { return c.shard }

// Store is the cluster's objects in S3.
func (c *Cluster) Store() *s3segments.Store { return c.store }

// Targets are the nodes as clients reach them: through their proxies.
func (c *Cluster) Targets() []workload.Target {
	var all []workload.Target
	for _, n := range c.Nodes {
		all = append(all, workload.Target{ID: n.ID, Addr: n.Addr})
	}
	return all
}

// Redoubt runs a command of the redoubt binary against the real parts and returns
// what it printed and its exit code, -1 when it did not come to its end.
func (c *Cluster) Redoubt(ctx context.Context, args ...string) (out string, code int) {
	args = append(args, "--cluster", Name)
	args = append(args, c.partFlags(c.Etcd.Endpoints(), c.S3.Endpoint)...)
	out, code, err := testenv.Run(ctx, testenv.Command{
		Name: "redoubt " + args[0], Path: c.bin, Args: args, Env: c.env(), Dir: c.tmp, Forbid: testenv.RedoubtForbid,
	})
	if err != nil {
		return fmt.Sprintf("%s\n%v", out, err), -1
	}
	return out, code
}

// partFlags tell a redoubt process where etcd and S3 are.
func (c *Cluster) partFlags(etcd []string, s3 string) []string {
	return []string{
		"--etcd", strings.Join(etcd, ","), "--store", c.S3.URL(Name),
		"--store-endpoint", s3, "--store-path-style", "--region", c.S3.Region,
	}
}

// env is the environment of every redoubt process.
func (c *Cluster) env() []string {
	env := append(c.S3.Env(), "TMPDIR="+c.tmp)
	if c.options.Broken != "" {
		env = append(env, "REDOUBT_BROKEN="+c.options.Broken)
	}
	return env
}

package cluster

import (
	"fmt"
	"strings"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// Node is one redoubt process and the proxies on its links.
type Node struct {
	ID     string
	Proc   *testenv.Process
	Etcd   []*testenv.Proxy // to each etcd member, by its index
	S3     *testenv.Proxy
	Client *testenv.Proxy // from clients to the node
	Addr   string         // the client proxy's, which the node announces
	Direct string         // the node's own, for observers
}

// startNode starts node i without waiting until it serves.
func (c *Cluster) startNode(t testenv.TB, i int) *Node {
	t.Helper()
	n := &Node{ID: fmt.Sprintf("node-%d", i), Direct: testenv.FreeAddr(t)}
	var etcd []string
	for _, url := range c.Etcd.Endpoints() {
		p := testenv.NewProxy(t, strings.TrimPrefix(url, "http://"))
		n.Etcd = append(n.Etcd, p)
		etcd = append(etcd, "http://"+p.Addr())
	}
	n.S3 = testenv.NewProxy(t, strings.TrimPrefix(c.S3.Endpoint, "http://"))
	n.Client = testenv.NewProxy(t, n.Direct)
	n.Addr = n.Client.Addr()
	n.Proc = testenv.Start(t, testenv.Command{
		Name: n.ID, Path: c.bin, Args: c.nodeArgs(i, n, etcd), Env: c.env(), Forbid: testenv.RedoubtForbid,
	})
	return n
}

func (c *Cluster) nodeArgs(i int, n *Node, etcd []string) []string {
	o := c.options
	args := []string{
		"node", "--cluster", Name, "--shard", fmt.Sprint(shard), "--node-id", n.ID, "--az", string(rune('a' + i)),
		"--listen", n.Direct, "--announce", n.Addr, "--enable-debug-command", "local", "--log-level", "info",
		"--head-limit", o.HeadLimit, "--segment-size", o.SegmentSize, "--segment-age", o.SegmentAge.String(),
	}
	if o.LeaseTTL != 0 {
		args = append(args, "--lease-ttl", o.LeaseTTL.String())
	}
	return append(args, c.partFlags(etcd, "http://"+n.S3.Addr())...)
}

// proxies are all proxies of the node.
func (n *Node) proxies() []*testenv.Proxy {
	return append([]*testenv.Proxy{n.S3, n.Client}, n.Etcd...)
}

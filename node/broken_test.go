//go:build broken

package node

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/wal"
)

// A write that etcd never sees is acknowledged.
func TestBrokenEarlyReply(t *testing.T) {
	t.Cleanup(broken.Use(broken.EarlyReply))
	n, kv := heldNode(t, nil)
	c := talk(t, n)
	kv.close()
	if got := c.ask("SET k new"); got != "+OK" {
		t.Fatalf("write: %q", got)
	}
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	if p := n.engine.primary; p.appender.Committed() >= p.executed {
		t.Fatal("it is committed")
	}
}

// A value is read that is then lost with its term.
func TestBrokenDirtyRead(t *testing.T) {
	t.Cleanup(broken.Use(broken.DirtyRead))
	n, kv := heldNode(t, nil)
	writer, reader := talk(t, n), talk(t, n)
	writer.ask("SET k old")
	kv.close()
	writer.send("SET k new")
	writer.waits(n, 1)
	if got := reader.ask("GET k") + reader.line(); got != "$3new" {
		t.Fatalf("read: %q", got)
	}
}

// What was executed and not committed is served in the node's next term.
func TestBrokenKeptDirty(t *testing.T) {
	t.Cleanup(broken.Use(broken.KeptDirty))
	n, kv := heldNode(t, nil)
	writer := talk(t, n)
	writer.ask("SET k old")
	before := n.engine.position().Epoch
	kv.close()
	writer.send("SET k new")
	writer.waits(n, 1)
	if err := n.shard.RevokeLeader(t.Context(), n.cfg.NodeID); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, "the term to end", func(context.Context) error {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if p := n.engine.primary; p != nil && p.term.Epoch() == before {
			return errors.New("not yet")
		}
		return nil
	})
	kv.release()
	waitRole(t, n, RolePrimary)
	again := talk(t, n)
	if got := again.ask("GET k") + again.line(); got != "$3new" {
		t.Fatalf("in the next term k is %q", got)
	}
}

// twoNodes are a primary of a shard and a replica, which the primary knows of.
func twoNodes(t *testing.T) (first, second *Node) {
	t.Helper()
	store := testStore(t)
	first = startNode(t, func(c *Config) { c.Store = store })
	cfg := first.cfg
	cfg.NodeID, cfg.AZ, cfg.Metrics = "n2", "b", nil
	second = runNode(t, cfg)
	waitRole(t, second, RoleReplica)
	testenv.Eventually(t, 10*time.Second, "the replica to be known", func(context.Context) error {
		if len(first.replicas()) == 0 {
			return errors.New("no replica")
		}
		return nil
	})
	return first, second
}

// An acknowledged write is gone after a hand-over.
func TestBrokenUnreadTail(t *testing.T) {
	t.Cleanup(broken.Use(broken.UnreadTail))
	first, second := twoNodes(t)
	c := talk(t, first)
	c.ask("SET k old")
	if got := c.ask("SET k new"); got != "+OK" {
		t.Fatalf("write: %q", got)
	}
	if err := first.shard.RequestHandover(t.Context(), etcdfence.Handover{}); err != nil {
		t.Fatal(err)
	}
	waitRole(t, second, RolePrimary)
	d := talk(t, second)
	if got := d.ask("GET k") + d.line(); got != "$3old" {
		t.Fatalf("the new primary has k = %q", got)
	}
}

// The appends of a deposed primary go through once its link is back, one after the
// other over its successor's; its clients are told that they are committed.
func TestBrokenPlainAppend(t *testing.T) {
	t.Cleanup(broken.Use(broken.PlainAppend))
	cli := v3client.New(member.Server)
	t.Cleanup(func() { cli.Close() })
	kv := &heldKV{KV: cli.KV}
	cli.KV = kv
	cfg := Config{
		Cluster: fmt.Sprintf("c%d", clusters.Add(1)), NodeID: "n1", AZ: "a", Listen: "127.0.0.1:0",
		Etcd: cli, Store: testStore(t), LeaseTTL: 2 * time.Second,
	}
	first := runDoomed(t, cfg)
	waitRole(t, first, RolePrimary)
	cfg.NodeID, cfg.AZ, cfg.Metrics, cfg.Etcd = "n2", "b", nil, etcd
	second := runDoomed(t, cfg)
	waitRole(t, second, RoleReplica)

	inFlight, queued := talk(t, first), talk(t, first)
	kv.close()
	inFlight.send("SET k late")
	inFlight.waits(first, 1)
	queued.send("SET l later")
	queued.waits(first, 1)
	if err := first.shard.RevokeLeader(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	waitRole(t, second, RolePrimary)
	d := talk(t, second)
	for i := range 3 {
		d.ask(fmt.Sprintf("SET successor %d", i))
	}
	kv.release()
	if a, b := inFlight.line(), queued.line(); a != "+OK" || b != "+OK" {
		t.Fatalf("the late writes: %q, %q", a, b)
	}
	st, err := second.shard.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = second.shard.ReadHead(t.Context(), 1, st.Tail, func(*wal.Entry, int) error { return nil })
	if !errors.Is(err, wal.ErrChain) && !errors.Is(err, wal.ErrEpoch) {
		t.Fatalf("the log is whole (%v)", err)
	}
}

// runDoomed is runNode for a node that may find its log damaged.
func runDoomed(t *testing.T, cfg Config) *Node {
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
		t.Logf("node %s ended with %v", cfg.NodeID, <-ended)
		n.Close()
	})
	return n
}

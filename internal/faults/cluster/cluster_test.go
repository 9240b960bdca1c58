package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/faults/cluster"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// dial is a client that tries each command once.
func dial(t *testing.T, addr string) *redis.Client {
	t.Helper()
	db := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DisableIdentity: true, PoolSize: 1})
	t.Cleanup(func() { db.Close() })
	return db
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load writes so many keys through the primary's client proxy.
func load(t *testing.T, n *cluster.Node, keys int) {
	t.Helper()
	db := dial(t, n.Addr)
	pipe := db.Pipeline()
	for i := range keys {
		pipe.Set(t.Context(), fmt.Sprint("k", i), i, 0)
	}
	_, err := pipe.Exec(within(t, 20*time.Second))
	must(t, err)
}

// sameEverywhere checks that every node holds the same, and so many keys.
func sameEverywhere(t *testing.T, c *cluster.Cluster, keys int) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	st, err := c.State(ctx)
	must(t, err)
	digests := map[string][]string{}
	for _, n := range c.Nodes {
		d, err := c.Digest(ctx, n, st.Tail)
		must(t, err)
		digests[d] = append(digests[d], n.ID)
	}
	if len(digests) != 1 {
		t.Errorf("digests differ: %v", digests)
	}
	primary, err := c.WaitPrimary(ctx, "")
	must(t, err)
	if size, err := dial(t, primary.Addr).DBSize(ctx).Result(); err != nil || size != int64(keys) {
		t.Errorf("%s holds %d keys, want %d; %v", primary.ID, size, keys, err)
	}
}

// TestCluster goes through what a campaign does with one cluster.
func TestCluster(t *testing.T) {
	c := cluster.Start(t, cluster.Options{LeaseTTL: time.Second})
	for _, step := range []struct {
		name string
		run  func(*testing.T, *cluster.Cluster)
	}{
		{"the parts", testParts},
		{"failover", testFailover},
		{"links", testLinks},
		{"etcd in parts", testEtcdInParts},
		{"heal everything", testHealEverything},
		{"heal what runs", testHealWhatRuns},
		{"end of time", testEndOfTime},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, c) }) {
			break // the next ones would blame the wrong thing
		}
	}
}

func testParts(t *testing.T, c *cluster.Cluster) {
	ctx := within(t, 20*time.Second)
	if len(c.Nodes) != 3 || len(c.Targets()) != 3 {
		t.Fatalf("%d nodes, targets %v", len(c.Nodes), c.Targets())
	}
	members, err := c.EtcdClient().MemberList(ctx)
	if err != nil || len(members.Members) != 3 {
		t.Errorf("etcd members: %v, %v", members, err)
	}
	must(t, c.Store().Check(ctx))
	st, err := c.Shard().State(ctx)
	must(t, err)
	primary, err := c.Primary(ctx)
	must(t, err)
	if st.Leader == nil || st.Leader.NodeID != primary.ID || st.Leader.Address != primary.Addr {
		t.Errorf("the shard is led by %+v, the primary is %s at %s", st.Leader, primary.ID, primary.Addr)
	}
	out, code := c.Redoubt(ctx, "status")
	if code != 0 || !strings.Contains(out, primary.ID) {
		t.Errorf("redoubt status: exit code %d\n%s", code, out)
	}
	if out, code := c.Redoubt(ctx, "no-such-command"); code <= 0 {
		t.Errorf("redoubt no-such-command: exit code %d\n%s", code, out)
	}
	for i, n := range c.Nodes {
		if target := c.Targets()[i]; target.ID != n.ID || target.Addr != n.Client.Addr() || n.Addr != n.Client.Addr() {
			t.Errorf("%+v and its target %+v", n, target)
		}
		if log, err := os.ReadFile(n.Proc.LogPath()); err != nil || len(log) == 0 {
			t.Errorf("log of %s: %q, %v", n.ID, log, err)
		}
	}
}

func testFailover(t *testing.T, c *cluster.Cluster) {
	ctx := within(t, 30*time.Second)
	old, err := c.WaitPrimary(ctx, "")
	must(t, err)
	load(t, old, 500)
	old.Proc.Kill()
	now, err := c.WaitPrimary(ctx, old.ID)
	must(t, err)
	if now == old {
		t.Fatalf("%s leads after its death", old.ID)
	}
	must(t, dial(t, now.Addr).Set(ctx, "after", "1", 0).Err())
	must(t, c.Heal())
	must(t, c.WaitHealthy(ctx))
	sameEverywhere(t, c, 501)
}

// testLinks cuts each link of the primary and looks for who notices.
func testLinks(t *testing.T, c *cluster.Cluster) {
	ctx := within(t, 30*time.Second)
	old, err := c.WaitPrimary(ctx, "")
	must(t, err)

	old.Client.Cut()
	if err := testenv.PingRedis(ctx, old.Addr); err == nil {
		t.Error("a node that clients are cut from answers")
	}
	must(t, testenv.PingRedis(ctx, old.Direct))
	old.Client.Heal()

	old.S3.Cut()
	db := dial(t, old.Addr)
	must(t, testenv.Await(ctx, "the primary misses its object storage", func(ctx context.Context) error {
		if err := db.Incr(ctx, "written").Err(); err != nil {
			return err
		}
		return infoIs(ctx, c, old, "object_storage", "away")
	}))
	old.S3.Heal()
	must(t, testenv.Await(ctx, "object storage is back", func(ctx context.Context) error {
		return infoIs(ctx, c, old, "object_storage", "ok")
	}))

	for i, p := range old.Etcd {
		if p.Links() == 0 {
			t.Errorf("%s has no connection to etcd member %d", old.ID, i)
		}
		p.Cut()
	}
	if err := db.Set(ctx, "lost", "1", 0).Err(); err == nil {
		t.Error("a primary that is cut from etcd acknowledges a write")
	}
	now, err := c.WaitPrimary(ctx, old.ID)
	must(t, err)
	must(t, c.Heal())
	must(t, c.WaitServing(ctx, old))
	if err := dial(t, now.Addr).Get(ctx, "lost").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("what was never committed reads %v", err)
	}
}

// testEtcdInParts cuts etcd's leader from the other members and looks for who goes
// on without it.
func testEtcdInParts(t *testing.T, c *cluster.Cluster) {
	ctx := within(t, time.Minute)
	leader, err := c.Etcd.FindLeader(ctx)
	must(t, err)
	others, err := c.Etcd.Followers(ctx)
	must(t, err)
	for _, other := range others {
		for _, p := range []*testenv.Proxy{c.Etcd.PeerLink(leader, other), c.Etcd.PeerLink(other, leader)} {
			if p.Links() == 0 {
				t.Errorf("no connection between etcd members %d and %d", leader, other)
			}
			p.Cut()
		}
	}
	must(t, testenv.Await(ctx, "etcd has another leader", func(ctx context.Context) error {
		now, err := c.Etcd.FindLeader(ctx)
		if err == nil && now == leader {
			err = errors.New("it is the old one")
		}
		return err
	}))
	primary, err := c.WaitPrimary(ctx, "")
	must(t, err)
	must(t, dial(t, primary.Addr).Incr(ctx, "written").Err())
	must(t, c.Heal())
	must(t, c.WaitHealthy(ctx))
}

func infoIs(ctx context.Context, c *cluster.Cluster, n *cluster.Node, field, want string) error {
	info, err := c.Info(ctx, n)
	if err == nil && info[field] != want {
		err = fmt.Errorf("%s of %s is %q", field, n.ID, info[field])
	}
	return err
}

func testHealEverything(t *testing.T, c *cluster.Cluster) {
	ctx := within(t, time.Minute)
	must(t, c.Etcd.RaiseNoSpace(ctx))
	if alarms, err := c.Etcd.Alarms(ctx); err != nil || len(alarms) != 1 {
		t.Errorf("alarms %q, %v", alarms, err)
	}
	c.Nodes[0].Proc.Kill()
	c.Nodes[1].Proc.Stop()
	for _, p := range c.Nodes[2].Etcd {
		p.HoldEnds()
		p.Blackhole(testenv.Up)
		p.Throttle(testenv.Down, 100)
	}
	c.Nodes[2].Client.Cut()
	c.Nodes[2].S3.Delay(testenv.Up, time.Minute)
	c.Etcd.DropPeer(2, 0)
	c.Etcd.Kill(0)
	c.Etcd.Stop(1)
	c.S3.Kill()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	if err := c.WaitHealthy(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a shard of which nothing works is healthy: %v", err)
	}
	cancel()

	must(t, c.Heal())
	must(t, c.WaitHealthy(ctx))
	primary, err := c.WaitPrimary(ctx, "")
	must(t, err)
	load(t, primary, 1000)
	sameEverywhere(t, c, 1002)
}

func testHealWhatRuns(t *testing.T, c *cluster.Cluster) {
	pids := func() []int {
		all := []int{c.S3.Process().PID()}
		for i := range c.Etcd.Endpoints() {
			all = append(all, c.Etcd.Process(i).PID())
		}
		for _, n := range c.Nodes {
			all = append(all, n.Proc.PID())
		}
		return all
	}
	before := pids()
	must(t, c.Heal())
	if after := pids(); !slices.Equal(before, after) {
		t.Errorf("Heal restarted what ran: processes %v, then %v", before, after)
	}
}

// testEndOfTime: what waits ends with its context.
func testEndOfTime(t *testing.T, c *cluster.Cluster) {
	for _, n := range c.Nodes {
		n.Proc.Kill()
	}
	n := c.Nodes[0]
	for name, fn := range map[string]func(context.Context) error{
		"WaitPrimary": func(ctx context.Context) error { _, err := c.WaitPrimary(ctx, ""); return err },
		"WaitServing": func(ctx context.Context) error { return c.WaitServing(ctx, n) },
		"WaitHealthy": c.WaitHealthy,
		"Digest":      func(ctx context.Context) error { _, err := c.Digest(ctx, n, 1); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := fn(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s without any node: %v", name, err)
		}
		cancel()
	}
	must(t, testenv.Await(within(t, 20*time.Second), "the leader key is gone", func(ctx context.Context) error {
		if _, err := c.Primary(ctx); !errors.Is(err, cluster.ErrNoPrimary) {
			return fmt.Errorf("Primary: %w", err)
		}
		return nil
	}))
}

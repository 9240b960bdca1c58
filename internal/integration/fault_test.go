package integration

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestEtcdLeaderKilled: writes go on, without a failover if the new etcd leader
// is there before the lease ends, with one otherwise; nothing is lost.
func TestEtcdLeaderKilled(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2})
	ws := startWriters(t, 4, c.addrs)
	for range 3 {
		ws.waitAcks(100)
		leader := c.etcd.Leader()
		c.etcd.Kill(leader)
		ws.waitAcks(100)
		c.etcd.Restart(leader)
		c.etcd.WaitReady(leader)
	}
	ws.end()
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	ws.verify(db)
	c.sameEverywhere()
}

// TestStalePrimary stops the primary for longer than its lease. What a client
// had sent meanwhile must not be answered from the past when it goes on, and
// none of its writes may get through.
func TestStalePrimary(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--lease-ttl", "1s"}})
	old := c.waitPrimary("")
	stale := dial(old.addr)
	defer stale.Close()
	ctx := t.Context()
	must(t, stale.Set(ctx, "k", "old", 0).Err())

	for range testenv.Rounds(t, 5) {
		old = c.waitPrimary("")
		stale := redis.NewClient(&redis.Options{Addr: old.addr, MaxRetries: -1, ReadTimeout: time.Minute, DisableIdentity: true, PoolSize: 2})
		must(t, stale.Ping(ctx).Err())
		before, err := stale.Get(ctx, "k").Result()
		must(t, err)

		old.proc.Stop()
		// These reach the stopped process's socket and wait there.
		read, write := make(chan error, 1), make(chan error, 1)
		var got string
		go func() {
			v, err := stale.Get(ctx, "k").Result()
			got = v
			read <- err
		}()
		go func() { write <- stale.Set(ctx, "k", "written by the stale primary", 0).Err() }()

		now := c.waitPrimary(old.id)
		db := dial(now.addr)
		must(t, db.Set(ctx, "k", before+"+", 0).Err())
		old.proc.Cont()
		if err := <-read; err == nil && got != before+"+" {
			t.Errorf("the stale primary answered a read with %q, after %q was acknowledged", got, before+"+")
		}
		if err := <-write; err == nil {
			t.Error("the stale primary acknowledged a write")
		}
		if v, err := db.Get(ctx, "k").Result(); err != nil || v != before+"+" {
			t.Errorf("the new primary reads %q, %v", v, err)
		}
		db.Close()
		stale.Close()
		c.waitServing(old)
	}
	c.sameEverywhere()
}

// TestObjectStorageAway: without S3 reads and writes go on until the head is
// full, then writes get -LOGFULL; when S3 is back all recovers by itself.
func TestObjectStorageAway(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--head-limit", "2MiB", "--segment-size", "256KiB", "--segment-age", "1s"}})
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	ctx := t.Context()
	c.s3.Kill()

	value := strings.Repeat("incompressible?", 600) // snappy shrinks it: keys count
	var full error
	written := 0
	for i := range 100_000 {
		err := db.Set(ctx, fmt.Sprint("k", i), fmt.Sprint(i, value[:len(value)-i%7]), 0).Err()
		if err != nil {
			full = err
			break
		}
		written++
	}
	if full == nil || !strings.HasPrefix(full.Error(), "LOGFULL ") || !strings.Contains(full.Error(), "away since") {
		t.Fatalf("after %d writes without object storage: %v", written, full)
	}
	if v, err := db.Get(ctx, "k0").Result(); err != nil || !strings.HasPrefix(v, "0incompressible") {
		t.Errorf("read while the head is full: %.20q, %v", v, err)
	}
	head, err := c.shard.HeadBytes(ctx)
	must(t, err)
	if limit := int64(2 << 20); head > limit {
		t.Errorf("the head has %d bytes, its limit is %d", head, limit)
	}
	if log := c.waitPrimary("").proc.Log(); !strings.Contains(log, "more than half full") {
		t.Error("nobody was warned when the head was half full")
	}
	// A failover while the head is full must work, or nobody could ever seal it.
	old := c.waitPrimary("")
	old.proc.Kill()
	now := c.waitPrimary(old.id)
	db2 := dial(now.addr)
	defer db2.Close()
	if err := db2.Set(ctx, "refused", value, 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "LOGFULL ") {
		t.Errorf("write to the new primary with a full head: %v", err)
	}

	c.s3.Restart()
	testenv.Eventually(t, time.Minute, "writes to be accepted again", func(ctx context.Context) error {
		return db2.Set(ctx, "after", "1", 0).Err()
	})
	for _, i := range []int{0, written / 2, written - 1} {
		if v, err := db2.Get(ctx, fmt.Sprint("k", i)).Result(); err != nil || !strings.HasPrefix(v, fmt.Sprint(i, "incomp")) {
			t.Errorf("k%d after the outage: %.20q, %v", i, v, err)
		}
	}
	old.proc.Restart()
	c.waitServing(old)
	c.sameEverywhere()
}

// TestIdlePrimaryCutFromEtcd: a primary that loses its lease with nothing left to
// commit, and cannot even end the lease, goes on as a replica once etcd is back.
func TestIdlePrimaryCutFromEtcd(t *testing.T) {
	etcd := testenv.StartEtcd(t, 1, testenv.EtcdOptions{})
	u, err := url.Parse(etcd.Endpoints()[0])
	must(t, err)
	p := testenv.NewProxy(t, u.Host)
	c := newCluster(t, etcd, testenv.StartVersityGW(t))
	old := c.addNode(0, clusterOptions{endpoints: []string{"http://" + p.Addr()}, args: []string{"--lease-ttl", "1s"}})
	c.addNode(1, clusterOptions{args: []string{"--lease-ttl", "1s"}})
	db := dial(old.addr)
	defer db.Close()
	must(t, db.Set(t.Context(), "k", "v", 0).Err())

	p.Cut()
	c.waitPrimary(old.id)
	testenv.Eventually(t, 20*time.Second, "the old primary to give up on its lease", func(context.Context) error {
		if log := old.proc.Log(); !strings.Contains(log, "its lease ends by itself") {
			return errors.New("it has not said so")
		}
		return nil
	})
	p.Heal()
	c.waitServing(old)
	c.sameEverywhere()
}

// TestAnswerLost cuts the primary from etcd in the middle of appends, again and
// again: whether an append whose answer was lost went through is found out, not
// guessed, so that every INCR counts exactly once.
func TestAnswerLost(t *testing.T) {
	etcd := testenv.StartEtcd(t, 3, testenv.EtcdOptions{})
	s3 := testenv.StartVersityGW(t)
	var proxies []*testenv.Proxy
	var endpoints []string
	for _, e := range etcd.Endpoints() {
		u, err := url.Parse(e)
		must(t, err)
		p := testenv.NewProxy(t, u.Host)
		proxies = append(proxies, p)
		endpoints = append(endpoints, "http://"+p.Addr())
	}
	c := newCluster(t, etcd, s3)
	c.addNode(0, clusterOptions{endpoints: endpoints, args: []string{"--lease-ttl", "5s"}})
	db := dial(c.nodes[0].addr)
	defer db.Close()
	ctx := t.Context()
	acked := 0
	for round := range testenv.Rounds(t, 20) {
		for range 20 {
			if err := db.Incr(ctx, "n").Err(); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			acked++
		}
		// One INCR whose append is answered into the void.
		for _, p := range proxies {
			p.Blackhole(testenv.Down)
		}
		done := make(chan error, 1)
		go func() { done <- db.Incr(ctx, "n").Err() }()
		testenv.Eventually(t, 10*time.Second, "the append to reach etcd", func(ctx context.Context) error {
			st, err := c.shard.State(ctx)
			if err != nil {
				return err
			}
			if st.Tail < uint64(acked)+2 { // the epoch's opening entry, and one an INCR
				return fmt.Errorf("tail is %d", st.Tail)
			}
			return nil
		})
		select {
		case err := <-done:
			t.Fatalf("acknowledged (%v) while the answer of etcd was held", err)
		default:
		}
		for _, p := range proxies {
			p.Reset()
			p.Heal()
		}
		if err := <-done; err != nil {
			t.Fatalf("round %d: the INCR whose answer was lost: %v", round, err)
		}
		acked++
	}
	if n, err := db.Get(ctx, "n").Int(); err != nil || n != acked {
		t.Errorf("n is %d (%v) after %d acknowledged INCRs", n, err, acked)
	}
}

// TestPlannedHandover moves the shard from node to node under load, to the node
// that is asked for: every write is acknowledged or refused with a retryable
// error, none is lost.
func TestPlannedHandover(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 3})
	ws := startWriters(t, 4, c.addrs)
	for round := range testenv.Rounds(t, 6) {
		ws.waitAcks(100)
		old := c.waitPrimary("")
		to := c.nodes[round%len(c.nodes)]
		if to == old {
			continue
		}
		if out, code := c.redoubt("failover", "--shard", "0", "--to", to.id); code != 0 {
			t.Fatalf("failover: exit %d\n%s", code, out)
		}
		if now := c.waitPrimary(""); now.id != to.id {
			t.Fatalf("%s leads, %s was asked for", now.id, to.id)
		}
	}
	ws.waitAcks(100)
	ws.end()
	for _, w := range ws.list {
		if w.unknown > 0 {
			t.Errorf("writer %d: %d writes were left without an answer by planned hand-overs", w.id, w.unknown)
		}
	}
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	ws.verify(db)
	c.sameEverywhere()
}

// TestReplicaRefusals: a replica refuses writes, and reads unless the connection
// has accepted that they may be behind.
func TestReplicaRefusals(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2})
	primary := c.waitPrimary("")
	replica := c.nodes[0]
	if replica == primary {
		replica = c.nodes[1]
	}
	ctx := t.Context()
	p, r := dial(primary.addr), dial(replica.addr)
	defer p.Close()
	defer r.Close()
	must(t, p.Set(ctx, "k", "v", 0).Err())
	if err := r.Set(ctx, "k", "w", 0).Err(); err == nil || err.Error() != "READONLY You can't write against a read only replica." {
		t.Errorf("write to a replica: %v", err)
	}
	if err := r.Get(ctx, "k").Err(); err == nil || errors.Is(err, redis.Nil) || !strings.HasPrefix(err.Error(), "READONLY ") {
		t.Errorf("read from a replica without READONLY: %v", err)
	}
	must(t, r.ReadOnly(ctx).Err())
	testenv.Eventually(t, 10*time.Second, "the replica to apply the write", func(ctx context.Context) error {
		v, err := r.Get(ctx, "k").Result()
		if err != nil || v != "v" {
			return fmt.Errorf("%q, %v", v, err)
		}
		return nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

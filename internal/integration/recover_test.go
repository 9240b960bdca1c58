package integration

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/snapshot"
)

// TestStartFromNothing: nodes keep nothing on disk. One that starts when all are
// gone has the same data from snapshot, segments and head; one that is added
// while writers write catches up with them.
func TestStartFromNothing(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--lease-ttl", "1s", "--segment-size", "64KiB", "--segment-age", "1h"}})
	fill(t, c.waitPrimary("").addr)
	addrs := c.addrs()
	ws := startWriters(t, 4, func() []string { return addrs })
	ws.waitAcks(300)
	c.run("snapshot", "create", "--name", "s")
	ws.waitAcks(1000)
	ws.end()
	primary := c.waitPrimary("")
	c.leaveHead(primary)
	st, err := c.shard.State(t.Context())
	must(t, err)
	want := c.digest(primary, st.Tail)
	c.sameEverywhere()

	c.killAll()
	m := c.nodes[0]
	c.restart(m)
	if got := c.digest(m, st.Tail); got != want {
		t.Errorf("started from nothing: digest %s, want %s", got, want)
	}
	db := dial(m.addr)
	ws.verify(db)
	must(t, db.Close())

	more := startWriters(t, 4, func() []string { return []string{m.addr} })
	more.waitAcks(100)
	c.addNode(2, clusterOptions{args: []string{"--lease-ttl", "1s"}})
	more.waitAcks(100)
	c.restart(c.nodes[1])
	more.end()
	c.sameEverywhere()
}

// leaveHead writes until some of the log is in segments and some in the head.
func (c *cluster) leaveHead(primary *member) {
	c.t.Helper()
	db := dial(primary.addr)
	defer db.Close()
	testenv.Eventually(c.t, 20*time.Second, "the log to have both segments and a head", func(ctx context.Context) error {
		if err := db.Incr(ctx, "head").Err(); err != nil {
			return err
		}
		st, err := c.shard.State(ctx)
		if err == nil && (st.Sealed.Seq == 0 || st.HeadEntries == 0) {
			err = fmt.Errorf("sealed up to %d of %d", st.Sealed.Seq, st.Tail)
		}
		return err
	})
}

// TestSegmentDamaged: when a segment is missing or damaged and no snapshot
// covers it, a node says which entries are gone and ends, and so does wal verify.
// Nothing is ever skipped.
func TestSegmentDamaged(t *testing.T) {
	c := startCluster(t, clusterOptions{args: []string{"--lease-ttl", "1s", "--segment-age", "50ms"}})
	m := c.nodes[0]
	ctx := t.Context()
	db := dial(m.addr)
	for i := range 5 {
		must(t, db.Set(ctx, fmt.Sprint("k", i), strings.Repeat("v", 300), 0).Err())
		c.waitSealed()
	}
	must(t, db.Close())
	want := c.digest(m, 0)
	segments := c.segments()
	if len(segments) < 5 {
		t.Fatalf("%d segments", len(segments))
	}
	m.proc.Kill()
	victim := segments[2]
	refused := func(what string, named ...string) {
		t.Helper()
		logged := len(m.proc.Log())
		m.proc.Restart()
		code := m.proc.Wait(30 * time.Second)
		out := m.proc.Log()[logged:]
		if code != 3 {
			t.Errorf("a node with a segment %s ended with %d", what, code)
		}
		wantContains(t, "node with a segment "+what, out, named...)
		c.wantFailure(3, []string{"wal", "verify"}, append(named, "The log is DAMAGED")...)
	}

	hidden := c.file(victim.Key) + ".hidden"
	must(t, os.Rename(c.file(victim.Key), hidden))
	missing := fmt.Sprintf("entries are in no segment: %d to %d are missing", victim.First, victim.Last)
	refused("missing", missing)
	wantContains(t, "wal ls", c.run("wal", "ls"), "MISSING")
	must(t, os.Rename(hidden, c.file(victim.Key)))

	undo := c.flip(victim.Key)
	refused("damaged", victim.Key)
	undo()

	c.restart(m)
	if got := c.digest(m, 0); got != want {
		t.Errorf("digest %s with all segments back, want %s", got, want)
	}
	c.run("wal", "verify")
}

// TestEtcdLost: a new etcd that knows nothing is not taken for an empty
// database. Object storage alone gives back everything that was sealed, and the
// log goes on from there under higher epochs.
func TestEtcdLost(t *testing.T) {
	args := []string{"--lease-ttl", "1s", "--segment-size", "64KiB", "--segment-age", "200ms"}
	c := startCluster(t, clusterOptions{nodes: 2, args: args})
	ctx := t.Context()
	fill(t, c.waitPrimary("").addr)
	ws := startWriters(t, 4, c.addrs)
	ws.waitAcks(300)
	c.run("snapshot", "create", "--name", "s")
	ws.waitAcks(300)
	ws.end()
	c.run("failover") // so that epochs have grown
	primary := c.waitPrimary("")
	c.waitSealed()
	sealed, err := c.shard.State(ctx)
	must(t, err)
	want := c.digest(primary, sealed.Tail)

	// What is not sealed is lost with etcd.
	c.s3.Kill()
	db := dial(primary.addr)
	for i := range 5 {
		must(t, db.Set(ctx, fmt.Sprint("lost", i), "1", 0).Err())
	}
	must(t, db.Close())
	c.killAll()
	for i := range 3 {
		c.etcd.Kill(i)
	}
	c.s3.Restart()

	now := newCluster(t, testenv.StartEtcd(t, 3, testenv.EtcdOptions{}), c.s3)
	now.wantFailure(1, []string{"node", "--node-id", "early", "--listen", testenv.FreeAddr(t)},
		"object storage holds data of a shard that etcd does not know", "redoubt recover")
	upTo := fmt.Sprintf("last entry    %d, written ", sealed.Sealed.Seq)
	wantContains(t, "recover --dry-run", now.run("recover", "--dry-run"), upTo, "Nothing was changed")
	var found snapshot.Recovered
	now.runJSON(&found, "recover")
	if found.Position.Seq != sealed.Sealed.Seq || found.Position.Chain != sealed.Sealed.Chain || found.Snapshot != "s" || found.EpochBase < sealed.Leader.Epoch {
		t.Errorf("recovered %+v, sealed was %+v under %+v", found, sealed.Sealed, sealed.Leader)
	}
	now.wantFailure(1, []string{"recover"}, "etcd knows the shard")

	m := now.addNode(0, clusterOptions{args: args})
	if got := now.digest(m, 0); got != want {
		t.Errorf("recovered: digest %s, what was sealed had %s", got, want)
	}
	db = dial(m.addr)
	defer db.Close()
	ws.verify(db)
	if n, err := db.Exists(ctx, "lost0", "lost4").Result(); err != nil || n != 0 {
		t.Errorf("%d of the writes that were not sealed are there, %v", n, err)
	}
	more := startWriters(t, 2, now.addrs)
	more.waitAcks(100)
	more.end()
	st, err := now.shard.State(ctx)
	must(t, err)
	if st.Leader.Epoch <= sealed.Leader.Epoch {
		t.Errorf("epoch %d after epoch %d", st.Leader.Epoch, sealed.Leader.Epoch)
	}
	now.waitSealed()
	wantContains(t, "wal verify", now.run("wal", "verify"), "The log is whole: entries 1 to ", "under 3 epochs")
	now.run("snapshot", "create", "--name", "after")
	now.run("snapshot", "verify", "after", "--replay")
	now.addNode(1, clusterOptions{args: args})
	now.sameEverywhere()
}

// TestRecoverBeforeHole: with etcd lost and a segment missing, too, what is behind
// the hole cannot be had. It is given up only when that is asked for, and then
// cannot come back into the log that goes on.
func TestRecoverBeforeHole(t *testing.T) {
	args := []string{"--lease-ttl", "1s", "--segment-age", "50ms"}
	c := startCluster(t, clusterOptions{args: args})
	ctx := t.Context()
	db := dial(c.nodes[0].addr)
	for i := range 5 {
		must(t, db.Set(ctx, fmt.Sprint("k", i), i, 0).Err())
		c.waitSealed()
		if i == 3 {
			c.run("snapshot", "create", "--name", "behind")
		}
	}
	must(t, db.Close())
	st, err := c.shard.State(ctx)
	must(t, err)
	c.killAll()
	for i := range 3 {
		c.etcd.Kill(i)
	}
	hole := c.segments()[2]
	must(t, os.Remove(c.file(hole.Key)))
	c.flip("snapshots/behind/0000.rdb")

	now := newCluster(t, testenv.StartEtcd(t, 3, testenv.EtcdOptions{}), c.s3)
	whole := fmt.Sprint(hole.First - 1)
	now.wantFailure(3, []string{"recover"}, "the log is whole up to entry "+whole, "snapshots/behind/0000.rdb")
	var found snapshot.Recovered
	now.runJSON(&found, "recover", "--up-to", whole)
	if found.Position.Seq != hole.First-1 || found.EpochBase < st.Leader.Epoch || len(found.BeyondSnapshots) != 1 || len(found.BeyondSegments) == 0 {
		t.Errorf("recovered %+v", found)
	}
	m := now.addNode(0, clusterOptions{args: args})
	db = dial(m.addr)
	defer db.Close()
	if keys, err := db.Keys(ctx, "*").Result(); err != nil || len(keys) != int(hole.First)-2 { // the first entry opens the epoch
		t.Errorf("keys %v, %v", keys, err)
	}
	for i := range 5 {
		must(t, db.Set(ctx, fmt.Sprint("new", i), i, 0).Err())
	}
	now.waitSealed()
	want := now.digest(m, 0)
	wantContains(t, "wal verify", now.run("wal", "verify"), "The log is whole")
	m.proc.Kill()
	now.restart(m)
	if got := now.digest(m, 0); got != want {
		t.Errorf("digest %s after a restart, want %s", got, want)
	}
}

package integration

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/snapshot"
)

// dialDB is dial into another database.
func dialDB(addr string, n int) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, DB: n, MaxRetries: -1, ReadTimeout: 10 * time.Second, DisableIdentity: true, PoolSize: 1,
	})
}

// fill writes values of the kinds and sizes that snapshots must carry.
func fill(t *testing.T, addr string) {
	t.Helper()
	ctx := t.Context()
	for _, n := range []int{0, 3, 15} {
		db := dialDB(addr, n)
		p := db.Pipeline()
		p.Set(ctx, "greeting", fmt.Sprint("hello from ", n), 0)
		p.Set(ctx, "empty", "", 0)
		p.Set(ctx, "", "the empty key", 0)
		p.Set(ctx, "bin\x00\xff\r\n", "\x00\x01\xfe\xff", 0)
		p.Set(ctx, "int", "-9223372036854775808", 0)
		p.IncrByFloat(ctx, "float", 3.25)
		p.Set(ctx, "repetitive", strings.Repeat("abc", 50_000), 0)
		p.Set(ctx, "noisy", noise(200_000), 0)
		p.Set(ctx, "expires", "some day", 0)
		p.PExpireAt(ctx, "expires", time.UnixMilli(4102444800123))
		p.HSet(ctx, "small", "f", "v", "n", "1", "bin\x00", "\xff", "empty", "")
		p.HSet(ctx, "wide", "f", noise(1000))
		p.Expire(ctx, "wide", 24*time.Hour)
		for i := range 1000 {
			p.HSet(ctx, "large", fmt.Sprint("field", i), fmt.Sprint(i*i))
			p.Set(ctx, fmt.Sprint("key:", i), i, 0)
		}
		_, err := p.Exec(ctx)
		must(t, err)
		must(t, db.Close())
	}
}

// describe tells type, expiry and value of every key of a server.
func describe(t *testing.T, addr string) map[string]string {
	t.Helper()
	ctx := t.Context()
	all := map[string]string{}
	for n := range 16 {
		db := dialDB(addr, n)
		keys, err := db.Keys(ctx, "*").Result()
		must(t, err)
		p := db.Pipeline()
		types, expiries := make([]*redis.StatusCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
		for i, k := range keys {
			types[i], expiries[i] = p.Type(ctx, k), p.PExpireTime(ctx, k)
		}
		_, err = p.Exec(ctx)
		must(t, err)
		values := make([]func() string, len(keys))
		for i, k := range keys {
			switch types[i].Val() {
			case "string":
				values[i] = p.Get(ctx, k).Val
			case "hash":
				v := p.HGetAll(ctx, k)
				values[i] = func() string { return fmt.Sprintf("%q", v.Val()) }
			default:
				t.Fatalf("%q is a %q", k, types[i].Val())
			}
			if i == len(keys)-1 {
				_, err = p.Exec(ctx)
				must(t, err)
			}
		}
		for i, k := range keys {
			all[fmt.Sprintf("%d:%q", n, k)] = fmt.Sprintf("%s, expiry %v, %x", types[i].Val(), expiries[i].Val(), sha256.Sum256([]byte(values[i]())))
		}
		must(t, db.Close())
	}
	return all
}

// sameKeys compares two servers key by key.
func sameKeys(t *testing.T, want, got string) {
	t.Helper()
	w, g := describe(t, want), describe(t, got)
	if len(w) != len(g) {
		t.Errorf("%d keys, want %d", len(g), len(w))
	}
	bad := 0
	for k, v := range w {
		if g[k] != v && bad < 10 {
			bad++
			t.Errorf("key %s: %q, want %q", k, g[k], v)
		}
	}
}

// stockRedis starts Debian's redis-server on a snapshot's file, as aws fetches it
// and redis-check-rdb accepts it.
func (c *cluster) stockRedis(name string) *testenv.Redis {
	c.t.Helper()
	dir := c.t.TempDir()
	file := filepath.Join(dir, name+".rdb")
	testenv.AWS(c.t, c.s3.S3Access, "s3", "cp", c.s3.URL(c.object("snapshots/"+name+"/0000.rdb")), file)
	out, err := exec.Command(testenv.Tool(c.t, "redis-check-rdb"), file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "RDB looks OK") {
		c.t.Errorf("redis-check-rdb of %s: %v\n%s", name, err, out)
	}
	return testenv.StartRedis(c.t, "--dir", dir, "--dbfilename", name+".rdb")
}

// metadata is an object's user metadata as aws shows it.
func (c *cluster) metadata(key string) map[string]string {
	c.t.Helper()
	out := testenv.AWS(c.t, c.s3.S3Access, "s3api", "head-object", "--bucket", c.s3.Bucket, "--key", c.object(key))
	var head struct{ Metadata map[string]string }
	must(c.t, json.Unmarshal([]byte(out), &head))
	return head.Metadata
}

// TestSnapshot makes snapshots while writers write and looks at them with stock
// tools: what they hold is what the cluster held.
func TestSnapshot(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--segment-size", "128KiB", "--segment-age", "1s"}})
	primary := c.waitPrimary("")
	fill(t, primary.addr)
	ws := startWriters(t, 4, c.addrs)
	ws.waitAcks(300)

	acked := ackedSets(ws)
	before := ws.acked.Load()
	out := c.run("snapshot", "create", "--name", "first")
	if ws.acked.Load() == before {
		t.Error("nothing was acknowledged while the snapshot was made")
	}
	wantContains(t, "create", out, "Snapshot first is verified and published", c.s3.URL(c.object("snapshots/first/0000.rdb")))
	ws.waitAcks(300)
	ws.end()
	st, err := c.shard.State(t.Context())
	must(t, err)
	var last snapshot.Manifest
	c.runJSON(&last, "snapshot", "create", "--name", "last")
	if got := last.Shards[0].Position.Seq; got != st.Tail {
		t.Errorf("a snapshot of the whole log reaches to entry %d, the log to %d", got, st.Tail)
	}
	c.sameEverywhere()

	t.Run("commands", func(t *testing.T) { c.checkCommands(t) })
	t.Run("manifest", func(t *testing.T) { c.checkManifest(t) })
	t.Run("metadata", func(t *testing.T) { c.checkMetadata(t, &last.Shards[0]) })
	t.Run("whole", func(t *testing.T) {
		r := c.stockRedis("last")
		db := dial(r.Addr)
		defer db.Close()
		if got, want := must2(db.Do(t.Context(), "DEBUG", "DIGEST").Text()), c.digest(primary, st.Tail); got != want {
			t.Errorf("redis-server has digest %s, the cluster %s", got, want)
		}
		ws.verify(db)
		sameKeys(t, primary.addr, r.Addr)
	})
	t.Run("prefix", func(t *testing.T) {
		db := dial(c.stockRedis("first").Addr)
		defer db.Close()
		checkPrefix(t, db, acked)
	})
}

func must2(s string, err error) string {
	if err != nil {
		return err.Error()
	}
	return s
}

// ackedSets are the keys of writes that are acknowledged by now.
func ackedSets(ws *writers) (keys []string) {
	for _, w := range ws.list {
		w.mu.Lock()
		for _, n := range w.sets {
			keys = append(keys, fmt.Sprintf("set:%d:%d", w.id, n))
		}
		w.mu.Unlock()
	}
	return keys
}

// checkPrefix: a snapshot that was made while writers wrote has all that was
// acknowledged before, and no half transaction.
func checkPrefix(t *testing.T, db *redis.Client, acked []string) {
	t.Helper()
	ctx := t.Context()
	if n, err := db.Exists(ctx, acked...).Result(); err != nil || int(n) != len(acked) {
		t.Errorf("it has %d of %d keys that were acknowledged before it was made, %v", n, len(acked), err)
	}
	for w := range 4 {
		v, err := db.MGet(ctx, fmt.Sprint("a:", w), fmt.Sprint("b:", w)).Result()
		if err != nil || v[0] == nil || v[0] != v[1] {
			t.Errorf("writer %d: half a transaction: %v, %v", w, v, err)
		}
	}
}

func (c *cluster) checkCommands(t *testing.T) {
	var list []struct {
		Name     string
		Manifest snapshot.Manifest
	}
	c.runJSON(&list, "snapshot", "ls")
	if len(list) != 2 || list[0].Name != "last" || list[1].Name != "first" {
		t.Errorf("ls: %+v", list)
	}
	wantContains(t, "ls", c.run("snapshot", "ls"), "NAME", "first", "last")
	m := list[0].Manifest
	wantContains(t, "show", c.run("snapshot", "show", "last"), m.Shards[0].Digest, fmt.Sprintf("%d of epoch %d", m.Shards[0].Position.Seq, m.Shards[0].Position.Epoch))
	wantContains(t, "verify", c.run("snapshot", "verify", "--replay"),
		fmt.Sprintf("last: ok, shard 0, %d keys", m.Shards[0].Keys), "the same from snapshot first", "first: ok", "the same from the start of the log")
	c.wantFailure(3, []string{"snapshot", "show", "other"}, "not found")
}

// checkManifest reads a manifest as a person would. Its fields are documented in
// package snapshot and part of what scripts rely on.
func (c *cluster) checkManifest(t *testing.T) {
	text := testenv.AWS(t, c.s3.S3Access, "s3", "cp", c.s3.URL(c.object("snapshots/last/manifest.json")), "-")
	var m map[string]any
	must(t, json.Unmarshal([]byte(text), &m))
	has := func(in map[string]any, what string, fields ...string) {
		t.Helper()
		for _, f := range fields {
			if v, ok := in[f]; !ok || v == "" || v == nil {
				t.Errorf("%s has no %s in\n%s", what, f, text)
			}
		}
	}
	has(m, "the manifest", "format", "name", "cluster", "engine", "written_by", "created_at", "verified_at", "shards")
	shard := m["shards"].([]any)[0].(map[string]any)
	has(shard, "the shard", "shard", "slots", "position", "entry_time", "rdb", "keys", "keys_per_database", "keys_with_expiry", "digest")
	has(shard["position"].(map[string]any), "the position", "seq", "epoch", "chain")
	has(shard["rdb"].(map[string]any), "the file", "key", "size", "sha256")
	if m["name"] != "last" || m["cluster"] != clusterName || shard["slots"] != "0-16383" || shard["keys_with_expiry"] != 6.0 {
		t.Errorf("manifest:\n%s", text)
	}
	if strings.Count(text, "\n") < 20 {
		t.Errorf("the manifest is not laid out for people:\n%s", text)
	}
}

// checkMetadata: what an object is can be asked without reading it.
func (c *cluster) checkMetadata(t *testing.T, s *snapshot.Shard) {
	rdb := c.metadata(s.RDB.Key)
	for field, want := range map[string]string{
		"kind": "snapshot", "engine": "redoubt", "cluster": clusterName, "snapshot": "last", "shard": "0",
		"position": s.Position.String(), "keys": fmt.Sprint(s.Keys), "digest": s.Digest,
	} {
		if !strings.Contains(rdb[field], want) {
			t.Errorf("rdb: %s is %q, want %q", field, rdb[field], want)
		}
	}
	if !strings.Contains(rdb["checksum"], s.RDB.SHA256) {
		t.Errorf("rdb: checksum is %q, the manifest's is %s", rdb["checksum"], s.RDB.SHA256)
	}
	info := c.segments()[0]
	seg := c.metadata(info.Key)
	for field, want := range map[string]string{
		"kind": "segment", "engine": "redoubt", "cluster": clusterName, "first": fmt.Sprint(info.First), "last": fmt.Sprint(info.Last),
		"epoch": fmt.Sprint(info.Epoch), "position": fmt.Sprintf("seq %d epoch", info.Last), "checksum": "crc32c:",
	} {
		if !strings.HasPrefix(seg[field], want) {
			t.Errorf("segment: %s is %q, want %q", field, seg[field], want)
		}
	}
}

// TestSnapshotDamaged: a snapshot with a flipped bit is refused by name, and the
// one before is used.
func TestSnapshotDamaged(t *testing.T) {
	c := startCluster(t, clusterOptions{args: []string{"--segment-age", "200ms"}})
	ctx := t.Context()
	db := dial(c.nodes[0].addr)
	defer db.Close()
	fill(t, c.nodes[0].addr)
	c.run("snapshot", "create", "--name", "older")
	must(t, db.Set(ctx, "between", "1", 0).Err())
	c.run("snapshot", "create", "--name", "newer")
	must(t, db.Set(ctx, "after", "1", 0).Err())
	c.flip("snapshots/newer/0000.rdb")

	added := c.addNode(1, clusterOptions{})
	wantContains(t, "log of the new node", added.proc.Log(), "a snapshot is refused", "snapshot=newer", "snapshots/newer/0000.rdb")
	c.sameEverywhere()
	c.wantFailure(3, []string{"snapshot", "verify"}, "newer: FAILED", "snapshots/newer/0000.rdb", "older: ok")
	c.run("snapshot", "verify", "older")

	// Nor does a later snapshot build on it, nor a clean-up count it.
	c.run("snapshot", "create", "--name", "newest")
	c.run("snapshot", "verify", "newest", "--replay")
	wantContains(t, "gc", c.run("snapshot", "gc", "--keep-snapshots", "2", "--dry-run"), "keep    snapshot newest", "keep    snapshot older", "damaged, left alone: newer")
}

// TestSnapshotGC deletes what the kept snapshot makes superfluous, by a plan that
// is stored, and nothing else.
func TestSnapshotGC(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--segment-size", "64KiB", "--segment-age", "200ms"}})
	ctx := t.Context()
	primary := c.waitPrimary("")
	fill(t, primary.addr)
	c.waitSealed()
	c.run("snapshot", "create", "--name", "one")
	ws := startWriters(t, 4, c.addrs)
	ws.waitAcks(200)
	c.waitSegmentPast(0)
	var two snapshot.Manifest
	c.runJSON(&two, "snapshot", "create", "--name", "two")
	floor := two.Shards[0].Position.Seq
	c.waitSegmentPast(floor)

	plans := func() []os.DirEntry {
		entries, err := os.ReadDir(c.file("gc"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return entries
	}
	all := len(c.segments())
	wantContains(t, "gc --dry-run", c.run("snapshot", "gc", "--keep-snapshots", "1", "--dry-run"), "Nothing was deleted")
	if len(plans()) > 0 || len(c.segments()) < all {
		t.Error("gc --dry-run changed something")
	}
	var gc struct {
		Stored string
		Plan   snapshot.Plan
	}
	c.runJSON(&gc, "snapshot", "gc", "--keep-snapshots", "1")
	ws.end()
	if len(plans()) != 1 {
		t.Fatalf("plans that are stored: %v", plans())
	}
	var stored snapshot.Plan
	must(t, json.Unmarshal([]byte(testenv.AWS(t, c.s3.S3Access, "s3", "cp", gc.Stored, "-")), &stored))
	if stored.Objects() != gc.Plan.Objects() || len(stored.Delete) == 0 || stored.Shards[0].Floor != floor {
		t.Errorf("the plan that is stored: %+v", stored)
	}
	for _, o := range stored.Delete {
		if _, err := os.Stat(c.file(o.Key)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", o.Key, err)
		}
	}
	left := c.segments()
	if left[0].First > floor+1 || left[0].Last <= floor {
		t.Errorf("the snapshot reaches to entry %d, the segments that are left begin with %d..%d", floor, left[0].First, left[0].Last)
	}
	c.wantFailure(3, []string{"snapshot", "show", "one"}, "not found")
	c.wantFailure(1, []string{"snapshot", "rm", "two"}, "snapshot two is needed")

	replica := c.nodes[1]
	replica.proc.Kill()
	c.restart(replica)
	c.sameEverywhere()
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	ws.verify(db)
	if n, err := db.DBSize(ctx).Result(); err != nil || n < 1000 {
		t.Errorf("%d keys, %v", n, err)
	}
	wantContains(t, "wal verify", c.run("wal", "verify"), "The log is whole", "1 stands on this log")
}

// waitSegmentPast waits until entries after seq are sealed.
func (c *cluster) waitSegmentPast(seq uint64) {
	c.t.Helper()
	testenv.Eventually(c.t, 20*time.Second, fmt.Sprintf("entries after %d to be sealed", seq), func(ctx context.Context) error {
		st, err := c.shard.State(ctx)
		if err == nil && st.Sealed.Seq <= seq {
			err = fmt.Errorf("sealed up to %d", st.Sealed.Seq)
		}
		return err
	})
}

// TestCleanUpWhileStarting: snapshots and segments are deleted while nodes load
// them, and the log is sealed and trimmed under snapshots that are being made.
func TestCleanUpWhileStarting(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 3, args: []string{"--lease-ttl", "1s", "--segment-size", "16KiB", "--segment-age", "100ms"}})
	fill(t, c.waitPrimary("").addr)
	ws := startWriters(t, 4, c.addrs)
	for i := range testenv.Rounds(t, 5) {
		primary := c.waitPrimary("")
		for _, m := range c.nodes {
			if m != primary || i%2 == 1 { // every other time nobody is left
				m.proc.Kill()
				m.proc.Restart()
			}
		}
		c.run("snapshot", "create", "--name", fmt.Sprint("s", i))
		c.run("snapshot", "gc", "--keep-snapshots", "1")
		for _, m := range c.nodes {
			c.waitServing(m)
		}
		ws.waitAcks(100)
	}
	ws.end()
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	ws.verify(db)
	c.sameEverywhere()
	c.run("wal", "verify")
	c.run("snapshot", "verify")
}

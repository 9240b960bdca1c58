package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/s3segments/storetest"
)

// TestStoreOnVersityGW: the external S3 server of these tests keeps the promises
// that package s3segments relies on.
func TestStoreOnVersityGW(t *testing.T) {
	storetest.Run(t, storeConfig(testenv.StartVersityGW(t)))
}

func storeConfig(s3 *testenv.S3) s3segments.Config {
	return s3segments.Config{
		URL: s3.URL("redoubt"), Endpoint: s3.Endpoint, Region: s3.Region, PathStyle: true,
		Cluster: clusterName, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey,
	}
}

// objects is the shard's view of object storage.
func (c *cluster) objects() *s3segments.Shard {
	c.t.Helper()
	store, err := s3segments.OpenStore(c.t.Context(), storeConfig(c.s3))
	must(c.t, err)
	return s3segments.NewShard(store, 0)
}

// segments lists the shard's segments.
func (c *cluster) segments() []s3segments.SegmentInfo {
	c.t.Helper()
	infos, err := c.objects().List(c.t.Context())
	must(c.t, err)
	return infos
}

// object is the full key of an object of the cluster.
func (c *cluster) object(key string) string { return "redoubt/" + clusterName + "/" + key }

// file is what holds an object of the cluster, behind the server's back.
func (c *cluster) file(key string) string { return c.s3.ObjectPath(c.object(key)) }

// flip damages an object of the cluster by one bit and returns what undoes it.
func (c *cluster) flip(key string) (undo func()) {
	c.t.Helper()
	change := func() {
		c.t.Helper()
		b, err := os.ReadFile(c.file(key))
		must(c.t, err)
		b[len(b)/2] ^= 1
		must(c.t, os.WriteFile(c.file(key), b, 0o600))
	}
	change()
	return change
}

// run is redoubt for what must succeed.
func (c *cluster) run(args ...string) string {
	c.t.Helper()
	out, code := c.redoubt(args...)
	if code != 0 {
		c.t.Fatalf("redoubt %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// runJSON is run with --json, read into v.
func (c *cluster) runJSON(v any, args ...string) {
	c.t.Helper()
	out := c.run(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		c.t.Fatalf("redoubt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// wantFailure runs a command that must end with an exit code and say something.
func (c *cluster) wantFailure(code int, args []string, want ...string) {
	c.t.Helper()
	out, got := c.redoubt(args...)
	what := "redoubt " + strings.Join(args, " ")
	if got != code {
		c.t.Errorf("%s: exit %d, want %d\n%s", what, got, code, out)
	}
	wantContains(c.t, what, out, want...)
}

func wantContains(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in\n%s", what, w, text)
		}
	}
}

// waitSealed waits until all of the log is in segments.
func (c *cluster) waitSealed() {
	c.t.Helper()
	testenv.Eventually(c.t, 20*time.Second, "the log to be sealed", func(ctx context.Context) error {
		st, err := c.shard.State(ctx)
		if err == nil && st.HeadEntries > 0 {
			err = fmt.Errorf("entry %d of %d is sealed", st.Sealed.Seq, st.Tail)
		}
		return err
	})
}

// killAll kills every node that runs.
func (c *cluster) killAll() {
	c.t.Helper()
	for _, m := range c.nodes {
		m.proc.Kill()
	}
}

// restart starts a killed node again, with further flags.
func (c *cluster) restart(m *member, args ...string) {
	c.t.Helper()
	m.proc.RestartWith(append(m.args[:len(m.args):len(m.args)], args...))
	c.waitServing(m)
}

// noise is n bytes that do not compress.
func noise(n int) string {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = r.Read(b) // never fails
	return string(b)
}

// TestLargeEntries: what is larger than an etcd request is logged by reference
// to an object, which replicas read, which survives restarts before and after it
// is sealed, and which is cleaned up.
func TestLargeEntries(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--lease-ttl", "1s", "--segment-age", "1h"}})
	ctx := t.Context()
	db := dial(c.waitPrimary("").addr)
	defer db.Close()
	value := noise(3 << 20)
	must(t, db.Set(ctx, "before", "1", 0).Err())
	must(t, db.Set(ctx, "large", value, 0).Err())
	_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 3 {
			p.HSet(ctx, "fields", fmt.Sprint(i), value[i:2<<20])
		}
		p.Append(ctx, "large", "!")
		return nil
	})
	must(t, err)
	must(t, db.Set(ctx, "after", "1", 0).Err())

	spills, err := c.objects().ListSpills(ctx)
	must(t, err)
	if len(spills) != 2 || spills[0].Size < 3<<20 || spills[1].Size < 5<<20 || spills[0].Seq+1 != spills[1].Seq {
		t.Fatalf("spilled entries: %+v", spills)
	}
	head, err := c.shard.HeadBytes(ctx)
	must(t, err)
	if head > 64<<10 {
		t.Errorf("the head has %d bytes: the large entries are in it", head)
	}
	c.sameEverywhere()
	want := c.digest(c.waitPrimary(""), 0)
	wantContains(t, "wal cat", c.run("wal", "cat", "--last", "1"), "[0] set after 1")
	c.run("snapshot", "create", "--name", "of-the-head")
	c.run("snapshot", "verify", "of-the-head", "--replay")
	c.run("snapshot", "rm", "of-the-head")

	// From the head, which refers to the objects.
	c.killAll()
	m := c.nodes[0]
	c.restart(m, "--segment-age", "100ms")
	if got := c.digest(m, 0); got != want {
		t.Errorf("restarted on spilled entries: digest %s, want %s", got, want)
	}
	// From segments, which hold the entries themselves.
	c.waitSealed()
	c.run("snapshot", "create", "--name", "s")
	wantContains(t, "gc", c.run("snapshot", "gc", "--keep-snapshots", "1", "--grace", "1ms"), spills[0].Key, spills[1].Key)
	if left, err := c.objects().ListSpills(ctx); err != nil || len(left) > 0 {
		t.Errorf("left after gc: %+v, %v", left, err)
	}
	m.proc.Kill()
	c.restart(m)
	if got := c.digest(m, 0); got != want {
		t.Errorf("restarted after gc: digest %s, want %s", got, want)
	}
	db2 := dial(m.addr)
	defer db2.Close()
	if v, err := db2.Get(ctx, "large").Result(); err != nil || v != value+"!" {
		t.Errorf("large: %d bytes, %v", len(v), err)
	}
}

// TestLookAtLog: the commands that look at the log say what happened, wherever
// it is by now.
func TestLookAtLog(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 2, args: []string{"--segment-age", "1h"}})
	ctx := t.Context()
	primary := c.waitPrimary("")
	db, db3 := dial(primary.addr), dialDB(primary.addr, 3)
	defer db.Close()
	defer db3.Close()
	must(t, db.Set(ctx, "greeting", "hello world", 0).Err())
	must(t, db.Set(ctx, "bin\x00\xff", "\r\n", 0).Err())
	must(t, db.Expire(ctx, "greeting", time.Hour).Err())
	_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "n")
		p.HSet(ctx, "h", "f", "v")
		return nil
	})
	must(t, err)
	must(t, db3.Set(ctx, "elsewhere", "1", 0).Err())

	steps := []string{
		`# seq 1 epoch \d+ \S+Z in head: epoch opened by node node-0`,
		`# seq 2 epoch \d+ \S+Z in head`, `\[0\] set greeting "hello world"`,
		`# seq 3 .*`, `\[0\] set "bin\\x00\\xff" "\\r\\n"`,
		`# seq 4 .*`, `\[0\] pexpireat greeting \d{13}`,
		`# seq 5 .*`, `MULTI`, `  \[0\] incr n`, `  \[0\] hset h f v`, `EXEC`,
		`# seq 6 .*`, `\[3\] set elsewhere 1`,
	}
	log := regexp.MustCompile(`(?i)^` + strings.Join(steps, `\n`) + `\n$`)
	if out := c.run("wal", "cat"); !log.MatchString(out) {
		t.Errorf("wal cat of the head:\n%s", out)
	}
	wantContains(t, "wal ls", c.run("wal", "ls"), "FIRST", "6  ", "head, in etcd")
	wantContains(t, "wal verify", c.run("wal", "verify"), "The log is whole: entries 1 to 6 of shard 0.", "under 1 epoch")

	// The same from a segment, after a hand-over.
	c.run("failover")
	old := primary
	old.proc.Kill()
	c.restart(old, "--segment-age", "100ms")
	c.run("failover", "--to", old.id)
	c.waitSealed()
	out := c.run("wal", "cat", "--to", "6")
	if !log.MatchString(strings.ReplaceAll(out, " in segment", " in head")) || strings.Contains(out, "in head") {
		t.Errorf("wal cat of segments:\n%s", out)
	}
	wantContains(t, "wal cat of the hand-overs", c.run("wal", "cat", "--from", "7"), "seq 7 ", "epoch opened by node node-1", "seq 8 ", "epoch opened by node node-0")
	wantContains(t, "wal ls", c.run("wal", "ls"), c.s3.URL(c.object("shards/0000/segments/00000000000000000001-")))
	wantContains(t, "wal verify", c.run("wal", "verify"), "The log is whole: entries 1 to 8 of shard 0.", "under 3 epochs")
	testenv.Eventually(t, 10*time.Second, "both nodes to report what they applied", func(context.Context) error {
		out := c.run("status")
		for _, want := range []string{
			`primary +node-0 at ` + primary.addr + `, epoch \d+, lease of \d+ s`, `log +ends at entry 8`, `sealed +up to entry 8`,
			`snapshot +none`, `node-0 +primary +` + c.nodes[0].addr + ` +a +8 `, `node-1 +replica +` + c.nodes[1].addr + ` +b +8 `,
		} {
			if !regexp.MustCompile(want).MatchString(out) {
				return fmt.Errorf("no %q in\n%s", want, out)
			}
		}
		return nil
	})
}

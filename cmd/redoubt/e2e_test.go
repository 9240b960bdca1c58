package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/snapshot"
)

func startDev(t *testing.T, cfg dev.Config) *dev.Dev {
	t.Helper()
	d, err := dev.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

func client(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	return c
}

// fillDev writes three commands and a transaction, in two databases.
func fillDev(t *testing.T, d *dev.Dev) {
	t.Helper()
	ctx := t.Context()
	c := client(t, d.Endpoints().Nodes[0].Address)
	if err := errors.Join(
		c.Set(ctx, "greeting", "hello world", 0).Err(),
		c.HSet(ctx, "h", "f", "\x00\xff").Err(),
		c.Del(ctx, "nothing").Err(), // changes nothing, so it is not in the log
	); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "a", "1", 0)
		p.Do(ctx, "SELECT", "3")
		p.Incr(ctx, "b")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// awaitSealed waits until the head is empty.
func awaitSealed(t *testing.T, dir string) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, "everything is sealed", func(context.Context) error {
		if l := readJSON[walList](t, "wal", "ls", "--dir", dir); l.Head.Entries > 0 {
			return fmt.Errorf("%d entries in the head", l.Head.Entries)
		}
		return nil
	})
}

// readJSON runs a command with --json.
func readJSON[T any](t *testing.T, args ...string) (v T) {
	t.Helper()
	out := mustCLI(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("redoubt %q: %v in %s", args, err, out)
	}
	return v
}

func wantContains(t *testing.T, what, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", what, want, got)
		}
	}
}

func TestWAL(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, SegmentAge: time.Hour})
	fillDev(t, d)

	out := mustCLI(t, "wal", "cat", "--dir", dir)
	wantContains(t, "wal cat", out, "# seq 1 epoch ", "epoch opened by node dev-1",
		"\n[0] set greeting \"hello world\"\n", "\n[0] hset h f \"\\x00\\xff\"\n",
		"\nMULTI\n  [0] set a 1\n  [3] incr b\nEXEC\n")
	if got := len(regexp.MustCompile(`(?m)^# seq `).FindAllString(out, -1)); got != 4 {
		t.Errorf("%d entries, want 4:\n%s", got, out)
	}
	if got := mustCLI(t, "wal", "cat", "--dir", dir, "--from", "2", "--to", "2"); !strings.HasPrefix(got, "# seq 2 ") || strings.Count(got, "\n") != 2 {
		t.Errorf("--from 2 --to 2:\n%s", got)
	}
	if got := mustCLI(t, "wal", "cat", "--dir", dir, "--last", "1"); !strings.HasPrefix(got, "# seq 4 ") {
		t.Errorf("--last 1:\n%s", got)
	}
	if _, stderr, code := cli(t, "wal", "cat", "--dir", dir, "--from", "9"); code != exitNot || !strings.Contains(stderr, "the log ends at entry 4") {
		t.Errorf("--from beyond the end: exit code %d, %s", code, stderr)
	}

	lines := strings.Split(strings.TrimSpace(mustCLI(t, "wal", "cat", "--dir", dir, "--json")), "\n")
	var opened, tx entryJSON
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &opened), jsonIgnoringArgs(lines[3], &tx)); err != nil || len(lines) != 4 {
		t.Fatalf("wal cat --json: %v in %q", err, lines)
	}
	if opened.Kind != "epoch-opened" || opened.Node != "dev-1" || opened.Seq != 1 || opened.Prev != "0000000000000000" {
		t.Errorf("first entry: %+v", opened)
	}
	if tx.Seq != 4 || len(tx.Units) != 1 || len(tx.Units[0]) != 2 || tx.Units[0][1].DB != 3 || tx.Prev == tx.Chain {
		t.Errorf("transaction: %+v", tx)
	}
	wantContains(t, "wal cat --json", lines[2], `"args":["hset","h","f",{"base64":"AP8="}]`)

	l := readJSON[walList](t, "wal", "ls", "--dir", dir)
	if l.Head.First != 1 || l.Head.Last != 4 || l.Head.Entries != 4 || l.Head.Bytes < 200 || len(l.Segments) != 0 {
		t.Errorf("wal ls: %+v", l)
	}
	wantContains(t, "wal verify", mustCLI(t, "wal", "verify", "--dir", dir), "The log is whole: entries 1 to 4 of shard 0")
	r := readJSON[walReport](t, "wal", "verify", "--dir", dir)
	if !r.OK || r.Entries != 4 || r.InHead != 4 || r.Epochs != 1 {
		t.Errorf("wal verify: %+v", r)
	}
}

// jsonIgnoringArgs reads an entry whose arguments this test does not look at.
func jsonIgnoringArgs(line string, e *entryJSON) error {
	return json.Unmarshal(regexp.MustCompile(`"args":\[[^]]*\]`).ReplaceAll([]byte(line), []byte(`"args":null`)), e)
}

func TestWALFollow(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, SegmentAge: 20 * time.Millisecond})
	fillDev(t, d)
	var out syncBuffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"wal", "cat", "--follow", "--dir", dir}, &out, &out) }()
	await := func(what string) {
		t.Helper()
		testenv.Eventually(t, 10*time.Second, what+" is printed", func(context.Context) error {
			if !strings.Contains(out.String(), what) {
				return errors.New(out.String())
			}
			return nil
		})
	}
	await("[3] incr b") // of what was there before
	c := client(t, d.Endpoints().Nodes[0].Address)
	for i := range 3 {
		if err := c.Set(t.Context(), fmt.Sprintf("later-%d", i), "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		await(fmt.Sprintf("set later-%d v", i))
		awaitSealed(t, dir) // and trimmed from under the reader
	}
	if n := strings.Count(out.String(), "set later-1 v"); n != 1 {
		t.Errorf("an entry is printed %d times", n)
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("ended with exit code %d: %s", code, out.String())
	}

	out2 := &syncBuffer{}
	go func() {
		done <- run(t.Context(), []string{"wal", "cat", "--follow", "--last", "1", "--dir", dir}, out2, out2)
	}()
	testenv.Eventually(t, 10*time.Second, "the last entry is printed", func(context.Context) error {
		if !strings.Contains(out2.String(), "set later-2 v") {
			return errors.New(out2.String())
		}
		return nil
	})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != exitFailed || !strings.Contains(out2.String(), "redoubt dev has stopped") {
		t.Errorf("when the dev is gone: exit code %d: %s", code, out2.String())
	}
}

// syncBuffer is a buffer that is written and read at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestSnapshots(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, SegmentAge: 20 * time.Millisecond})
	fillDev(t, d)
	target := []string{"--dir", dir}
	with := func(args ...string) []string { return append(args, target...) }

	if got := mustCLI(t, with("snapshot", "ls")...); !strings.Contains(got, "There are no snapshots") {
		t.Errorf("ls without snapshots: %s", got)
	}
	out := mustCLI(t, with("snapshot", "create", "--name", "first")...)
	wantContains(t, "create", out, "Snapshot first is verified and published", "4 of epoch", "s3://redoubt/dev/snapshots/first/0000.rdb")
	m := readJSON[snapshot.Manifest](t, with("snapshot", "show", "first")...)
	if m.Name != "first" || len(m.Shards) != 1 || m.Shards[0].Keys != 4 || m.Shards[0].Position.Seq != 4 {
		t.Errorf("show: %+v", m)
	}
	wantContains(t, "verify", mustCLI(t, with("snapshot", "verify", "first", "--replay")...), "first: ok", "4 keys", "the start of the log")
	c := client(t, d.Endpoints().Nodes[0].Address)
	if err := c.Set(t.Context(), "more", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	second := readJSON[snapshot.Manifest](t, with("snapshot", "create")...)
	list := readJSON[[]summary](t, with("snapshot", "ls")...)
	if len(list) != 2 || list[0].Name != second.Name || list[1].Name != "first" {
		t.Errorf("ls: %+v", list)
	}
	wantContains(t, "ls", mustCLI(t, with("snapshot", "ls")...), "NAME", "first", second.Name)
	if got := readJSON[[]verifyResult](t, with("snapshot", "verify", "--replay")...); len(got) != 2 || !got[0].OK || got[0].Shards[0].ReplayedFrom != "snapshot first" {
		t.Errorf("verify all: %+v", got)
	}

	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"snapshot", "show", "other"}, exitNot, "not found"},
		{[]string{"snapshot", "verify", "other"}, exitNot, "not found"},
		{[]string{"snapshot", "rm", "other"}, exitNot, "not found"},
		{[]string{"snapshot", "create", "--name", "first"}, exitFailed, "name is taken"},
		{[]string{"snapshot", "create", "--name", "a/b"}, exitUsage, "bad name"},
		{[]string{"snapshot", "create", "--name", "x", "--up-to", "999"}, exitFailed, "beyond the end"},
		{[]string{"snapshot", "gc", "--keep-snapshots", "0"}, exitUsage, "at least 1"},
	} {
		if _, stderr, code := cli(t, with(c.args...)...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, %s; want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}

	awaitSealed(t, dir)
	dry := readJSON[gcResult](t, with("snapshot", "gc", "--keep-snapshots", "1", "--dry-run")...)
	if dry.Plan.Objects() < 3 || dry.Stored != "" || len(readJSON[[]summary](t, with("snapshot", "ls")...)) != 2 {
		t.Errorf("gc --dry-run: %+v", dry)
	}
	wantContains(t, "gc", mustCLI(t, with("snapshot", "gc", "--keep-snapshots", "1")...),
		"keep    snapshot "+second.Name, "delete  snapshot first", "delete  shards/0000/segments/", "The plan is in s3://redoubt/dev/gc/")
	wantContains(t, "gc again", mustCLI(t, with("snapshot", "gc", "--keep-snapshots", "1")...), "There is nothing to delete.")
	if _, stderr, code := cli(t, with("snapshot", "rm", second.Name)...); code != exitFailed || !strings.Contains(stderr, "is needed") {
		t.Errorf("rm of the only base: exit code %d, %s", code, stderr)
	}
	mustCLI(t, with("wal", "verify")...)
	third := readJSON[snapshot.Manifest](t, with("snapshot", "create")...)
	mustCLI(t, with("snapshot", "rm", second.Name)...)
	if list := readJSON[[]summary](t, with("snapshot", "ls")...); len(list) != 1 || list[0].Name != third.Name {
		t.Errorf("ls after rm: %+v", list)
	}

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := startDev(t, dev.Config{Dir: dir})
	if v, err := client(t, again.Endpoints().Nodes[0].Address).Get(t.Context(), "greeting").Result(); v != "hello world" {
		t.Errorf("after a restart from the snapshot: %q, %v", v, err)
	}
}

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, Replicas: 1})
	fillDev(t, d)
	testenv.Eventually(t, 10*time.Second, "both nodes have reported", func(context.Context) error {
		st := readJSON[clusterStatus](t, "status", "--dir", dir)
		if len(st.Shards) != 1 || len(st.Shards[0].Nodes) != 2 || st.Shards[0].Nodes[1].Role != "replica" || st.Shards[0].Nodes[1].Applied != 4 {
			return fmt.Errorf("%+v", st)
		}
		s := st.Shards[0]
		if st.Cluster != "dev" || s.Leader.ID != "dev-1" || s.Leader.Address != d.Endpoints().Nodes[0].Address ||
			s.Leader.LeaseTTLSeconds != 2 || s.Tail != 4 || s.HeadEntries+int64(s.Sealed) != 4 || s.Snapshot != nil {
			t.Errorf("status: %+v", s)
		}
		return nil
	})
	wantContains(t, "status", mustCLI(t, "status", "--dir", dir), "primary   dev-1 at ", "dev-2  replica", "ends at entry 4", "snapshot  none")
	if _, stderr, code := cli(t, "status", "--dir", dir, "--shard", "7"); code != exitNot || !strings.Contains(stderr, "has no shard 7") {
		t.Errorf("another shard: exit code %d, %s", code, stderr)
	}
}

// A failover under load loses nothing that was acknowledged.
func TestFailover(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, Replicas: 1})
	nodes := d.Endpoints().Nodes
	clients := []*redis.Client{client(t, nodes[0].Address), client(t, nodes[1].Address)}
	ctx, stop := context.WithCancel(t.Context())
	var acked []int
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i, at := 0, 0; ctx.Err() == nil; {
			if err := clients[at].Set(context.Background(), fmt.Sprintf("k%d", i), i, 0).Err(); err != nil {
				at = 1 - at // to the other node, with the same key
				continue
			}
			acked = append(acked, i)
			i++
		}
	}()
	expect := func(r handoverResult, from, to int) {
		t.Helper()
		if r.From.ID != nodes[from].ID || r.To.ID != nodes[to].ID || r.To.Epoch <= r.From.Epoch || !r.Changed {
			t.Errorf("failover: %+v, want from %s to %s", r, nodes[from].ID, nodes[to].ID)
		}
		if roles := d.Roles(); roles[to] != node.RolePrimary {
			t.Errorf("after the failover the roles are %v", roles)
		}
	}
	expect(readJSON[handoverResult](t, "failover", "--dir", dir), 0, 1)
	expect(readJSON[handoverResult](t, "failover", "--dir", dir, "--to", nodes[0].ID), 1, 0)
	wantContains(t, "failover", mustCLI(t, "failover", "--dir", dir, "--to", nodes[1].ID), "dev-2 at "+nodes[1].Address+" is the primary of shard 0", "it was dev-1")
	wantContains(t, "failover to the primary", mustCLI(t, "failover", "--dir", dir, "--to", nodes[1].ID), "dev-2 is the primary of shard 0 already")
	if _, stderr, code := cli(t, "failover", "--dir", dir, "--to", "dev-9"); code != exitNot || !strings.Contains(stderr, `no replica "dev-9", it has dev-1`) {
		t.Errorf("to a node that is not there: exit code %d, %s", code, stderr)
	}
	stop()
	<-done
	if len(acked) < 10 {
		t.Errorf("only %d writes in all this time", len(acked))
	}
	for _, i := range acked {
		if got, err := clients[1].Get(t.Context(), fmt.Sprintf("k%d", i)).Int(); got != i || err != nil {
			t.Fatalf("k%d was acknowledged and is %d, %v", i, got, err)
		}
	}
	r := readJSON[walReport](t, "wal", "verify", "--dir", dir)
	if !r.OK || r.Epochs != 4 {
		t.Errorf("wal verify: %+v", r)
	}
}

// With several replicas, the one that is named takes over.
func TestFailoverToOneOfSeveral(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, Replicas: 3})
	nodes := d.Endpoints().Nodes
	testenv.Eventually(t, 10*time.Second, "the replicas can take over", func(context.Context) error {
		for _, n := range readJSON[clusterStatus](t, "status", "--dir", dir).Shards[0].Nodes {
			if n.Role == node.RoleLoading.String() {
				return fmt.Errorf("%s is loading", n.ID)
			}
		}
		return nil
	})
	for _, i := range []int{3, 1, 2, 0} {
		if r := readJSON[handoverResult](t, "failover", "--dir", dir, "--to", nodes[i].ID); r.To.ID != nodes[i].ID {
			t.Errorf("%s was asked for, it is %s", nodes[i].ID, r.To.ID)
		}
	}
}

func TestFailoverWithoutReplica(t *testing.T) {
	dir := t.TempDir()
	startDev(t, dev.Config{Dir: dir})
	if _, stderr, code := cli(t, "failover", "--dir", dir); code != exitFailed || !strings.Contains(stderr, "has no replica") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// damageDev returns a dev's directory with segments of one command each, and
// the files they are in.
func damageDev(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	d := startDev(t, dev.Config{Dir: dir, SegmentAge: 5 * time.Millisecond})
	c := client(t, d.Endpoints().Nodes[0].Address)
	for i := range 4 {
		if err := c.Set(t.Context(), fmt.Sprintf("k%d", i), strings.Repeat("x", 200), 0).Err(); err != nil {
			t.Fatal(err)
		}
		awaitSealed(t, dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "s3", "redoubt", "dev", "shards", "0000", "segments", "*.seg"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v: want at least 4 segments", files, err)
	}
	mustCLI(t, "wal", "verify", "--dir", dir)
	return dir, files
}

func TestWALVerifyDamage(t *testing.T) {
	dir, files := damageDev(t)
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := errors.Join(os.WriteFile(files[1], b, 0o600), os.Remove(files[3])); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := cli(t, "wal", "verify", "--dir", dir, "--json")
	var r walReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if code != exitNot || r.OK || !strings.Contains(stderr, "damage was found in the log of shard 0") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	var objects []string
	for _, f := range r.Findings {
		objects = append(objects, f.Object+" "+f.Problem)
	}
	all := strings.Join(objects, "\n")
	name := func(i int) string { return "s3://redoubt/dev/shards/0000/segments/" + filepath.Base(files[i]) }
	// The epoch's opening entry is sealed alone or with the first write.
	var first, last int
	if _, err := fmt.Sscanf(filepath.Base(files[3]), "%d-%d-", &first, &last); err != nil {
		t.Fatal(err)
	}
	wantContains(t, "findings", all, name(1), fmt.Sprintf("%d to %d are missing", first, last))
	if len(r.Findings) != 2 || strings.Contains(all, name(0)) {
		t.Errorf("findings:\n%s", all)
	}
	if r.Entries < 3 {
		t.Errorf("only %d entries were read: the walk must go on behind damage", r.Entries)
	}
	if got := mustCLI(t, "wal", "ls", "--dir", dir); !strings.Contains(got, "MISSING") {
		t.Errorf("wal ls shows no hole:\n%s", got)
	}
	if _, stderr, code := cli(t, "wal", "cat", "--dir", dir, "--to", "3"); code != exitNot || !strings.Contains(stderr, filepath.Base(files[1])) {
		t.Errorf("wal cat: exit code %d, %s", code, stderr)
	}
}

func TestSnapshotVerifyDamage(t *testing.T) {
	dir := t.TempDir()
	fillDev(t, startDev(t, dev.Config{Dir: dir}))
	mustCLI(t, "snapshot", "create", "--name", "good", "--dir", dir)
	mustCLI(t, "snapshot", "create", "--name", "bad", "--dir", dir)
	path := filepath.Join(dir, "s3", "redoubt", "dev", "snapshots", "bad", "0000.rdb")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := cli(t, "snapshot", "verify", "--dir", dir)
	if code != exitNot || !strings.Contains(stderr, "snapshots/bad/0000.rdb") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	wantContains(t, "verify", stdout, "bad: FAILED", "good: ok")
}

// The lines that dev prints can be copied as they are.
func TestDevCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr syncBuffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"dev", "--dir", dir, "--port", "0", "--s3-port", "0", "--api-port", "0", "--segment-age", "10ms", "--requirepass", "se cret"}, &stdout, &stderr)
	}()
	testenv.Eventually(t, 20*time.Second, "dev is ready", func(context.Context) error {
		if !strings.Contains(stdout.String(), "Ctrl-C") {
			return errors.New(stderr.String())
		}
		return nil
	})
	out := stdout.String()
	sh := func(line string) string {
		t.Helper()
		cmd := exec.Command("sh", "-c", line)
		b, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, b)
		}
		return string(b)
	}
	redisCLI := regexp.MustCompile(`primary +dev-1 +[0-9.:]+ +(REDISCLI_AUTH=.*)`).FindStringSubmatch(out)
	if redisCLI == nil {
		t.Fatalf("no redis-cli line in\n%s", out)
	}
	if got := sh(strings.TrimSpace(redisCLI[1]) + " SET k v"); strings.TrimSpace(got) != "OK" {
		t.Errorf("redis-cli: %s", got)
	}
	aws := regexp.MustCompile(`(?s)AWS_SHARED_CREDENTIALS_FILE=.*?--recursive \S+`).FindString(out)
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody") // the lines are good beside what is set already
	t.Setenv("AWS_SECRET_ACCESS_KEY", "else's")
	aws = strings.Replace(aws, "\n    aws ", "\n    "+testenv.Tool(t, "aws")+" ", 1)
	testenv.Eventually(t, 20*time.Second, "aws lists a segment", func(context.Context) error {
		if got := sh(aws); !strings.Contains(got, "dev/shards/0000/segments/") {
			return errors.New(got)
		}
		return nil
	})
	for _, want := range []string{"status", "snapshot create", "failover"} {
		line := regexp.MustCompile(`(?m)^  (redoubt|go run ./cmd/redoubt) ` + want + ` .*$`).FindString(out)
		quoted := "--dir " + shellQuote(dir)
		if !strings.Contains(line, quoted) {
			t.Errorf("%q does not name the directory as %s", line, quoted)
		}
	}
	if _, errs, code := cli(t, "dev", "--dir", dir); code != exitFailed || !strings.Contains(errs, fmt.Sprintf("in use by redoubt dev with pid %d", os.Getpid())) {
		t.Errorf("a second dev: exit code %d, %s", code, errs)
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d after Ctrl-C: %s", code, stderr.String())
	}
	if !slices.Equal(strings.Fields(stderr.String()), []string{"redoubt:", "stopping"}) {
		t.Errorf("it is not quiet: %s", stderr.String())
	}
	if _, errs, code := cli(t, "dev", "--dir", dir, "--replicas", "9"); code != exitUsage || !strings.Contains(errs, "--replicas") {
		t.Errorf("nine replicas: exit code %d, %s", code, errs)
	}
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/snapshot"
)

// redisDump is a file that a real redis-server wrote.
func redisDump(t *testing.T) string {
	t.Helper()
	server := testenv.StartRedis(t, "--dbfilename", "dump.rdb")
	c := client(t, server.Addr)
	ctx := t.Context()
	c.Set(ctx, "greeting", "from redis", 0)
	c.HSet(ctx, "user:1", "name", "Ada", "born", "1815")
	if err := c.Save(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(server.Dir(), "dump.rdb")
}

func TestImportIntoNewCluster(t *testing.T) {
	c := newCluster(t)
	file := redisDump(t)
	with := func(args ...string) []string { return append(args, "--config", c.config) }
	out := mustCLI(t, with("snapshot", "import", file, "--name", "seed")...)
	wantContains(t, "snapshot import", out, "Imported 2 keys as snapshot seed, after ", "Shard 2 begins with it: start its nodes.", "2, 0 of them with an expiry")
	if _, stderr, code := cli(t, with("snapshot", "import", file)...); code != exitFailed || !strings.Contains(stderr, "etcd knows the shard") || !strings.Contains(stderr, "name a new cluster") {
		t.Errorf("import twice: exit code %d, %s", code, stderr)
	}

	_, _, stop := c.run(t)
	c.set(t, "later", "w")
	if got, err := client(t, c.listen).HGet(t.Context(), "user:1", "name").Result(); got != "Ada" {
		t.Errorf("imported hash: %q, %v", got, err)
	}
	testenv.Eventually(t, 20*time.Second, "everything is sealed", func(context.Context) error {
		if l := readJSON[walList](t, with("wal", "ls")...); l.Head.Entries > 0 {
			return fmt.Errorf("%+v", l.Head)
		}
		return nil
	})
	if wr := readJSON[walReport](t, with("wal", "verify")...); !wr.OK || wr.First != 2 || wr.Last != 3 {
		t.Errorf("wal verify: %+v", wr)
	}
	mustCLI(t, with("snapshot", "create", "--name", "next")...)
	mustCLI(t, with("snapshot", "verify")...)
	if _, stderr, code := cli(t, with("snapshot", "rm", "seed")...); code != exitOK {
		t.Errorf("rm of the import once there is another: exit code %d, %s", code, stderr)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}

	// etcd forgets the shard: the objects are no reason to begin with a file.
	c.newEtcd(t)
	if _, stderr, code := cli(t, with("snapshot", "import", file)...); code != exitFailed || !strings.Contains(stderr, "holds data of a shard that etcd does not know") || !strings.Contains(stderr, "redoubt recover") {
		t.Errorf("import over data: exit code %d, %s", code, stderr)
	}
	if r := readJSON[snapshot.Recovered](t, with("recover")...); r.Keys != 3 || r.Snapshot != "next" {
		t.Errorf("recovered %+v", r)
	}
}

func TestImportUsage(t *testing.T) {
	if _, stderr, code := cli(t, "snapshot", "import"); code != exitUsage || !strings.Contains(stderr, "needs one RDB file or more") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if _, stderr, code := cli(t, "dev", "--dir", t.TempDir(), "--recover", "--import", "x.rdb"); code == exitOK || !strings.Contains(stderr, "data comes from one or the other") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestDevImport(t *testing.T) {
	dir, file := t.TempDir(), redisDump(t)
	d := startDev(t, dev.Config{Dir: dir, Import: []string{file}})
	if in := d.Imported(); in == nil || in.Manifest.Shards[0].Keys != 2 {
		t.Errorf("imported %+v", in)
	}
	if got, err := client(t, d.Endpoints().Nodes[0].Address).Get(t.Context(), "greeting").Result(); got != "from redis" {
		t.Errorf("%q, %v", got, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := cli(t, "dev", "--dir", dir, "--port", "0", "--s3-port", "0", "--api-port", "0", "--import", file); code != exitFailed || !strings.Contains(stderr, "has data: start without --import") {
		t.Errorf("over data: exit code %d, %s", code, stderr)
	}
}

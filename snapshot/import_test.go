package snapshot

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

// redisFile is the dump of a real redis-server with some data.
func redisFile(t *testing.T, requests ...string) string {
	t.Helper()
	server := testenv.StartRedis(t, "--dbfilename", "data.rdb")
	c := commandtest.Dial(t, server.Addr)
	for _, r := range append(requests, "SAVE") {
		if reply := c.Do(strings.Fields(r)...); reply[0] == '-' {
			t.Fatalf("%s: %s", r, reply)
		}
	}
	return filepath.Join(server.Dir(), "data.rdb")
}

func (w *world) importFiles(files ...string) (*Imported, error) {
	return w.repo.Import(w.ctx, ImportOptions{Name: "seed", Slots: "0-16383", Files: files})
}

// beginWith makes the imported data what the world's log begins with.
func (w *world) beginWith(in *Imported) {
	w.t.Helper()
	w.log.sealed, w.log.epoch = in.Sealed(time.Now()), importEpoch+1
	l, err := w.load()
	if err != nil {
		w.t.Fatal(err)
	}
	w.live = l.Keyspace
	w.apply = newReplayer(w.live)
	w.digest[l.Position.Seq] = w.live.Digest().String()
}

func TestImportAndGoOn(t *testing.T) {
	first := redisFile(t, "SET a 1", "HSET h f v g w", "SELECT 3", "SET b 2 EX 10000", "SET gone 1 PX 1")
	second := redisFile(t, "SET c 3", "SET kept 1 EX 5000")
	w := newWorld(t)
	w.repo.now = func() time.Time { return time.Now().Add(time.Second) } // gone is past its expiry
	in, err := w.importFiles(first, second)
	if err != nil {
		t.Fatal(err)
	}
	part := in.Manifest.Shards[0]
	// Redis itself may have deleted the expired key before it saved.
	if part.Keys != 5 || part.Expires != 2 || part.Position.Seq != 1 || in.Expired > 1 {
		t.Errorf("%+v", in)
	}
	w.beginWith(in)
	if s, _ := w.live.DB(0).Lookup([]byte("c")); string(s.Str()) != "3" {
		t.Errorf("c is %q", s.Str())
	}
	if rec, err := w.recover(0); err != nil || rec.Position != part.Position || rec.EpochBase != importEpoch || rec.Keys != 5 {
		t.Errorf("recovered %+v, %v", rec, err)
	}

	w.writeRandom(testRand(3), 30)
	w.seal(20)
	w.goOn(w.mustLoad())
	w.create("later")
	w.mustLoad()
	if rec, err := w.recover(0); err != nil || rec.Snapshot != "later" {
		t.Errorf("recovered %+v, %v", rec, err)
	}
}

// A damaged snapshot of the import has no log that could stand in for it: the shard
// must not begin empty.
func TestDamagedImportIsNotAnEmptyShard(t *testing.T) {
	w := newWorld(t)
	in, err := w.importFiles(redisFile(t, "SET a 1"))
	if err != nil {
		t.Fatal(err)
	}
	w.beginWith(in)
	w.writeRandom(testRand(4), 10)
	w.seal(6)
	w.change(in.Manifest.Shards[0].RDB.Key, flip(40))
	if l, err := w.load(); !errors.Is(err, s3segments.ErrMissing) {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestImportRefuses(t *testing.T) {
	good := redisFile(t, "SET a 1")
	same := redisFile(t, "SET a 2")
	cut := filepath.Join(t.TempDir(), "cut.rdb")
	b, err := os.ReadFile(good)
	if err == nil {
		err = os.WriteFile(cut, b[:len(b)-9], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, c := range []struct {
		name  string
		files []string
		want  error
		text  string
	}{
		{"no file", nil, nil, "no files"},
		{"absent", []string{"nowhere.rdb"}, os.ErrNotExist, "nowhere.rdb"},
		{"key in both", []string{good, same}, rdb.ErrDuplicate, `"a"`},
		{"cut off", []string{cut}, rdb.ErrCorrupt, "cut.rdb"},
	} {
		in, err := w.importFiles(c.files...)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %+v, %v", c.name, in, err)
		}
	}
	w.repo.save = func(out io.Writer, _ *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
		return rdb.Save(out, keyspace.New(keyspace.Config{}), o)
	}
	if _, err := w.importFiles(good); !errors.Is(err, ErrNotRestorable) {
		t.Errorf("a writer that loses data: %v", err)
	}
	if left := w.keys(""); len(left) != 0 {
		t.Errorf("refused imports left %q", left)
	}

	w.repo.save = rdb.Save
	if _, err := w.importFiles(good); err != nil {
		t.Fatal(err)
	}
	if _, err := w.importFiles(good); !errors.Is(err, ErrDataLeft) || !strings.Contains(err.Error(), "snapshot seed") {
		t.Errorf("over data: %v", err)
	}
}

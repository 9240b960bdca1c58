package snapshot

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

// randomWorld has a log of n random entries, the first sealed of them in a segment.
func randomWorld(t testing.TB, n int, sealed uint64) *world {
	w := newWorld(t)
	w.writeRandom(rand.New(rand.NewPCG(1, 2)), n)
	if sealed > 0 {
		w.seal(sealed)
	}
	return w
}

func TestCreatedSnapshotIsDescribedAndReadByRedis(t *testing.T) {
	w := randomWorld(t, 300, 200)
	dir := t.TempDir()
	o := w.options("first")
	o.TempDir = dir
	var phases []Phase
	o.Progress = func(p Progress) {
		if !slices.Contains(phases, p.Phase) {
			phases = append(phases, p.Phase)
		}
		if p.TotalBytes > 0 && p.Bytes > p.TotalBytes || p.TotalEntries > 0 && p.Entries > p.TotalEntries {
			t.Errorf("more than all was done: %+v", p)
		}
	}
	m, err := w.repo.Create(w.ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Phase{PhaseReplay, PhaseWrite, PhaseCheck, PhaseUpload, PhaseReadBack}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
	s := m.Shards[0]
	if s.Position != Position(w.log.entry(300).Position()) || s.Digest != w.live.Digest().String() || s.Keys != w.live.Len() ||
		s.EntryTime.UnixMilli() != w.log.entry(300).Time || s.Slots != "0-16383" || s.Databases["1"] != w.live.DB(1).Len() {
		t.Errorf("%+v", s)
	}
	b, err := w.store.Get(w.ctx, "snapshots/first/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var people map[string]any
	if err := json.Unmarshal(b, &people); err != nil || people["name"] != "first" || people["cluster"] != "testing" || !bytes.Contains(b, []byte("\n  \"shards\": [\n")) {
		t.Errorf("manifest: %s", b)
	}
	info, err := w.store.Head(w.ctx, "snapshots/first/0000.rdb")
	if err != nil || info.Metadata["position"] != s.Position.String() || info.Metadata["keys"] != fmt.Sprint(s.Keys) ||
		info.Metadata["checksum"] != "sha256:"+s.RDB.SHA256 || info.Metadata["engine"] != "redoubt" || info.Metadata["kind"] != "snapshot" {
		t.Errorf("metadata: %+v, %v", info, err)
	}
	redisAgrees(t, w, s)
}

// redisAgrees loads a snapshot's file into redis-server.
func redisAgrees(t *testing.T, w *world, s Shard) {
	file, err := w.store.Get(w.ctx, s.RDB.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "dump.rdb")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(testenv.Tool(t, "redis-check-rdb"), path).CombinedOutput(); err != nil {
		t.Errorf("redis-check-rdb: %v\n%s", err, out)
	}
	c := redis.NewClient(&redis.Options{Addr: testenv.StartRedis(t, "--dir", dir).Addr, DisableIdentity: true})
	defer c.Close()
	got, err := c.Do(w.ctx, "DEBUG", "DIGEST").Text()
	if want := w.live.RedisDigest(); err != nil || got != hex.EncodeToString(want[:]) {
		t.Errorf("DEBUG DIGEST %s, ours %x (%v)", got, want, err)
	}
}

// A file that does not restore to the same data never becomes visible. (Invariant 9.)
func TestDamagedWriterIsNotPublished(t *testing.T) {
	type save = func(io.Writer, *keyspace.Keyspace, rdb.SaveOptions) (int64, error)
	dropKey := func(w io.Writer, ks *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
		ks.DB(0).Delete([]byte("a"))
		return rdb.Save(w, ks, o)
	}
	for name, damage := range map[string]save{
		"a key is lost": dropKey,
		"a value is another": func(w io.Writer, ks *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
			ks.DB(0).SetString([]byte("a"), []byte("2"))
			return rdb.Save(w, ks, o)
		},
		"an expiry is another": func(w io.Writer, ks *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
			ks.DB(0).SetExpire([]byte("b"), 4102444800001)
			return rdb.Save(w, ks, o)
		},
		"a key is in another database": func(w io.Writer, ks *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
			ks.DB(0).Move(ks.DB(1), []byte("a"))
			return rdb.Save(w, ks, o)
		},
		"the position is another": func(w io.Writer, ks *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
			o.Aux[1].Value = "seq 3 epoch 3 chain 0000000000000000"
			return rdb.Save(w, ks, o)
		},
		"the file is cut": func(w io.Writer, ks *keyspace.Keyspace, o rdb.SaveOptions) (int64, error) {
			var b bytes.Buffer
			n, err := rdb.Save(&b, ks, o)
			_, werr := w.Write(b.Bytes()[:n-1])
			return n - 1, errors.Join(err, werr)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write("0 SET a 1", "0 SET b 1 PXAT 4102444800000", "0 HSET h f v")
			w.repo.save = damage
			m, err := w.repo.Create(w.ctx, w.options("bad"))
			if !errors.Is(err, ErrNotRestorable) || m != nil {
				t.Errorf("created: %v, %v", m, err)
			}
			if keys := w.keys("snapshots/"); len(keys) != 0 {
				t.Errorf("visible: %v", keys)
			}
		})
	}
}

// What object storage holds is compared too, before the manifest.
func TestStoredFileIsReadBack(t *testing.T) {
	w := randomWorld(t, 50, 0)
	o := w.options("bad")
	o.Progress = func(p Progress) {
		if p.Phase == PhaseReadBack && p.Bytes == 0 {
			w.change("snapshots/bad/0000.rdb", flip(-20))
		}
	}
	if _, err := w.repo.Create(w.ctx, o); !errors.Is(err, ErrNotRestorable) {
		t.Errorf("created: %v", err)
	}
	if keys := w.keys("snapshots/"); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
}

func TestCreateTrimmedMeanwhile(t *testing.T) {
	w := randomWorld(t, 100, 20)
	sealed := false
	w.log.before = func(seq uint64) {
		if seq == 50 && !sealed {
			sealed = true
			w.seal(80)
		}
	}
	m := w.create("s")
	if !sealed || m.Shards[0].Digest != w.digest[100] {
		t.Fatalf("trimmed %v, %+v", sealed, m.Shards[0])
	}
}

// A head that always says it was trimmed ends in an error, not in a loop.
func TestCreateOfUnreachableHead(t *testing.T) {
	w := randomWorld(t, 10, 0)
	w.log.before = func(uint64) {
		w.log.mu.Lock()
		w.log.sealed.Seq++ // not on the log's chain, and in no segment
		w.log.mu.Unlock()
	}
	if _, err := w.repo.Create(w.ctx, w.options("s")); !errors.Is(err, s3segments.ErrMissing) {
		t.Fatal(err)
	}
}

func TestCreateUpTo(t *testing.T) {
	w := randomWorld(t, 120, 70)
	w.create("tail")
	for name, upTo := range map[string]uint64{"in-a-segment": 33, "segment-end": 70, "in-the-head": 90} {
		o := w.options(name)
		o.UpTo = upTo
		m, err := w.repo.Create(w.ctx, o)
		if err != nil || m.Shards[0].Position.Seq != upTo || m.Shards[0].Digest != w.digest[upTo] {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	o := w.options("beyond")
	o.UpTo = 121
	if _, err := w.repo.Create(w.ctx, o); !errors.Is(err, ErrBeyondLog) || !strings.Contains(err.Error(), "ends at entry 120") {
		t.Errorf("beyond the tail: %v", err)
	}
}

func TestCreateOfEmptyShard(t *testing.T) {
	w := newWorld(t)
	if m := w.create("empty"); m.Shards[0].Keys != 0 || m.Shards[0].Position.Seq != 0 || !m.Shards[0].EntryTime.IsZero() {
		t.Errorf("%+v", m)
	}
	w.mustLoad()
	w.log.none = true
	if _, err := w.repo.Create(w.ctx, w.options("none")); err == nil || !strings.Contains(err.Error(), "not initialized") {
		t.Error(err)
	}
}

func TestSeveralShards(t *testing.T) {
	w := randomWorld(t, 40, 0)
	other := &world{t: t, ctx: w.ctx, log: &testLog{epoch: 9}, live: keyspace.New(keyspace.Config{}), digest: map[uint64]string{}}
	other.apply = newReplayer(other.live)
	other.write("0 SET other shard")
	o := w.options("both")
	o.Shards[0].Slots = "0-8191"
	o.Shards = append(o.Shards, Source{Shard: 7, Slots: "8192-16383", Head: other.log})
	if _, err := w.repo.Create(w.ctx, o); err != nil {
		t.Fatal(err)
	}
	m, err := w.repo.Show(w.ctx, "both")
	if err != nil || len(m.Shards) != 2 || m.Shards[1].RDB.Key != "snapshots/both/0007.rdb" {
		t.Fatalf("%+v, %v", m, err)
	}
	w.mustLoad()
	l, err := w.repo.Load(w.ctx, 7, LoadOptions{Head: other.log})
	if err != nil {
		t.Fatal(err)
	}
	other.compare(l.Keyspace, l.Position)
	// When the second shard cannot be taken in, nothing of the first stays.
	o.Name = "half"
	other.log.none = true
	o.Shards[1].Head = &brokenAfterState{other.log}
	if _, err := w.repo.Create(w.ctx, o); err == nil {
		t.Error("created")
	}
	if keys := w.keys("snapshots/half"); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
	o.UpTo = 1
	if _, err := w.repo.Create(w.ctx, o); err == nil {
		t.Error("two shards up to one entry")
	}
}

// brokenAfterState says once that it is initialised.
type brokenAfterState struct{ *testLog }

func (b *brokenAfterState) State(ctx context.Context) (st etcdfence.State, err error) {
	st, err = b.testLog.State(ctx)
	st.Initialized = true
	st.Tail = 5 // more than there is
	return st, err
}

func TestNameIsTaken(t *testing.T) {
	w := randomWorld(t, 30, 0)
	w.create("s")
	before, err := w.store.Get(w.ctx, "snapshots/s/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	w.write("0 SET new value")
	if _, err := w.repo.Create(w.ctx, w.options("s")); !errors.Is(err, ErrNameTaken) {
		t.Errorf("second of the name: %v", err)
	}
	if after, err := w.store.Get(w.ctx, "snapshots/s/manifest.json"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the first one changed: %v", err)
	}
	if _, err := w.repo.Verify(w.ctx, "s", VerifyOptions{}); err != nil {
		t.Error(err)
	}
}

// Of many at once one wins, and what is published is whole.
func TestManyOfOneName(t *testing.T) {
	w := randomWorld(t, 30, 0)
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.repo.Create(w.ctx, w.options("s")) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrNameTaken):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
	if _, err := w.repo.Verify(w.ctx, "s", VerifyOptions{}); err != nil {
		t.Error(err)
	}
}

func TestCancelledCreateLeavesNothing(t *testing.T) {
	for _, at := range []Phase{PhaseReplay, PhaseWrite, PhaseCheck, PhaseUpload, PhaseReadBack} {
		w := randomWorld(t, 60, 30)
		ctx, cancel := context.WithCancel(w.ctx)
		o := w.options("s")
		o.TempDir = t.TempDir()
		o.Progress = func(p Progress) {
			if p.Phase == at {
				cancel()
			}
		}
		_, err := w.repo.Create(ctx, o)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in %s: %v", at, err)
		}
		if keys := w.keys("snapshots/"); len(keys) != 0 && at != PhaseUpload {
			t.Errorf("cancelled in %s, left: %v", at, keys)
		}
		if left, err := os.ReadDir(o.TempDir); err != nil || len(left) != 0 {
			t.Errorf("cancelled in %s, left on disk: %v, %v", at, left, err)
		}
		cancel()
	}
}

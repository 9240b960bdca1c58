package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

func TestLoad(t *testing.T) {
	w := randomWorld(t, 200, 50)
	if l := w.mustLoad(); l.Position.Seq != 50 || l.Snapshot != nil {
		t.Errorf("without a snapshot: %v from %v", l.Position, l.Snapshot)
	}
	w.create("s")
	if l := w.mustLoad(); l.Position.Seq != 200 || l.Snapshot.Name != "s" || l.EntryTime.UnixMilli() != w.log.entry(200).Time {
		t.Errorf("from a snapshot past the segments: %+v", l)
	}
	w.write("0 SET k v")
	w.write("0 SET k w")
	w.seal(150)
	w.seal(202)
	var last Progress
	l, err := w.repo.Load(w.ctx, 0, LoadOptions{Head: w.log, Progress: func(p Progress) { last = p }})
	if err != nil {
		t.Fatal(err)
	}
	w.compare(l.Keyspace, l.Position)
	if l.Position.Seq != 202 {
		t.Errorf("snapshot and segments: %v", l.Position)
	}
	if last.Phase != PhaseReplay || last.Bytes != last.TotalBytes || last.Bytes == 0 || last.Entries != 2 || last.TotalEntries != 2 {
		t.Errorf("last progress: %+v", last)
	}
}

func TestLoadOfShardThatIsNone(t *testing.T) {
	w := newWorld(t)
	w.log.none = true
	if _, err := w.load(); !errors.Is(err, etcdfence.ErrNotInitialized) {
		t.Error(err)
	}
}

// A damaged snapshot is refused and named, and the one before is used.
func TestDamagedSnapshotIsRefused(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"first byte":           func(w *world) { w.change("snapshots/new/0000.rdb", flip(0)) },
		"a byte in the middle": func(w *world) { w.change("snapshots/new/0000.rdb", flip(2000)) },
		"the checksum":         func(w *world) { w.change("snapshots/new/0000.rdb", flip(-1)) },
		"cut":                  func(w *world) { w.change("snapshots/new/0000.rdb", func(b []byte) []byte { return b[:len(b)-1] }) },
		"longer":               func(w *world) { w.change("snapshots/new/0000.rdb", func(b []byte) []byte { return append(b, 0) }) },
		"file gone":            func(w *world) { w.delete("snapshots/new/0000.rdb") },
		"another snapshot's file": func(w *world) {
			b, err := w.store.Get(w.ctx, "snapshots/old/0000.rdb")
			if err != nil {
				t.Fatal(err)
			}
			w.change("snapshots/new/0000.rdb", func([]byte) []byte { return b })
		},
		"manifest: no JSON": func(w *world) { w.change("snapshots/new/manifest.json", flip(0)) },
		"manifest: position": func(w *world) {
			w.change("snapshots/new/manifest.json", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"seq": 100`, `"seq": 101`, 1))
			})
		},
		"manifest: digest": func(w *world) {
			w.change("snapshots/new/manifest.json", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"digest": "`, `"digest": "00`, 1))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := randomWorld(t, 60, 40)
			w.create("old")
			w.writeRandom(testRand(3), 40)
			w.seal(90)
			w.create("new")
			w.seal(100)
			damage(w)
			l := w.mustLoad()
			if l.Snapshot == nil || l.Snapshot.Name != "old" || l.Position.Seq != 100 {
				t.Errorf("loaded %v from %v", l.Position, l.Snapshot)
			}
			if logged := w.logged.String(); !strings.Contains(logged, "snapshot=new") || !strings.Contains(logged, "level=ERROR") {
				t.Errorf("logged: %s", logged)
			}
			if _, err := w.repo.Verify(w.ctx, "new", VerifyOptions{}); !errors.Is(err, ErrDamaged) {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

// With all snapshots damaged the start of the log serves, as long as it is there.
func TestAllSnapshotsDamaged(t *testing.T) {
	w := randomWorld(t, 60, 20)
	w.seal(60)
	w.create("a")
	w.write("0 SET k v")
	w.create("b")
	for _, name := range []string{"a", "b"} {
		w.change(rdbKey(name, 0), flip(100))
	}
	l := w.mustLoad()
	if l.Snapshot != nil || len(l.Refused) != 2 || l.Position.Seq != 60 {
		t.Fatalf("%+v", l)
	}
	w.delete(w.keys("shards/0000/segments/")[0])
	_, err := w.load()
	var missing *s3segments.MissingError
	if !errors.As(err, &missing) || missing.From != 1 || missing.To != 20 {
		t.Fatalf("segment missing: %v", err)
	}
	for _, what := range []string{"1 to 20 are missing", "snapshot a", "snapshot b", "CRC"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("the error does not say %q: %v", what, err)
		}
	}
}

func TestMissingAndDamagedSegmentsAreNamed(t *testing.T) {
	w := randomWorld(t, 30, 10)
	w.seal(20)
	w.seal(30)
	middle := w.keys("shards/0000/segments/")[1]
	body, err := w.store.Get(w.ctx, middle)
	if err != nil {
		t.Fatal(err)
	}
	w.delete(middle)
	if _, err := w.load(); !errors.Is(err, s3segments.ErrMissing) || !strings.Contains(err.Error(), "11 to 20 are missing") {
		t.Errorf("missing: %v", err)
	}
	body[len(body)/2] ^= 1
	if err := w.store.Put(w.ctx, middle, body, s3segments.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	var damaged *s3segments.DamagedError
	if _, err := w.load(); !errors.As(err, &damaged) || damaged.Key != middle {
		t.Errorf("damaged: %v", err)
	}
	if _, err := w.repo.Create(w.ctx, w.options("s")); !errors.As(err, &damaged) {
		t.Errorf("snapshot over a damaged segment: %v", err)
	}
}

func TestNewerSnapshotsAreRefused(t *testing.T) {
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte { return []byte(strings.Replace(string(b), old, new, 1)) }
	}
	for name, change := range map[string]func(w *world){
		"manifest format": func(w *world) {
			w.change("snapshots/s/manifest.json", func([]byte) []byte { return []byte(`{"format": 2, "shards": "another layout"}`) })
		},
		"engine": func(w *world) {
			w.change("snapshots/s/manifest.json", replace(fmt.Sprintf(`"engine": %d`, Engine), fmt.Sprintf(`"engine": %d`, Engine+1)))
		},
		"RDB version": func(w *world) {
			w.change("snapshots/s/0000.rdb", replace("REDIS0010", "REDIS0013"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := randomWorld(t, 20, 20)
			w.create("s")
			change(w)
			if _, err := w.load(); !errors.Is(err, ErrNewerFormat) || !errors.Is(err, wal.ErrNewerFormat) {
				t.Errorf("load: %v", err)
			}
			if _, err := w.repo.Create(w.ctx, w.options("t")); !errors.Is(err, ErrNewerFormat) {
				t.Errorf("create: %v", err)
			}
			if _, err := w.repo.Verify(w.ctx, "s", VerifyOptions{}); !errors.Is(err, ErrNewerFormat) {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

// The engine is also in the file, and an entry's kind may be newer.
func TestNewerEngineInFileAndLog(t *testing.T) {
	if err := checkAux(map[string]string{auxEngine: strconv.Itoa(Engine + 1), auxPosition: Position{}.String()}, Position{}); !errors.Is(err, ErrNewerFormat) {
		t.Error(err)
	}
	if err := checkAux(map[string]string{auxPosition: Position{}.String()}, Position{}); !isDamage(err) {
		t.Error(err)
	}
	st := newReplay(Options{}.Keyspace)
	if err := st.entry(wal.Position{}.Next(wal.Kind(9), 1, 1, nil)); !errors.Is(err, ErrNewerFormat) {
		t.Error(err)
	}
}

// A sound snapshot that this node cannot hold is not passed over like a damaged
// one; a flipped byte that makes a value look like a type we do not know is damage.
func TestUnsupportedContent(t *testing.T) {
	w := randomWorld(t, 20, 20)
	w.create("before")
	w.write("9 SET k v")
	w.create("s")
	_, err := w.repo.Load(w.ctx, 0, LoadOptions{Head: w.log, Keyspace: keyspace.Config{Databases: 4}})
	if !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), "database 9, this redoubt has databases 0 to 3") {
		t.Errorf("more databases than configured: %v", err)
	}
	w.change("snapshots/s/0000.rdb", func(b []byte) []byte {
		at := bytes.LastIndex(b, []byte("\x00\x01k\x01v"))
		b[at] = 22
		return b
	})
	if l := w.mustLoad(); l.Snapshot.Name != "before" || !strings.Contains(l.Refused[0].Error(), "a hash with expiring fields (type 22)") {
		t.Errorf("%+v", l)
	}
}

func TestOtherHistoryIsRefused(t *testing.T) {
	w := randomWorld(t, 60, 30)
	w.create("s")
	// etcd was put back to an earlier state.
	entries := w.log.entries
	w.log.entries = entries[:50]
	if _, err := w.load(); !errors.Is(err, ErrOtherHistory) || !strings.Contains(err.Error(), "etcd only up to entry 50") {
		t.Errorf("log shorter than the snapshot: %v", err)
	}
	w.log.entries = entries
	w.log.sealed.Seq, w.log.sealed.Chain = 60, 12345
	if _, err := w.load(); !errors.Is(err, ErrOtherHistory) {
		t.Errorf("log with another chain: %v", err)
	}
}

// What is cleaned up while it is read is looked for again.
func TestLoadWhileCleanedUp(t *testing.T) {
	w := randomWorld(t, 60, 60)
	w.create("old")
	w.writeRandom(testRand(4), 20)
	w.create("new")
	w.seal(80)
	gone := false
	l, err := w.repo.Load(w.ctx, 0, LoadOptions{Head: w.log, Progress: func(p Progress) {
		if gone || p.Phase != PhaseBase {
			return
		}
		// The candidates are listed. Now both are replaced.
		gone = true
		w.create("newest")
		for _, name := range []string{"old", "new"} {
			if err := w.repo.Remove(w.ctx, name); err != nil {
				t.Error(err)
			}
		}
		w.delete(w.keys("shards/")...)
	}})
	if err != nil || l.Snapshot.Name != "newest" {
		t.Fatalf("%+v, %v", l, err)
	}
	w.compare(l.Keyspace, l.Position)
}

func TestLoadIsCancelled(t *testing.T) {
	w := randomWorld(t, 60, 60)
	w.create("s")
	ctx, cancel := context.WithCancel(w.ctx)
	_, err := w.repo.Load(ctx, 0, LoadOptions{Head: w.log, Progress: func(Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Verify with Replay finds a snapshot that is sound in itself and wrong.
func TestVerifyReplayFindsWrongData(t *testing.T) {
	w := randomWorld(t, 40, 40)
	w.create("before")
	w.writeRandom(testRand(5), 20)
	w.seal(60)
	w.live.DB(0).SetString([]byte("never"), []byte("written"))
	st := newReplay(Options{}.Keyspace)
	st.ks, st.pos, st.entryTime = w.live, w.log.entry(60).Position(), 1
	m := &Manifest{Format: ManifestFormat, Name: "wrong", Cluster: "testing", Engine: Engine, CreatedAt: w.repo.now(), VerifiedAt: w.repo.now()}
	path := t.TempDir() + "/0000.rdb"
	s, err := w.repo.writeFile(w.ctx, st, path, 0, "0-16383", m.CreatedAt, nil)
	if err == nil {
		err = w.repo.upload(w.ctx, path, m.Name, &s)
	}
	m.Shards = []Shard{s}
	if err == nil {
		err = w.repo.publish(w.ctx, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.repo.Verify(w.ctx, "wrong", VerifyOptions{}); err != nil {
		t.Errorf("in itself: %v", err)
	}
	_, err = w.repo.Verify(w.ctx, "wrong", VerifyOptions{Replay: true})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "replayed from snapshot before") {
		t.Errorf("against the log: %v", err)
	}
}

func TestVerifyReplay(t *testing.T) {
	w := randomWorld(t, 40, 40)
	w.create("first")
	w.writeRandom(testRand(6), 20)
	w.create("second")
	got, err := w.repo.Verify(w.ctx, "first", VerifyOptions{Replay: true})
	if err != nil || got[0].ReplayedFrom != "the start of the log" || got[0].ReplayedEntries != 40 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = w.repo.Verify(w.ctx, "second", VerifyOptions{Replay: true, Heads: map[int]Head{0: w.log}})
	if err != nil || got[0].ReplayedFrom != "snapshot first" || got[0].ReplayedEntries != 20 || got[0].Digest != w.live.Digest().String() {
		t.Errorf("%+v, %v", got, err)
	}
	// Without the head, what is not sealed is missing.
	if _, err := w.repo.Verify(w.ctx, "second", VerifyOptions{Replay: true}); !errors.Is(err, s3segments.ErrMissing) {
		t.Error(err)
	}
	w.delete(w.keys("shards/")...)
	if _, err := w.repo.Verify(w.ctx, "first", VerifyOptions{Replay: true}); !errors.Is(err, s3segments.ErrMissing) {
		t.Error(err)
	}
	if _, err := w.repo.Verify(w.ctx, "third", VerifyOptions{}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

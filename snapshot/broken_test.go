//go:build broken

package snapshot

import (
	"testing"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/wal"
)

// A snapshot says that it holds the whole log, and what a node loads from it lacks
// the last write, although an entry without effects follows that.
func TestBrokenShortSnapshot(t *testing.T) {
	restore := broken.Use(broken.ShortSnapshot)
	t.Cleanup(restore)
	w := newWorld(t)
	w.write("0 SET a 1")
	before := w.write("0 INCR n")
	w.write("0 INCR n", "0 SET b 1")
	last := w.log.append(wal.KindEpochOpened, []byte("node"))
	w.seal(last.Seq)
	m := w.create("short")
	if got := m.Shards[0]; got.Position != Position(last) || got.Digest != w.digest[before.Seq] {
		t.Fatalf("%+v", got)
	}
	l, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	if l.Position != last || l.Keyspace.Digest().String() != w.digest[before.Seq] {
		t.Fatalf("loaded at %v, %d keys", l.Position, l.Keyspace.Len())
	}
	restore()
	if _, err := w.repo.Verify(w.ctx, "short", VerifyOptions{}); err != nil {
		t.Fatalf("a look at the file alone finds out: %v", err)
	}
	if _, err := w.repo.Verify(w.ctx, "short", VerifyOptions{Replay: true}); err == nil {
		t.Fatal("a replay does not find out")
	}
}

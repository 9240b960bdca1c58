package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/wal"
)

// Against three etcd members and an S3 server, each a process.
func TestAuditor(t *testing.T) {
	s := startServers(t)
	for _, c := range []struct {
		name string
		run  func(*world)
	}{
		{"GoodShard", testGoodShard},
		{"StartsLate", testStartsLate},
		{"RewrittenEntry", testRewrittenEntry},
		{"RewrittenBeforeItWasSeen", testRewrittenBeforeItWasSeen},
		{"OlderEpoch", testOlderEpoch},
		{"HeadLimit", testHeadLimit},
		{"TrimmedWithoutSegment", testTrimmedWithoutSegment},
		{"SegmentOfOtherEntries", testSegmentOfOtherEntries},
		{"SegmentsCleanedUp", testSegmentsCleanedUp},
		{"SegmentsLost", testSegmentsLost},
		{"CatchUpEnds", testCatchUpEnds},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(s.newWorld(t)) })
	}
}

// noise is a value that snappy makes no smaller.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

func testGoodShard(w *world) {
	w.watch() // before there is a shard
	w.create()
	for i := range 50 {
		w.set(fmt.Sprint("k", i%7), fmt.Sprint(i))
	}
	w.set("spilled", noise(5000))
	w.caughtUp()
	before := w.auditor.MaxHead()
	w.seal()
	w.set("k1", "after the trim", "k2", "and this")
	w.ok(w.term.Close())
	w.lead("b")
	w.set("k1", "of b")
	w.seal()
	w.set("k3", "in the head")
	w.caughtUp()

	var got []string
	for _, e := range w.auditor.Epochs() {
		got = append(got, fmt.Sprint(e.Node, e.First))
	}
	if fmt.Sprint(got) != "[a1 b54]" {
		w.Errorf("epochs %v", got)
	}
	if es := w.auditor.Epochs(); es[0].Epoch >= es[1].Epoch || es[0].At > es[1].At || es[1].Epoch != w.term.Epoch() {
		w.Errorf("epochs %+v", es)
	}
	if w.auditor.Entries() != w.pos.Seq || w.auditor.Effects() != 55 || w.auditor.Bytes() != w.model.bytes || w.auditor.Segments() != 2 {
		w.Errorf("%d entries, %d effects, %d bytes, %d segments", w.auditor.Entries(), w.auditor.Effects(), w.auditor.Bytes(), w.auditor.Segments())
	}
	if most := w.auditor.MaxHead(); before == 0 || most != before {
		w.Errorf("the head had %d bytes at most, %d before it was trimmed", most, before)
	}
	w.clean()
}

func testStartsLate(w *world) {
	w.create()
	for i := range 20 {
		w.set("k", fmt.Sprint(i))
		if i%5 == 4 {
			w.seal()
		}
	}
	w.set("k", "in the head")
	w.watch()
	w.caughtUp()
	w.seal()
	w.caughtUp()
	w.clean()
}

func testRewrittenEntry(w *world) {
	w.create().watch()
	w.set("k", "1")
	at := w.pos
	w.set("k", "2")
	w.caughtUp()
	other := at.Next(wal.KindEffects, at.Epoch, 1, set("k", "3"))
	_, err := w.cli.Put(w.ctx, w.key(other.Seq), string(wal.Encode(nil, other)))
	w.ok(err)
	w.finds(checkFence, fmt.Sprintf("log rewritten: entry %d was put again", other.Seq))
	// Who follows the log has read the entry before and goes on.
	w.caughtUp()
}

// Whoever reads the log only now meets a chain that does not fit.
func testRewrittenBeforeItWasSeen(w *world) {
	w.create()
	w.set("k", "1")
	at := w.pos
	w.set("k", "2")
	w.set("k", "3")
	other := at.Next(wal.KindEffects, at.Epoch, 1, set("k", "changed"))
	_, err := w.cli.Put(w.ctx, w.key(other.Seq), string(wal.Encode(nil, other)))
	w.ok(err)
	w.watch()
	w.finds(checkLog, "running checksum does not match")
	w.finds(checkFence, "log rewritten")
	w.ends(nil)
	if got, want := w.auditor.Digest(), w.model.digest(); got == want {
		w.Error("the digest is that of the log as it was")
	}
}

func testOlderEpoch(w *world) {
	w.create().watch()
	w.set("k", "1")
	w.caughtUp()
	stale := w.pos.Next(wal.KindEffects, w.pos.Epoch-1, 1, set("k", "of a deposed primary"))
	_, err := w.cli.Put(w.ctx, w.key(stale.Seq), string(wal.Encode(nil, stale)))
	w.ok(err)
	w.finds(checkLog, "epoch went back")
	w.finds(checkFence, fmt.Sprintf("while epoch %d of a owned the shard", w.pos.Epoch))
	w.ends(nil)
	w.ok(w.auditor.Close()) // the violation says it all
}

func testHeadLimit(w *world) {
	const limit = 4000
	w.create().watchWith(limit)
	for range 4 {
		w.set("k", noise(500))
	}
	w.caughtUp()
	if most := w.auditor.MaxHead(); most > limit || most < limit/2 {
		w.Fatalf("the head has %d bytes before the test begins", most)
	}
	if kept, _ := w.violations.List(); len(kept) > 0 {
		w.Fatalf("below the limit: %v", kept)
	}
	for range 4 {
		w.set("k", noise(500))
	}
	w.finds(checkHead, fmt.Sprintf("its limit is %d", limit))
	w.caughtUp()
	bytes, err := w.shard.HeadBytes(w.ctx)
	w.ok(err)
	if most := w.auditor.MaxHead(); most != bytes {
		w.Errorf("the head had %d bytes at most, etcdfence counts %d", most, bytes)
	}
}

func testTrimmedWithoutSegment(w *world) {
	w.create().watch()
	w.set("k", "1")
	w.caughtUp()
	w.ok(trimmer{w.shard, w.term}.Trim(w.ctx, w.pos, "shards/0000/segments/none.seg", time.Now()))
	w.finds(checkSegments, "shards/0000/segments/none.seg is not in S3")
	w.caughtUp() // it has read the entries itself
}

func testSegmentOfOtherEntries(w *world) {
	w.create().watch()
	w.set("k", "1")
	w.seal()
	first := w.term.Sealed().Segment
	w.set("k", "2")
	w.caughtUp()
	w.ok(trimmer{w.shard, w.term}.Trim(w.ctx, w.pos, first, time.Now()))
	w.finds(checkSegments, first+" ends with")
}

// Segments that were never read are gone, as after a clean-up.
func (w *world) dropSegments() {
	w.Helper()
	infos, err := w.segments.List(w.ctx)
	w.ok(err)
	for _, i := range infos {
		w.ok(w.segments.Store().Delete(w.ctx, i.Key))
	}
}

func testSegmentsCleanedUp(w *world) {
	w.create()
	w.set("k", "1")
	w.seal()
	repo := snapshot.Open(w.segments.Store(), w.cluster, snapshot.Options{})
	_, err := repo.Create(w.ctx, snapshot.CreateOptions{Shards: []snapshot.Source{{Slots: "0-16383", Head: w.shard}}})
	w.ok(err)
	w.dropSegments()
	w.watch()
	w.ends(ErrBehind)
	if kept, _ := w.violations.List(); len(kept) > 0 {
		w.Errorf("violations: %v", kept)
	}
	for range 2 {
		if err := w.auditor.Close(); !errors.Is(err, ErrBehind) {
			w.Errorf("close: %v", err)
		}
	}
}

func testSegmentsLost(w *world) {
	w.create()
	w.set("k", "1")
	w.seal()
	w.dropSegments()
	w.watch()
	w.finds(checkSegments, "entries 1 to 2 left etcd, no segment holds them and no snapshot covers them")
	w.ends(nil)
}

func testCatchUpEnds(w *world) {
	w.create().watch()
	w.caughtUp()
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(w.ctx)
	cancel(gone)
	err := w.auditor.CatchUp(ctx, w.pos.Seq+10)
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), fmt.Sprintf("entry %d", w.pos.Seq+10)) {
		w.Errorf("catch up with what does not come: %v", err)
	}
	w.clean()
}

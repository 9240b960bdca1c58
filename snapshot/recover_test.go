package snapshot

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
)

func (w *world) recover(upTo uint64) (*Recovered, error) {
	return w.repo.Recover(w.ctx, 0, RecoverOptions{UpTo: upTo})
}

// begin makes the log that of a new etcd, initialised with what was recovered.
func (w *world) begin(rec *Recovered) {
	w.log.sealed = rec.Sealed(time.Now())
	w.log.entries = w.log.entries[:rec.Position.Seq]
	w.log.epoch = rec.EpochBase + 1
}

func (w *world) checkRecovered(rec *Recovered, seq uint64) {
	w.t.Helper()
	e := w.log.entry(seq)
	if rec.Position != Position(e.Position()) || rec.Digest != w.digest[seq] || rec.EntryTime.UnixMilli() != e.Time || rec.EpochBase < e.Epoch {
		w.t.Errorf("recovered %+v, want entry %d", rec, seq)
	}
}

func TestRecoverAndGoOn(t *testing.T) {
	w := randomWorld(t, 100, 30)
	w.seal(60)
	rec, err := w.recover(0)
	if err != nil {
		t.Fatal(err)
	}
	w.checkRecovered(rec, 60)
	if rec.Snapshot != "" || len(rec.Segments) != 2 || rec.Sealed(time.Now()).Segment != rec.Segments[1] {
		t.Errorf("%+v", rec)
	}
	o := w.options("s")
	o.UpTo = 45
	if _, err := w.repo.Create(w.ctx, o); err != nil {
		t.Fatal(err)
	}
	if rec, err = w.recover(0); err != nil || rec.Snapshot != "s" || len(rec.Segments) != 1 {
		t.Fatalf("%+v, %v", rec, err)
	}
	w.checkRecovered(rec, 60)

	// What was recovered is a log to go on with, in a new etcd.
	w.live = w.mustLoad().Keyspace
	w.apply = newReplayer(w.live)
	w.begin(rec)
	w.writeRandom(testRand(8), 30)
	w.seal(80)
	w.goOn(w.mustLoad())
	w.create("t")
	w.mustLoad()
}

// A snapshot of entries that were not sealed yet saves them.
func TestRecoverFromSnapshotPastTheSegments(t *testing.T) {
	w := randomWorld(t, 50, 30)
	w.create("s")
	rec, err := w.recover(0)
	if err != nil {
		t.Fatal(err)
	}
	w.checkRecovered(rec, 50)
	if len(rec.Segments) != 0 || rec.Sealed(time.Now()).Segment != "" {
		t.Errorf("%+v", rec)
	}
	w.begin(rec)
	w.writeRandom(testRand(9), 10)
	w.seal(60)
	if l := w.mustLoad(); l.Position.Seq != 60 {
		t.Errorf("loaded %v", l.Position)
	}
}

func TestRecoverWithDamage(t *testing.T) {
	w := randomWorld(t, 60, 20)
	w.seal(40)
	w.create("s")
	w.seal(60)
	w.change(rdbKey("s", 0), flip(5))
	rec, err := w.recover(0)
	if err != nil || len(rec.Refused) != 1 || !strings.Contains(rec.Refused[0], "snapshot s") {
		t.Fatalf("%+v, %v", rec, err)
	}
	w.checkRecovered(rec, 60)

	middle := w.keys("shards/0000/segments/")[1]
	w.change(middle, flip(-50))
	_, err = w.recover(0)
	var damaged *s3segments.DamagedError
	if !errors.As(err, &damaged) || damaged.Key != middle || !strings.Contains(err.Error(), "whole up to entry 20") {
		t.Errorf("damaged segment: %v", err)
	}
	w.delete(middle)
	_, err = w.recover(0)
	if !errors.Is(err, s3segments.ErrMissing) || !strings.Contains(err.Error(), "whole up to entry 20") || !strings.Contains(err.Error(), "21 to 40 are missing") {
		t.Errorf("missing segment: %v", err)
	}
	if _, err := w.recover(30); !errors.Is(err, ErrBeyondLog) || !strings.Contains(err.Error(), "reach to entry 20") {
		t.Errorf("up to where nothing ends: %v", err)
	}
	rec, err = w.recover(20)
	if err != nil || len(rec.BeyondSegments) != 1 || len(rec.BeyondSnapshots) != 1 {
		t.Fatalf("%+v, %v", rec, err)
	}
	w.checkRecovered(rec, 20)
	if err := w.repo.Discard(w.ctx, rec); err != nil {
		t.Fatal(err)
	}
	if keys := w.keys(""); len(keys) != 2 || !strings.HasPrefix(keys[0], "gc/") || keys[1] != rec.Segments[0] {
		t.Errorf("left: %v", keys)
	}
	w.live = w.mustLoadAt(rec)
	w.apply = newReplayer(w.live)
	w.begin(rec)
	w.writeRandom(testRand(10), 30)
	w.seal(45)
	w.goOn(w.mustLoad())
	if rec, err := w.recover(0); err != nil {
		t.Error(err)
	} else {
		w.checkRecovered(rec, 45)
	}
}

// mustLoadAt is the data as recovered.
func (w *world) mustLoadAt(rec *Recovered) *keyspace.Keyspace {
	w.t.Helper()
	sealed, entries := w.log.sealed, w.log.entries
	defer func() { w.log.sealed, w.log.entries = sealed, entries }()
	w.begin(rec)
	return w.mustLoad().Keyspace
}

func TestRecoverNothing(t *testing.T) {
	w := newWorld(t)
	if _, err := w.recover(0); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := w.repo.Discard(w.ctx, &Recovered{}); err != nil || len(w.keys("")) != 0 {
		t.Errorf("%v, %v", err, w.keys(""))
	}
}

// Epochs of snapshots and orphans count, so that no epoch is used twice.
func TestRecoverEpochBase(t *testing.T) {
	w := randomWorld(t, 10, 10)
	infos, err := w.shard.List(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	rec := &Recovered{}
	infos[0].Epoch = 70
	rec.look(infos, []candidate{{&Manifest{}, &Shard{Position: Position{Epoch: 80}}}}, math.MaxUint64)
	if rec.EpochBase != 80 || len(rec.BeyondSegments)+len(rec.BeyondSnapshots) != 0 {
		t.Errorf("%+v", rec)
	}
}

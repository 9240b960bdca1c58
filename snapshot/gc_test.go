package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/s3segments"
)

var gcNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// snap is a good snapshot of shard 0 at seq, made so many hours ago.
func snap(name string, seq uint64, hours int) checked {
	m := &Manifest{Name: name, CreatedAt: gcNow.Add(-time.Duration(hours) * time.Hour)}
	m.Shards = []Shard{{Shard: 0, Position: Position{Seq: seq}, RDB: File{Key: rdbKey(name, 0), Size: 1000}}}
	return checked{Summary: Summary{Name: name, Manifest: m}}
}

func bad(name string) checked {
	return checked{Summary: Summary{Name: name}, err: fmt.Errorf("%w: flipped", ErrDamaged)}
}

func seg(first, last uint64, epoch int64, hours int) s3segments.SegmentInfo {
	return s3segments.SegmentInfo{
		Key: fmt.Sprintf("shards/0000/segments/%d-%d-%d", first, last, epoch), First: first, Last: last, Epoch: epoch,
		Size: 10, LastModified: gcNow.Add(-time.Duration(hours) * time.Hour),
	}
}

func object(key string, hours int) s3segments.ObjectInfo {
	return s3segments.ObjectInfo{Key: key, Size: 7, LastModified: gcNow.Add(-time.Duration(hours) * time.Hour)}
}

func TestDecide(t *testing.T) {
	type segs = []s3segments.SegmentInfo
	four := segs{seg(1, 10, 3, 90), seg(11, 20, 3, 80), seg(21, 30, 4, 70), seg(31, 40, 4, 60)}
	for _, c := range []struct {
		name      string
		keep      int
		snapshots []checked
		segments  segs
		sealed    uint64
		spills    []s3segments.SpillInfo
		files     []s3segments.ObjectInfo
		plans     []s3segments.ObjectInfo
		remove    []string
		delete    []string // last step of the keys
		err       error
	}{
		{name: "no snapshot at all", keep: 1, segments: four, sealed: 40, err: ErrNoVerified},
		{name: "only damaged ones", keep: 1, snapshots: []checked{bad("a")}, segments: four, sealed: 40, err: ErrNoVerified},
		{name: "segments at or below the floor go, a straddling one stays", keep: 1, snapshots: []checked{snap("a", 25, 1)},
			segments: four, sealed: 40, delete: []string{"1-10-3", "11-20-3"}},
		{name: "the floor itself", keep: 1, snapshots: []checked{snap("a", 30, 1)}, segments: four, sealed: 40,
			delete: []string{"1-10-3", "11-20-3", "21-30-4"}},
		{name: "the floor is that of the oldest kept", keep: 2, snapshots: []checked{snap("b", 40, 1), snap("a", 12, 2)},
			segments: four, sealed: 40, delete: []string{"1-10-3"}},
		{name: "the floor is the lowest position, not the earliest made", keep: 2, snapshots: []checked{snap("back", 12, 1), snap("a", 40, 2)},
			segments: four, sealed: 40, delete: []string{"1-10-3"}},
		{name: "older snapshots go", keep: 1, snapshots: []checked{snap("c", 35, 1), snap("b", 25, 2), snap("a", 15, 3)},
			segments: four, sealed: 40, remove: []string{"b", "a"}, delete: []string{"1-10-3", "11-20-3", "21-30-4"}},
		{name: "a damaged one does not count and stays", keep: 2, snapshots: []checked{bad("d"), snap("c", 35, 1), bad("x"), snap("b", 25, 2), snap("a", 15, 3)},
			segments: four, sealed: 40, remove: []string{"a"}, delete: []string{"1-10-3", "11-20-3"}},
		{name: "fewer than to be kept", keep: 5, snapshots: []checked{snap("a", 10, 1)}, segments: four, sealed: 40, delete: []string{"1-10-3"}},
		{name: "a snapshot past the sealed pointer: what is not pointed to stays", keep: 1, snapshots: []checked{snap("a", 55, 1)},
			segments: append(slices.Clone(four), seg(41, 50, 4, 1)), sealed: 40, delete: []string{"1-10-3", "11-20-3", "21-30-4", "31-40-4"}},
		{name: "a hole behind the floor", keep: 1, snapshots: []checked{snap("a", 15, 1)}, segments: segs{four[0], four[1], four[3]}, sealed: 40,
			err: s3segments.ErrMissing},
		{name: "a hole below the floor", keep: 1, snapshots: []checked{snap("a", 30, 1)}, segments: segs{four[1], four[3]}, sealed: 40, delete: []string{"11-20-3"}},
		{name: "nothing to do", keep: 1, snapshots: []checked{snap("a", 5, 1)}, segments: four, sealed: 40},
		{name: "a superseded segment goes when it is old", keep: 1, snapshots: []checked{snap("a", 5, 1)}, sealed: 40,
			segments: append(slices.Clone(four), seg(21, 25, 3, 30), seg(31, 35, 3, 3)), delete: []string{"21-25-3"}},
		{name: "spills", keep: 1, snapshots: []checked{snap("a", 5, 1)}, segments: four, sealed: 40,
			spills: []s3segments.SpillInfo{
				{Key: "shards/0000/spills/7", Seq: 7, LastModified: gcNow.Add(-25 * time.Hour)},
				{Key: "shards/0000/spills/8", Seq: 8, LastModified: gcNow.Add(-time.Hour)},
				{Key: "shards/0000/spills/41", Seq: 41, LastModified: gcNow.Add(-25 * time.Hour)},
			}, delete: []string{"7"}},
		{name: "files without a manifest", keep: 1, snapshots: []checked{snap("a", 5, 1), bad("b")}, segments: four, sealed: 40,
			files: []s3segments.ObjectInfo{
				object("snapshots/a/0000.rdb", 99), object("snapshots/a/manifest.json", 99), object("snapshots/b/0000.rdb", 99),
				object("snapshots/old/0000.rdb", 99), object("snapshots/old/0001.rdb", 30),
				object("snapshots/young/0000.rdb", 99), object("snapshots/young/0001.rdb", 2),
				object("snapshots/just/manifest.json", 0), object("snapshots/just/0000.rdb", 99),
				object("snapshots/README", 99), object("snapshots/-bad-/x", 99),
			}, delete: []string{"0000.rdb", "0001.rdb"}},
		{name: "a snapshot that was published since it was listed", keep: 1, snapshots: []checked{snap("a", 5, 1)}, segments: four, sealed: 40,
			files: []s3segments.ObjectInfo{object("snapshots/late/manifest.json", 50), object("snapshots/late/0000.rdb", 50)}},
		{name: "old plans", keep: 1, snapshots: []checked{snap("a", 5, 1)}, segments: four, sealed: 40,
			plans: []s3segments.ObjectInfo{object("gc/old", 91*24), object("gc/new", 89*24)}, delete: []string{"old"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv := inventory{
				cluster: "testing", now: gcNow, snapshots: c.snapshots, files: c.files, plans: c.plans,
				shards: []shardInventory{{shard: 0, sealed: c.sealed, segments: c.segments, spills: c.spills}},
			}
			p, err := decide(inv, c.keep, 24*time.Hour)
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			var remove, del []string
			for _, s := range p.Remove {
				remove = append(remove, s.Name)
			}
			for _, o := range p.Delete {
				del = append(del, o.Key[strings.LastIndex(o.Key, "/")+1:])
				if o.Why == "" {
					t.Errorf("no reason for %s", o.Key)
				}
			}
			if !slices.Equal(remove, c.remove) || !slices.Equal(del, c.delete) {
				t.Errorf("removes %v and deletes %v, want %v and %v", remove, del, c.remove, c.delete)
			}
			if err := p.check("testing"); err != nil {
				t.Errorf("the plan contradicts itself: %v", err)
			}
		})
	}
}

// A shard that a kept snapshot lacks keeps what the others need, and all of it
// when none has it.
func TestDecideShards(t *testing.T) {
	a, b := snap("a", 30, 1), snap("b", 40, 2)
	b.Manifest.Shards = append(b.Manifest.Shards, Shard{Shard: 1, Position: Position{Seq: 10}})
	inv := inventory{now: gcNow, snapshots: []checked{a, b}, shards: []shardInventory{
		{shard: 0, sealed: 40, segments: []s3segments.SegmentInfo{seg(1, 30, 1, 50), seg(31, 40, 1, 50)}},
		{shard: 1, sealed: 20, segments: []s3segments.SegmentInfo{seg(1, 10, 1, 50), seg(11, 20, 1, 50)}},
		{shard: 2, sealed: 5, segments: []s3segments.SegmentInfo{seg(1, 5, 1, 50)}},
	}}
	p, err := decide(inv, 2, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want := []PlanShard{{0, 40, 30}, {1, 20, 10}, {2, 5, 0}}
	if !slices.Equal(p.Shards, want) || len(p.Delete) != 2 {
		t.Errorf("%+v", p)
	}
}

func TestDecideIsBounded(t *testing.T) {
	inv := inventory{now: gcNow, snapshots: []checked{snap("a", 1, 1)}}
	for i := range maxPlan + 1 {
		inv.files = append(inv.files, object(fmt.Sprintf("snapshots/x%d/0000.rdb", i), 99))
	}
	p, err := decide(inv, 1, time.Hour)
	if err != nil || len(p.Delete) != maxPlan || !p.More {
		t.Errorf("%d, %v", len(p.Delete), err)
	}
}

func TestPlanCheck(t *testing.T) {
	keep := []PlanSnapshot{{Name: "k"}}
	for name, c := range map[string]struct {
		p   Plan
		err error
	}{
		"newer format":                 {Plan{Format: 2}, ErrNewerFormat},
		"another cluster":              {Plan{Format: 1, Cluster: "other"}, ErrPlan},
		"removes what it keeps":        {Plan{Remove: []PlanSnapshot{{Name: "k"}}}, ErrPlan},
		"removes a path":               {Plan{Remove: []PlanSnapshot{{Name: "../k"}}}, ErrPlan},
		"removes another's file":       {Plan{Remove: []PlanSnapshot{{Name: "x", Files: []File{{Key: "snapshots/k/0000.rdb"}}}}}, ErrPlan},
		"deletes a kept file":          {Plan{Delete: []PlanObject{{Key: "snapshots/k/0000.rdb"}}}, ErrPlan},
		"deletes a manifest":           {Plan{Delete: []PlanObject{{Key: "snapshots/x/manifest.json"}}}, ErrPlan},
		"deletes something else":       {Plan{Delete: []PlanObject{{Key: "spec"}}}, ErrPlan},
		"deletes the snapshots' place": {Plan{Delete: []PlanObject{{Key: "snapshots/"}}}, ErrPlan},
		"good":                         {Plan{Delete: []PlanObject{{Key: "shards/0000/segments/x"}, {Key: "gc/x"}, {Key: "snapshots/x/0000.rdb"}}}, nil},
	} {
		if c.p.Format == 0 {
			c.p.Format = PlanFormat
		}
		if c.p.Cluster == "" {
			c.p.Cluster = "testing"
		}
		c.p.Keep = keep
		if err := c.p.check("testing"); !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// gcWorld has two snapshots and four segments.
func gcWorld(t *testing.T) *world {
	w := randomWorld(t, 20, 10)
	w.seal(20)
	w.create("one")
	w.writeRandom(testRand(7), 20)
	w.seal(30)
	w.seal(40)
	w.create("two")
	return w
}

func (w *world) gcOptions(keep int) GCOptions {
	return GCOptions{Keep: keep, Heads: map[int]Head{0: w.log}, Grace: time.Nanosecond}
}

func TestCleanUp(t *testing.T) {
	w := gcWorld(t)
	before := w.keys("")
	p, err := w.repo.PlanGC(w.ctx, w.gcOptions(2))
	if err != nil {
		t.Fatal(err)
	}
	if after := w.keys(""); !slices.Equal(before, after) {
		t.Errorf("planning changed something: %v", after)
	}
	key, err := w.repo.RunGC(w.ctx, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.store.Get(w.ctx, key)
	var stored Plan
	if err != nil || json.Unmarshal(b, &stored) != nil || stored.Objects() != 2 || stored.Bytes() != p.Bytes() || stored.Shards[0].Floor != 20 {
		t.Errorf("stored plan: %s, %v", b, err)
	}
	if keys := w.keys("shards/0000/segments/"); len(keys) != 2 {
		t.Errorf("segments left: %v", keys)
	}
	for _, name := range []string{"one", "two"} {
		w.change(rdbKey("two", 0), flip(9)) // a second time flips it back
		l := w.mustLoad()
		if want := map[string]string{"one": "one", "two": "two"}[name]; l.Snapshot.Name != want || l.Position.Seq != 40 {
			t.Errorf("loaded %v from %s, want %s", l.Position, l.Snapshot.Name, want)
		}
	}
	p, err = w.repo.PlanGC(w.ctx, w.gcOptions(1))
	if err == nil {
		_, err = w.repo.RunGC(w.ctx, p, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := w.keys("snapshots/"); !slices.Equal(got, []string{"snapshots/two/0000.rdb", "snapshots/two/manifest.json"}) {
		t.Errorf("snapshots left: %v", got)
	}
	if keys := w.keys("shards/"); len(keys) != 0 {
		t.Errorf("segments left: %v", keys)
	}
	w.mustLoad()
	// The same plan again: an interrupted run is finished by it.
	if _, err := w.repo.RunGC(w.ctx, p, nil); err != nil {
		t.Error(err)
	}
}

func TestCleanUpChecksWhatItKeeps(t *testing.T) {
	w := gcWorld(t)
	w.change(rdbKey("two", 0), flip(-3))
	p, err := w.repo.PlanGC(w.ctx, w.gcOptions(1))
	if err != nil || p.Keep[0].Name != "one" || len(p.Damaged) != 1 || len(p.Remove) != 0 || p.Shards[0].Floor != 20 {
		t.Errorf("%+v, %v", p, err)
	}
	w.change(rdbKey("one", 0), func(b []byte) []byte { return b[1:] })
	o := w.gcOptions(1)
	if _, err := w.repo.PlanGC(w.ctx, o); !errors.Is(err, ErrNoVerified) {
		t.Errorf("both damaged: %v", err)
	}
	o.Quick = true // does not notice the flipped byte, does notice the length
	p, err = w.repo.PlanGC(w.ctx, o)
	if err != nil || p.Keep[0].Name != "two" {
		t.Errorf("quick: %+v, %v", p, err)
	}
	if _, err := w.repo.PlanGC(w.ctx, GCOptions{}); !errors.Is(err, ErrPlan) {
		t.Errorf("keep nothing: %v", err)
	}
}

// A plan that does not fit any more deletes nothing.
func TestOutdatedPlans(t *testing.T) {
	w := gcWorld(t)
	p, err := w.repo.PlanGC(w.ctx, w.gcOptions(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.repo.Remove(w.ctx, "two"); err != nil {
		t.Fatal(err)
	}
	before := w.keys("")
	if _, err := w.repo.RunGC(w.ctx, p, nil); !errors.Is(err, ErrPlan) {
		t.Errorf("the kept snapshot is gone: %v", err)
	}
	w.create("two")
	if _, err := w.repo.RunGC(w.ctx, p, nil); !errors.Is(err, ErrPlan) {
		t.Errorf("the kept snapshot is another: %v", err)
	}
	if after := w.keys(""); len(after) != len(before)+2 {
		t.Errorf("deleted: had %v, left %v", before, after)
	}
	p.Keep = nil
	if _, err := w.repo.RunGC(w.ctx, p, nil); !errors.Is(err, ErrNoVerified) {
		t.Errorf("keeps nothing: %v", err)
	}
}

// What took the name of something planned away stays.
func TestPlanSparesNewcomers(t *testing.T) {
	w := gcWorld(t)
	if err := w.store.Put(w.ctx, "snapshots/three/0000.rdb", []byte("half"), s3segments.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	p, err := w.repo.PlanGC(w.ctx, w.gcOptions(1))
	if err != nil || p.Objects() != 2+4+1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := w.repo.Remove(w.ctx, "one"); err != nil {
		t.Fatal(err)
	}
	w.create("one")
	w.delete("snapshots/three/0000.rdb")
	w.create("three")
	if _, err := w.repo.RunGC(w.ctx, p, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three"} {
		if _, err := w.repo.Verify(w.ctx, name, VerifyOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func TestRemove(t *testing.T) {
	w := randomWorld(t, 10, 0)
	w.create("s")
	if err := w.repo.Remove(w.ctx, "s"); err != nil || len(w.keys("snapshots/")) != 0 {
		t.Errorf("%v, left %v", err, w.keys("snapshots/"))
	}
	if err := w.repo.Remove(w.ctx, "s"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := w.repo.Remove(w.ctx, "a/b"); !errors.Is(err, ErrBadName) {
		t.Error(err)
	}
	if err := w.store.Put(w.ctx, "snapshots/half/0000.rdb", []byte("half"), s3segments.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.repo.Remove(w.ctx, "half"); !errors.Is(err, ErrNameTaken) {
		t.Errorf("may still be made: %v", err)
	}
	if _, err := w.repo.Create(w.ctx, w.options("half")); !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), "given up half-way") {
		t.Errorf("the name of an unfinished one: %v", err)
	}
	w.repo.now = func() time.Time { return time.Now().Add(2 * unfinishedAge) }
	if err := w.repo.Remove(w.ctx, "half"); err != nil || len(w.keys("snapshots/")) != 0 {
		t.Errorf("%v, left %v", err, w.keys("snapshots/"))
	}
}

func TestList(t *testing.T) {
	w := randomWorld(t, 10, 0)
	if all, err := w.repo.List(w.ctx); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	for _, name := range []string{"b", "a", "c", "damaged", "newer"} {
		w.create(name)
	}
	w.change(manifestKey("damaged"), flip(3))
	w.change(manifestKey("newer"), func([]byte) []byte { return []byte(`{"format": 7}`) })
	w.delete(manifestKey("c"))
	all, err := w.repo.List(w.ctx)
	if err != nil || len(all) != 4 {
		t.Fatalf("%v, %v", all, err)
	}
	if all[0].Name != "a" || all[1].Name != "b" || !errors.Is(all[2].Err, ErrDamaged) || !errors.Is(all[3].Err, ErrNewerFormat) {
		t.Errorf("%+v", all)
	}
	if m, err := w.repo.Show(w.ctx, "a"); err != nil || m.Shards[0].Keys != w.live.Len() {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := w.repo.Show(w.ctx, "c"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

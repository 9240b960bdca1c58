package s3segments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redoubtdb/redoubt/wal"
	"pgregory.net/rapid"
)

// layOut uploads a history as segments of the given numbers of entries.
func layOut(t testing.TB, s *Store, entries []*wal.Entry, epoch int64, counts ...int) []string {
	t.Helper()
	base := wal.Position{Seq: entries[0].Seq - 1, Chain: entries[0].Prev}
	var keys []string
	for _, n := range counts {
		keys = append(keys, putSegment(t, s, base, epoch, entries[:n]))
		base, entries = entries[n-1].Position(), entries[n:]
	}
	return keys
}

func collect(s *Shard, from wal.Position, to uint64) ([]*wal.Entry, wal.Position, error) {
	var got []*wal.Entry
	pos, err := s.Read(context.Background(), from, to, func(e *wal.Entry) error {
		got = append(got, e)
		return nil
	})
	return got, pos, err
}

func TestReadAnyRangeAcrossSegments(t *testing.T) {
	s := openStore(t, startS3(t))
	shard := NewShard(s, 0)
	entries := history(wal.Position{}, 1, 100, func(i int) int { return i * 50 })
	layOut(t, s, entries, 1, 10, 1, 39, 25, 25)
	positions := []wal.Position{{}}
	for _, e := range entries {
		positions = append(positions, e.Position())
	}
	rapid.Check(t, func(rt *rapid.T) {
		from := rapid.IntRange(0, 100).Draw(rt, "from")
		to := rapid.IntRange(from, 100).Draw(rt, "to")
		shard.prefetch = rapid.Int64Range(1, 200_000).Draw(rt, "prefetch")
		got, pos, err := collect(shard, positions[from], uint64(to))
		if err != nil || pos != positions[to] || !sameEntries(got, entries[from:to]) {
			rt.Fatalf("%d entries up to %v, %v", len(got), pos, err)
		}
	})
}

func TestReadNamesWhatIsMissing(t *testing.T) {
	s := openStore(t, startS3(t))
	shard := NewShard(s, 0)
	entries := history(wal.Position{}, 1, 30, small)
	keys := layOut(t, s, entries, 1, 10, 10, 10)
	if err := s.Delete(t.Context(), keys[1]); err != nil {
		t.Fatal(err)
	}
	got, pos, err := collect(shard, wal.Position{}, 30)
	var m *MissingError
	if !errors.As(err, &m) || m.From != 11 || m.To != 20 || m.Before != keys[0] || m.After != keys[2] {
		t.Errorf("got %v", err)
	}
	if len(got) != 0 || pos.Seq != 0 {
		t.Errorf("read %d entries before looking whether all are there", len(got))
	}
	if got, _, err := collect(shard, wal.Position{}, 10); err != nil || len(got) != 10 {
		t.Errorf("in front of the hole: %d entries, %v", len(got), err)
	}
}

func TestReadNamesWhatIsDamaged(t *testing.T) {
	s := openStore(t, startS3(t))
	shard := NewShard(s, 0)
	entries := history(wal.Position{}, 1, 30, small)
	keys := layOut(t, s, entries, 1, 10, 10, 10)
	whole, err := s.Get(t.Context(), keys[1])
	if err != nil {
		t.Fatal(err)
	}
	store := func(key string, b []byte) {
		t.Helper()
		if err := s.Put(t.Context(), key, b, PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	regions := map[string]int{"header": 20, "block": 150, "index": len(whole) - trailerSize - 10, "trailer": len(whole) - 20}
	for region, at := range regions {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		store(keys[1], b)
		got, pos, err := collect(shard, wal.Position{}, 30)
		var d *DamagedError
		if !errors.As(err, &d) || d.Key != keys[1] || !errors.Is(err, wal.ErrCorrupt) || !strings.Contains(err.Error(), keys[1]) || !strings.Contains(err.Error(), region) {
			t.Errorf("%s flipped: %v", region, err)
		}
		if pos != entries[9].Position() || len(got) != 10 {
			t.Errorf("%s flipped: read %d entries up to %v", region, len(got), pos)
		}
	}

	// Whole, but not what the name says.
	other, err := s.Get(t.Context(), keys[2])
	if err != nil {
		t.Fatal(err)
	}
	store(keys[1], other)
	if _, _, err := collect(shard, wal.Position{}, 30); !errors.Is(err, wal.ErrCorrupt) || !strings.Contains(err.Error(), keys[1]) {
		t.Errorf("another segment under the name: %v", err)
	}

	// Another history of the same seqs.
	base := entries[9].Position()
	b, _ := segmentOf(t, base, 1, history(base, 1, 10, func(int) int { return 99 }))
	store(keys[1], b)
	if _, _, err := collect(shard, wal.Position{}, 30); !errors.Is(err, wal.ErrChain) || !strings.Contains(err.Error(), keys[2]) {
		t.Errorf("another history: %v", err)
	}

	// Newer format: not damage, and not worked around.
	newer := bytes.Clone(whole)
	le.PutUint16(newer[4:], formatVersion+1)
	reseal(newer)
	store(keys[1], newer)
	putSegment(t, s, entries[8].Position(), 0, entries[9:21]) // holds the same entries
	_, _, err = collect(shard, wal.Position{}, 30)
	var d *DamagedError
	if !errors.Is(err, wal.ErrNewerFormat) || errors.As(err, &d) || !strings.Contains(err.Error(), keys[1]) {
		t.Errorf("newer format: %v", err)
	}
}

func TestReadTakesAnotherSegmentForADamagedOne(t *testing.T) {
	s := openStore(t, startS3(t))
	shard := NewShard(s, 0)
	entries := history(wal.Position{}, 1, 30, small)
	keys := layOut(t, s, entries, 2, 10, 10, 10)
	putSegment(t, s, entries[4].Position(), 1, entries[5:25]) // an orphan of epoch 1
	b, err := s.Get(t.Context(), keys[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := s.Put(t.Context(), keys[1], b, PutOptions{}); err != nil {
		t.Fatal(err)
	}
	got, pos, err := collect(shard, wal.Position{}, 30)
	if err != nil || pos != entries[29].Position() || !sameEntries(got, entries) {
		t.Errorf("%d entries up to %v, %v", len(got), pos, err)
	}
}

func TestReadStopsWhenTold(t *testing.T) {
	s := openStore(t, startS3(t))
	shard := NewShard(s, 0)
	entries := history(wal.Position{}, 1, 30, small)
	layOut(t, s, entries, 1, 10, 10, 10)
	stop := errors.New("enough")
	pos, err := shard.Read(t.Context(), wal.Position{}, 30, func(e *wal.Entry) error {
		if e.Seq == 15 {
			return stop
		}
		return nil
	})
	if err != stop || pos != entries[13].Position() {
		t.Errorf("up to %v, %v", pos, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = shard.Read(ctx, wal.Position{}, 30, func(e *wal.Entry) error {
		if e.Seq == 5 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got, _, err := collect(shard, entries[29].Position(), 30); err != nil || len(got) != 0 {
		t.Errorf("nothing to read: %d entries, %v", len(got), err)
	}
}

func TestReadFromAnotherHistory(t *testing.T) {
	s := openStore(t, startS3(t))
	entries := history(wal.Position{}, 1, 20, small)
	layOut(t, s, entries, 1, 10, 10)
	for _, seq := range []uint64{5, 10} {
		from := entries[seq-1].Position()
		from.Chain++
		if got, _, err := collect(NewShard(s, 0), from, 20); !errors.Is(err, wal.ErrChain) || len(got) != 0 {
			t.Errorf("from seq %d: %d entries, %v", seq, len(got), err)
		}
	}
}

// Read fetches ahead, but never more bytes than its bound and one segment.
func TestPrefetchIsBounded(t *testing.T) {
	cfg := startS3(t)
	entries := history(wal.Position{}, 1, 120, func(int) int { return 2000 })
	plain := openStore(t, cfg)
	layOut(t, plain, entries, 1, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10)
	infos, err := NewShard(plain, 0).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	s, f := newFaulty(t, cfg)
	f.hook = func(op, key string) {
		mu.Lock()
		defer mu.Unlock()
		asked[key] = true
	}
	shard := NewShard(s, 0)
	const ahead = 3
	shard.prefetch = ahead * infos[0].Size
	most := 0
	_, err = shard.ReadSegments(t.Context(), infos, wal.Position{}, 120, func(e *wal.Entry) error {
		mu.Lock()
		defer mu.Unlock()
		most = max(most, len(asked)-int(e.Seq-1)/10)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if most > ahead {
		t.Errorf("%d segments were under way or held, want %d at most", most, ahead)
	}
}

func ExampleMissingError() {
	_, err := Chain([]SegmentInfo{{Key: "a.seg", First: 1, Last: 10}, {Key: "b.seg", First: 21, Last: 30}}, 1, 30)
	fmt.Println(err)
	// Output: s3segments: entries are in no segment: 11 to 20 are missing; before them: a.seg, after them: b.seg
}

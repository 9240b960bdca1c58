package s3segments

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/redoubtdb/redoubt/wal"
	"pgregory.net/rapid"
)

// readAll reads a segment's entries after from up to to.
func readAll(b []byte, from wal.Position, to uint64) ([]*wal.Entry, wal.Position, error) {
	r, err := NewReader(b)
	if err != nil {
		return nil, from, err
	}
	var entries []*wal.Entry
	pos, err := r.Read(from, to, func(e *wal.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, pos, err
}

func sameEntries(a, b []*wal.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y *wal.Entry) bool {
		return x.Kind == y.Kind && x.Time == y.Time && x.Prev == y.Prev && x.Position() == y.Position() && bytes.Equal(x.Payload, y.Payload)
	})
}

func TestWriteReadAnyRange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base := wal.Position{
			Seq:   rapid.Uint64Range(0, math.MaxUint64-2000).Draw(rt, "base"),
			Epoch: rapid.Int64Range(0, 9).Draw(rt, "base epoch"),
			Chain: rapid.Uint64().Draw(rt, "base chain"),
		}
		largest := rapid.SampledFrom([]int{0, 50, 5000, 200_000}).Draw(rt, "largest")
		sizes := rapid.SliceOfN(rapid.IntRange(0, largest), 1, 40).Draw(rt, "sizes")
		entries := history(base, 9, len(sizes), func(i int) int { return sizes[i] })
		b, h := segmentOf(t, base, 9, entries)
		if h.First() != base.Seq+1 || h.Last() != entries[len(entries)-1].Seq {
			rt.Fatalf("header %+v", h)
		}
		positions := []wal.Position{base}
		for _, e := range entries {
			positions = append(positions, e.Position())
		}
		from := rapid.IntRange(0, len(entries)).Draw(rt, "from")
		to := rapid.IntRange(from, len(entries)).Draw(rt, "to")
		got, end, err := readAll(b, positions[from], positions[to].Seq)
		if err != nil || end != positions[to] || !sameEntries(got, entries[from:to]) {
			rt.Fatalf("read %d..%d of %d: %d entries up to %v, %v", from, to, len(entries), len(got), end, err)
		}
	})
}

// isDamage reports an error that says that stored bytes are wrong.
func isDamage(err error) bool {
	return errors.Is(err, wal.ErrCorrupt) || errors.Is(err, wal.ErrChain)
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	base := wal.Position{Seq: 10, Epoch: 2, Chain: 77}
	entries := history(base, 3, 12, func(i int) int { return i * i * 100 })
	b, _ := segmentOf(t, base, 3, entries)
	for i := range b {
		flipped := bytes.Clone(b)
		flipped[i] ^= 1 << (i % 8)
		if _, _, err := readAll(flipped, base, math.MaxUint64); !isDamage(err) {
			t.Fatalf("byte %d of %d flipped: %v", i, len(b), err)
		}
	}
}

func TestEveryCutIsFound(t *testing.T) {
	base := wal.Position{}
	b, _ := segmentOf(t, base, 1, history(base, 1, 20, small))
	for n := range b {
		if _, _, err := readAll(b[:n], base, math.MaxUint64); !isDamage(err) {
			t.Fatalf("cut to %d bytes of %d: %v", n, len(b), err)
		}
	}
	if _, _, err := readAll(append(bytes.Clone(b), 0), base, math.MaxUint64); !isDamage(err) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestWrongHistoryIsFound(t *testing.T) {
	base := wal.Position{Seq: 5, Epoch: 1, Chain: 1}
	entries := history(base, 1, 5, small)
	b, _ := segmentOf(t, base, 1, entries)
	for _, from := range []wal.Position{
		{Seq: 5, Epoch: 1, Chain: 2},
		{Seq: 5, Epoch: 2, Chain: 1},
		{Seq: 7, Epoch: 1, Chain: 1},
	} {
		if got, _, err := readAll(b, from, 10); !errors.Is(err, wal.ErrChain) || len(got) != 0 {
			t.Errorf("after %v: %d entries, %v", from, len(got), err)
		}
	}
}

func TestWriterRefusesWhatDoesNotFollow(t *testing.T) {
	entries := history(wal.Position{}, 1, 3, small)
	w := NewWriter(Header{Cluster: testCluster})
	if err := w.Add(entries[1]); !errors.Is(err, wal.ErrGap) {
		t.Errorf("second entry first: %v", err)
	}
	if _, _, err := w.Finish(); err == nil {
		t.Error("a segment of no entries")
	}
	w = NewWriter(Header{Cluster: testCluster})
	if err := errors.Join(w.Add(entries[0]), w.Add(entries[1])); err != nil {
		t.Fatal(err)
	}
	altered := *entries[2]
	altered.Payload = []byte("altered")
	if err := w.Add(&altered); !errors.Is(err, wal.ErrChain) {
		t.Errorf("altered entry: %v", err)
	}
	spilled := *entries[2]
	spilled.Payload, spilled.Spill = nil, &wal.Ref{Key: "k"}
	if err := w.Add(&spilled); !errors.Is(err, wal.ErrCorrupt) {
		t.Errorf("entry that was not resolved: %v", err)
	}
	if err := w.Add(entries[2]); err != nil {
		t.Errorf("the right entry after wrong ones: %v", err)
	}
}

// reseal makes the CRCs of an altered segment right again, as far as its
// regions can be found.
func reseal(b []byte) {
	fix := func(from, to int) {
		if from >= 0 && to-from >= crcSize && to <= len(b) {
			le.PutUint32(b[to-crcSize:], crc32.Checksum(b[from:to-crcSize], castagnoli))
		}
	}
	if len(b) < 8+trailerSize {
		return
	}
	fix(0, int(le.Uint16(b[6:])))
	trailer := len(b) - trailerSize
	if index := le.Uint64(b[trailer:]); index <= uint64(trailer) {
		for at := int(index); at+indexEntry <= trailer; at += indexEntry {
			if offset := le.Uint64(b[at:]); offset < uint64(trailer) {
				fix(int(offset), int(offset)+int(le.Uint32(b[at+16:])))
			}
		}
		le.PutUint32(b[trailer+12:], crc32.Checksum(b[index:trailer], castagnoli))
	}
	fix(trailer, len(b))
}

func TestNewerFormatIsRefused(t *testing.T) {
	base := wal.Position{}
	b, h := segmentOf(t, base, 1, history(base, 1, 3, small))
	newer := bytes.Clone(b)
	le.PutUint16(newer[4:], formatVersion+1)
	reseal(newer)
	_, err := NewReader(newer)
	if !errors.Is(err, wal.ErrNewerFormat) || isDamage(err) {
		t.Errorf("segment format: %v", err)
	}
	codec := bytes.Clone(b)
	codec[h.size()+12] = 9
	reseal(codec)
	if _, _, err := readAll(codec, base, 3); !errors.Is(err, wal.ErrNewerFormat) {
		t.Errorf("codec: %v", err)
	}
}

// A segment may claim anything; what it makes a reader allocate is bounded by
// its own size all the same.
func TestHostileNumbersCostNoMemory(t *testing.T) {
	base := wal.Position{}
	b, h := segmentOf(t, base, 1, history(base, 1, 3, small))
	trailer := len(b) - trailerSize
	index := int(le.Uint64(b[trailer:]))
	for _, tt := range []struct {
		name  string
		alter func(b []byte)
	}{
		{"last", func(b []byte) { le.PutUint64(b[24:], math.MaxUint64) }},
		{"header size", func(b []byte) { le.PutUint16(b[6:], math.MaxUint16) }},
		{"blocks", func(b []byte) { le.PutUint32(b[trailer+8:], math.MaxUint32) }},
		{"index offset", func(b []byte) { le.PutUint64(b[trailer:], math.MaxUint64) }},
		{"entries in index", func(b []byte) { le.PutUint32(b[index+20:], math.MaxUint32); le.PutUint64(b[24:], math.MaxUint32) }},
		{"block size in index", func(b []byte) { le.PutUint32(b[index+16:], math.MaxUint32) }},
		{"stored size", func(b []byte) { le.PutUint32(b[h.size():], math.MaxUint32) }},
		{"snappy length", func(b []byte) {
			le.PutUint32(b[h.size()+4:], 0x7fffffff)
			copy(b[h.size()+blockHeader:], []byte{0xff, 0xff, 0xff, 0xff, 0x07})
		}},
		{"entries everywhere", func(b []byte) {
			le.PutUint32(b[index+20:], 1e6)
			le.PutUint32(b[h.size()+8:], 1e6)
			le.PutUint64(b[24:], 1e6)
		}},
	} {
		hostile := bytes.Clone(b)
		tt.alter(hostile)
		reseal(hostile)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := readAll(hostile, base, math.MaxUint64)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a segment of %d", tt.name, grown, len(b))
		}
	}
}

// golden is a segment as format version 1 was first written.
const golden = "testdata/v1.seg"

func goldenEntries() (wal.Position, []*wal.Entry) {
	base := wal.Position{Seq: 41, Epoch: 6, Chain: 0x0123456789abcdef}
	entries, pos := make([]*wal.Entry, 700), base
	for i := range entries {
		entries[i] = pos.Next(wal.KindEffects, 7, int64(i), bytes.Repeat([]byte{byte(i)}, 200))
		pos = entries[i].Position()
	}
	return base, entries
}

// TestGoldenSegment fails when the format changes without a new version.
func TestGoldenSegment(t *testing.T) {
	base, entries := goldenEntries()
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, end, err := readAll(b, base, math.MaxUint64)
	if err != nil || !sameEntries(got, entries) || end != entries[len(entries)-1].Position() {
		t.Fatalf("%d entries up to %v, %v", len(got), end, err)
	}
	r, err := NewReader(b)
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Header(); h.Cluster != testCluster || h.Shard != 0 || h.Epoch != 7 || h.Base != base || h.Created.UnixMilli() != 1_700_000_000_000 {
		t.Errorf("header %+v", h)
	}
	if len(r.blocks) < 2 {
		t.Errorf("%d blocks; the file should have several", len(r.blocks))
	}
	if now, _ := segmentOf(t, base, 7, entries); !bytes.Equal(now, b) {
		t.Error("the same entries now make another segment")
	}
}

func FuzzSegment(f *testing.F) {
	for _, n := range []int{1, 3, 200} {
		b, _ := segmentOf(f, wal.Position{}, 1, history(wal.Position{}, 1, n, func(i int) int { return i * 10 }))
		f.Add(b, true)
		f.Add(b, false)
		f.Add(b[:len(b)-1], true)
	}
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix {
			b = bytes.Clone(b)
			reseal(b)
		}
		r, err := NewReader(b)
		if err != nil {
			return
		}
		h := r.Header()
		next := h.First()
		end, err := r.Read(h.Base, h.Last(), func(e *wal.Entry) error {
			if e.Seq != next {
				return fmt.Errorf("entry %d, want %d", e.Seq, next)
			}
			next++
			return nil
		})
		var fault *readError
		if err != nil && !errors.As(err, &fault) {
			t.Fatal(err)
		}
		if err == nil && end != h.End {
			t.Fatalf("ends at %v, header says %v", end, h.End)
		}
	})
}

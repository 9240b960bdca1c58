package s3segments

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// infos reads "first-last/epoch" and, after an @, an age in hours.
func infos(t *testing.T, now time.Time, specs string) []SegmentInfo {
	t.Helper()
	var out []SegmentInfo
	for _, spec := range strings.Fields(specs) {
		var s SegmentInfo
		spec, age, _ := strings.Cut(spec, "@")
		if _, err := fmt.Sscanf(spec, "%d-%d/%d", &s.First, &s.Last, &s.Epoch); err != nil {
			t.Fatalf("%q: %v", spec, err)
		}
		if age != "" {
			d, err := time.ParseDuration(age)
			if err != nil {
				t.Fatal(err)
			}
			s.LastModified = now.Add(-d)
		}
		s.Key = spec
		out = append(out, s)
	}
	return out
}

func keysOf(infos []SegmentInfo) string {
	var keys []string
	for _, s := range infos {
		keys = append(keys, s.Key)
	}
	return strings.Join(keys, " ")
}

func TestChain(t *testing.T) {
	for _, tt := range []struct {
		name        string
		segments    string
		first, last uint64
		want        string
		missing     string // from-to before after
	}{
		{"nothing wanted", "", 1, 0, "", ""},
		{"one", "1-10/1", 1, 10, "1-10/1", ""},
		{"from the middle", "1-10/1 11-20/1 21-30/1", 12, 20, "11-20/1", ""},
		{"into the middle", "1-10/1 11-20/1 21-30/1", 5, 15, "1-10/1 11-20/1", ""},
		{"unsorted", "21-30/1 1-10/1 11-20/1", 1, 30, "1-10/1 11-20/1 21-30/1", ""},
		{"orphan of a deposed primary", "1-10/1 11-25/1 11-18/2 19-30/2", 1, 30, "1-10/1 11-18/2 19-30/2", ""},
		{"orphan bridges a hole of its successor", "1-10/1 11-25/1 20-30/2", 1, 30, "1-10/1 11-25/1 20-30/2", ""},
		{"successor inside the orphan", "1-30/1 11-20/2", 1, 30, "1-30/1", ""},
		{"and from its start", "1-30/1 11-20/2", 11, 30, "11-20/2 1-30/1", ""},
		{"two of one epoch", "1-10/1 1-20/1 21-30/1", 1, 30, "1-20/1 21-30/1", ""},
		{"nothing there", "", 1, 5, "", "1-5 . ."},
		{"hole in the middle", "1-10/1 21-30/1", 1, 30, "", "11-20 1-10/1 21-30/1"},
		{"hole at the start", "11-20/1", 5, 20, "", "5-10 . 11-20/1"},
		{"hole at the end", "1-10/1", 1, 15, "", "11-15 1-10/1 ."},
		{"hole beyond what is wanted", "1-10/1 21-30/1", 1, 12, "", "11-12 1-10/1 21-30/1"},
		{"nearest neighbours are named", "1-5/1 1-10/1 40-50/1 21-30/1", 1, 50, "", "11-20 1-10/1 21-30/1"},
		{"seq 0 is no entry", "1-10/1", 0, 10, "1-10/1", ""},
		{"the end of all numbers", "18446744073709551610-18446744073709551615/1", 18446744073709551611, 18446744073709551615,
			"18446744073709551610-18446744073709551615/1", ""},
	} {
		got, err := Chain(infos(t, time.Time{}, tt.segments), tt.first, tt.last)
		missing := ""
		var m *MissingError
		if errors.As(err, &m) {
			dot := func(k string) string { return strings.ReplaceAll(orNone(k), "nothing", ".") }
			missing = fmt.Sprintf("%d-%d %s %s", m.From, m.To, dot(m.Before), dot(m.After))
		}
		if keysOf(got) != tt.want || missing != tt.missing || errors.Is(err, ErrMissing) != (tt.missing != "") {
			t.Errorf("%s: %q, %v; want %q, missing %q", tt.name, keysOf(got), err, tt.want, tt.missing)
		}
	}
}

func TestExtent(t *testing.T) {
	for _, tt := range []struct {
		segments string
		first    uint64
		want     uint64
	}{
		{"", 1, 0},
		{"", 11, 10},
		{"1-10/1", 1, 10},
		{"11-20/1 1-10/1", 1, 20},
		{"1-10/1 12-20/1", 1, 10},
		{"1-10/1 5-20/2 3-4/1", 1, 20},
		{"1-10/1 11-20/1", 15, 20},
		{"2-10/1", 1, 0},
	} {
		if got := Extent(infos(t, time.Time{}, tt.segments), tt.first); got != tt.want {
			t.Errorf("%q from %d: %d, want %d", tt.segments, tt.first, got, tt.want)
		}
	}
}

// Whatever the segments: a chain holds every entry, in order, or a missing
// entry is really in no segment.
func TestChainProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		segments := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) SegmentInfo {
			first := rapid.Uint64Range(1, 30).Draw(rt, "first")
			last := rapid.Uint64Range(first, 40).Draw(rt, "last")
			epoch := rapid.Int64Range(1, 4).Draw(rt, "epoch")
			return SegmentInfo{Key: segmentKey(0, first, last, epoch), First: first, Last: last, Epoch: epoch}
		})).Draw(rt, "segments")
		first := rapid.Uint64Range(1, 30).Draw(rt, "from")
		last := rapid.Uint64Range(first, 40).Draw(rt, "to")
		held := func(seq uint64) bool {
			for _, s := range segments {
				if s.First <= seq && seq <= s.Last {
					return true
				}
			}
			return false
		}
		chain, err := Chain(segments, first, last)
		var m *MissingError
		if errors.As(err, &m) {
			for seq := m.From; seq <= m.To; seq++ {
				if held(seq) {
					rt.Fatalf("%d is said to be missing", seq)
				}
			}
			return
		}
		next := first
		for _, s := range chain {
			if s.First > next || s.Last < next {
				rt.Fatalf("%s does not hold %d", s.Key, next)
			}
			next = s.Last + 1
		}
		if next <= last {
			rt.Fatalf("chain ends at %d", next-1)
		}
		if end := Extent(segments, first); end < last {
			rt.Fatalf("extent %d, and a chain to %d", end, last)
		}
	})
}

func TestGarbage(t *testing.T) {
	now := time.Now()
	before := now.Add(-time.Hour)
	for _, tt := range []struct {
		name          string
		segments      string
		first, sealed uint64
		below         string
		orphans       string
		missing       bool
	}{
		{"nothing", "", 1, 0, "", "", false},
		{"all needed", "1-10/1@9h 11-20/1@9h", 1, 20, "", "", false},
		{"below a snapshot at 10", "1-10/1@9h 11-20/1@9h", 11, 20, "1-10/1", "", false},
		{"partly below", "1-10/1@9h 11-20/1@9h", 10, 20, "", "", false},
		{"orphan", "1-10/1@9h 11-25/1@9h 11-18/2@9h 19-30/2@9h", 1, 30, "", "11-25/1", false},
		{"young orphan", "1-10/1@9h 11-25/1@1m 11-18/2@9h 19-30/2@9h", 1, 30, "", "", false},
		{"orphan that is needed", "1-10/1@9h 11-25/1@9h 20-30/2@9h", 1, 30, "", "", false},
		{"beyond the sealed pointer", "1-10/1@9h 11-20/1@9h 11-15/1@9h", 1, 10, "", "", false},
		{"beyond it and overlapping", "1-10/1@9h 1-12/2@9h", 1, 10, "", "", false},
		{"tried twice in one term", "1-8/1@9h 1-10/1@9h", 1, 10, "", "1-8/1", false},
		{"orphan below the snapshot is not counted twice", "1-10/1@9h 1-8/1@9h 11-20/1@9h", 11, 20, "1-10/1 1-8/1", "", false},
		{"hole: nothing is superfluous", "1-10/1@9h 1-8/1@9h 12-20/1@9h", 1, 20, "", "", true},
	} {
		segments := infos(t, now, tt.segments)
		if got := keysOf(SegmentsBelow(segments, tt.first-1)); got != tt.below {
			t.Errorf("%s: below %q, want %q", tt.name, got, tt.below)
		}
		got, err := Orphans(segments, tt.first, tt.sealed, before)
		if keysOf(got) != tt.orphans || errors.Is(err, ErrMissing) != tt.missing {
			t.Errorf("%s: orphans %q, %v; want %q", tt.name, keysOf(got), err, tt.orphans)
		}
	}
}

func TestSpillsBelow(t *testing.T) {
	now := time.Now()
	spills := []SpillInfo{
		{Key: "sealed", Seq: 5, LastModified: now.Add(-2 * time.Hour)},
		{Key: "just sealed", Seq: 10, LastModified: now.Add(-time.Minute)},
		{Key: "in the head", Seq: 11, LastModified: now.Add(-2 * time.Hour)},
		{Key: "last sealed", Seq: 10, LastModified: now.Add(-2 * time.Hour)},
	}
	var got []string
	for _, s := range SpillsBelow(spills, 10, now.Add(-time.Hour)) {
		got = append(got, s.Key)
	}
	if strings.Join(got, ", ") != "sealed, last sealed" {
		t.Errorf("got %q", got)
	}
}

func TestNames(t *testing.T) {
	if got, want := segmentKey(7, 1, 20, 3), "shards/0007/segments/00000000000000000001-00000000000000000020-3.seg"; got != want {
		t.Errorf("segment %s, want %s", got, want)
	}
	if got, want := spillKey(7, 42, 3), "shards/0007/spills/00000000000000000042-3.entry"; got != want {
		t.Errorf("spill %s, want %s", got, want)
	}
	for _, name := range []string{
		"", "x.seg", "1-2-3.seg", "00000000000000000001-00000000000000000020-3", "00000000000000000001-00000000000000000020-03.seg",
		"00000000000000000020-00000000000000000001-3.seg", "00000000000000000000-00000000000000000001-3.seg",
		"00000000000000000001-00000000000000000020-9223372036854775808.seg", "00000000000000000001-00000000000000000020-3-4.seg",
		"+0000000000000000001-00000000000000000020-3.seg",
	} {
		if got, ok := parseSegment(7, ObjectInfo{Key: segmentsPrefix(7) + name}); ok {
			t.Errorf("%q is taken for %+v", name, got)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		first := rapid.Uint64Min(1).Draw(rt, "first")
		last := rapid.Uint64Min(first).Draw(rt, "last")
		epoch := rapid.Int64Min(0).Draw(rt, "epoch")
		got, ok := parseSegment(3, ObjectInfo{Key: segmentKey(3, first, last, epoch), Size: 9})
		if !ok || got.First != first || got.Last != last || got.Epoch != epoch || got.Size != 9 {
			rt.Fatalf("segment: %+v, %v", got, ok)
		}
		spill, ok := parseSpill(3, ObjectInfo{Key: spillKey(3, first, epoch)})
		if !ok || spill.Seq != first || spill.Epoch != epoch {
			rt.Fatalf("spill: %+v, %v", spill, ok)
		}
	})
}

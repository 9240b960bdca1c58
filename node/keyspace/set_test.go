package keyspace

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIntset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p []byte
		width, want := 2, []int64(nil)
		for _, v := range rapid.SliceOf(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-5, 5), rapid.Map(rapid.Int32(), func(v int32) int64 { return int64(v) }),
			rapid.SampledFrom([]int64{math.MinInt16, math.MaxInt16, math.MinInt32, math.MaxInt32, math.MinInt64, math.MaxInt64}))).Draw(t, "values") {
			if w := intWidth(v); w > width {
				p, width = intWiden(p, width, w), w
			}
			at, found := slices.BinarySearch(want, v)
			i, got := intSearch(p, width, v)
			if i != at || got != found {
				t.Fatalf("%d is at %d, %v; want %d, %v", v, i, got, at, found)
			}
			switch {
			case !found:
				p, want = intInsert(p, width, i, v), slices.Insert(want, at, v)
			case rapid.Bool().Draw(t, "delete"):
				p, want = intDelete(p, width, i), slices.Delete(want, at, at+1)
			}
		}
		longest := 0
		for i, v := range want {
			if intAt(p, width, i) != v {
				t.Fatalf("%d: %d, want %d", i, intAt(p, width, i), v)
			}
			longest = max(longest, len(fmt.Sprint(v)))
		}
		if len(p) != len(want)*width || longestInt(p, width) != longest {
			t.Fatalf("%d bytes for %d integers, longest %d, want %d", len(p), len(want), longestInt(p, width), longest)
		}
	})
}

func TestParseInt(t *testing.T) {
	check := func(t failer, s string) {
		t.Helper()
		want, err := strconv.ParseInt(s, 10, 64)
		ok := err == nil && strconv.FormatInt(want, 10) == s
		if v, got := parseInt([]byte(s)); got != ok || ok && v != want {
			t.Fatalf("parseInt(%q) = %d, %v", s, v, got)
		}
	}
	for _, v := range []int64{0, 1, -1, 99999999999999999, -99999999999999999, 999999999999999999, -999999999999999999, math.MinInt64, math.MaxInt64} {
		check(t, strconv.FormatInt(v, 10))
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`[-+ ]?[0-9]{0,21}a?`).Draw(t, "s"))
		check(t, strconv.FormatInt(rapid.Int64().Draw(t, "v"), 10))
	})
}

func orderOf(s *Set) string {
	var all []string
	s.Each(func(m []byte) bool {
		all = append(all, string(m))
		return true
	})
	return strings.Join(all, " ")
}

func TestSetOrderWhileCompact(t *testing.T) {
	s := New(Config{}).NewSet()
	add := func(members ...string) {
		for _, m := range members {
			s.Add([]byte(m))
		}
	}
	add("7", "-3", "70000", "0", "5000000000")
	if got, want := orderOf(s), "-3 0 7 70000 5000000000"; s.Encoding() != "intset" || got != want {
		t.Errorf("%s %q, want intset %q", s.Encoding(), got, want)
	}
	s.Remove([]byte("7"))
	add("word", "1", "another", "7")
	if got, want := orderOf(s), "-3 0 70000 5000000000 word 1 another 7"; s.Encoding() != "listpack" || got != want {
		t.Errorf("%s %q, want listpack %q", s.Encoding(), got, want)
	}
	s.Remove([]byte("word"))
	add("word")
	if got, want := orderOf(s), "-3 0 70000 5000000000 1 another 7 word"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func ints(from, to int) [][]byte {
	var out [][]byte
	for i := from; i < to; i++ {
		out = append(out, fmt.Append(nil, i))
	}
	return out
}

func words(n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, fmt.Appendf(nil, "w%d", i))
	}
	return out
}

func repeated(member string, n int) [][]byte {
	return slices.Repeat([][]byte{[]byte(member)}, n)
}

// TestSetConversion has the rules of Redis 7.2; the differential test has a 7.0 beside
// it, which has no listpacks for sets. What is wanted here and in TestSetResults was
// compared with a Valkey 7.2.7.
func TestSetConversion(t *testing.T) {
	for _, tt := range setConversions {
		t.Run(tt.name, func(t *testing.T) {
			ks := New(tt.cfg)
			set, err := ks.DB(0).SetForWrite([]byte("s"))
			if err != nil {
				t.Fatal(err)
			}
			for _, members := range tt.adds {
				set.AddAll(members)
			}
			for _, m := range tt.removes {
				set.Remove(m)
			}
			if set.Encoding() != tt.want {
				t.Errorf("encoding %s, want %s", set.Encoding(), tt.want)
			}
			checkKeyspace(t, ks)
		})
	}
}

type setConversion struct {
	name    string
	cfg     Config
	adds    [][][]byte // one AddAll, or SADD, each
	removes [][]byte
	want    string
}

var setConversions = []setConversion{
	{name: "integers", adds: [][][]byte{ints(0, 512)}, want: "intset"},
	{name: "one too many", adds: [][][]byte{ints(0, 512), ints(512, 513)}, want: "hashtable"},
	{name: "too many at once", adds: [][][]byte{ints(0, 513)}, want: "hashtable"},
	{name: "full one again", adds: [][][]byte{ints(0, 512), ints(0, 512)}, want: "intset"},
	{name: "the same too often for a new set", adds: [][][]byte{repeated("1", 513)}, want: "hashtable"},
	{name: "the same too often for an intset", adds: [][][]byte{ints(0, 1), repeated("1", 513)}, want: "hashtable"},
	{name: "words", adds: [][][]byte{words(128)}, want: "listpack"},
	{name: "words and one", adds: [][][]byte{words(128), ints(0, 1)}, want: "hashtable"},
	{name: "too many words", adds: [][][]byte{words(129)}, want: "hashtable"},
	{name: "the same word too often", adds: [][][]byte{repeated("w", 129)}, want: "hashtable"},
	{name: "the same word too often for a listpack", adds: [][][]byte{words(1), repeated("w0", 129)}, want: "hashtable"},
	{name: "full listpack again", adds: [][][]byte{words(128), words(128)}, want: "listpack"},
	{name: "integers, then a word", adds: [][][]byte{ints(0, 127), words(1)}, want: "listpack"},
	{name: "too many integers for a word", adds: [][][]byte{ints(0, 128), words(1)}, want: "hashtable"},
	{name: "a word, then integers", adds: [][][]byte{append(words(1), ints(0, 127)...)}, want: "listpack"},
	{name: "integers and a word at once", adds: [][][]byte{append(ints(0, 127), words(1)...)}, want: "listpack"},
	{name: "an integer and many words", adds: [][][]byte{append(ints(0, 1), words(200)...)}, want: "hashtable"},
	{name: "only words removed", adds: [][][]byte{ints(0, 3), words(1)}, removes: words(1), want: "listpack"},
	{name: "table that shrank", adds: [][][]byte{words(200)}, removes: words(199), want: "hashtable"},
	{name: "longest word", adds: [][][]byte{repeated(strings.Repeat("x", 64), 1)}, want: "listpack"},
	{name: "too long a word", adds: [][][]byte{repeated(strings.Repeat("x", 65), 1)}, want: "hashtable"},
	{name: "too long a word for integers", adds: [][][]byte{ints(0, 3), repeated(strings.Repeat("x", 65), 1)}, want: "hashtable"},
	{name: "near integers", adds: [][][]byte{repeated("01", 1)}, want: "listpack"},
	{name: "too large an integer", adds: [][][]byte{ints(0, 1), repeated("9223372036854775808", 1)}, want: "listpack"},
	{name: "integers longer than words may be", cfg: Config{SetMaxListpackValue: 3}, adds: [][][]byte{ints(-999, -998), words(1)}, want: "hashtable"},
	{name: "integers as long as words may be", cfg: Config{SetMaxListpackValue: 4}, adds: [][][]byte{ints(-999, -998), words(1)}, want: "listpack"},
	{name: "fewer integers than words", cfg: Config{SetMaxIntsetEntries: 5, SetMaxListpackEntries: 10}, adds: [][][]byte{ints(0, 5), ints(5, 6)}, want: "hashtable"},
	{name: "fewer integers than words, at once", cfg: Config{SetMaxIntsetEntries: 5, SetMaxListpackEntries: 10}, adds: [][][]byte{ints(0, 6)}, want: "listpack"},
}

type setResult struct {
	name string
	op   string
	from [][][]byte // one set each, added at once
	want string
	n    int
}

var (
	// Neither an intset nor a listpack.
	mixed = append(ints(0, 600), words(300)...)

	setResults = []setResult{
		{"tables, mixed", "SINTERSTORE", [][][]byte{mixed, append(ints(0, 500), repeated("w1", 1)...)}, "hashtable", 501},
		{"tables, integers only", "SINTERSTORE", [][][]byte{mixed, append(ints(100, 500), repeated("x", 1)...)}, "intset", 400},
		{"with an intset", "SINTERSTORE", [][][]byte{mixed, ints(500, 700)}, "intset", 100},
		{"too many integers", "SINTERSTORE", [][][]byte{mixed, ints(0, 1000)}, "hashtable", 600},
		{"few words", "SINTERSTORE", [][][]byte{mixed, words(20)}, "listpack", 20},
		{"many words", "SINTERSTORE", [][][]byte{mixed, words(200)}, "hashtable", 200},
		{"integers of a listpack", "SINTERSTORE", [][][]byte{append(ints(0, 9), words(9)...), ints(3, 40)}, "intset", 6},
		{"integers", "SUNIONSTORE", [][][]byte{ints(0, 300), ints(200, 512)}, "intset", 512},
		{"too many integers", "SUNIONSTORE", [][][]byte{ints(0, 300), ints(300, 513)}, "hashtable", 513},
		{"with words", "SUNIONSTORE", [][][]byte{ints(0, 20), words(20)}, "listpack", 40},
		{"with too many words", "SUNIONSTORE", [][][]byte{ints(0, 100), words(29)}, "hashtable", 129},
		{"copy of a table that could be smaller", "SUNIONSTORE", [][][]byte{repeated("x", 200)}, "listpack", 1},
		{"integers that do not fit", "SDIFFSTORE", [][][]byte{mixed, words(300)}, "hashtable", 600},
		{"integers left", "SDIFFSTORE", [][][]byte{mixed, append(ints(0, 300), words(300)...)}, "intset", 300},
		{"words left", "SDIFFSTORE", [][][]byte{mixed, append(ints(0, 600), words(200)...)}, "listpack", 100},
		// Cheaper to take members out of a copy, whose form stays.
		{"by copy", "SDIFFSTORE", append([][][]byte{words(130)}, slices.Repeat([][][]byte{words(10)}, 12)...), "hashtable", 120},
		{"by probing", "SDIFFSTORE", append([][][]byte{words(130)}, words(10)), "listpack", 120},
	}
)

// TestSetResults has the forms that results of several sets take in Redis 7.2.
func TestSetResults(t *testing.T) {
	for _, tt := range setResults {
		ks := New(Config{})
		var sets []*Set
		for _, members := range tt.from {
			s := ks.NewSet()
			s.AddAll(members)
			sets = append(sets, s)
		}
		got := map[string]func([]*Set) *Set{"SINTERSTORE": ks.Intersection, "SUNIONSTORE": ks.Union, "SDIFFSTORE": ks.Difference}[tt.op](sets)
		if got.Encoding() != tt.want || got.Len() != tt.n {
			t.Errorf("%s %s: %s of %d, want %s of %d", tt.op, tt.name, got.Encoding(), got.Len(), tt.want, tt.n)
		}
	}
}

// TestPopRandomForm: a table that is left with a sixth of its members or less is made
// anew, as SPOP does in Redis.
func TestPopRandomForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		members [][]byte
		pop     int
		want    string
	}{
		{words(600), 499, "hashtable"},
		{words(600), 500, "listpack"},
		{words(600), 10, "hashtable"},
		{words(6000), 5000, "hashtable"},
		{ints(0, 600), 590, "listpack"},
		{ints(0, 500), 499, "intset"},
		{words(100), 99, "listpack"},
	} {
		s := New(Config{}).NewSet()
		s.AddAll(tt.members)
		popped := s.PopRandom(rng, tt.pop)
		checkSetForm(t, s)
		if s.Encoding() != tt.want || s.Len() != len(tt.members)-tt.pop || len(popped) != tt.pop {
			t.Errorf("%d of %d popped: %s of %d", len(popped), len(tt.members), s.Encoding(), s.Len())
		}
	}
}

// differentForms are sets of n members in each form that so many can have.
func differentForms(n int) map[string]*Set {
	forms := map[string]*Set{}
	for name, cfg := range map[string]Config{
		"intset":    {SetMaxIntsetEntries: 10_000},
		"listpack":  {SetMaxListpackEntries: 10_000},
		"hashtable": {},
	} {
		ks := New(cfg)
		s := ks.NewSet()
		switch name {
		case "listpack":
			s.width = 0
		case "hashtable":
			s.toTable()
		}
		for _, m := range ints(0, n) {
			s.Add(m)
		}
		if s.Encoding() != name {
			panic(s.Encoding())
		}
		forms[name] = s
	}
	return forms
}

func TestSetScan(t *testing.T) {
	for _, n := range []int{1, 100, 5000} {
		for form, s := range differentForms(n) {
			seen, steps := make(map[string]bool), 0
			for cursor := uint64(0); ; {
				cursor = s.Scan(cursor, 10, func(m []byte) { seen[string(m)] = true })
				steps++
				if cursor == 0 {
					break
				}
			}
			if !maps.Equal(seen, membersOf(s)) || len(seen) != n {
				t.Errorf("%s of %d: scan saw %d", form, n, len(seen))
			}
			if compact := form != "hashtable"; compact && steps != 1 || !compact && n > 100 && steps < 10 {
				t.Errorf("%s of %d: %d steps", form, n, steps)
			}
		}
	}
}

func TestSetRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 5, 128, 1000} {
		for form, s := range differentForms(n) {
			if form == "listpack" && n > 128 {
				continue // a single pick walks it
			}
			counts := make(map[string]int)
			note := func(m []byte) bool { counts[string(m)]++; return true }
			check := func(what string, draws int) {
				t.Helper()
				checkUniform(t, fmt.Sprintf("%s from a %s of %d", what, form, n), counts, n, draws)
				counts = make(map[string]int)
			}
			s.RandomRepeat(rng, 100*n, note)
			check("repeat", 100*n)
			for range 100 * n {
				m, ok := s.Random(rng)
				if !ok {
					t.Fatal("nothing drawn")
				}
				note(m)
			}
			check("single", 100*n)
			for _, k := range []int{1, (n + 4) / 5, n / 2, n - 1} {
				if k < 1 || k >= n {
					continue
				}
				rounds := 50*n/k + 1
				for range rounds {
					once := make(map[string]bool)
					s.RandomDistinct(rng, k, func(m []byte) bool { once[string(m)] = true; return note(m) })
					if len(once) != k {
						t.Fatalf("%s: %d of %d distinct: drew %d", form, k, n, len(once))
					}
				}
				check(fmt.Sprint("distinct ", k), rounds*k)
			}
			all := make(map[string]bool)
			s.RandomDistinct(rng, n+10, func(m []byte) bool { all[string(m)] = true; return true })
			if len(all) != n {
				t.Errorf("%s: %d of %d distinct: %d", form, n+10, n, len(all))
			}
		}
	}
}

func TestPopRandomIsFair(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 60
	for form, whole := range differentForms(n) {
		for _, k := range []int{1, 10, 30, 50, 55, 59} {
			counts := make(map[string]int)
			const rounds = 1000
			for range rounds {
				s := whole.clone(&account{cfg: whole.home.cfg}).(*Set)
				for _, m := range s.PopRandom(rng, k) {
					counts[string(m)]++
				}
			}
			checkUniform(t, fmt.Sprintf("%d of %d from a %s", k, n, form), counts, n, rounds*k)
		}
	}
}

func TestSetRandomStopsAndEmpty(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	never := func([]byte) bool { t.Error("called"); return true }
	for form, s := range differentForms(0) {
		if _, ok := s.Random(rng); ok {
			t.Errorf("an empty %s has a random member", form)
		}
		s.RandomRepeat(rng, 5, never)
		s.RandomDistinct(rng, 5, never)
	}
	for form, s := range differentForms(100) {
		s.RandomRepeat(rng, -1, never)
		s.RandomDistinct(rng, 0, never)
		s.RandomDistinct(rng, -1, never)
		for _, k := range []int{3, 99} {
			calls := 0
			once := func([]byte) bool { calls++; return false }
			s.RandomRepeat(rng, k, once)
			s.RandomDistinct(rng, k, once)
			s.Each(once)
			if calls != 3 {
				t.Errorf("%s: %d calls after false", form, calls)
			}
		}
	}
}

// TestSetMembersOutliveDeletes: what PopRandom returned and what a table gave out
// stays readable whatever happens to the set.
func TestSetMembersOutliveDeletes(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for form, s := range differentForms(300) {
		kept := s.PopRandom(rng, 200)
		if form == "hashtable" {
			s.Each(func(m []byte) bool {
				kept = append(kept, m)
				return true
			})
		}
		for _, m := range kept {
			s.Remove(m)
		}
		for i := range 1000 {
			s.Add(fmt.Append(nil, 5000+i))
		}
		got := make(map[string]bool)
		for _, m := range kept {
			got[string(m)] = true
		}
		for _, m := range ints(0, 300) {
			if form == "hashtable" && !got[string(m)] {
				t.Errorf("%s: %s is gone", form, m)
			}
			delete(got, string(m))
		}
		if len(got) > 0 {
			t.Errorf("%s: members changed under their holder: %v", form, got)
		}
	}
}

// TestSetGivesMemoryBack: a compact set that shrinks does not keep its largest size.
func TestSetGivesMemoryBack(t *testing.T) {
	for form, s := range differentForms(5000) {
		small := New(Config{}).NewSet().MemoryUsed()
		for _, m := range ints(0, 5000) {
			s.Remove(m)
		}
		if used := s.MemoryUsed(); used > small+512 {
			t.Errorf("%s: nothing takes %d bytes", form, used)
		}
	}
}

// TestLongIntsetGrows: with raised limits the cost of a member stays small.
func TestLongIntsetGrows(t *testing.T) {
	s := New(Config{SetMaxIntsetEntries: 1 << 20}).NewSet()
	var digits []byte
	grown, last := 0, 0
	for i := range 200_000 {
		digits = strconv.AppendInt(digits[:0], int64(i), 10)
		s.Add(digits)
		if cap(s.packed) != last {
			grown, last = grown+1, cap(s.packed)
		}
	}
	if s.Encoding() != "intset" || s.Len() != 200_000 || grown > 200 {
		t.Errorf("%s of %d: allocated %d times", s.Encoding(), s.Len(), grown)
	}
	if used := s.MemoryUsed(); used > 200_000*4*5/4 {
		t.Errorf("%d bytes", used)
	}
}

func TestInts(t *testing.T) {
	s := New(Config{}).NewSet()
	s.AddAll([][]byte{[]byte("-1"), []byte("258")})
	p, width, ok := s.Ints()
	if want := []byte{0xff, 0xff, 0x02, 0x01}; !ok || width != 2 || !bytes.Equal(p, want) {
		t.Errorf("%x of width %d, %v", p, width, ok)
	}
	s.Add([]byte("x"))
	if _, _, ok := s.Ints(); ok {
		t.Error("a listpack has no integers")
	}
}

package keyspace

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// zmember is one member of the model of a sorted set: a sorted slice.
type zmember struct {
	member string
	score  float64
}

func sortedMembers(set map[string]float64) []zmember {
	out := make([]zmember, 0, len(set))
	for m, s := range set {
		out = append(out, zmember{m, s})
	}
	slices.SortFunc(out, func(a, b zmember) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.member, b.member))
	})
	return out
}

// checkTree verifies what the tree's code relies on.
func checkTree(t failer, l *largeZSet) {
	t.Helper()
	checkTable(t, &l.table)
	leaves, inners, depth := 0, 0, -1
	var last *zrecord
	var walk func(n *zNode, level int) int
	walk = func(n *zNode, level int) int {
		if n.n < 1 || n.n > zFan {
			t.Fatalf("node of %d entries", n.n)
		}
		for i := n.n; i < zFan; i++ {
			if n.records[i] != nil || n.kids != nil && n.kids[i].node != nil {
				t.Fatalf("a node of %d entries holds on to another", n.n)
			}
		}
		if n.kids == nil {
			leaves++
			if depth >= 0 && depth != level {
				t.Fatalf("leaves on levels %d and %d", depth, level)
			}
			depth = level
			for i := range n.n {
				r := n.records[i]
				if n.scores[i] != scoreOf(r) {
					t.Fatalf("score %v in the node, %v in the record", n.scores[i], scoreOf(r))
				}
				if last != nil && cmp.Or(cmp.Compare(scoreOf(last), scoreOf(r)), bytes.Compare(last.keyBytes(), r.keyBytes())) >= 0 {
					t.Fatalf("%q is not before %q", last.keyBytes(), r.keyBytes())
				}
				last = r
			}
			return n.n
		}
		inners++
		size := 0
		for i := range n.n {
			kid := n.kids[i]
			if got := walk(kid.node, level+1); got != kid.size {
				t.Fatalf("child of %d members counts %d", got, kid.size)
			}
			if n.scores[i] != kid.node.scores[0] || n.records[i] != kid.node.records[0] {
				t.Fatalf("entry of a child is not its first")
			}
			size += kid.size
		}
		return size
	}
	size := 0
	if l.tree.root != nil {
		size = walk(l.tree.root, 0)
	}
	if size != l.count || leaves != l.tree.leaves || inners != l.tree.inners {
		t.Fatalf("tree of %d members, %d leaves, %d inner nodes; counts %d, %d, %d", size, leaves, inners, l.count, l.tree.leaves, l.tree.inners)
	}
}

// checkZSet compares a set with its model in every way that it can be asked.
func checkZSet(t failer, z *ZSet, set map[string]float64) {
	t.Helper()
	want := sortedMembers(set)
	if z.large != nil {
		checkTree(t, z.large)
	}
	if z.Len() != len(want) {
		t.Fatalf("%d members, want %d", z.Len(), len(want))
	}
	var got []zmember
	collect := func(m []byte, score float64) bool {
		got = append(got, zmember{string(m), score})
		return true
	}
	z.Each(collect)
	if !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
	for i := 0; i < len(want); i += 1 + len(want)/50 {
		w := want[i]
		if rank, score, ok := z.Rank([]byte(w.member)); !ok || rank != i || score != w.score {
			t.Fatalf("%q has rank %d and score %v, want %d and %v", w.member, rank, score, i, w.score)
		}
		if score, ok := z.Score([]byte(w.member)); !ok || score != w.score {
			t.Fatalf("%q has score %v, want %v", w.member, score, w.score)
		}
		if m, score := z.At(i); string(m) != w.member || score != w.score {
			t.Fatalf("at %d is %q with %v, want %q with %v", i, m, score, w.member, w.score)
		}
	}
	checkBounds(t, z, want)
	checkRanges(t, z, want)
}

func checkBounds(t failer, z *ZSet, want []zmember) {
	t.Helper()
	if a, b := z.Before(ZStart), z.Before(ZEnd); a != 0 || b != len(want) {
		t.Fatalf("all members are from %d to %d", a, b)
	}
	scores := []float64{math.Inf(-1), math.Inf(1), 0, 0.5}
	some := make([]zmember, 0, 20)
	for i := 0; i < len(want); i += 1 + len(want)/15 {
		some = append(some, want[i])
		scores = append(scores, want[i].score)
	}
	for _, s := range scores {
		before, after := 0, 0
		for _, w := range want {
			if w.score < s {
				before++
			}
			if w.score <= s {
				after++
			}
		}
		if a, b := z.Before(ZBeforeScore(s)), z.Before(ZAfterScore(s)); a != before || b != after {
			t.Fatalf("score %v from %d to %d, want %d to %d", s, a, b, before, after)
		}
	}
	if len(want) == 0 || want[0].score != want[len(want)-1].score {
		return
	}
	for _, w := range append(some, zmember{}, zmember{member: "zz"}) {
		i, found := slices.BinarySearchFunc(want, w.member, func(e zmember, m string) int { return strings.Compare(e.member, m) })
		after := i
		if found {
			after++
		}
		if a, b := z.Before(ZBeforeMember([]byte(w.member))), z.Before(ZAfterMember([]byte(w.member))); a != i || b != after {
			t.Fatalf("member %q from %d to %d, want %d to %d", w.member, a, b, i, after)
		}
	}
}

func checkRanges(t failer, z *ZSet, want []zmember) {
	t.Helper()
	for from := 0; from <= len(want); from += 1 + len(want)/7 {
		for n := 0; from+n <= len(want); n += 1 + len(want)/5 {
			var got, back []zmember
			z.Range(from, n, func(m []byte, score float64) bool {
				got = append(got, zmember{string(m), score})
				return true
			})
			z.RangeBack(from, n, func(m []byte, score float64) bool {
				back = append(back, zmember{string(m), score})
				return true
			})
			if !slices.Equal(got, want[from:from+n]) {
				t.Fatalf("%d from %d on: %v, want %v", n, from, got, want[from:from+n])
			}
			slices.Reverse(back)
			if !slices.Equal(got, back) {
				t.Fatalf("%d from %d on, back: %v, want %v", n, from, back, got)
			}
		}
	}
}

// TestZSetAgainstModel makes trees of several levels and lets them shrink again.
func TestZSetAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ks := New(Config{ZSetMaxListpackEntries: rapid.SampledFrom([]int{5, 128}).Draw(t, "entries")})
		z, err := ks.DB(0).ZSetForWrite([]byte("z"))
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]float64{}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		put := func(m string, score float64) {
			_, there := set[m]
			if added := z.Set([]byte(m), score); added == there {
				t.Fatalf("%q is new: %v, but there: %v", m, added, there)
			}
			set[m] = score
		}
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				checkZSet(t, z, set)
				checkKeyspace(t, ks)
			},
			"random": func(*rapid.T) {
				for range rng.IntN(200) {
					put(fmt.Sprint(rng.IntN(3000)), float64(rng.IntN(100)))
				}
			},
			"rising": func(*rapid.T) {
				for range rng.IntN(300) {
					next++
					put(fmt.Sprint("up", next), float64(1000+next))
				}
			},
			"falling": func(*rapid.T) {
				for range rng.IntN(300) {
					next++
					put(fmt.Sprint("down", next), float64(-next))
				}
			},
			"same score": func(t *rapid.T) {
				for m := range set {
					put(m, 7)
				}
			},
			"delete some": func(t *rapid.T) {
				for m := range set {
					if rng.IntN(4) == 0 {
						if !z.Del([]byte(m)) || z.Del([]byte(m)) {
							t.Fatalf("%q is not deleted once", m)
						}
						delete(set, m)
					}
				}
			},
			"delete a range": func(t *rapid.T) {
				if len(set) == 0 {
					return
				}
				from := rng.IntN(len(set))
				n := 1 + rng.IntN(len(set)-from)
				for _, m := range sortedMembers(set)[from : from+n] {
					delete(set, m.member)
				}
				z.DelRange(from, n)
			},
			"copy": func(t *rapid.T) {
				ks.DB(0).CopyTo(ks.DB(1), []byte("z"), []byte("c"))
				ref, _ := ks.DB(1).Lookup([]byte("c"))
				checkZSet(t, ref.ZSet(), set)
				if ref.Encoding() != z.Encoding() {
					t.Fatalf("a copy of %s is %s", z.Encoding(), ref.Encoding())
				}
			},
		})
	})
}

func (s *machine) zsetSet(t *rapid.T) {
	db, m, _ := s.db(t)
	k, n := genKey.Draw(t, "key"), rapid.IntRange(1, 5).Draw(t, "members")
	old, ok := m[string(k)]
	z, err := db.ZSetForWrite(k)
	if ok && old.typ != TypeZSet {
		if !errors.Is(err, ErrWrongType) {
			t.Fatalf("sorted set of another type: %v", err)
		}
		return
	}
	if !ok {
		old = modelValue{typ: TypeZSet, zset: map[string]float64{}, at: NoExpire}
	}
	for range n {
		member := rapid.SliceOfN(rapid.ByteRange('a', 'e'), 0, 2).Draw(t, "member")
		if rapid.IntRange(0, 9).Draw(t, "long") == 9 {
			member = genVal.Draw(t, "longmember")
		}
		score := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, 2, math.Inf(1), math.Inf(-1)})).Draw(t, "score")
		_, exists := old.zset[string(member)]
		if added := z.Set(member, score); added == exists {
			t.Fatalf("set: new %v, but there %v", added, exists)
		}
		old.zset[string(member)] = score
	}
	m[string(k)] = old
}

func (s *machine) zsetDel(t *rapid.T) {
	db, m, _ := s.db(t)
	k := genKey.Draw(t, "key")
	old := m[string(k)]
	ref, _ := db.Lookup(k)
	z := ref.ZSet()
	if (z != nil) != (old.typ == TypeZSet) {
		t.Fatalf("sorted set %v, want %v", z != nil, old)
	}
	if z == nil {
		return
	}
	for range rapid.IntRange(1, 5).Draw(t, "members") {
		member := rapid.SliceOfN(rapid.ByteRange('a', 'e'), 0, 2).Draw(t, "member")
		_, exists := old.zset[string(member)]
		if got := z.Del(member); got != exists {
			t.Fatalf("del: %v, want %v", got, exists)
		}
		delete(old.zset, string(member))
	}
	if gone := db.DeleteIfEmpty(k); gone != (len(old.zset) == 0) {
		t.Fatalf("sorted set of %d members deleted: %v", len(old.zset), gone)
	}
	if len(old.zset) == 0 {
		delete(m, string(k))
		z.Set([]byte("late"), 1) // must not touch the database any more
	}
}

func TestZSetConversion(t *testing.T) {
	member := func(i int) []byte { return fmt.Appendf(nil, "m%d", i) }
	fill := func(z *ZSet, n int) {
		for i := range n {
			z.Set(member(i), float64(i%7))
		}
	}
	long := bytes.Repeat([]byte("x"), 65)
	tests := []struct {
		name   string
		do     func(ks *Keyspace, z *ZSet)
		packed bool
	}{
		{"as many members as allowed", func(_ *Keyspace, z *ZSet) { fill(z, DefaultZSetMaxListpackEntries) }, true},
		{"one more", func(_ *Keyspace, z *ZSet) { fill(z, DefaultZSetMaxListpackEntries+1) }, false},
		{"new scores in a full one", func(_ *Keyspace, z *ZSet) {
			fill(z, DefaultZSetMaxListpackEntries)
			z.Set(member(5), 1e100)
		}, true},
		{"longest member", func(_ *Keyspace, z *ZSet) { z.Set(long[:64], 1) }, true},
		{"too long a member", func(_ *Keyspace, z *ZSet) { z.Set(long, 1) }, false},
		{"never back", func(_ *Keyspace, z *ZSet) { z.Set(long, 1); z.Del(long); fill(z, 1) }, false},
		{"raised limit", func(ks *Keyspace, z *ZSet) { ks.Config().ZSetMaxListpackEntries = 1000; fill(z, 1000) }, true},
		{"no compact form at all", func(ks *Keyspace, z *ZSet) { ks.Config().ZSetMaxListpackEntries = 0; fill(z, 1) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ks := New(Config{})
			z, err := ks.DB(0).ZSetForWrite([]byte("z"))
			if err != nil {
				t.Fatal(err)
			}
			tt.do(ks, z)
			if got := z.Encoding() == "listpack"; got != tt.packed {
				t.Errorf("encoding %s", z.Encoding())
			}
			checkKeyspace(t, ks)
		})
	}
}

// TestZSetHasNoNegativeZero: it would print as -0 in one form and 0 in the other.
func TestZSetHasNoNegativeZero(t *testing.T) {
	for _, entries := range []int{1, 10} {
		z := New(Config{ZSetMaxListpackEntries: entries}).NewZSet()
		z.Set([]byte("a"), math.Copysign(0, -1))
		z.Set([]byte("b"), 1)
		z.Set([]byte("b"), math.Copysign(0, -1))
		z.Each(func(m []byte, score float64) bool {
			if score != 0 || math.Signbit(score) {
				t.Errorf("%s: %q has score %v", z.Encoding(), m, score)
			}
			return true
		})
	}
}

func TestZSetScan(t *testing.T) {
	for _, n := range []int{1, 128, 129, 5000} {
		z := New(Config{}).NewZSet()
		for i := range n {
			z.Set(fmt.Append(nil, i), float64(i*i))
		}
		seen := make(map[string]float64)
		steps := 0
		for cursor := uint64(0); ; {
			cursor = z.Scan(cursor, 10, func(m []byte, score float64) { seen[string(m)] = score })
			steps++
			if cursor == 0 {
				break
			}
		}
		if len(seen) != n || (n <= DefaultZSetMaxListpackEntries) != (steps == 1) {
			t.Errorf("%d members: scan saw %d in %d steps", n, len(seen), steps)
		}
		for i := range n {
			if seen[fmt.Sprint(i)] != float64(i*i) {
				t.Errorf("%d members: score of %d is %v", n, i, seen[fmt.Sprint(i)])
			}
		}
	}
}

func TestZSetRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	never := func([]byte, float64) bool { t.Error("called"); return true }
	empty := New(Config{}).NewZSet()
	empty.RandomRepeat(rng, 5, never)
	empty.RandomDistinct(rng, 5, never)
	for _, n := range []int{1, 5, 128, 1000} {
		z := New(Config{}).NewZSet()
		for i := range n {
			z.Set(fmt.Append(nil, i), -float64(i))
		}
		note := func(counts map[string]int) func([]byte, float64) bool {
			return func(m []byte, score float64) bool {
				if fmt.Sprint(-score) != string(m) && score != 0 {
					t.Errorf("member %q with score %v", m, score)
				}
				counts[string(m)]++
				return true
			}
		}
		repeat := make(map[string]int)
		z.RandomRepeat(rng, 400*n, note(repeat))
		checkUniform(t, fmt.Sprint("repeat of ", n), repeat, n, 400*n)
		for _, k := range []int{1, n / 5, n - 1} {
			if k < 1 {
				continue
			}
			counts := make(map[string]int)
			rounds := 400 * n / k
			for range rounds {
				once := make(map[string]int)
				z.RandomDistinct(rng, k, note(once))
				if len(once) != k {
					t.Fatalf("%d of %d distinct: %d", k, n, len(once))
				}
				for m, times := range once {
					if times > 1 {
						t.Fatalf("%d of %d: %s drawn %d times", k, n, m, times)
					}
					counts[m]++
				}
			}
			checkUniform(t, fmt.Sprintf("%d distinct of %d", k, n), counts, n, rounds*k)
		}
		all := make(map[string]int)
		z.RandomDistinct(rng, n+10, note(all))
		if len(all) != n {
			t.Errorf("%d of %d distinct", len(all), n)
		}
		z.RandomRepeat(rng, -1, never)
		z.RandomDistinct(rng, 0, never)
		z.RandomDistinct(rng, -1, never)
		calls := 0
		z.RandomRepeat(rng, 3, func([]byte, float64) bool { calls++; return false })
		z.RandomDistinct(rng, max(n-1, 1), func([]byte, float64) bool { calls++; return false })
		if calls != 2 {
			t.Errorf("%d calls after false", calls)
		}
	}
}

// TestZSetGivesMemoryBack: a packed set that shrinks does not keep its largest size.
func TestZSetGivesMemoryBack(t *testing.T) {
	ks := New(Config{ZSetMaxListpackValue: 10_000})
	z := ks.NewZSet()
	small := z.MemoryUsed()
	for i := range 10 {
		z.Set(bytes.Repeat([]byte{byte(i)}, 5000), 1)
	}
	if z.MemoryUsed() < 50_000 {
		t.Errorf("50 kB of members take %d bytes", z.MemoryUsed())
	}
	z.DelRange(1, 9)
	if z.MemoryUsed() > small+5500 {
		t.Errorf("one member takes %d bytes", z.MemoryUsed())
	}
	z.DelRange(0, 1)
	if z.MemoryUsed() != small {
		t.Errorf("nothing takes %d bytes", z.MemoryUsed())
	}
}

// TestZSetDigestIsStable is TestDigestIsStable for sorted sets.
func TestZSetDigestIsStable(t *testing.T) {
	ks := New(Config{})
	for i := range 200 {
		z, err := ks.DB(0).ZSetForWrite(fmt.Append(nil, i%3))
		if err != nil {
			t.Fatal(err)
		}
		z.Set(fmt.Append(nil, i), math.Sqrt(float64(i)))
	}
	const want = "5a4272ebb91fbfac853a54f076e03680812fa4e9c1dbc159d156bbd42622283e"
	if got := ks.Digest().String(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// FuzzZSetForms: both forms of a set are the same set.
func FuzzZSetForms(f *testing.F) {
	f.Add([]byte("\x01a\x02b\x81a\x03c"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		packed := New(Config{ZSetMaxListpackEntries: 1 << 20}).NewZSet()
		large := New(Config{}).NewZSet()
		large.convert()
		set := map[string]float64{}
		for i := 0; i+1 < len(ops); i += 2 {
			m := ops[i+1 : i+2]
			if ops[i] >= 0x80 {
				if packed.Del(m) != large.Del(m) {
					t.Fatal("only one form had a member")
				}
				delete(set, string(m))
				continue
			}
			score := math.Ldexp(float64(ops[i])-64, int(ops[i])%9*30)
			packed.Set(m, score)
			large.Set(m, score)
			set[string(m)] = score
		}
		checkZSet(t, packed, set)
		checkZSet(t, large, set)
	})
}

func BenchmarkZSet(b *testing.B) {
	const n = 1_000_000
	rng := rand.New(rand.NewPCG(1, 2))
	key := func(i int) []byte { return fmt.Appendf(nil, "member:%07d", i) }
	z := New(Config{}).NewZSet()
	for i := range n {
		z.Set(key(i), rng.Float64())
	}
	b.Run("new score", func(b *testing.B) {
		for b.Loop() {
			z.Set(key(rng.IntN(n)), rng.Float64())
		}
	})
	b.Run("rank", func(b *testing.B) {
		for b.Loop() {
			z.Rank(key(rng.IntN(n)))
		}
	})
	b.Run("range of 10", func(b *testing.B) {
		for b.Loop() {
			z.Range(rng.IntN(n-10), 10, func([]byte, float64) bool { return true })
		}
	})
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			rng.Uint64()
		}
		b.ReportMetric(float64(z.MemoryUsed())/n, "B/member")
	})
}

package keyspace

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// checkSetForm verifies what the code of the compact forms relies on.
func checkSetForm(t failer, s *Set) {
	t.Helper()
	if s.members != nil {
		if s.packed != nil || s.n != 0 || s.width != 0 {
			t.Fatalf("a set has two forms")
		}
		checkTable(t, &s.members.table)
		return
	}
	if s.width == 0 {
		n := 0
		memberEach(s.packed, func([]byte) bool { n++; return true })
		if n != int(s.n) {
			t.Fatalf("listpack of %d members counts %d", n, s.n)
		}
		return
	}
	width := int(s.width)
	if len(s.packed) != int(s.n)*width {
		t.Fatalf("intset of %d integers of %d bytes has %d", s.n, width, len(s.packed))
	}
	for i := 1; i < int(s.n); i++ {
		if intAt(s.packed, width, i-1) >= intAt(s.packed, width, i) {
			t.Fatalf("intset is out of order at %d", i)
		}
	}
}

func membersOf(s *Set) map[string]bool {
	got := make(map[string]bool)
	s.Each(func(m []byte) bool {
		got[string(m)] = true
		return true
	})
	return got
}

func checkSet(t failer, s *Set, want map[string]bool) {
	t.Helper()
	if got := membersOf(s); !maps.Equal(got, want) || s.Len() != len(want) {
		t.Fatalf("set (%s) of %d members %v, want %v", s.Encoding(), s.Len(), got, want)
	}
	for m := range want {
		if !s.Contains([]byte(m)) {
			t.Fatalf("member %q is not found", m)
		}
	}
	for _, m := range []string{"", "0", "-1", "x", "99999999999", "00", "-0"} {
		if s.Contains([]byte(m)) != want[m] {
			t.Fatalf("Contains(%q) is %v", m, !want[m])
		}
	}
}

// genMember draws members that integers, near-integers and words share, few enough to
// be drawn again.
var genMember = rapid.OneOf(
	rapid.Map(rapid.IntRange(-4, 8), func(i int) []byte { return strconv.AppendInt(nil, int64(i), 10) }),
	rapid.SampledFrom([][]byte{
		[]byte("32767"), []byte("32768"), []byte("-32768"), []byte("-32769"), []byte("2147483647"), []byte("2147483648"),
		[]byte("-2147483648"), []byte("-2147483649"), []byte("9223372036854775807"), []byte("-9223372036854775808"),
	}),
	rapid.SampledFrom([][]byte{
		nil, []byte("a"), []byte("b"), []byte("01"), []byte("-0"), []byte("+1"), []byte("9223372036854775808"),
		bytes.Repeat([]byte("l"), 11), bytes.Repeat([]byte("l"), 301), bytes.Repeat([]byte("l"), 5000),
	}),
)

// genMembers draws integers only, words only or a mixture.
var genMembers = rapid.Custom(func(t *rapid.T) [][]byte {
	ms := rapid.SliceOfN(genMember, 1, 6).Draw(t, "members")
	if rapid.Bool().Draw(t, "only integers") {
		for i, m := range ms {
			if !canonicalInt(m) {
				ms[i] = strconv.AppendInt(nil, int64(len(m)), 10)
			}
		}
	}
	return ms
})

func (s *machine) setAdd(t *rapid.T) {
	db, m, _ := s.db(t)
	k, members := genKey.Draw(t, "key"), genMembers.Draw(t, "members")
	old, ok := m[string(k)]
	set, err := db.SetForWrite(k)
	if ok && old.typ != TypeSet {
		if !errors.Is(err, ErrWrongType) {
			t.Fatalf("set of a %s: %v", old.typ, err)
		}
		return
	}
	if !ok {
		old = modelValue{typ: TypeSet, set: map[string]bool{}, at: NoExpire}
	}
	before := len(old.set)
	for _, member := range members {
		old.set[string(member)] = true
	}
	if added := set.AddAll(members); added != len(old.set)-before {
		t.Fatalf("%d added, want %d", added, len(old.set)-before)
	}
	m[string(k)] = old
}

// lookupSet finds a set for a change, nil when there is another type or none.
func (s *machine) lookupSet(t *rapid.T) (*DB, map[string]modelValue, []byte, *Set) {
	db, m, _ := s.db(t)
	k := genKey.Draw(t, "key")
	old, ok := m[string(k)]
	ref, found := db.Lookup(k)
	set := ref.Set()
	if ok != found || (set != nil) != (ok && old.typ == TypeSet) {
		t.Fatalf("look-up: %v, set %v, want %v", found, set != nil, old)
	}
	return db, m, k, set
}

func (s *machine) setRemove(t *rapid.T) {
	db, m, k, set := s.lookupSet(t)
	if set == nil {
		return
	}
	want := m[string(k)].set
	for _, member := range genMembers.Draw(t, "members") {
		if got := set.Remove(member); got != want[string(member)] {
			t.Fatalf("remove of %q: %v", member, got)
		}
		delete(want, string(member))
	}
	if gone := db.DeleteIfEmpty(k); gone != (len(want) == 0) {
		t.Fatalf("set of %d members deleted: %v", len(want), gone)
	}
	if len(want) == 0 {
		delete(m, string(k))
		set.Add([]byte("late")) // must not touch the database any more
	}
}

func (s *machine) setPop(t *rapid.T) {
	_, m, k, set := s.lookupSet(t)
	if set == nil || set.Len() < 2 {
		return
	}
	want := m[string(k)].set
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	n := rapid.IntRange(1, set.Len()-1).Draw(t, "n")
	popped := set.PopRandom(rng, n)
	if len(popped) != n {
		t.Fatalf("%d popped of %d", len(popped), n)
	}
	for _, member := range popped {
		if !want[string(member)] {
			t.Fatalf("popped %q, which is not there or was popped before", member)
		}
		delete(want, string(member))
	}
}

// TestSetAlgebraAgainstModel also exercises the choice of how to subtract.
func TestSetAlgebraAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ks := New(Config{SetMaxIntsetEntries: 9, SetMaxListpackEntries: 6, SetMaxListpackValue: 300})
		sets := make([]*Set, rapid.IntRange(1, 5).Draw(t, "sets"))
		models := make([]map[string]bool, len(sets))
		for i := range sets {
			if i > 0 && rapid.IntRange(0, 9).Draw(t, "same") == 0 {
				sets[i], models[i] = sets[i-1], models[i-1]
				continue
			}
			if rapid.IntRange(0, 9).Draw(t, "absent") == 0 {
				continue
			}
			sets[i] = ks.NewSet()
			for range rapid.IntRange(1, 4).Draw(t, "adds") {
				sets[i].AddAll(genMembers.Draw(t, "members"))
			}
			models[i] = membersOf(sets[i])
		}
		given := append([]*Set(nil), sets...)
		union, inter, diff := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, m := range models {
			maps.Copy(union, m)
		}
		for member := range union {
			all, others := true, false
			for i, m := range models {
				all = all && m[member]
				others = others || i > 0 && m[member]
			}
			if all {
				inter[member] = true
			}
			if models[0][member] && !others {
				diff[member] = true
			}
		}
		checkResult(t, ks.Union(sets), union)
		checkResult(t, ks.Intersection(sets), inter)
		checkResult(t, ks.Difference(sets), diff)
		streamed, steps := map[string]bool{}, 0
		Intersect(sets, func(m []byte) bool { streamed[string(m)] = true; return true })
		Intersect(sets, func([]byte) bool { steps++; return false })
		if !maps.Equal(streamed, inter) || steps != min(len(inter), 1) {
			t.Fatalf("streamed %v, want %v; %d steps after false", streamed, inter, steps)
		}
		for i := range sets {
			if sets[i] != given[i] {
				t.Fatal("the sets were put in another order")
			}
		}
	})
}

func checkResult(t failer, s *Set, want map[string]bool) {
	t.Helper()
	checkSet(t, s, want)
	checkSetForm(t, s)
}

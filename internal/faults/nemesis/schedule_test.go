package nemesis

import (
	"reflect"
	"slices"
	"testing"
)

func allNames() []string {
	var names []string
	for _, n := range All() {
		names = append(names, n.Name)
	}
	return names
}

func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range All() {
		switch {
		case n.Name == "" || n.About == "" || n.do == nil:
			t.Errorf("incomplete: %+v", n)
		case seen[n.Name]:
			t.Errorf("two nemeses are called %s", n.Name)
		}
		seen[n.Name] = true
	}
}

func TestScheduleHasEveryNemesisOnce(t *testing.T) {
	for seed := range uint64(50) {
		var got []string
		for _, s := range Schedule(seed, allNames()) {
			got = append(got, s.Nemesis)
			if s.After < pauseMin || s.After > pauseMax {
				t.Errorf("seed %d: %v: the pause is out of bounds", seed, s)
			}
		}
		want := allNames()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

func TestScheduleIsTheSeeds(t *testing.T) {
	one := Schedule(7, allNames())
	if again := Schedule(7, allNames()); !reflect.DeepEqual(one, again) {
		t.Errorf("the same seed gave\n%v\nand\n%v", one, again)
	}
	other := Schedule(8, allNames())
	if reflect.DeepEqual(one, other) {
		t.Errorf("two seeds gave the same schedule %v", one)
	}
	order := func(steps []Step) (names []string) {
		for _, s := range steps {
			names = append(names, s.Nemesis)
		}
		return names
	}
	if slices.Equal(order(one), order(other)) {
		t.Errorf("two seeds gave the same order %v", order(one))
	}
}

func TestScheduleChoosesSeeds(t *testing.T) {
	seen := map[uint64]bool{}
	for _, s := range Schedule(1, allNames()) {
		for p := &s; p != nil; p = p.During {
			if seen[p.Seed] {
				t.Errorf("%v has the seed of another step", *p)
			}
			seen[p.Seed] = true
		}
	}
}

// TestScheduleOfSome: who asks for some nemeses gets no other, not even beside
// them.
func TestScheduleOfSome(t *testing.T) {
	names := []string{"s3-away", "kill-s3"}
	for seed := range uint64(20) {
		for _, s := range Schedule(seed, names) {
			if s.During != nil {
				t.Fatalf("seed %d: %v", seed, s)
			}
		}
	}
	if got := Schedule(1, nil); len(got) != 0 {
		t.Errorf("of no nemesis: %v", got)
	}
}

// TestSchedulePairs: over some seeds every pair comes up, and every nemesis that
// may have a guest is also seen without one.
func TestSchedulePairs(t *testing.T) {
	alone, met := map[string]bool{}, map[string]bool{}
	for seed := range uint64(100) {
		for _, s := range Schedule(seed, allNames()) {
			switch {
			case s.During == nil:
				alone[s.Nemesis] = true
			case s.During.During != nil || !slices.Contains(pairs[s.Nemesis], s.During.Nemesis):
				t.Fatalf("seed %d: %v is none of the pairs", seed, s)
			default:
				met[s.Nemesis+" "+s.During.Nemesis] = true
			}
		}
	}
	for host, guests := range pairs {
		if !alone[host] {
			t.Errorf("%s never happens alone", host)
		}
		for _, g := range guests {
			if !met[host+" "+g] {
				t.Errorf("%s never happens during %s", g, host)
			}
		}
	}
}

// TestPairsCanBeHealed: two nemeses that run at once break different things; nodes
// they claim one by one, and then one node has to be left to serve.
func TestPairsCanBeHealed(t *testing.T) {
	table := byName(All())
	for host, guests := range pairs {
		h, ok := table[host]
		if !ok {
			t.Errorf("there is no nemesis %q", host)
		}
		for _, guest := range guests {
			g, ok := table[guest]
			switch {
			case !ok:
				t.Errorf("there is no nemesis %q", guest)
			case (h.touches|g.touches)&whole != 0:
				t.Errorf("%s with %s: one of them leaves nothing for the other", host, guest)
			case h.touches&g.touches&^nodes != 0:
				t.Errorf("%s with %s: both break the same", host, guest)
			}
		}
	}
}

func TestStepString(t *testing.T) {
	s := Step{Nemesis: "slow-s3", Seed: 0xab, After: 120e6, During: &Step{Nemesis: "kill-replica", Seed: 1, After: 300e6}}
	want := "slow-s3 after 120ms, seed 00000000000000ab; meanwhile kill-replica after 300ms, seed 0000000000000001"
	if got := s.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

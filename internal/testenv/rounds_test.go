package testenv

import "testing"

func TestRounds(t *testing.T) {
	t.Setenv(roundsVar, "")
	if got := Rounds(t, 20); got != 20 {
		t.Errorf("%d rounds, want the usual 20", got)
	}
	t.Setenv(roundsVar, "500")
	if got := Rounds(t, 20); got != 500 {
		t.Errorf("%d rounds, want the 500 asked for", got)
	}
	for _, bad := range []string{"0", "-1", "many"} {
		t.Setenv(roundsVar, bad)
		f := &fakeTB{}
		f.run(func() { Rounds(f, 20) })
		if len(f.errors) != 1 {
			t.Errorf("%q: errors %q", bad, f.errors)
		}
	}
}

func TestSeed(t *testing.T) {
	t.Setenv(seedVar, "")
	if got := Seed(t, 7); got != 7 {
		t.Errorf("seed %d, want the usual 7", got)
	}
	t.Setenv(seedVar, "500")
	if got := Seed(t, 7); got != 500 {
		t.Errorf("seed %d, want the 500 asked for", got)
	}
	t.Setenv(seedVar, "-1")
	f := &fakeTB{}
	f.run(func() { Seed(f, 7) })
	if len(f.errors) != 1 {
		t.Errorf("errors %q", f.errors)
	}
}

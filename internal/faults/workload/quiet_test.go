package workload

import "testing"

func TestQuietJudgesStaleReads(t *testing.T) {
	for _, tt := range []struct {
		name  string
		floor int64 // known when the read was sent
		value any
		stale bool
	}{
		{"nothing written yet", 0, nil, false},
		{"the newest", 7, "7", false},
		{"newer than anybody knew", 7, "9", false},
		{"older than what was read before", 7, "5", true},
		{"gone", 7, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := NewEnv(nil, "t:", 1)
			w := NewQuiet(env)
			w.floor.Store(tt.floor)
			w.judge(Result{Node: "node-0", Value: tt.value}, tt.floor)
			if kept, _ := env.List(); (len(kept) == 1) != tt.stale {
				t.Errorf("found %v", kept)
			}
			want := tt.floor
			if tt.value == "9" {
				want = 9
			}
			if got := w.floor.Load(); got != want {
				t.Errorf("the floor is %d, want %d", got, want)
			}
		})
	}
}

// TestQuietFloorIsOfTheCall: a read that was sent before a newer value was known
// may still answer the older one.
func TestQuietFloorIsOfTheCall(t *testing.T) {
	env := NewEnv(nil, "t:", 1)
	w := NewQuiet(env)
	w.floor.Store(9)
	w.judge(Result{Node: "node-0", Value: "5"}, 5)
	if kept, _ := env.List(); len(kept) > 0 {
		t.Errorf("found %v", kept)
	}
}

package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

func TestReport(t *testing.T) {
	fail := func(name, with string, outage, takeover int64) fault {
		return fault{Name: name, With: with, Outage: time.Duration(outage) * time.Millisecond, Takeover: time.Duration(takeover) * time.Millisecond, Unknown: 1}
	}
	total := newTotals(time.Now())
	total.add(&result{
		Seed: 7, Operations: map[string]int{"bank": 3, "register": 4}, Counts: workload.Counts{Done: 9, Refused: 2, Unknown: 1},
		Entries: 10, Epochs: 3, MaxHead: 100,
		Faults: []fault{fail("kill-primary", "", 30, 20), fail("kill-primary", "", 10, 40), fail("kill-primary", "slow-s3", 90, 95), fail("hand-overs", "", 5, 6), fail("hand-overs", "slow-s3", 7, 8)},
	})
	total.add(&result{Seed: 8, Operations: map[string]int{"bank": 5}, Epochs: 1, MaxHead: 300, Violations: []string{"a lost write"}})
	got := total.report()
	for _, want := range []string{
		"| rounds | 2 |", "| seeds | 7 to 8 |", "| operations judged | 12 |", "| commands refused, of unknown outcome | 2, 1 |",
		"| log entries | 10 |", "| failovers | 2 |", "| faults | 5 |", "| most bytes in the head | 300 of 4194304 |", "| **violations** | 1 |",
		"bank 8, register 4.", "| kill-primary | 3 | 2 | 30 ms | 30 ms | 2 | 90 ms | 1 |",
		"| kill -9, and nobody knows | 2 | 40 ms | 40 ms |", // not the one with another fault
		"| planned hand-over | 1 | 6 ms | 6 ms |", "| kill -9, and somebody knows | 0 | - | - |",
		"| nothing | 1 | 5 ms | 5 ms | 1 |", "| slow-s3 | 1 | 7 ms | 7 ms | 1 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestReplayRepeatsTheRound(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-seed", "7"}, "make faults SEED=7"},
		{[]string{"-seed", "7", "-laps", "2", "-scale", "1.5", "-think", "100ms", "-only", "kill-s3,stop-s3"}, "make faults SEED=7 LAPS=2 SCALE=1.5 THINK=100ms ONLY=kill-s3,stop-s3"},
		{[]string{"-seed", "7", "-broken", "early-reply"}, "make faults SEED=7 BROKEN=early-reply"},
	} {
		c, err := parse(tt.args)
		if err != nil {
			t.Fatalf("%v: %v", tt.args, err)
		}
		list, err := variants(c.broken)
		if err != nil {
			t.Fatal(err)
		}
		r := newRound(c, c.seed, "")
		if len(list) > 0 {
			r = newRound(c, c.seed, list[0].Variant)
		}
		if got := r.replay(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-rounds 0", "must be positive"},
		{"-scale -1", "must be positive"},
		{"-only no-such", "-only no-such: there is no such fault"},
		{"-think 0s", "must be positive"},
		{"-broken no-such", "-broken no-such: there is no such variant"},
		{"surplus", `unexpected argument "surplus"`},
	} {
		if _, err := parse(strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestNoteKeepsTheFirst(t *testing.T) {
	r := newRound(&config{stdout: io.Discard}, 1, "")
	r.note([]violation{{At: 5e9, Workload: "bank", What: "a"}, {At: 9e9, Workload: "probe", What: "b"}}, 3)
	if r.result.FoundBy != "bank" || r.result.FoundAfter != 5*time.Second || len(r.result.Violations) != 3 || r.result.Violations[2] != "and 3 more" {
		t.Errorf("%+v", r.result)
	}
}

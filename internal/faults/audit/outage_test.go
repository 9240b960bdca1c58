package audit

import (
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// acks are writes acknowledged at these times, each sent one before.
func acks(at ...int64) (answers []workload.Answer) {
	for _, t := range at {
		answers = append(answers, workload.Answer{Node: "a", Call: t - 1, Return: t, Write: true})
	}
	return answers
}

func TestLongestGap(t *testing.T) {
	read := workload.Answer{Node: "a", Call: 49, Return: 50}
	for _, c := range []struct {
		name     string
		answers  []workload.Answer
		from, to int64
		want     time.Duration
	}{
		{"no writes at all", nil, 20, 80, 60},
		{"reads do not count", []workload.Answer{read}, 20, 80, 60},
		{"in the window", acks(10, 20, 30, 70, 80, 90), 20, 80, 40},
		{"in any order", acks(80, 30, 90, 70, 20, 10), 20, 80, 40},
		{"began before the window", acks(5, 40, 50, 60), 20, 50, 35},
		{"ends after the window", acks(20, 30, 95), 20, 50, 65},
		{"around the window", acks(5, 95), 20, 80, 90},
		{"outside of the window", acks(0, 10, 11, 20, 30, 31, 90), 20, 30, 10},
		{"none before: from its begin", acks(60, 65), 20, 70, 40},
		{"none after: to its end", acks(21, 30), 20, 80, 50},
		{"acknowledged at its edges", acks(20, 80), 20, 80, 60},
		{"an empty window", acks(5, 95), 50, 50, 90},
	} {
		if got := LongestGap(c.answers, c.from, c.to); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRecoveryAndTakeover(t *testing.T) {
	write := func(node string, call, ret int64) workload.Answer {
		return workload.Answer{Node: node, Call: call, Return: ret, Write: true}
	}
	const never = -1
	for _, c := range []struct {
		name               string
		answers            []workload.Answer
		recovery, takeover time.Duration // after t = 100, of a
	}{
		{"nothing", nil, never, never},
		{"before", []workload.Answer{write("a", 10, 20), write("b", 10, 20)}, never, never},
		{"only reads", []workload.Answer{answer("b", 110, 120)}, never, never},
		{"in flight at the old primary", []workload.Answer{write("a", 90, 110)}, never, never},
		{"the old primary goes on", []workload.Answer{write("a", 90, 110), write("a", 120, 130), write("a", 105, 140)}, 30, never},
		{"another takes over", []workload.Answer{write("b", 150, 170), write("b", 140, 160)}, 60, 60},
		{"another answers what was sent before", []workload.Answer{write("b", 95, 150), write("b", 151, 155)}, 55, 50},
		{"both", []workload.Answer{write("a", 101, 102), write("b", 150, 170)}, 2, 70},
		{"at the very moment", []workload.Answer{write("b", 100, 100)}, 0, 0},
	} {
		check := func(what string, got time.Duration, ok bool, want time.Duration) {
			if !ok {
				got = never
			}
			if got != want {
				t.Errorf("%s: %s %d, want %d", c.name, what, got, want)
			}
		}
		got, ok := Recovery(c.answers, 100)
		check("recovery", got, ok, c.recovery)
		got, ok = Takeover(c.answers, 100, "a")
		check("takeover", got, ok, c.takeover)
	}
}

func TestSameDigest(t *testing.T) {
	for _, c := range []struct {
		digests map[string]string
		want    string
	}{
		{nil, ""},
		{map[string]string{"a": "1"}, ""},
		{map[string]string{"a": "1", "b": "1", "c": "1"}, ""},
		{map[string]string{"a": "1", "b": "2", "c": "1"}, "after the same entries there are 2 different states: a, c: 1; b: 2"},
		{map[string]string{"a": "3", "b": "2", "c": "1"}, "after the same entries there are 3 different states: c: 1; b: 2; a: 3"},
	} {
		got := ""
		if err := SameDigest(c.digests); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.digests, got, c.want)
		}
	}
}

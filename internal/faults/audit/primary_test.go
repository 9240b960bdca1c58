package audit

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// led makes epochs 10, 20, ... of the nodes named by single letters; the witness
// saw none of their openings in time to be of use.
func led(nodes string) (epochs []Epoch) {
	for i, n := range nodes {
		epochs = append(epochs, Epoch{Epoch: int64(10 * (i + 1)), Node: string(n), First: uint64(i + 1), At: math.MaxInt64})
	}
	return epochs
}

func answer(node string, call, ret int64) workload.Answer {
	return workload.Answer{Node: node, Call: call, Return: ret}
}

func TestOnePrimary(t *testing.T) {
	type answers = []workload.Answer
	for _, c := range []struct {
		name    string
		epochs  string
		seen    map[int]int64 // when an opening was seen, by index of epoch
		answers answers
		want    string // part of the error; "" for none
	}{
		{name: "nothing"},
		{name: "one primary", epochs: "a", answers: answers{answer("a", 1, 2), answer("a", 1, 9), answer("a", 5, 6)}},
		{name: "a failover", epochs: "ab", answers: answers{answer("a", 1, 2), answer("b", 3, 4)}},
		{name: "answers in any order of the list", epochs: "ab", answers: answers{answer("b", 3, 4), answer("a", 1, 2)}},
		{name: "overlapping answers of both", epochs: "ab", answers: answers{answer("b", 1, 9), answer("a", 2, 8), answer("b", 3, 7)}},
		{
			name: "a stale answer after the next primary's", epochs: "ab",
			answers: answers{answer("a", 1, 2), answer("b", 3, 4), answer("a", 5, 6)},
			want:    "a answered a read as the primary between 5ns and 6ns, after b answered a read as the primary between 3ns and 4ns in epoch 20",
		},
		{name: "called in the very moment of the other's return", epochs: "ab", answers: answers{answer("b", 3, 4), answer("a", 4, 6)}},
		{name: "a stale answer that was long on its way", epochs: "ab", answers: answers{answer("b", 3, 4), answer("a", 1, 9)}},
		{
			name: "a stale answer after the next primary's, and one that was long on its way", epochs: "ab",
			answers: answers{answer("a", 1, 5), answer("b", 2, 3), answer("a", 6, 7)},
			want:    "a answered a read as the primary between 6ns and 7ns, after b",
		},
		{name: "a leads again", epochs: "aba", answers: answers{answer("a", 1, 2), answer("b", 3, 4), answer("a", 5, 6)}},
		{
			name: "b answers after a leads again", epochs: "aba",
			answers: answers{answer("a", 1, 2), answer("b", 3, 4), answer("a", 5, 6), answer("b", 7, 8)},
			want:    "b answered a read as the primary between 7ns and 8ns",
		},
		{
			name: "two in turns, each led twice", epochs: "abab",
			answers: answers{answer("a", 1, 2), answer("b", 3, 4), answer("a", 5, 6), answer("b", 7, 8)},
		},
		{name: "an epoch without answers", epochs: "abc", answers: answers{answer("a", 1, 2), answer("c", 3, 4)}},
		{
			name: "the order of the log is not that of the answers", epochs: "ab",
			answers: answers{answer("b", 1, 2), answer("a", 3, 4)},
			want:    "a answered",
		},
		{name: "answers do not force what the long one decides", epochs: "aba", answers: answers{answer("a", 1, 2), answer("b", 1, 9), answer("a", 3, 4)}},
		{name: "a node that never led", epochs: "a", answers: answers{answer("c", 1, 2)}, want: "c answered a read as the primary between 1ns and 2ns, which never led"},
		{name: "answers without any epoch", answers: answers{answer("a", 1, 2)}, want: "never led"},
		{
			name: "called after the next epoch was seen to be open", epochs: "ab", seen: map[int]int64{1: 5},
			answers: answers{answer("a", 6, 7)},
			want:    "after epoch 20 of b was seen to be open at 5ns",
		},
		{name: "called before it was seen to be open", epochs: "ab", seen: map[int]int64{1: 5}, answers: answers{answer("a", 5, 9)}},
		{name: "an opening seen late forces nothing", epochs: "ab", seen: map[int]int64{0: 100, 1: 100}, answers: answers{answer("b", 1, 2)}},
		{
			name: "a write", epochs: "ab",
			answers: answers{answer("b", 1, 2), {Node: "a", Call: 2_000_000, Return: 3_000_000, Write: true}},
			want:    "a answered a write as the primary between 2ms and 3ms",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			epochs := led(c.epochs)
			for i, at := range c.seen {
				for j := range i + 1 { // seen in order
					epochs[j].At = min(epochs[j].At, at)
				}
			}
			err := OnePrimary(epochs, c.answers)
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

// Trying every moment at which each epoch may have begun must come to the same
// judgement.
func TestOnePrimaryAgainstBruteForce(t *testing.T) {
	const last = 7 // latest time
	rng := rand.New(rand.NewPCG(3, 5))
	nodes := []string{"a", "b", "c"}
	accepted, refused := 0, 0
	for range 20_000 {
		var order string
		for range rng.IntN(5) {
			order += nodes[rng.IntN(len(nodes))]
		}
		epochs := led(order)
		seen := int64(0)
		for i := range epochs {
			seen += rng.Int64N(5)
			epochs[i].At = seen
		}
		var answers []workload.Answer
		for range rng.IntN(7) {
			call := rng.Int64N(last + 1)
			answers = append(answers, answer(nodes[rng.IntN(len(nodes))], call, call+rng.Int64N(last+1-call)))
		}
		want := explainable(epochs, answers, last)
		if err := OnePrimary(epochs, answers); (err == nil) != want {
			t.Fatalf("epochs %+v, answers %+v: explainable %v, judged %v", epochs, answers, want, err)
		}
		if want {
			accepted++
		} else {
			refused++
		}
	}
	if accepted < 1000 || refused < 1000 {
		t.Fatalf("%d accepted, %d refused: the inputs test little", accepted, refused)
	}
}

// explainable tries every way to place the beginnings of epochs 1.. on the times
// 0..last, none later than it was seen.
func explainable(epochs []Epoch, answers []workload.Answer, last int64) bool {
	begin := []int64{math.MinInt64}
	var place func() bool
	place = func() bool {
		if len(begin) >= len(epochs) {
			return explains(epochs, begin, answers)
		}
		i := len(begin)
		for at := max(0, begin[i-1]); at <= min(last, epochs[i].At); at++ {
			begin = append(begin, at)
			if place() {
				return true
			}
			begin = begin[:i]
		}
		return false
	}
	return place()
}

// explains tells whether every answer has an instant in a time when its node led.
func explains(epochs []Epoch, begin []int64, answers []workload.Answer) bool {
	for _, a := range answers {
		ok := false
		for i, e := range epochs {
			end := int64(math.MaxInt64)
			if i+1 < len(epochs) {
				end = begin[i+1]
			}
			ok = ok || e.Node == a.Node && max(a.Call, begin[i]) <= min(a.Return, end)
		}
		if !ok {
			return false
		}
	}
	return true
}

// A round has some hundred thousand answers.
func TestOnePrimaryOfManyAnswers(t *testing.T) {
	const epochs, each = 50, 4000
	all := led(strings.Repeat("ab", epochs/2))
	var answers []workload.Answer
	for i := range all {
		for k := range each {
			at := int64(i*each + k)
			answers = append(answers, answer(all[i].Node, at, at+int64(k%3)))
		}
	}
	if err := OnePrimary(all, answers); err != nil {
		t.Fatal(err)
	}
	stale := int64(len(answers)) + 10
	if err := OnePrimary(all, append(answers, answer("a", stale, stale+1))); err == nil {
		t.Fatalf("an answer of a at %d, long after the last epoch, was accepted", stale)
	}
}

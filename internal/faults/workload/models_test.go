package workload

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

// verdict is a history and whether a correct server can have given it.
type verdict struct {
	name    string
	legal   bool
	history []porcupine.Operation
}

// op is an operation that was answered.
func op(call, answered int64, input, output any) porcupine.Operation {
	return porcupine.Operation{Input: input, Output: output, Call: call, Return: answered}
}

// lost is an operation whose answer did not come.
func lost(call int64, input any) porcupine.Operation {
	return porcupine.Operation{Input: input, Call: call, Return: Never}
}

func judgeAll(t *testing.T, model porcupine.Model, verdicts []verdict) {
	t.Helper()
	for _, v := range verdicts {
		t.Run(v.name, func(t *testing.T) {
			if got := porcupine.CheckOperations(model, v.history); got != v.legal {
				t.Errorf("accepted: %v, want %v", got, v.legal)
			}
		})
	}
}

// dice is where choices come from: a *rand.Rand, or what rapid draws.
type dice interface{ IntN(n int) int }

type drawn struct{ *rapid.T }

func (d drawn) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(d.T, "") }

// reference is a sequential server that knows nothing of the models.
type reference interface {
	// choose draws the i-th operation; write is whether it may change anything.
	choose(d dice, i int) (input any, write bool)
	// apply runs it and returns its output.
	apply(input any) (output any)
	// readAll is an operation whose output is all there is.
	readAll() (input any)
	// forge is another output than the right one; nil when another would be
	// right as well.
	forge(d dice, input, output any) any
	// alien is the output of a read that nothing which was ever written explains.
	alien(output any) any
}

// subject is a model with its reference.
type subject struct {
	name    string
	model   porcupine.Model
	fresh   func() reference
	perLife int // operations that one key gets in its life
	unknown int // of them may be without an answer
}

var subjects = []subject{
	{"register", registerModel, func() reference { return &registerReference{} }, 2000, maxUnknown},
	{"counter", counterModel, func() reference { return &counterReference{} }, 2000, maxUnknown},
	{"hash", hashModel, func() reference { return hashReference{} }, 2000, maxUnknown},
	{"bank", bankModel, func() reference { return bankReference{} }, 2000, maxUnknown},
	{"mixed", mixedModel, func() reference { return &mixedReference{} }, 2000, maxUnknown},
	{"queue", queueModel, func() reference { return &queueReference{} }, 600, fewUnknown + 2},
	{"set", setModel, func() reference { return &setReference{} }, 600, fewUnknown + 2},
	{"zset", zsetModel, func() reference { return &zsetReference{} }, 600, fewUnknown + 2},
}

// execution is a history of n operations that were really executed one after the
// other, pace apart, each within the time its client waited for the answer.
type execution struct {
	server  reference
	history []porcupine.Operation
	reads   []int // operations that changed nothing
}

const pace = 100

// execute runs n operations and reads everything in the end. Clients wait up to
// spread before and after the moment of execution; up to unknown writes stay
// without an answer: of these some are executed at once, some late and some never.
func execute(d dice, server reference, n int, spread int64, unknown int) execution {
	e := execution{server: server}
	var late []any
	for i := range n {
		if len(late) > 0 && d.IntN(max(1, n/8)) == 0 {
			server.apply(late[0])
			late = late[1:]
		}
		input, write := server.choose(d, i)
		at := int64(i+1) * pace
		call, answered := at, at
		if spread > 0 {
			call, answered = at-int64(d.IntN(int(spread))), at+int64(d.IntN(int(spread)))
		}
		// Spread over the whole history, so that many others overlap with each.
		if write && unknown > 0 && i > 0 && d.IntN(max(1, n/16)) == 0 {
			unknown--
			switch d.IntN(3) {
			case 0:
				server.apply(input)
			case 1:
				late = append(late, input)
			}
			e.history = append(e.history, lost(call, input))
			continue
		}
		if !write {
			e.reads = append(e.reads, len(e.history))
		}
		e.history = append(e.history, op(call, answered, input, server.apply(input)))
	}
	end := int64(n+1)*pace + spread
	e.reads = append(e.reads, len(e.history))
	e.history = append(e.history, op(end, end, server.readAll(), server.apply(server.readAll())))
	return e
}

func TestModelsAcceptWhatWasExecuted(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) {
			e := execute(drawn{t}, s.fresh(), rapid.IntRange(1, 60).Draw(t, "operations"), 5*pace, s.unknown)
			if !porcupine.CheckOperations(s.model, e.history) {
				t.Fatalf("rejected: %v", e.history)
			}
		}))
	}
}

// TestModelsRejectAnyOtherAnswer: where nothing overlaps there is only one right
// answer.
func TestModelsRejectAnyOtherAnswer(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) {
			d := drawn{t}
			e := execute(d, s.fresh(), rapid.IntRange(1, 40).Draw(t, "operations"), 0, 0)
			i := rapid.IntRange(0, len(e.history)-1).Draw(t, "forged")
			forged := e.server.forge(d, e.history[i].Input, e.history[i].Output)
			if forged == nil {
				i = len(e.history) - 1 // reads everything, which can always be forged
				forged = e.server.forge(d, e.history[i].Input, e.history[i].Output)
			}
			right := e.history[i].Output
			e.history[i].Output = forged
			if porcupine.CheckOperations(s.model, e.history) {
				t.Fatalf("accepted %v in place of %v at %d in %v", forged, right, i, e.history)
			}
		}))
	}
}

// TestModelsRejectValuesFromNowhere: whatever overlaps and whatever is unknown,
// nobody can read what nobody wrote.
func TestModelsRejectValuesFromNowhere(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) {
			d := drawn{t}
			e := execute(d, s.fresh(), rapid.IntRange(1, 40).Draw(t, "operations"), 5*pace, 3)
			i := rapid.SampledFrom(e.reads).Draw(t, "forged")
			e.history[i].Output = e.server.alien(e.history[i].Output)
			if porcupine.CheckOperations(s.model, e.history) {
				t.Fatalf("accepted %v at %d in %v", e.history[i].Output, i, e.history)
			}
		}))
	}
}

// TestWhatIsLeftOutChangesNoVerdict: models leave out operations of unknown
// outcome that cannot matter.
func TestWhatIsLeftOutChangesNoVerdict(t *testing.T) {
	for _, s := range subjects {
		if s.model.Partition == nil {
			continue
		}
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) {
			d := drawn{t}
			e := execute(d, s.fresh(), rapid.IntRange(1, 25).Draw(t, "operations"), 5*pace, s.unknown)
			for range rapid.IntRange(0, 3).Draw(t, "forgeries") {
				o := &e.history[rapid.IntRange(0, len(e.history)-1).Draw(t, "forged")]
				if o.Output == nil {
					continue
				}
				if forged := e.server.forge(d, o.Input, o.Output); forged != nil {
					o.Output = forged
				}
			}
			whole := s.model
			whole.Partition = nil
			want := porcupine.CheckOperations(whole, e.history)
			if got := porcupine.CheckOperations(s.model, e.history); got != want {
				t.Fatalf("accepted: %v, and of the whole history: %v: %v", got, want, e.history)
			}
		}))
	}
}

// judgedWithin is far more than the search takes, so that a slow machine does
// not fail the test; with a model that makes it try all subsets at every step it
// would take hours.
const judgedWithin = 20 * time.Second

// TestModelsDecide: what one key gets in its life, with as many unknown outcomes
// as a key may have, is judged either way.
func TestModelsDecide(t *testing.T) {
	for _, s := range subjects {
		for seed := range uint64(3) {
			for _, forged := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/forged=%v", s.name, seed, forged), func(t *testing.T) {
					e := execute(rand.New(rand.NewPCG(seed, 1)), s.fresh(), s.perLife, 2*pace, s.unknown)
					want := porcupine.Ok
					if forged {
						last := &e.history[len(e.history)-1]
						last.Output, want = e.server.alien(last.Output), porcupine.Illegal
					}
					start := time.Now()
					if got := porcupine.CheckOperationsTimeout(s.model, e.history, judgedWithin); got != want {
						t.Errorf("judged %v, want %v", got, want)
					}
					t.Logf("took %v", time.Since(start))
				})
			}
		}
	}
}

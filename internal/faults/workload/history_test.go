package workload

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

func TestClock(t *testing.T) {
	c := NewClock()
	before := c.Now()
	at := c.At(time.Now())
	after := c.Now()
	if before < 0 || at < before || after < at {
		t.Errorf("times go back: %d, %d, %d", before, at, after)
	}
	if d := c.At(c.start.Add(time.Second)); d != int64(time.Second) {
		t.Errorf("a second after the start is %d", d)
	}
	if d := c.At(c.start.Round(0).Add(time.Second)); d != int64(time.Second) {
		t.Errorf("a second after the start by the wall clock is %d", d)
	}
}

func TestViolations(t *testing.T) {
	v := NewViolations()
	select {
	case <-v.Found():
		t.Fatal("found before there is anything")
	default:
	}
	const all = maxViolations + 7
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { v.Add(Violation{At: int64(i), Workload: "w", What: "broken"}) })
	}
	wg.Wait()
	<-v.Found()
	kept, more := v.List()
	if len(kept) != maxViolations || more != all-maxViolations {
		t.Errorf("kept %d, %d more, of %d", len(kept), more, all)
	}
	if s := (Violation{At: int64(1500 * time.Millisecond), Workload: "w", What: "broken"}).String(); s != "1.5s w: broken" {
		t.Errorf("String() = %q", s)
	}
}

func TestReport(t *testing.T) {
	env := newEnv()
	env.Report("w", "%d of %d", 1, 2)
	kept, _ := env.List()
	if len(kept) != 1 || kept[0].Workload != "w" || kept[0].What != "1 of 2" || kept[0].At <= 0 {
		t.Errorf("reported %+v", kept)
	}
}

func TestAnswers(t *testing.T) {
	var a Answers
	a.add(Result{Outcome: Done, Node: "node-0", Call: 1, Return: 2}, true)
	a.add(Result{Outcome: Aborted, Node: "node-1", Call: 3, Return: 4}, false)
	a.add(Result{Outcome: Refused, Node: "node-2", Call: 5, Return: 6}, true)
	a.add(Result{Outcome: Unknown, Node: "node-2", Call: 7, Return: 8}, true)
	want := fmt.Sprint([]Answer{{"node-0", 1, 2, true}, {"node-1", 3, 4, false}})
	if got := fmt.Sprint(a.List()); got != want {
		t.Errorf("answers %s, want %s", got, want)
	}
	if got := a.Counts(); got != (Counts{Done: 2, Refused: 1, Unknown: 1}) {
		t.Errorf("counts %+v", got)
	}
	if got := a.Unknowns(); len(got) != 1 || got[0] != 8 {
		t.Errorf("unknowns %v", got)
	}
}

func TestOperations(t *testing.T) {
	failed, never := errors.New("failed"), fmt.Sprint(Never, " <nil>")
	for _, tt := range []struct {
		outcome     Outcome
		err         error
		read, write string // what is kept: return and output
	}{
		{Done, nil, "9 out", "9 out"},
		{Done, failed, "", never},
		{Aborted, nil, "9 out", "9 out"},
		{Refused, failed, "", ""},
		{Unknown, failed, "", never},
	} {
		r := Result{Outcome: tt.outcome, Call: 8, Return: 9, Process: 3, Err: tt.err}
		var o operations
		o.addRead("read", r, "in", "out")
		o.addWrite("write", r, "in", "out")
		for key, want := range map[string]string{"read": tt.read, "write": tt.write} {
			var got []string
			for _, op := range o.byKey[key] {
				if op.ClientId != 3 || op.Call != 8 || op.Input != "in" {
					t.Errorf("%v %s: kept %+v", tt.outcome, key, op)
				}
				got = append(got, fmt.Sprint(op.Return, " ", op.Output))
			}
			if strings.Join(got, ";") != want {
				t.Errorf("%v %s: kept %q, want %q", tt.outcome, key, got, want)
			}
		}
	}
}

// TestCheckKeys: each key is judged on its own, and what cannot be explained is
// reported with a picture.
func TestCheckKeys(t *testing.T) {
	model := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			if input != nil {
				return true, input
			}
			return output == state, state
		},
	}
	var o operations
	at := func(call int64) Result { return Result{Call: call, Return: call + 1} }
	o.addWrite("good", at(1), 7, nil)
	o.addRead("good", at(3), nil, 7)
	o.addWrite("bad", at(1), 7, nil)
	o.addRead("bad", at(3), nil, 0)
	env := newEnv()
	if err := o.checkKeys(t.Context(), env, "w", model); err != nil {
		t.Fatal(err)
	}
	kept, _ := env.List()
	if len(kept) != 1 || !strings.Contains(kept[0].What, "2 operations on bad ") {
		t.Fatalf("found %v, want only the key that is bad", kept)
	}
	if err := kept[0].Picture(t.TempDir() + "/bad.html"); err != nil {
		t.Error(err)
	}
	if n := o.count(); n != 4 {
		t.Errorf("%d operations, want 4", n)
	}
}

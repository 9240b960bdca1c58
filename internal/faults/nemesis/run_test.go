package nemesis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// fake is a runner whose nemeses are a test's.
func fake(observe func(Event), all ...Nemesis) *runner {
	return &runner{
		env: &Env{Lease: time.Second, Scale: 1}, table: byName(all), within: time.Minute,
		healthy: func(context.Context) error { return nil }, observe: observe,
	}
}

func quick(name string, do func(context.Context, *Env) error) Nemesis {
	return Nemesis{Name: name, do: do}
}

func hit(_ context.Context, e *Env) error {
	e.record.hit("node-1")
	return nil
}

func TestStepTellsWhatHappened(t *testing.T) {
	var got []Event
	r := fake(func(ev Event) { got = append(got, ev) }, quick("x", hit))
	recovered := time.Time{}
	r.healthy = func(context.Context) error { recovered = time.Now(); return nil }
	before := time.Now()
	if err := r.step(t.Context(), Step{Nemesis: "x", After: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Fatalf("events: %+v", got)
	}
	ev := got[0]
	if ev.Name != "x" || ev.Node != "node-1" || ev.With != "" || ev.Err != nil || !ev.Led.IsZero() {
		t.Errorf("%+v", ev)
	}
	times := []time.Time{before, before.Add(time.Millisecond), ev.Start, ev.Injected, ev.Healed, recovered, ev.End, time.Now()}
	if !slices.IsSortedFunc(times, time.Time.Compare) {
		t.Errorf("times out of order: %v", times)
	}
}

func TestStepSeedsChoices(t *testing.T) {
	var drawn []uint64
	r := fake(func(Event) {}, quick("x", func(_ context.Context, e *Env) error {
		drawn = append(drawn, e.Rand.Uint64())
		return nil
	}))
	for _, seed := range []uint64{1, 1, 2} {
		if err := r.step(t.Context(), Step{Nemesis: "x", Seed: seed}); err != nil {
			t.Fatal(err)
		}
	}
	if drawn[0] != drawn[1] || drawn[1] == drawn[2] {
		t.Errorf("seeds 1, 1 and 2 drew %x", drawn)
	}
}

func TestStepNotRecovered(t *testing.T) {
	var got []Event
	r := fake(func(ev Event) { got = append(got, ev) }, quick("x", hit))
	r.within = 10 * time.Millisecond
	r.healthy = func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("node-2 does not run")
	}
	err := r.step(t.Context(), Step{Nemesis: "x"})
	if !errors.Is(err, ErrNotRecovered) || !strings.Contains(err.Error(), "node-2 does not run") {
		t.Errorf("error: %v", err)
	}
	if len(got) != 1 || got[0].End.IsZero() {
		t.Errorf("events: %+v", got)
	}
}

func TestStepFails(t *testing.T) {
	var got []Event
	boom := errors.New("boom")
	r := fake(func(ev Event) { got = append(got, ev) }, quick("x", func(context.Context, *Env) error { return boom }))
	r.healthy = func(context.Context) error { t.Error("waited for a shard that is not healed"); return nil }
	err := r.step(t.Context(), Step{Nemesis: "x"})
	if !errors.Is(err, boom) || errors.Is(err, ErrNotRecovered) {
		t.Errorf("error: %v", err)
	}
	if len(got) != 1 || got[0].Err != boom || got[0].Injected != got[0].Start {
		t.Errorf("events: %+v", got)
	}
}

func TestStepEnds(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := fake(func(Event) {}, quick("x", func(ctx context.Context, e *Env) error {
		cancel(why)
		return pause(ctx, time.Hour)
	}))
	if err := r.step(ctx, Step{Nemesis: "x"}); err != why {
		t.Errorf("ended with %v, want %v", err, why)
	}
}

func TestStepInParts(t *testing.T) {
	var got []Event
	r := fake(func(ev Event) { got = append(got, ev) },
		quick("x", func(_ context.Context, e *Env) error {
			e.record.part(Event{Node: "a"})
			e.record.part(Event{Node: "b"})
			return nil
		}))
	if err := r.step(t.Context(), Step{Nemesis: "x"}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "x" || got[0].Node != "a" || got[1].Node != "b" {
		t.Errorf("events: %+v", got)
	}
}

// TestGuest: it begins once its host has taken hold, and both are waited for.
func TestGuest(t *testing.T) {
	var got []Event
	begun, end := make(chan struct{}), make(chan struct{})
	var order []string
	r := fake(func(ev Event) { got = append(got, ev) },
		quick("host", func(_ context.Context, e *Env) error {
			order = append(order, "host")
			e.record.hit("")
			<-begun
			close(end)
			return nil
		}),
		quick("guest", func(_ context.Context, e *Env) error {
			order = append(order, "guest")
			close(begun)
			<-end
			e.record.hit("")
			return nil
		}))
	if err := r.step(t.Context(), Step{Nemesis: "host", During: &Step{Nemesis: "guest"}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"host", "guest"}) {
		t.Errorf("order: %v", order)
	}
	if len(got) != 2 || got[0].Name != "host" || got[0].With != "guest" || got[1].Name != "guest" || got[1].With != "host" {
		t.Errorf("events: %+v", got)
	}
}

// TestGuestOfHostThatNeverTookHold runs all the same: its host is not there any
// more to disturb it.
func TestGuestOfHostThatNeverTookHold(t *testing.T) {
	var got []Event
	r := fake(func(ev Event) { got = append(got, ev) },
		quick("host", func(context.Context, *Env) error { return nil }), quick("guest", hit))
	if err := r.step(t.Context(), Step{Nemesis: "host", During: &Step{Nemesis: "guest"}}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Errorf("events: %+v", got)
	}
}

func TestGuestIsEndedWithItsHost(t *testing.T) {
	boom := errors.New("boom")
	begun := make(chan struct{})
	r := fake(func(Event) {},
		quick("host", func(_ context.Context, e *Env) error {
			e.record.hit("")
			<-begun
			return boom
		}),
		quick("guest", func(ctx context.Context, _ *Env) error {
			close(begun)
			return pause(ctx, time.Hour)
		}))
	if err := r.step(t.Context(), Step{Nemesis: "host", During: &Step{Nemesis: "guest"}}); !errors.Is(err, boom) {
		t.Errorf("error: %v", err)
	}
}

// TestFatal: what testenv's Fatalf does in either nemesis reaches whoever called
// Run, once both have ended.
func TestFatal(t *testing.T) {
	type fatal struct{ message string }
	for _, who := range []string{"host", "guest"} {
		ended := make(map[string]bool)
		nemesis := func(name string) Nemesis {
			return quick(name, func(context.Context, *Env) error {
				defer func() { ended[name] = true }()
				if name == who {
					panic(fatal{name})
				}
				return nil
			})
		}
		r := fake(func(Event) {}, nemesis("host"), nemesis("guest"))
		raised := func() (raised any) {
			defer func() { raised = recover() }()
			_ = r.step(t.Context(), Step{Nemesis: "host", During: &Step{Nemesis: "guest"}})
			return nil
		}()
		if raised != (fatal{who}) || !ended[who] {
			t.Errorf("%s: raised %v, ended %v", who, raised, ended)
		}
	}
}

// TestGuestGoexit: a test's Fatalf ends the goroutine without a panic.
func TestGuestGoexit(t *testing.T) {
	r := fake(func(Event) {}, quick("host", hit), quick("guest", func(context.Context, *Env) error {
		runtime.Goexit()
		return nil
	}))
	if err := r.step(t.Context(), Step{Nemesis: "host", During: &Step{Nemesis: "guest"}}); !errors.Is(err, errAborted) {
		t.Errorf("error: %v", err)
	}
}

func TestClaims(t *testing.T) {
	c := &claims{}
	if !c.take("a") || !c.take("b") {
		t.Fatal("nobody had them")
	}
	if c.take("a") {
		t.Error("taken twice")
	}
	c.release("a")
	if !c.take("a") {
		t.Error("was released")
	}
}

func TestDraws(t *testing.T) {
	r := fake(func(Event) {}, quick("x", func(_ context.Context, e *Env) error {
		for range 1000 {
			if d := e.lease(0.5, 0.8); d < 500*time.Millisecond || d > 800*time.Millisecond {
				return fmt.Errorf("drew %v from 0.5 to 0.8 of a second", d)
			}
		}
		if a, b := noise(e.Rand, 100), noise(e.Rand, 100); len(a) != 100 || slices.Equal(a, b) {
			return fmt.Errorf("noise %x and %x", a, b)
		}
		return nil
	}))
	if err := r.step(t.Context(), Step{Nemesis: "x"}); err != nil {
		t.Error(err)
	}
}

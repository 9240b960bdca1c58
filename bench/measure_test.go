package main

import (
	"context"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"
)

func TestMeasureAlternates(t *testing.T) {
	b := &bencher{options: options{rounds: 3, requests: 10}, progress: io.Discard, started: time.Now()}
	var order []string
	contest := func(name string, ops float64) contestant {
		return contestant{name, func(_ context.Context, n int) (sample, error) {
			order = append(order, name)
			return sample{Requests: n, Ops: ops}, nil
		}}
	}
	results, err := b.measure(t.Context(), benchCase{opGet, 1, 1}, []contestant{contest("a", 1), contest("b", 2), contest("c", 3)})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "c", "b", "c", "a", "c", "a", "b"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for i, r := range results {
		if r.Ops != float64(i+1) || r.Requests != 10 {
			t.Errorf("result %d: %+v", i, r)
		}
	}
}

func TestMeasureStopsAtAnError(t *testing.T) {
	b := &bencher{options: options{rounds: 1, seconds: 1}, progress: io.Discard, started: time.Now()}
	broken := errors.New("broken")
	_, err := b.measure(t.Context(), benchCase{opGet, 1, 1}, []contestant{{"x", func(context.Context, int) (sample, error) {
		return sample{}, broken
	}}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestCalibrate(t *testing.T) {
	b := &bencher{options: options{seconds: 2}}
	for _, c := range []struct {
		rate float64 // of the server
		k    benchCase
		want int
	}{
		{5000, benchCase{opSet, 1, 1}, 10_000},
		{100, benchCase{opSet, 50, 16}, 800},             // a batch of each client at least
		{100_000_000, benchCase{opGet, 1, 1}, 5_000_000}, // bounded
	} {
		runs := 0
		got, err := b.calibrate(t.Context(), c.k, contestant{"x", func(_ context.Context, n int) (sample, error) {
			runs++
			return sample{Requests: n, Ops: c.rate}, nil
		}})
		if err != nil || got != c.want || runs > calibrationRuns {
			t.Errorf("%v at %v/s: %d requests, %v after %d runs, want %d", c.k, c.rate, got, err, runs, c.want)
		}
	}
}

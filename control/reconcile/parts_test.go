package reconcile

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
)

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, ctx := newQueue(), t.Context()
		began := time.Now()
		next := func() string { k, _ := q.next(ctx); return k }
		q.add("a")
		q.add("a")
		q.add("b")
		if a, b := next(), next(); a != "a" || b != "b" {
			t.Errorf("got %s, %s", a, b)
		}
		q.add("a") // while it is worked on
		if q.depth() != 0 {
			t.Error("one key is with two workers")
		}
		q.done("a", 0, nil)
		if k := next(); k != "a" || time.Since(began) != 0 {
			t.Errorf("got %s after %v", k, time.Since(began))
		}
		q.done("a", time.Minute, nil)
		q.done("b", 0, errors.New("failed"))
		if k, took := next(), time.Since(began); k != "b" || took < minRetry/2 || took > minRetry {
			t.Errorf("got %s after %v", k, took)
		}
		for range 20 { // longer each time, up to a bound
			q.done("b", 0, errors.New("failed"))
			at := time.Now()
			if k := next(); k == "a" {
				q.done("a", 0, nil)
				next()
			}
			if took := time.Since(at); took > maxRetry {
				t.Errorf("waited for %v", took)
			}
		}
		if total := time.Since(began); total < 2*time.Minute {
			t.Errorf("20 failures took only %v", total)
		}
		q.close()
		q.add("c")
		if q.depth() != 0 {
			t.Error("closed, it takes keys")
		}
	})
}

func TestJobsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJobs(t.Context(), 2, time.Now)
		var running, most, mine atomic.Int32
		work := func(cluster string) func(context.Context, func(string)) (any, error) {
			return func(context.Context, func(string)) (any, error) {
				most.Store(max(most.Load(), running.Add(1)))
				if cluster == "x" && mine.Add(1) > 1 {
					t.Error("two of one cluster at a time")
				}
				time.Sleep(time.Second)
				running.Add(-1)
				if cluster == "x" {
					mine.Add(-1)
				}
				return cluster, nil
			}
		}
		for _, k := range []string{"1", "2", "3"} {
			j.start("x", k, work("x"), func() {})
			j.start("x", k, work("x"), func() {}) // it runs
		}
		j.running.Wait()
		for _, k := range []string{"1", "2", "3"} {
			j.start("y"+k, k, work("y"), func() {})
		}
		j.running.Wait()
		if most.Load() != 2 {
			t.Errorf("%d at a time", most.Load())
		}
		if one := j.of("x")["1"]; !one.Done || one.Tries != 1 || j.result("x", "1") != "x" {
			t.Errorf("%+v", one)
		}
		j.start("x", "bad", func(context.Context, func(string)) (any, error) { return nil, ErrPermanent }, func() {})
		j.running.Wait()
		if one := j.of("x")["bad"]; one.Done || !one.Permanent || one.Err == "" || !one.RetryAt.After(time.Now()) {
			t.Errorf("%+v", one)
		}
		j.forget("x", "bad")
		if _, known := j.of("x")["bad"]; known {
			t.Error("not forgotten")
		}
	})
}

func TestMemory(t *testing.T) {
	m, at := newMemory(), noon
	assigned := []Assigned{{Host: "a", Assignment: fleet.Assignment{Cluster: "c", Node: "n", Generation: 1}}, {Host: "z"}}
	see := func(ids ...string) map[string]Host {
		var live []fleet.Host
		for _, id := range ids {
			live = append(live, fleet.Host{ID: id, AZ: "az-" + id, Started: noon.Add(-time.Hour)})
		}
		out := map[string]Host{}
		for _, h := range m.see(at, live, assigned) {
			out[h.ID] = h
		}
		return out
	}
	got := see("a", "b")
	if h := got["a"]; !h.Alive || !h.Since.Equal(noon.Add(-time.Hour)) {
		t.Errorf("a: %+v", h)
	}
	if h := got["z"]; h.Alive || !h.Since.Equal(noon) {
		t.Errorf("a host that was gone before: %+v", h)
	}
	at = at.Add(time.Minute)
	got = see()
	if h := got["a"]; h.Alive || !h.Since.Equal(at) || h.AZ != "az-a" {
		t.Errorf("a is gone: %+v", h)
	}
	if _, known := got["b"]; known {
		t.Error("a host without nodes is remembered")
	}
	since := at
	at = at.Add(time.Minute)
	if h := see()["a"]; !h.Since.Equal(since) {
		t.Errorf("a is still gone: %+v", h)
	}
	if h := see("a")["a"]; !h.Alive || !h.Since.Equal(at) {
		t.Errorf("a is back: %+v", h)
	}

	down := func(nodes ...etcdfence.NodeInfo) time.Time {
		m.notServing(at, "c", assigned, nodes)
		return assigned[0].NotServing
	}
	if got := down(); !got.Equal(at) {
		t.Errorf("not serving since %v", got)
	}
	since, at = at, at.Add(time.Minute)
	if got := down(etcdfence.NodeInfo{ID: "n", Role: roleLoading}); !got.Equal(since) {
		t.Errorf("not serving since %v", got)
	}
	assigned[0].Generation++
	if got := down(); !got.Equal(at) {
		t.Errorf("another assignment, not serving since %v", got)
	}
	at = at.Add(time.Minute)
	assigned[0].NotServing = time.Time{}
	if got := down(etcdfence.NodeInfo{ID: "n", Role: roleReplica}); !got.IsZero() {
		t.Errorf("serving, not serving since %v", got)
	}
	if got := down(); !got.Equal(at) {
		t.Errorf("again not serving since %v", got)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Operations of a case.
const (
	opGet  = "GET"
	opSet  = "SET"
	opMix  = "80% GET, 20% SET"
	opTrio = "SET on three disks"
)

// benchCase is one load, put on several servers in turn.
type benchCase struct {
	Op       string
	Clients  int
	Pipeline int
}

func (c benchCase) String() string {
	return fmt.Sprintf("%s -c %d -P %d", c.Op, c.Clients, c.Pipeline)
}

// contestant is a server or a probe in a case: run does about so many requests.
type contestant struct {
	name string
	run  func(ctx context.Context, requests int) (sample, error)
}

// options are what the command line sets.
type options struct {
	rounds    int
	seconds   float64 // of one measurement, about
	requests  int     // of one measurement, instead of seconds
	keys      int
	size      int
	ops       []string
	clients   []int
	pipelines []int
}

// cases lists a set's cases: every operation with every number of clients and
// depth of pipeline.
func (o options) cases(extra ...string) []benchCase {
	var cases []benchCase
	for _, op := range append(append([]string(nil), o.ops...), extra...) {
		for _, p := range o.pipelines {
			for _, c := range o.clients {
				cases = append(cases, benchCase{op, c, p})
			}
		}
	}
	return cases
}

// bencher runs cases and reports progress.
type bencher struct {
	options
	benchmark string // path of redis-benchmark
	progress  io.Writer
	started   time.Time
}

func (b *bencher) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "[%4.0fs] %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// fill gives a server all keys of the load, so that every GET finds one.
func (b *bencher) fill(ctx context.Context, s *server) error {
	_, err := load{
		addr: s.addr, clients: 8, pipeline: 64, requests: b.keys, writes: allWrites,
		keys: b.keys, size: b.size, fill: true,
	}.run(ctx)
	if err != nil {
		return fmt.Errorf("fill %s: %w", s.name, err)
	}
	return nil
}

// on makes a contestant of a server. Single commands come from redis-benchmark; what
// it cannot do, and what is compared with that, from our own load.
func (b *bencher) on(s *server, c benchCase) contestant {
	l := load{
		addr: s.addr, clients: c.Clients, pipeline: c.Pipeline,
		keys: b.keys, size: b.size, wait: s.wait,
	}
	switch c.Op {
	case opMix:
		l.writes = 1
	case opTrio:
		l.writes = allWrites
	}
	own, isTest := testOf(c.Op)
	return contestant{s.name, func(ctx context.Context, requests int) (sample, error) {
		l.requests = requests
		front, all, cpuErr := s.cpu()
		var got sample
		var err error
		if isTest {
			got, err = redisBenchmark(ctx, b.benchmark, own, s.addr, l)
		} else {
			got, err = l.run(ctx)
		}
		if err != nil {
			return sample{}, fmt.Errorf("%s: %w", s.name, err)
		}
		got.ServerCPU, got.AllCPU = unknown, unknown
		if frontAfter, allAfter, err := s.cpu(); err == nil && cpuErr == nil {
			got.ServerCPU = (frontAfter - front) / time.Duration(got.Requests)
			got.AllCPU = (allAfter - all) / time.Duration(got.Requests)
		}
		return got, nil
	}}
}

// measure puts one case on all its contestants, round by round, each round
// beginning with another one.
func (b *bencher) measure(ctx context.Context, c benchCase, contestants []contestant) ([]result, error) {
	requests := make([]int, len(contestants))
	for i, t := range contestants {
		n, err := b.calibrate(ctx, c, t)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", c, err)
		}
		requests[i] = n
	}
	samples := make([][]sample, len(contestants))
	for round := range b.rounds {
		for k := range contestants {
			i := (round + k) % len(contestants)
			s, err := contestants[i].run(ctx, requests[i])
			if err != nil {
				return nil, fmt.Errorf("%v: %w", c, err)
			}
			samples[i] = append(samples[i], s)
			b.say("%v, round %d of %d: %s, %s/s", c, round+1, b.rounds, contestants[i].name, thousands(s.Ops))
		}
	}
	results := make([]result, len(contestants))
	for i := range contestants {
		results[i] = summarize(samples[i])
	}
	return results, nil
}

const (
	maxRequests     = 5_000_000
	calibrationRuns = 4
	calibrationTime = 100 * time.Millisecond // long enough to tell a rate
)

// calibrate finds how many requests take about the time of a measurement, by
// short runs that grow, which also warm the server up.
func (b *bencher) calibrate(ctx context.Context, c benchCase, t contestant) (int, error) {
	if b.requests > 0 {
		return b.requests, nil
	}
	n := 2 * c.Clients * c.Pipeline
	n = max(n, 100)
	var s sample
	for range calibrationRuns {
		var err error
		if s, err = t.run(ctx, n); err != nil {
			return 0, err
		}
		if float64(n)/s.Ops >= calibrationTime.Seconds() {
			break
		}
		n = n * 8
	}
	return max(min(int(s.Ops*b.seconds), maxRequests), c.Clients*c.Pipeline), nil
}

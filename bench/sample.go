package main

import (
	"slices"
	"time"
)

// unknown marks processor time that could not be measured.
const unknown time.Duration = -1

// sample is what one measurement found, or the median of several.
type sample struct {
	Requests int
	Ops      float64       // requests a second
	P50, P99 time.Duration // of a request, of a batch when requests are pipelined
	// Processor time a request: of the process that answers clients, and of all
	// that belong to it (etcd members, replicas).
	ServerCPU, AllCPU time.Duration
}

// result is what all rounds of one case found about one server.
type result struct {
	sample         // medians, each of its own
	minOps, maxOps float64
}

// summarize returns the medians of at least one sample.
func summarize(samples []sample) result {
	ops := each(samples, func(s sample) float64 { return s.Ops })
	return result{
		sample: sample{
			Requests:  samples[0].Requests,
			Ops:       median(ops),
			P50:       median(each(samples, func(s sample) time.Duration { return s.P50 })),
			P99:       median(each(samples, func(s sample) time.Duration { return s.P99 })),
			ServerCPU: median(each(samples, func(s sample) time.Duration { return s.ServerCPU })),
			AllCPU:    median(each(samples, func(s sample) time.Duration { return s.AllCPU })),
		},
		minOps: slices.Min(ops),
		maxOps: slices.Max(ops),
	}
}

func each[T any](samples []sample, get func(sample) T) []T {
	out := make([]T, len(samples))
	for i, s := range samples {
		out[i] = get(s)
	}
	return out
}

// median returns the middle value, of an even number the mean of the middle two.
func median[T float64 | time.Duration](values []T) T {
	v := slices.Clone(values)
	slices.Sort(v)
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

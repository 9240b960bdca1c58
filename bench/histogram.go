package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets 1/64 of their value wide, so that a
// quantile is off by at most 1.6 %, in memory that does not grow with the count.
type histogram struct {
	buckets [buckets]uint32
	n       int
}

const (
	subBits = 6 // 64 buckets to each power of two
	buckets = (64 - subBits) << subBits
)

// bucket numbers: below 2^subBits ns one each, then 2^subBits to each doubling.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift<<subBits + int(v>>shift)
}

// bucketEnd is the largest duration of a bucket.
func bucketEnd(b int) time.Duration {
	if b < 1<<subBits {
		return time.Duration(b)
	}
	shift := b>>subBits - 1
	first := uint64(b-shift<<subBits) << shift
	return time.Duration(first + 1<<shift - 1)
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(d)]++
	h.n++
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
}

func (h *histogram) count() int { return h.n }

// quantile returns the duration that a share q of all did not exceed, 0 when
// there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := int(q * float64(h.n))
	seen := 0
	for b, n := range h.buckets {
		seen += int(n)
		if seen > rank || seen == h.n {
			return bucketEnd(b)
		}
	}
	return bucketEnd(buckets - 1)
}

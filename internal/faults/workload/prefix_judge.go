package workload

import (
	"fmt"
	"time"
)

// reading is what was read of a and b, or of all the others, at once, and what bounds
// it.
type reading struct {
	keys      []string
	got       []int64
	last      []int64 // the largest that this connection has read
	committed []int64 // the largest known to be committed when a read of the primary began
	sent      []int64 // the largest that anybody had sent when the answer had come
}

// wrong lists the promises that a reading breaks.
func (r reading) wrong() []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for i, v := range r.got {
		switch {
		case v > r.sent[i]:
			add("%s is %d, but no more than %d was ever sent", r.keys[i], v, r.sent[i])
		case v < r.last[i]:
			add("%s went back from %d to %d on one connection", r.keys[i], r.last[i], v)
		}
		if v < r.committed[i] {
			add("%s is %d on the primary, where %d was acknowledged or shown before", r.keys[i], v, r.committed[i])
		}
	}
	if len(r.got) == 2 {
		switch a, b := r.got[0], r.got[1]; {
		case b > a:
			add("b is ahead of a, which is written first")
		case a > b+1:
			add("a is more than one ahead of b, which is written before the next a")
		}
		return list
	}
	for _, v := range r.got[1:] {
		if v != r.got[0] {
			add("part of a transaction shows")
			break
		}
	}
	return list
}

// between is a time of the round, for people.
func between(call, ret int64) string {
	return fmt.Sprintf("%.4fs..%.4fs", time.Duration(call).Seconds(), time.Duration(ret).Seconds())
}

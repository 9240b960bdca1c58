package audit

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// OnePrimary judges whether the answers can be explained with at most one primary
// at any moment. epochs is the order in which nodes led the shard, as
// Auditor.Epochs returns it. A node that answered a command as the primary did so
// at some instant between call and return, and led the shard at that instant:
//
//   - instants only move forward through the epochs: what was called after
//     another answer had returned belongs to the same epoch or a later one
//   - an epoch was opened at the latest when the witness saw its opening entry:
//     what was called after that belongs to it or to a later one
//
// Every answer is given the earliest epoch of its node that these leave open,
// which leaves most room to the others. When there is none, no choice of instants
// explains the answers. An epoch without answers is no fault, nor are answers that
// overlap.
func OnePrimary(epochs []Epoch, answers []workload.Answer) error {
	led := map[string][]int{} // indexes into epochs, ascending
	for i, e := range epochs {
		led[e.Node] = append(led[e.Node], i)
	}
	byCall := slices.Clone(answers)
	slices.SortFunc(byCall, func(a, b workload.Answer) int { return cmp.Compare(a.Call, b.Call) })
	byReturn := make([]int, len(byCall))
	for i := range byReturn {
		byReturn[i] = i
	}
	slices.SortFunc(byReturn, func(a, b int) int { return cmp.Compare(byCall[a].Return, byCall[b].Return) })

	epoch := make([]int, len(byCall)) // that each answer is given
	returned, opened := 0, 0          // how many of byReturn, of epochs
	least, because := 0, -1           // epoch that returned answers force, and the one that does
	for i, a := range byCall {
		// What returned before a was called was called before a, so it has its epoch.
		for ; returned < len(byReturn) && byCall[byReturn[returned]].Return < a.Call; returned++ {
			if b := byReturn[returned]; because < 0 || epoch[b] > least {
				least, because = epoch[b], b
			}
		}
		for opened < len(epochs) && epochs[opened].At < a.Call {
			opened++
		}
		own := led[a.Node]
		n := sort.SearchInts(own, max(least, opened-1))
		switch {
		case n < len(own):
			epoch[i] = own[n]
		case len(own) == 0:
			return fmt.Errorf("%s, which never led the shard", answered(a))
		case opened-1 >= least:
			return fmt.Errorf("%s, and not later, after epoch %d of %s was seen to be open at %s",
				answered(a), epochs[opened-1].Epoch, epochs[opened-1].Node, moment(epochs[opened-1].At))
		default:
			b := byCall[because]
			return fmt.Errorf("%s, after %s in epoch %d or later; it did not lead the shard again",
				answered(a), answered(b), epochs[epoch[because]].Epoch)
		}
	}
	return nil
}

func answered(a workload.Answer) string {
	what := "a read"
	if a.Write {
		what = "a write"
	}
	return fmt.Sprintf("%s answered %s as the primary between %s and %s", a.Node, what, moment(a.Call), moment(a.Return))
}

func moment(at int64) string { return time.Duration(at).String() }

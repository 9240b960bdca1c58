package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// totals sums rounds up.
type totals struct {
	start  time.Time
	rounds []*result
}

func newTotals(start time.Time) *totals { return &totals{start: start} }

func (t *totals) add(r *result) { t.rounds = append(t.rounds, r) }

// report is what a campaign did and found, as Markdown.
func (t *totals) report() string {
	var b strings.Builder
	ops, unknown, refused, epochs, faults, violations := 0, 0, 0, 0, 0, 0
	byLoad := map[string]int{}
	head := int64(0)
	var entries uint64
	for _, r := range t.rounds {
		ops += r.judged()
		unknown += r.Counts.Unknown
		refused += r.Counts.Refused
		epochs += max(0, r.Epochs-1)
		faults += len(r.Faults)
		violations += len(r.Violations)
		entries += r.Entries
		head = max(head, r.MaxHead)
		for k, n := range r.Operations {
			byLoad[k] += n
		}
	}
	row := func(name string, v any) { fmt.Fprintf(&b, "| %s | %v |\n", name, v) }
	fmt.Fprintf(&b, "| | |\n|---|---|\n")
	row("rounds", len(t.rounds))
	if len(t.rounds) > 0 {
		row("seeds", fmt.Sprintf("%d to %d", t.rounds[0].Seed, t.rounds[len(t.rounds)-1].Seed))
	}
	row("time", time.Since(t.start).Round(time.Second))
	row("operations judged", ops)
	row("commands refused, of unknown outcome", fmt.Sprintf("%d, %d", refused, unknown))
	row("log entries", entries)
	row("failovers", epochs)
	row("faults", faults)
	row("most bytes in the head", fmt.Sprintf("%d of %d", head, int64(headLimit)))
	row("**violations**", violations)
	fmt.Fprintf(&b, "\nOperations by workload: ")
	for i, k := range slices.Sorted(maps.Keys(byLoad)) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %d", k, byLoad[k])
	}
	b.WriteString(".\n\n")
	t.faultTable(&b)
	t.failoverTable(&b)
	t.handoverTable(&b)
	return b.String()
}

// spread is how long something took over many times.
type spread []time.Duration

func (s spread) String() string {
	if len(s) == 0 {
		return "- | -"
	}
	slices.Sort(s)
	return ms(s[len(s)/2]) + " | " + ms(s[len(s)-1])
}

func (s spread) longest() string {
	if len(s) == 0 {
		return "-"
	}
	return ms(slices.Max(s))
}

// tally is what several faults did to the clients.
type tally struct {
	outages spread
	unknown int // commands that were left without an answer
}

func (t *tally) add(f fault) {
	t.outages = append(t.outages, f.Outage)
	t.unknown += f.Unknown
}

// tallies groups faults.
type tallies map[string]*tally

func (t tallies) add(group string, f fault) {
	if t[group] == nil {
		t[group] = &tally{}
	}
	t[group].add(f)
}

// of is the group's, empty when it has no fault.
func (t tallies) of(group string) *tally {
	if g := t[group]; g != nil {
		return g
	}
	return &tally{}
}

// faultTable has one row a kind of fault: when nothing else went wrong, and when
// another fault lasted at the same time.
func (t *totals) faultTable(b *strings.Builder) {
	all, alone, together := tallies{}, tallies{}, tallies{}
	t.each(func(f fault) {
		all.add(f.Name, f)
		if f.With == "" {
			alone.add(f.Name, f)
		} else {
			together.add(f.Name, f)
		}
	})
	b.WriteString("| fault | times | alone | without a write, alone: median | longest | commands without an answer | with another fault: longest | commands without an answer |\n|---|---|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, w := alone.of(name), together.of(name)
		fmt.Fprintf(b, "| %s | %d | %d | %v | %d | %s | %d |\n", name, len(all[name].outages), len(a.outages), a.outages, a.unknown, w.outages.longest(), w.unknown)
	}
}

// handoverTable tells apart what hand-overs met with.
func (t *totals) handoverTable(b *strings.Builder) {
	with := tallies{}
	t.each(func(f fault) {
		if f.Name == "hand-overs" {
			with.add(f.With, f)
		}
	})
	b.WriteString("\n| planned hand-overs, and at the same time | times | median without a write | longest | commands without an answer |\n|---|---|---|---|---|\n")
	for _, other := range slices.Sorted(maps.Keys(with)) {
		w := with[other]
		fmt.Fprintf(b, "| %s | %d | %v | %d |\n", cmp.Or(other, "nothing"), len(w.outages), w.outages, w.unknown)
	}
}

// failovers are the ways in which the primary changes, and the faults that show
// them when nothing else happens at the same time.
var failovers = []struct {
	what   string
	faults []string
}{
	{"planned hand-over", []string{"hand-overs"}},
	{"kill -9, and somebody knows", []string{"kill-primary-known"}},
	{"kill -9, and nobody knows", []string{"kill-primary"}},
	{"lease ran out: primary stopped or cut off", []string{"stop-primary-long", "cut-primary-from-etcd", "drop-primary-from-etcd"}},
	{"lease ran out, and etcd's leader was lost with the primary", []string{"split-with-etcd-leader"}},
}

// failoverTable tells how long it took until another node acknowledged a write.
func (t *totals) failoverTable(b *strings.Builder) {
	b.WriteString("\n| failover | times | median | longest |\n|---|---|---|---|\n")
	for _, k := range failovers {
		var took spread
		t.each(func(f fault) {
			if f.With == "" && f.Takeover > 0 && slices.Contains(k.faults, f.Name) {
				took = append(took, f.Takeover)
			}
		})
		fmt.Fprintf(b, "| %s | %d | %v |\n", k.what, len(took), took)
	}
}

func (t *totals) each(fn func(fault)) {
	for _, r := range t.rounds {
		for _, f := range r.Faults {
			fn(f)
		}
	}
}

package main

import (
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// result is what a round was and found.
type result struct {
	Seed       uint64          `json:"seed"`
	Variant    string          `json:"variant,omitempty"`
	Took       time.Duration   `json:"took_ns"`
	Operations map[string]int  `json:"operations"` // judged, by workload
	Counts     workload.Counts `json:"commands"`
	House      house           `json:"snapshots_and_clean_ups"`
	Entries    uint64          `json:"log_entries"`
	Epochs     int             `json:"epochs"`
	MaxHead    int64           `json:"max_head_bytes"`
	Faults     []fault         `json:"faults"`
	Violations []string        `json:"violations"`
	// FoundAfter is when the first violation was found, from the start of the
	// load.
	FoundAfter time.Duration `json:"found_after_ns,omitempty"`
	FoundBy    string        `json:"found_by,omitempty"`
}

// house counts commands of the redoubt program.
type house struct{ Done, Failed int }

// fault is one that was injected and healed. Times are nanoseconds of the
// round's clock.
type fault struct {
	Name   string        `json:"name"`
	With   string        `json:"with,omitempty"` // another that happened at the same time
	Node   string        `json:"node,omitempty"`
	At     int64         `json:"at_ns"`
	End    int64         `json:"end_ns"`
	Outage time.Duration `json:"outage_ns"` // longest time without an acknowledged write
	// Takeover is the time until another node had acknowledged a write; 0 when
	// none was to take over.
	Takeover time.Duration `json:"takeover_ns,omitempty"`
	Unknown  int           `json:"unknown"`          // writes left without an answer meanwhile
	Failed   bool          `json:"failed,omitempty"` // it was not what it should have been
}

func (f fault) String() string {
	s := fmt.Sprintf("%-24s %-8s %5.1f s, no write for %s", f.Name, f.Node, time.Duration(f.End-f.At).Seconds(), ms(f.Outage))
	if f.With != "" {
		s += " (with " + f.With + ")"
	}
	return s
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// judged is the number of operations that checks were run over.
func (r *result) judged() int {
	n := 0
	for _, k := range r.Operations {
		n += k
	}
	return n
}

// line sums a round up.
func (r *result) line() string {
	s := fmt.Sprintf("%.0fs: %d operations judged, %d faults, %d epochs, %d log entries, head at most %d KiB",
		r.Took.Seconds(), r.judged(), len(r.Faults), r.Epochs, r.Entries, r.MaxHead>>10)
	const shown = 5
	for _, v := range r.Violations[:min(shown, len(r.Violations))] {
		s += "\n  VIOLATION " + v
	}
	if len(r.Violations) > shown {
		s += "\n  and more, see result.json"
	}
	return s
}

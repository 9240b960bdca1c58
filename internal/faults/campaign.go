package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// errFound: a round found a violation.
var errFound = errors.New("a promise was broken")

// runCampaign runs rounds until one finds something, all are done or ctx ends.
func runCampaign(ctx context.Context, c *config) error {
	start := time.Now()
	total := newTotals(start)
	defer func() { fmt.Fprint(c.stdout, "\n", total.report()) }()
	for n := 0; ; n++ {
		switch {
		case c.duration > 0 && n > 0 && time.Since(start) >= c.duration:
			return nil
		case c.duration == 0 && n == c.rounds:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		r := newRound(c, c.seed+uint64(n), "")
		fmt.Fprintf(c.stdout, "round %d, seed %d\n", n+1, r.seed)
		err := r.run(ctx)
		total.add(r.result)
		fmt.Fprintf(c.stdout, "  %s\n", r.result.line())
		if err != nil {
			return fmt.Errorf("round with seed %d: %w\n  what is left of it: %s\n  to repeat it: %s", r.seed, err, r.dir, r.replay())
		}
	}
}

// replay is the command that repeats a round.
func (r *round) replay() string {
	s := fmt.Sprintf("make faults SEED=%d", r.seed)
	if r.laps != 1 {
		s += fmt.Sprintf(" LAPS=%d", r.laps)
	}
	if r.scale != 1 {
		s += fmt.Sprintf(" SCALE=%g", r.scale)
	}
	if r.think != workload.Think {
		s += fmt.Sprintf(" THINK=%v", r.think)
	}
	if r.variant != "" {
		s += fmt.Sprintf(" BROKEN=%s", r.variant)
	}
	if r.only != nil {
		s += fmt.Sprintf(" ONLY=%s", strings.Join(r.only, ","))
	}
	return s
}

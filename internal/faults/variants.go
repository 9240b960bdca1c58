package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
)

// variants are the broken variants that a name stands for.
func variants(name string) ([]broken.Info, error) {
	if name == "" {
		return nil, nil
	}
	var found []broken.Info
	for _, v := range broken.All() {
		if name == "all" || name == string(v.Variant) {
			found = append(found, v)
		}
	}
	if found == nil {
		return nil, fmt.Errorf("-broken %s: there is no such variant; see -h", name)
	}
	return found, nil
}

// runVariants runs rounds with each broken variant until it is found out, at most
// as many as a campaign was asked for. A variant that is not found out is an
// error: the checks are blind to it.
func runVariants(ctx context.Context, c *config) error {
	list, err := variants(c.broken)
	if err != nil {
		return err
	}
	var table strings.Builder
	table.WriteString("| variant | invariant | found by | after | what was seen |\n|---|---|---|---|---|\n")
	var missed []string
	for _, v := range list {
		fmt.Fprintf(c.stdout, "%s: %s\n", v.Variant, v.What)
		r, err := findOut(ctx, c, v)
		if err != nil {
			return fmt.Errorf("%s: %w", v.Variant, err)
		}
		if len(r.Violations) == 0 {
			missed = append(missed, string(v.Variant))
			fmt.Fprintf(&table, "| %s | %d | **not found** | | |\n", v.Variant, v.Invariant)
			continue
		}
		fmt.Fprintf(&table, "| %s | %d | %s | %.0f s | %s |\n", v.Variant, v.Invariant, r.FoundBy, r.FoundAfter.Seconds(), cell(r.Violations[0]))
	}
	fmt.Fprintf(c.stdout, "\n%s", table.String())
	if len(missed) > 0 {
		return fmt.Errorf("broken, and not found out: %s", strings.Join(missed, ", "))
	}
	return nil
}

// findOut runs rounds of one variant until a violation is found.
func findOut(ctx context.Context, c *config, v broken.Info) (*result, error) {
	var last *result
	for n := range c.rounds {
		r := newRound(c, c.seed+uint64(n), v.Variant)
		err := r.run(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		last = r.result
		fmt.Fprintf(c.stdout, "  %s\n", last.line())
		if len(last.Violations) > 0 {
			return last, nil
		}
		// A broken variant may as well make the round impossible to judge; that
		// is no finding.
		if err != nil && !errors.Is(err, errFound) {
			fmt.Fprintf(c.stdout, "  not judged: %v\n", err)
		}
	}
	return last, nil
}

// cell shortens a text to one cell of a table.
func cell(s string) string {
	const most = 160
	s = strings.NewReplacer("|", "\\|", "\n", " ").Replace(s)
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}

// note keeps what was found in the result.
func (r *round) note(kept []violation, more int) {
	first := kept[0]
	r.result.FoundAfter, r.result.FoundBy = time.Duration(first.At), first.Workload
	for _, v := range kept {
		r.result.Violations = append(r.result.Violations, v.String())
	}
	if more > 0 {
		r.result.Violations = append(r.result.Violations, fmt.Sprintf("and %d more", more))
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/audit"
)

// healthyWithin bounds how long a healed cluster may take to be well, and a node
// to load and catch up.
const healthyWithin = time.Minute

// check judges the round after everything is healed and no client writes. What
// it finds are violations; its error is for what it could not judge.
func (r *round) check(ctx context.Context) error {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"histories", r.checkHistories},
		{"one primary", r.checkOnePrimary},
		{"digests", r.checkDigests},
		{"log", r.checkLog},
		{"snapshot", r.checkSnapshot},
		{"restart", r.checkRestart},
		{"newer format", r.checkNewerFormat},
	}
	var errs []error
	for _, s := range steps {
		r.journal.detail("checking %s", s.name)
		if err := s.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("check %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// checkHistories has every workload judge what its clients recorded.
func (r *round) checkHistories(ctx context.Context) error {
	var errs []error
	for _, w := range r.loads {
		c := r.env.NewClient()
		if !c.Connect(ctx) {
			return context.Cause(ctx)
		}
		if err := w.Check(ctx, c); err != nil {
			errs = append(errs, err)
		}
		c.Close()
		r.result.Operations[w.Name()] = w.Operations()
	}
	return errors.Join(errs...)
}

// checkOnePrimary: the answers can be explained with at most one primary at any
// moment, in the order of the epochs in the log.
func (r *round) checkOnePrimary(ctx context.Context) error {
	// Taken first, so that the log then holds the epochs of all of them.
	answers := r.env.Answers.List()
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	if err := audit.OnePrimary(r.auditor.Epochs(), answers); err != nil {
		r.env.Report("one primary", "%v", err)
	}
	return nil
}

// catchUp waits until the witness has seen the whole log.
func (r *round) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	st, err := r.cluster.Shard().State(ctx)
	if err != nil {
		return err
	}
	return r.auditor.CatchUp(ctx, st.Tail)
}

// checkDigests: every node holds what the log says (DESIGN invariant 5).
func (r *round) checkDigests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	// Keys go on expiring, so that the log may move on while nodes are asked.
	var differ error
	for range 10 {
		same, err := r.sameDigests(ctx)
		if err != nil {
			return err
		}
		if same == nil {
			return nil
		}
		differ = same
	}
	r.env.Report("digests", "%v", differ)
	return nil
}

// sameDigests compares all nodes and the witness once; the first error says how
// they differ, the second what kept them from being compared.
func (r *round) sameDigests(ctx context.Context) (differ, err error) {
	before, err := r.cluster.Shard().State(ctx)
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for _, n := range r.cluster.Nodes {
		if digests[n.ID], err = r.cluster.Digest(ctx, n, before.Tail); err != nil {
			return nil, err
		}
	}
	if err := r.auditor.CatchUp(ctx, before.Tail); err != nil {
		return nil, err
	}
	digests["the log"] = r.auditor.Digest()
	return audit.SameDigest(digests), nil
}

// checkLog reads segments and head once more with the tool that people use.
func (r *round) checkLog(ctx context.Context) error {
	return r.tool(ctx, "wal", "verify")
}

// checkSnapshot makes a last snapshot, and has it loaded and compared with the
// log (DESIGN invariant 9).
func (r *round) checkSnapshot(ctx context.Context) error {
	if err := r.tool(ctx, "snapshot", "create", "--name", "last"); err != nil {
		return err
	}
	return r.tool(ctx, "snapshot", "verify", "last")
}

// tool runs a command of the program that must succeed now.
func (r *round) tool(ctx context.Context, args ...string) error {
	out, code := r.cluster.Redoubt(ctx, args...)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code != 0:
		r.env.Report(args[0], "redoubt %s: exit %d: %s", strings.Join(args, " "), code, lastLine(out))
	}
	return nil
}

// checkRestart kills all nodes at once and starts them again: what they load from
// snapshot, segments and head must be what they held.
func (r *round) checkRestart(ctx context.Context) error {
	for _, n := range r.cluster.Nodes {
		n.Proc.Kill()
	}
	if err := r.cluster.Heal(); err != nil {
		return err
	}
	hctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	if err := r.cluster.WaitHealthy(hctx); err != nil {
		r.env.Report("recovery", "after all nodes were killed: %v", err)
		return nil
	}
	return r.checkDigests(ctx)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

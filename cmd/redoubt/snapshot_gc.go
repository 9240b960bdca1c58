package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/snapshot"
)

// gcResult is what a clean-up did or would do, for --json.
type gcResult struct {
	DryRun bool           `json:"dry_run"`
	Stored string         `json:"stored,omitempty"` // URL of the stored plan
	Plan   *snapshot.Plan `json:"plan"`
}

func newSnapshotGC() *cobra.Command {
	cmd := &cobra.Command{
		Use: "gc", Short: "Delete old snapshots and the segments that nobody needs",
		Long: `Deletes what is not needed to restore the newest snapshots and everything after
them: older snapshots, segments whose entries are in every kept snapshot, and what
was left behind by nodes and snapshotters that died. The kept snapshots are
downloaded and compared first; a damaged one does not count and is not deleted.

The plan, with a reason for every object, is stored under gc/ in object storage
before anything is deleted. --dry-run prints it and deletes nothing.

` + exitHelp,
		Example: `  redoubt snapshot gc --dry-run
  redoubt snapshot gc --keep-snapshots 7`,
		Args: noArgs,
	}
	var o snapshot.GCOptions
	f := cmd.Flags()
	f.IntVar(&o.Keep, "keep-snapshots", 3, "how many of the newest good snapshots to keep")
	f.DurationVar(&o.Grace, "grace", snapshot.DefaultGrace, "how old something must be that looks left behind")
	f.BoolVar(&o.Quick, "quick", false, "compare only the sizes of the kept snapshots' files")
	dryRun := f.Bool("dry-run", false, "print the plan and delete nothing")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		if o.Keep < 1 {
			return usagef(cmd, "--keep-snapshots must be at least 1")
		}
		p := newProgress(cmd.ErrOrStderr(), "looking at what is there")
		r := gcResult{DryRun: *dryRun}
		err := collectGarbage(cmd, s, o, p, &r)
		p.done()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		return r.print(cmd.OutOrStdout())
	})
	return cmd
}

func collectGarbage(cmd *cobra.Command, s *session, o snapshot.GCOptions, p *progress, r *gcResult) error {
	ctx := cmd.Context()
	nodes, err := s.fence().Nodes(ctx)
	if err != nil {
		return err
	}
	o.Heads = map[int]snapshot.Head{}
	for _, shard := range s.shardsOf(nodes) {
		o.Heads[shard] = s.on(shard).fence()
	}
	o.Progress = p.snapshot
	if r.Plan, err = s.repo().PlanGC(ctx, o); err != nil || r.DryRun || r.Plan.Objects() == 0 {
		return err
	}
	key, err := s.repo().RunGC(ctx, r.Plan, p.snapshot)
	r.Stored = s.store.URL(key)
	return err
}

func (r *gcResult) print(w io.Writer) error {
	p := r.Plan
	for _, d := range p.Damaged {
		fmt.Fprintf(w, "damaged, left alone: %s\n", d)
	}
	for _, k := range p.Keep {
		fmt.Fprintf(w, "keep    snapshot %s, %s\n", k.Name, k.Why)
	}
	for _, s := range p.Remove {
		fmt.Fprintf(w, "delete  snapshot %s, %s\n", s.Name, s.Why)
	}
	for _, o := range p.Delete {
		fmt.Fprintf(w, "delete  %s, %s\n", o.Key, o.Why)
	}
	what := fmt.Sprintf("%s, %s", plural(p.Objects(), "object", "objects"), humanSize(p.Bytes()))
	var err error
	switch {
	case p.Objects() == 0:
		_, err = fmt.Fprintln(w, "There is nothing to delete.")
	case r.DryRun:
		_, err = fmt.Fprintf(w, "Would delete %s. Nothing was deleted (--dry-run).\n", what)
	default:
		_, err = fmt.Fprintf(w, "Deleted %s. The plan is in %s\n", what, r.Stored)
	}
	if p.More && err == nil {
		_, err = fmt.Fprintln(w, "There is more to delete than one plan holds: run it again.")
	}
	return err
}

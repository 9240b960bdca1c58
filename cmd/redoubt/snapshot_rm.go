package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

func newSnapshotRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rm NAME", Aliases: []string{"remove"}, Short: "Remove a snapshot",
		Long: `Removes a snapshot: the manifest first, then its files. The log is not touched.

It refuses when the data could not be loaded any more without this snapshot: the
segments that lead up to it were cleaned up and no other snapshot takes their place.
Make another snapshot first, or give --force to lose the data.

` + exitHelp,
		Example: "  redoubt snapshot rm first",
		Args:    oneArg("snapshot name"),
	}
	force := cmd.Flags().Bool("force", false, "remove it even if the data cannot be loaded without it")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, args []string) error {
		if !*force {
			if err := checkRemovable(cmd.Context(), s, args[0]); err != nil {
				return err
			}
		}
		if err := s.repo().Remove(cmd.Context(), args[0]); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), map[string]string{"removed": args[0]})
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "Snapshot %s is removed.\n", args[0])
		return err
	})
	return cmd
}

// checkRemovable refuses to remove what the data cannot be loaded without.
func checkRemovable(ctx context.Context, s *session, name string) error {
	if err := snapshot.CheckName(name); err != nil {
		return err
	}
	all, err := s.repo().List(ctx)
	if err != nil {
		return err
	}
	var doomed *snapshot.Manifest
	for _, sum := range all {
		if sum.Name == name {
			doomed = sum.Manifest
		}
	}
	if doomed == nil { // not published, or no use to anybody
		return nil
	}
	for i := range doomed.Shards {
		on := s.on(doomed.Shards[i].Shard)
		st, err := on.fence().State(ctx)
		if err != nil {
			return err
		}
		infos, err := on.segments().List(ctx)
		if err != nil {
			return err
		}
		sealed := st.Sealed.Seq
		if !st.Initialized {
			sealed = doomed.Shards[i].Position.Seq // etcd is lost: this may be what it is recovered from
		}
		if !loadableWithout(all, name, on.shard, infos, sealed) {
			return fmt.Errorf("snapshot %s is needed: without it the data of shard %d cannot be loaded, since its segments do not go back to another snapshot or to the start of the log", name, on.shard)
		}
	}
	return nil
}

// loadableWithout reports whether the log up to sealed can still be built when
// the named snapshot is gone: from the start of the log or from another snapshot,
// with segments from there on.
func loadableWithout(all []snapshot.Summary, name string, shard int, infos []s3segments.SegmentInfo, sealed uint64) bool {
	reaches := func(base uint64) bool { return s3segments.Extent(infos, base+1) >= sealed }
	if reaches(0) {
		return true
	}
	for _, sum := range all {
		if sum.Name == name || sum.Err != nil {
			continue
		}
		if part, err := sum.Manifest.Find(shard); err == nil && reaches(part.Position.Seq) {
			return true
		}
	}
	return false
}

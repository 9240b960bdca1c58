package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/snapshot"
)

// verifyResult is a snapshot that was verified, for --json.
type verifyResult struct {
	Name   string              `json:"name"`
	OK     bool                `json:"ok"`
	Error  string              `json:"error,omitempty"`
	Shards []snapshot.Verified `json:"shards"`
	err    error
}

func newSnapshotVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [NAME]", Short: "Load snapshots and compare them with what was published",
		Long: `Downloads a snapshot, or every one when none is named, loads it into memory and
compares it with its manifest: size, SHA-256, position, number of keys and the digest
over all keys and values.

--replay also builds the same data a second way, from the snapshot before and the
log between the two, and compares the digests.

` + exitHelp,
		Example: "  redoubt snapshot verify first\n  redoubt snapshot verify --replay --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef(cmd, "%s takes one snapshot name, or none for all", cmd.CommandPath())
			}
			return nil
		},
	}
	replay := cmd.Flags().Bool("replay", false, "build the data from the log as well, and compare")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, args []string) error {
		names := args
		if len(names) == 0 {
			all, err := s.repo().List(cmd.Context())
			if err != nil {
				return err
			}
			for _, sum := range all {
				names = append(names, sum.Name)
			}
		}
		p := newProgress(cmd.ErrOrStderr(), "verifying")
		results, err := verifySnapshots(cmd.Context(), s, names, *replay, p)
		p.done()
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), results)
		} else {
			err = printVerified(cmd.OutOrStdout(), results)
		}
		for _, r := range results {
			err = errors.Join(err, r.err)
		}
		return err
	})
	return cmd
}

// verifySnapshots verifies one after the other; what is found wrong with one is
// in its result, the error is for what keeps it from being looked at.
func verifySnapshots(ctx context.Context, s *session, names []string, replay bool, p *progress) ([]verifyResult, error) {
	results := make([]verifyResult, 0, len(names))
	heads := map[int]snapshot.Head{s.shard: s.fence()}
	for _, name := range names {
		done, err := s.repo().Verify(ctx, name, snapshot.VerifyOptions{Replay: replay, Heads: heads, Progress: p.snapshot})
		if err != nil && exitCode(err) != exitNot && !errors.Is(err, snapshot.ErrNewerFormat) {
			return nil, err
		}
		r := verifyResult{Name: name, OK: err == nil, Shards: done, err: err}
		if err != nil {
			r.Error = err.Error()
		}
		results = append(results, r)
	}
	return results, nil
}

func printVerified(w io.Writer, results []verifyResult) error {
	if len(results) == 0 {
		_, err := fmt.Fprintln(w, "There are no snapshots to verify.")
		return err
	}
	for _, r := range results {
		if !r.OK {
			fmt.Fprintf(w, "%s: FAILED\n", r.Name)
			continue
		}
		for _, v := range r.Shards {
			fmt.Fprintf(w, "%s: ok, shard %d, %s up to entry %d, digest %s\n", r.Name, v.Shard, plural(v.Keys, "key", "keys"), v.Position.Seq, v.Digest)
			if v.ReplayedFrom != "" {
				fmt.Fprintf(w, "  the same from %s and %s behind it\n", v.ReplayedFrom, plural(v.ReplayedEntries, "entry", "entries"))
			}
		}
	}
	return nil
}

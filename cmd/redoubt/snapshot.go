package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/snapshot"
)

func newSnapshot() *cobra.Command {
	cmd := group("snapshot", "Make, list, check, import and remove snapshots",
		`A snapshot is one RDB file a shard, which a stock redis-server 7.0 loads, and a
manifest in JSON, both in object storage. It is made by this program, in its own
memory, from the snapshot before it and the log: the serving nodes do nothing and
notice nothing. It is published only after the file was loaded back and compared.

`+exitHelp)
	cmd.AddCommand(newSnapshotCreate(), newSnapshotList(), newSnapshotShow(), newSnapshotVerify(), newSnapshotRemove(), newSnapshotGC(), newSnapshotImport())
	return cmd
}

// allSlots is what the shard of a cluster of one owns.
const allSlots = "0-16383"

func newSnapshotCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create", Short: "Make a snapshot, away from the serving nodes",
		Long: `Makes a snapshot of a shard as it is now: loads the newest good snapshot, applies
the log behind it, writes an RDB file, loads that file back and compares, uploads it,
reads it back once more, and publishes the manifest last.

It needs memory for the shard's data and room for its file in --temp-dir. When it
fails nothing is published and what it uploaded is taken away.

` + exitHelp,
		Example: `  redoubt snapshot create
  redoubt snapshot create --dir ./redoubt-data --name before-migration
  redoubt snapshot create --up-to 120431 --name at-120431`,
		Args: noArgs,
	}
	var o snapshot.CreateOptions
	cmd.Flags().StringVar(&o.Name, "name", "", "name of the snapshot (default: the time, as in 20260102T150405.000Z)")
	cmd.Flags().Uint64Var(&o.UpTo, "up-to", 0, "last entry of the log to take in (default: all that is committed)")
	cmd.Flags().StringVar(&o.TempDir, "temp-dir", "", "directory for the file until it is uploaded (default: the system's)")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		if o.Name != "" {
			if err := snapshot.CheckName(o.Name); err != nil {
				return err
			}
		}
		began := time.Now()
		p := newProgress(cmd.ErrOrStderr(), "making the snapshot")
		o.Progress = p.snapshot
		o.Shards = []snapshot.Source{{Shard: s.shard, Slots: allSlots, Head: s.fence()}}
		m, err := s.repo().Create(cmd.Context(), o)
		p.done()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), m)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Snapshot %s is verified and published, after %s.\n\n", m.Name, span(time.Since(began)))
		return printManifest(cmd.OutOrStdout(), s, m)
	})
	return cmd
}

func newSnapshotList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List snapshots, the newest first",
		Long: `Lists the published snapshots, the newest first, from their manifests. The files
are not looked at: "redoubt snapshot verify" does that.

` + exitHelp,
		Example: "  redoubt snapshot ls\n  redoubt snapshot ls --json | jq -r '.[0].name'",
		Args:    noArgs,
	}
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	t.noEtcd = true
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		all, err := s.repo().List(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), summaries(all))
		}
		return listSnapshots(cmd.OutOrStdout(), all, time.Now())
	})
	return cmd
}

// summary is a snapshot in --json: its manifest, or why that cannot be read.
type summary struct {
	Name     string             `json:"name"`
	Manifest *snapshot.Manifest `json:"manifest"`
	Error    string             `json:"error,omitempty"`
}

func summaries(all []snapshot.Summary) []summary {
	out := make([]summary, len(all))
	for i, s := range all {
		out[i] = summary{Name: s.Name, Manifest: s.Manifest}
		if s.Err != nil {
			out[i].Error = s.Err.Error()
		}
	}
	return out
}

func listSnapshots(w io.Writer, all []snapshot.Summary, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There are no snapshots; make one with `redoubt snapshot create`.")
		return err
	}
	rows := [][]string{{"NAME", "MADE", "AGE", "SHARDS", "KEYS", "SIZE", "UP TO ENTRY"}}
	for _, s := range all {
		if s.Err != nil {
			rows = append(rows, []string{s.Name, "unusable: " + s.Err.Error()})
			continue
		}
		keys, size, upTo := 0, int64(0), ""
		for i := range s.Manifest.Shards {
			part := &s.Manifest.Shards[i]
			keys += part.Keys
			size += part.RDB.Size
			upTo = strconv.FormatUint(part.Position.Seq, 10)
		}
		if len(s.Manifest.Shards) > 1 {
			upTo = "-"
		}
		rows = append(rows, []string{
			s.Name, stamp(s.Manifest.CreatedAt), age(s.Manifest.CreatedAt, now),
			strconv.Itoa(len(s.Manifest.Shards)), strconv.Itoa(keys), humanSize(size), upTo,
		})
	}
	return table(w, rows)
}

func newSnapshotShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show what a snapshot holds and where it is",
		Long: `Shows a snapshot's manifest: when it was made and verified, up to which entry of
the log it goes, how many keys it holds, and where its files are. --json prints the
manifest as it is stored.

` + exitHelp,
		Example: "  redoubt snapshot show first",
		Args:    oneArg("snapshot name"),
	}
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	t.noEtcd = true
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, args []string) error {
		m, err := s.repo().Show(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), m)
		}
		return printManifest(cmd.OutOrStdout(), s, m)
	})
	return cmd
}

func printManifest(w io.Writer, s *session, m *snapshot.Manifest) error {
	err := details(w, [][2]string{
		{"name", m.Name},
		{"cluster", m.Cluster},
		{"made", stamp(m.CreatedAt)},
		{"verified", stamp(m.VerifiedAt)},
		{"written by", fmt.Sprintf("%s, engine %d, format %d", m.WrittenBy, m.Engine, m.Format)},
	})
	for i := range m.Shards {
		part := &m.Shards[i]
		last := "none, the log was empty"
		if part.Position.Seq > 0 {
			last = fmt.Sprintf("%d of epoch %d, written %s", part.Position.Seq, part.Position.Epoch, stamp(part.EntryTime))
		}
		fmt.Fprintln(w)
		err = errors.Join(err, details(w, [][2]string{
			{"shard", fmt.Sprintf("%d, slots %s", part.Shard, part.Slots)},
			{"last entry", last},
			{"keys", fmt.Sprintf("%d, %d of them with an expiry", part.Keys, part.Expires)},
			{"digest", part.Digest},
			{"file", s.store.URL(part.RDB.Key)},
			{"size", fmt.Sprintf("%s, SHA-256 %s", humanSize(part.RDB.Size), part.RDB.SHA256)},
		}))
	}
	return err
}

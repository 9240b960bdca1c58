package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/internal/recovery"
	"github.com/redoubtdb/redoubt/snapshot"
)

func newSnapshotImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE.rdb...", Short: "Begin a new cluster with the data of Redis's RDB files",
		Long: `Reads RDB files, as redis-server writes them (dump.rdb, of Redis 5 to 7.2) or a
snapshot has them, makes one snapshot of them all, checks it like any other, and tells
etcd that the shard begins with it. Start the nodes afterwards: they load it.

The cluster must be new: no node has run, and nothing of it is in object storage. A
key may be in one of the files only. Keys that have expired are left out, as Redis
leaves them out. Redis functions and data of modules are refused, by name.

It needs memory for all the data and room for one file in --temp-dir.

A "redoubt dev" begins with a file by "redoubt dev --import FILE.rdb".

` + exitHelp,
		Example: `  redis-cli --rdb dump.rdb
  redoubt snapshot import dump.rdb --cluster shop --etcd http://10.0.1.5:2379 --store s3://shop-redoubt/prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd, "%s needs one RDB file or more", cmd.CommandPath())
			}
			return nil
		},
	}
	o := snapshot.ImportOptions{Slots: allSlots}
	cmd.Flags().StringVar(&o.Name, "name", "", "name of the snapshot (default: the time, as in 20260102T150405.000Z)")
	cmd.Flags().StringVar(&o.TempDir, "temp-dir", "", "directory for the file until it is uploaded (default: the system's)")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, args []string) error {
		began := time.Now()
		p := newProgress(cmd.ErrOrStderr(), "importing")
		o.Progress, o.Shard, o.Files = p.snapshot, s.shard, args
		in, err := recovery.Import(cmd.Context(), s.repo(), s.fence(), o)
		p.done()
		if err != nil {
			return importError(err)
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), in)
		}
		describeImport(cmd.OutOrStdout(), in, time.Since(began))
		fmt.Fprintf(cmd.OutOrStdout(), "Shard %d begins with it: start its nodes.\n\n", s.shard)
		return printManifest(cmd.OutOrStdout(), s, in.Manifest)
	})
	return cmd
}

// importError adds what to do about it.
func importError(err error) error {
	switch {
	case errors.Is(err, recovery.ErrKnown):
		return fmt.Errorf("%w.\nA file can only be what a cluster begins with: name a new cluster, or stop this one and remove its data", err)
	case errors.Is(err, snapshot.ErrDataLeft):
		return fmt.Errorf("%w.\nTo rebuild the shard from that, run `redoubt recover`; to begin with the file, name a new cluster, or remove the objects", err)
	}
	return err
}

func describeImport(w io.Writer, in *snapshot.Imported, took time.Duration) {
	fmt.Fprintf(w, "Imported %s as snapshot %s, after %s.\n", plural(in.Manifest.Shards[0].Keys, "key", "keys"), in.Manifest.Name, span(took))
	if in.Expired > 0 {
		fmt.Fprintf(w, "Left out: %s.\n", plural(in.Expired, "expired key", "expired keys"))
	}
	if in.Empty > 0 {
		fmt.Fprintf(w, "Left out: %s.\n", plural(in.Empty, "key without elements", "keys without elements"))
	}
}

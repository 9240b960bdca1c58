package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/internal/recovery"
	"github.com/redoubtdb/redoubt/snapshot"
)

func newRecover() *cobra.Command {
	cmd := &cobra.Command{
		Use: "recover", Short: "Rebuild a shard from object storage when etcd is lost",
		Long: `Rebuilds a shard in a new, empty etcd from object storage alone, when the old etcd
is lost for good. It loads the newest good snapshot and all segments behind it, says
up to which entry that reaches, and tells the new etcd to go on from there; nodes
are started afterwards.

What was acknowledged and had not been sealed yet, the head, was only in etcd: it is
lost with it, and nothing can say how much that was. Usually these are the last few
seconds; while object storage was away it may have been more. So look first whether
one member of the old etcd, or a backup of its disk, can be brought back.

It refuses when etcd knows the shard. Be sure that no node of the old cluster is
left that still reaches the old etcd: it would go on serving the old data.

A damaged or missing segment is named, and where the log before it ends; --up-to
recovers up to there. What lies behind is then deleted, by a plan that is stored
under gc/ first.

The data of a "redoubt dev" is recovered by "redoubt dev --recover".

` + exitHelp,
		Example: `  redoubt recover --cluster shop --etcd http://10.0.1.5:2379 --store s3://shop-redoubt/prod --dry-run
  redoubt recover --config /etc/redoubt/node.yaml --shard 2`,
		Args: noArgs,
	}
	var o recovery.Options
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be recovered and change nothing")
	cmd.Flags().Uint64Var(&o.UpTo, "up-to", 0, "last entry to recover: the last one of a segment or snapshot (default: all)")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	resolve := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		err := resolve(cmd, args)
		if errors.Is(err, dev.ErrNotRunning) {
			return fmt.Errorf("%w.\nTo recover a dev whose etcd/ is lost, run `redoubt dev --recover%s`", err, dirFlag(t.dir))
		}
		return err
	}
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		p := newProgress(cmd.ErrOrStderr(), "looking")
		o.Progress = p.snapshot
		r, err := recovery.Shard(cmd.Context(), s.repo(), s.fence(), s.shard, o)
		p.done()
		if errors.Is(err, recovery.ErrKnown) {
			return fmt.Errorf("%w.\nThere is nothing to recover: start the shard's nodes, they find their data", err)
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		fmt.Fprintln(cmd.OutOrStdout(), describeRecovery(r))
		if o.DryRun {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "\nNothing was changed (--dry-run).")
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nShard %d is rebuilt in etcd. Start its nodes.\n", r.Shard)
		}
		return err
	})
	return cmd
}

// describeRecovery says exactly what a recovery gives back and what not.
func describeRecovery(r *snapshot.Recovered) string {
	var b strings.Builder
	from := "the start of the log"
	if r.Snapshot != "" {
		from = "snapshot " + r.Snapshot
	}
	fmt.Fprintf(&b, "Recovered shard %d from %s and %s behind it:\n", r.Shard, from, plural(len(r.Segments), "segment", "segments"))
	fmt.Fprintf(&b, "  last entry    %d, written %s\n", r.Position.Seq, stamp(r.EntryTime))
	fmt.Fprintf(&b, "  checksum      %016x under epoch %d\n", r.Position.Chain, r.Position.Epoch)
	fmt.Fprintf(&b, "  data          %s, digest %s\n", plural(r.Keys, "key", "keys"), r.Digest)
	fmt.Fprintf(&b, "  next epoch    above %d\n", r.EpochBase)
	for _, why := range r.Refused {
		fmt.Fprintf(&b, "  passed over   %s\n", why)
	}
	for _, s := range r.BeyondSnapshots {
		fmt.Fprintf(&b, "  given up      snapshot %s\n", s.Name)
	}
	for _, s := range r.BeyondSegments {
		fmt.Fprintf(&b, "  given up      %s\n", s.Key)
	}
	b.WriteString("Writes acknowledged after that entry were only in etcd and are lost with it. How many\nthere were cannot be known from object storage.")
	return b.String()
}

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// errDamage: a check found that what is stored is not what was written.
var errDamage = errors.New("damage was found")

// finding is something wrong.
type finding struct {
	Object  string `json:"object"` // s3:// URL, or what of etcd
	Problem string `json:"problem"`
}

// walReport is what a walk along the log found.
type walReport struct {
	Shard      int       `json:"shard"`
	OK         bool      `json:"ok"`
	First      uint64    `json:"first"` // entries that were looked for
	Last       uint64    `json:"last"`
	Entries    uint64    `json:"entries"` // that were read and follow each other
	InSegments uint64    `json:"in_segments"`
	InHead     uint64    `json:"in_head"`
	Bytes      int64     `json:"bytes"` // of their payloads
	Epochs     int       `json:"epochs"`
	Segments   int       `json:"segments"`
	Snapshots  int       `json:"snapshots"` // whose position was met on the way
	Chain      string    `json:"chain"`     // running checksum after the last
	Findings   []finding `json:"findings"`
}

func newWALVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Walk the checksum chain of the whole log",
		Long: `Reads the whole log, from the oldest segment to the end of the head, and checks
every byte and every step: that each entry continues the running checksum of the one
before, that no entry is missing, that segments say of themselves what they hold,
that the sealed pointer in etcd and every snapshot stand on this log, and that the
log goes back to its start or to a snapshot.

Segments that others supersede are read as well. What is wrong is printed with the
name of the object; the walk goes on behind it. "redoubt snapshot verify" checks what
is in the snapshots.

` + exitHelp,
		Example: "  redoubt wal verify\n  redoubt wal verify --json || echo damaged",
		Args:    noArgs,
	}
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		p := newProgress(cmd.ErrOrStderr(), "reading the log")
		v := &walVerifier{s: s, l: s.reader(), progress: p, marks: map[uint64][]mark{}}
		v.report.Shard, v.report.Findings = s.shard, []finding{}
		err := v.verify(cmd.Context())
		p.done()
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), v.report)
		} else {
			err = v.report.print(cmd.OutOrStdout())
		}
		if err == nil && !v.report.OK {
			err = fmt.Errorf("%w in the log of shard %d", errDamage, s.shard)
		}
		return err
	})
	return cmd
}

func (r *walReport) print(w io.Writer) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s: %s\n", f.Object, f.Problem); err != nil {
			return err
		}
	}
	verdict := "The log is whole"
	if !r.OK {
		verdict = "The log is DAMAGED"
	}
	_, err := fmt.Fprintf(w, `%s: entries %d to %d of shard %d.
  read       %s with %s of changes, under %s
  segments   %s, %s
  head       %s
  snapshots  %s on this log
  checksum   %s
`, verdict, r.First, r.Last, r.Shard,
		plural(r.Entries, "entry", "entries"), humanSize(r.Bytes), plural(r.Epochs, "epoch", "epochs"),
		plural(r.Segments, "object", "objects"), plural(r.InSegments, "entry", "entries"),
		plural(r.InHead, "entry", "entries"), plural(r.Snapshots, "stands", "stand"), r.Chain)
	return err
}

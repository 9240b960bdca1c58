package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/wal"
)

// followBacklog is how many entries --follow begins with.
const followBacklog = 10

// catOptions are the flags of `redoubt wal cat`.
type catOptions struct {
	from, to uint64
	last     uint64
	follow   bool
	json     bool
}

func newWALCat() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cat", Short: "Print entries of the log as commands",
		Long: `Prints the entries of the log, from segments and from the head, in order, each
checked to continue the one before. What was logged are the effects of commands: an
SPOP is there as SREM, an EXPIRE as PEXPIREAT, a script as the writes it made.

An entry begins with a line of its place in the log, its epoch and the time it was
written. Each command follows with its database in brackets, its arguments quoted as
redis-cli reads them; what was done in one step is put between MULTI and EXEC.

--json prints one object a line. Arguments that are not UTF-8 are {"base64": "..."}.

` + exitHelp,
		Example: `  redoubt wal cat --last 20
  redoubt wal cat --from 1200 --to 1300 | grep -w user:42
  redoubt wal cat --follow
  redoubt wal cat --json | jq -c 'select(.kind == "epoch-opened")'`,
		Args: noArgs,
	}
	var o catOptions
	f := cmd.Flags()
	f.Uint64Var(&o.from, "from", 0, "first entry (default: the oldest that is kept)")
	f.Uint64Var(&o.to, "to", 0, "last entry (default: the last there is)")
	f.Uint64Var(&o.last, "last", 0, "only so many entries before the end")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what is written from now on; begins 10 entries before the end")
	f.BoolVar(&o.json, "json", false, "print JSON, one entry a line")
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		if o.last > 0 && o.from > 0 {
			return usagef(cmd, "--from and --last do not go together")
		}
		if o.to > 0 && o.from > o.to {
			return usagef(cmd, "--from %d is after --to %d", o.from, o.to)
		}
		out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
		err := catWAL(cmd.Context(), s, o, out)
		if o.follow {
			err = ignoreCanceled(cmd.Context(), err)
		}
		return errors.Join(err, out.Flush())
	})
	return cmd
}

// errReached ends the following of the log.
var errReached = errors.New("reached")

func catWAL(ctx context.Context, s *session, o catOptions, out *bufio.Writer) error {
	st, err := s.state(ctx)
	if err != nil {
		return err
	}
	l := s.reader()
	oldest, err := l.oldest(ctx, st.Sealed.Seq)
	if err != nil {
		return err
	}
	from, to := o.window(oldest, st.Tail)
	pos, err := l.position(ctx, from-1)
	if err != nil {
		return err
	}
	print := printEntry
	if o.json {
		print = printEntryJSON
	}
	write := func(e *wal.Entry, in string) error { return print(out, e, in) }
	if pos, err = l.read(ctx, pos, to, write); err != nil || !o.follow {
		return err
	}
	last := uint64(math.MaxUint64)
	if o.to > 0 {
		last = o.to
	}
	if pos.Seq >= last {
		return nil
	}
	ctx, cancel := s.whileRunning(ctx)
	defer cancel()
	err = l.follow(ctx, pos, func(e *wal.Entry, in string) error {
		if err := write(e, in); err != nil {
			return err
		}
		if e.Seq >= last {
			return errReached
		}
		return nil
	}, out.Flush)
	if errors.Is(err, errReached) {
		return nil
	}
	return err
}

// window is the first entry to print and the last one that is there already.
func (o *catOptions) window(oldest, tail uint64) (from, to uint64) {
	from, to = o.from, tail
	if o.to > 0 {
		to = min(o.to, tail)
	}
	last := o.last
	if o.follow && last == 0 && from == 0 {
		last = followBacklog
	}
	if last > 0 {
		from = to - min(last, to) + 1
		return max(from, oldest), to
	}
	if from == 0 {
		from = oldest
	}
	return from, to
}

// printEntry prints an entry for people.
func printEntry(w io.Writer, e *wal.Entry, in string) error {
	head := fmt.Sprintf("# seq %d epoch %d %s in %s", e.Seq, e.Epoch, time.UnixMilli(e.Time).UTC().Format("2006-01-02T15:04:05.000Z"), in)
	if e.Kind == wal.KindEpochOpened {
		_, err := fmt.Fprintf(w, "%s: epoch opened by node %s\n", head, e.Payload)
		return err
	}
	if _, err := fmt.Fprintln(w, head); err != nil {
		return err
	}
	return wal.EachUnit(e.Payload, func(effects []wal.Effect) error { return printUnit(w, effects) })
}

func printUnit(w io.Writer, effects []wal.Effect) error {
	indent := ""
	if len(effects) > 1 {
		if _, err := fmt.Fprintln(w, "MULTI"); err != nil {
			return err
		}
		indent = "  "
	}
	for _, f := range effects {
		if _, err := fmt.Fprintf(w, "%s[%d] %s\n", indent, f.DB, formatCommand(f.Args)); err != nil {
			return err
		}
	}
	if len(effects) > 1 {
		if _, err := fmt.Fprintln(w, "EXEC"); err != nil {
			return err
		}
	}
	return nil
}

// entryJSON is an entry for scripts.
type entryJSON struct {
	Seq   uint64         `json:"seq"`
	Epoch int64          `json:"epoch"`
	Time  time.Time      `json:"time"`
	Kind  string         `json:"kind"`
	Prev  string         `json:"prev"`
	Chain string         `json:"chain"`
	In    string         `json:"in"`
	Node  string         `json:"node,omitempty"`  // that opened the epoch
	Units [][]effectJSON `json:"units,omitempty"` // each was done in one step
}

type effectJSON struct {
	DB   int      `json:"db"`
	Args []binary `json:"args"`
}

func printEntryJSON(w io.Writer, e *wal.Entry, in string) error {
	j := entryJSON{
		Seq: e.Seq, Epoch: e.Epoch, Time: time.UnixMilli(e.Time).UTC(), Kind: e.Kind.String(),
		Prev: fmt.Sprintf("%016x", e.Prev), Chain: fmt.Sprintf("%016x", e.Chain), In: in,
	}
	if e.Kind == wal.KindEpochOpened {
		j.Node = string(e.Payload)
	} else if err := wal.EachUnit(e.Payload, func(effects []wal.Effect) error {
		unit := make([]effectJSON, len(effects))
		for i, f := range effects {
			unit[i].DB = f.DB
			for _, a := range f.Args {
				unit[i].Args = append(unit[i].Args, binary(a))
			}
		}
		j.Units = append(j.Units, unit)
		return nil
	}); err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(j)
}

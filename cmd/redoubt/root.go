package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/wal"
)

// Exit codes, part of what scripts rely on.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and did not work; trying again may help
	exitUsage  = 2 // the command line, environment or configuration is wrong
	exitNot    = 3 // what was named is not there, or what is there is damaged
)

const exitHelp = `Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 what was named
is not there, or a check found damage.`

// errNotFound: what the command line names is not there.
var errNotFound = errors.New("not found")

// usageError is a mistake in how the program was called.
type usageError struct {
	err error
	cmd *cobra.Command // whose help to point to; nil: no hint
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef makes a usage error of a command.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), cmd: cmd}
}

// exitCode classes an error.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var usage *usageError
	if errors.As(err, &usage) || errors.Is(err, dev.ErrConfig) || errors.Is(err, s3segments.ErrConfig) || errors.Is(err, snapshot.ErrBadName) {
		return exitUsage
	}
	var invalid *apiclient.InvalidError
	if errors.As(err, &invalid) {
		return exitUsage
	}
	var missing *apiclient.NotFoundError
	if errors.As(err, &missing) {
		return exitNot
	}
	for _, is := range []error{
		errNotFound, errDamage, dev.ErrNotRunning,
		snapshot.ErrNotFound, snapshot.ErrDamaged, snapshot.ErrOtherHistory, snapshot.ErrNotRestorable,
		s3segments.ErrNotFound, s3segments.ErrMissing,
		wal.ErrCorrupt, wal.ErrChain, wal.ErrGap, wal.ErrEpoch,
	} {
		if errors.Is(err, is) {
			return exitNot
		}
	}
	return exitFailed
}

// report prints an error for a person.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "redoubt: %v\n", err)
	var usage *usageError
	if errors.As(err, &usage) && usage.cmd != nil {
		fmt.Fprintf(w, "Run `%s --help` for how to use it.\n", usage.cmd.CommandPath())
	}
}

func newRoot() *cobra.Command {
	root := group("redoubt", "A Redis-compatible database that keeps what it acknowledged",
		`Redoubt is a Redis-compatible in-memory database that is also the system of
record: a write is acknowledged once a quorum has it on disk, a failover loses
nothing, and everything older than the last few seconds is in object storage.

Start with "redoubt dev": a whole Redoubt in one process, on this machine. The
commands that look after data find it by its directory (--dir, default
./redoubt-data) or a real cluster by --cluster, --etcd and --store.

`+exitHelp)
	root.Version = node.Version()
	root.SetVersionTemplate("redoubt {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{err: err, cmd: cmd} })
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run:"}, &cobra.Group{ID: "look", Title: "Look after:"},
		&cobra.Group{ID: "control", Title: "Through a control plane:"})
	add := func(id string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	add("run", newDev(), newNode(), newAgent(), newControl())
	add("look", newStatus(), newFailover(), newSnapshot(), newWAL(), newRecover())
	add("control", newClusters(), newUser(), newACL(), newParameterGroup(), newHost(), newOperation(), newEvent(), newToken())
	return root
}

// group is a command that only holds others.
func group(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := ""
			cmd.SuggestionsMinimumDistance = 2
			if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
				hint = fmt.Sprintf(", did you mean %s?", strings.Join(similar, " or "))
			}
			return usagef(cmd, "%s has no command %q%s", cmd.CommandPath(), args[0], hint)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}

// noArgs and oneArg judge a command's positional arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef(cmd, "%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usagef(cmd, "%s needs a %s", cmd.CommandPath(), name)
		case 1:
			return nil
		}
		return usagef(cmd, "%s takes one %s, got %d", cmd.CommandPath(), name, len(args))
	}
}

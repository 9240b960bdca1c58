// Command compat runs Redis's own Tcl tests against a running Redoubt: `make
// compat`, or `go run ./internal/compat -h` for what can be set.
//
// The tests are those of the source package of the installed redis-server, which
// scripts/redis-source brings into .tools; nothing of them is in this repository.
// Each file of tests/unit runs in its own process against its own fresh server,
// which the tests take for an external one: those that must start servers of
// their own, and those of Redis's replication protocol, do not run. The same run
// against the real redis-server is the baseline, kept in bin/compat: what it
// passes is what Redoubt is asked for.
//
// # How a test is judged
//
// A test is known by its file, its name and which of several of that name it is.
// Of what the baseline passes, each is passed, failed, not run (its file ended
// or hung before it) or excused: a failure that has an entry in the table of
// known differences (known.go), or whose error says that a command is missing
// which belongs to a part that is not built (unbuilt.go).
//
// # Changes to the suite
//
// A copy of the tests is changed in the few places of edits (suite.go), where
// the suite would abort a whole file for a reason that no test is about. A test
// that hangs is found by Redis's own --timeout, noted as failed, and passed
// over when its file is run again on a new server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

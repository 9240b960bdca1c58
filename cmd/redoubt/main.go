// Command redoubt is a Redis-compatible database that is also the system of
// record: `redoubt dev` runs all of it in one process, `redoubt node` one node
// against a real etcd and object storage; the other commands look after what
// these keep. `redoubt help` lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(root.ErrOrStderr(), "redoubt: interrupted")
		return exitFailed
	}
	report(root.ErrOrStderr(), err)
	return exitCode(err)
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fs := flag.NewFlagSet("hostile", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "Attacks a node with what no client should send, and judges its memory and its answers.\n\nFlags:\n")
		fs.PrintDefaults()
		fmt.Fprint(fs.Output(), "\nAttackers:\n")
		for _, a := range All() {
			fmt.Fprintf(fs.Output(), "  %-12s %-23s %s\n", a.Family, a.Name, a.About)
		}
	}
	duration := fs.Duration("duration", time.Minute, "how long to attack in all")
	seed := fs.Uint64("seed", 0, "seed of what attackers draw; 0 draws one")
	switch err := fs.Parse(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil || fs.NArg() > 0 || *duration <= 0:
		fmt.Fprintln(os.Stderr, "hostile: -duration must be positive, and there are no arguments; see -h")
		os.Exit(2)
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	if err := run(ctx, *duration, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// run attacks a node, and leaves its folder only when something was found.
func run(ctx context.Context, duration time.Duration, seed uint64) error {
	root, err := testenv.FindRoot()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "bin", "hostile")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder of the run: %w", err)
	}
	if dir, err = os.MkdirTemp(dir, fmt.Sprintf("%d-", seed)); err != nil {
		return fmt.Errorf("folder of the run: %w", err)
	}
	p := testenv.NewProgram("hostile", dir)
	err = p.Catch(func() error { runCampaign(ctx, p, duration, seed); return ctx.Err() })
	p.Close()
	switch {
	case err != nil && ctx.Err() == nil, p.Failed() && err == nil:
		return errors.Join(err, fmt.Errorf("the node did what it must not; logs are in %s; again with -seed %d -duration %v", dir, seed, duration))
	case err != nil:
		return errors.Join(err, os.RemoveAll(dir))
	}
	return os.RemoveAll(dir)
}

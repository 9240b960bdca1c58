package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/internal/faults/nemesis"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// config is what the flags say.
type config struct {
	seed     uint64
	duration time.Duration // begin rounds for so long; 0: count them
	rounds   int
	laps     int           // times that each fault happens in a round
	scale    float64       // stretches outages
	think    time.Duration // mean pause of a client between two requests
	only     []string
	broken   string // a variant, "all", or "" for Redoubt as it is
	out      string // artifacts go below it
	keep     bool
	stdout   io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// run does what the configuration asks for.
func (c *config) run(ctx context.Context) error {
	if c.broken != "" {
		return runVariants(ctx, c)
	}
	return runCampaign(ctx, c)
}

func parse(args []string) (*config, error) {
	c := &config{stdout: os.Stdout}
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "Tries to break Redoubt with faults and judges what clients saw.\n\nFlags:\n")
		fs.PrintDefaults()
		fmt.Fprintf(fs.Output(), "\nFaults:\n")
		for _, n := range nemesis.All() {
			fmt.Fprintf(fs.Output(), "  %-26s %s\n", n.Name, n.About)
		}
		fmt.Fprintf(fs.Output(), "\nBroken variants:\n")
		for _, v := range broken.All() {
			fmt.Fprintf(fs.Output(), "  %-26s %s\n", v.Variant, v.What)
		}
	}
	var only string
	fs.Uint64Var(&c.seed, "seed", 0, "seed of the first round; 0 takes one from the clock")
	fs.DurationVar(&c.duration, "duration", 0, "begin rounds until so much time has passed; overrides -rounds")
	fs.IntVar(&c.rounds, "rounds", 1, "number of rounds")
	fs.IntVar(&c.laps, "laps", 1, "how often each fault happens in a round")
	fs.Float64Var(&c.scale, "scale", 1, "stretches outages that may take long")
	fs.DurationVar(&c.think, "think", workload.Think, "mean pause of a client between two requests: the longer, the less load")
	fs.StringVar(&only, "only", "", "comma-separated faults, in place of all")
	fs.StringVar(&c.broken, "broken", "", "run deliberately broken variants, which must be found out: a name or \"all\"")
	fs.StringVar(&c.out, "out", "", "folder for what is left of a round that found something (default bin/faults)")
	fs.BoolVar(&c.keep, "keep", false, "leave it for clean rounds as well")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if only != "" {
		c.only = strings.Split(only, ",")
	}
	return c, c.check(fs.Args())
}

// check judges the flags and fills in what they leave open.
func (c *config) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q; see -h", rest[0])
	}
	if c.rounds < 1 || c.laps < 1 || c.scale <= 0 || c.think <= 0 || c.duration < 0 {
		return errors.New("-rounds, -laps, -scale and -think must be positive; see -h")
	}
	known := map[string]bool{}
	for _, n := range nemesis.All() {
		known[n.Name] = true
	}
	for _, name := range c.only {
		if !known[name] {
			return fmt.Errorf("-only %s: there is no such fault; see -h", name)
		}
	}
	if _, err := variants(c.broken); err != nil {
		return err
	}
	if c.seed == 0 {
		c.seed = uint64(time.Now().Unix())
	}
	if c.out == "" {
		c.out = filepath.Join("bin", "faults")
	}
	out, err := filepath.Abs(c.out)
	c.out = out
	return err
}

// names are the faults that a round has.
func (c *config) names() []string {
	if c.only != nil {
		return c.only
	}
	var names []string
	for _, n := range nemesis.All() {
		names = append(names, n.Name)
	}
	return names
}

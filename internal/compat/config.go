package main

import (
	"flag"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// config is the command line.
type config struct {
	only     []string // patterns of files, such as unit/type/*
	baseline bool     // measure the real server again
	jobs     int
	stall    time.Duration
	out      string // a Markdown file whose generated part is replaced
	verbose  bool

	root string // of the repository
	dir  string // bin/compat
}

func parseFlags(args []string, usage io.Writer) (*config, error) {
	c := &config{}
	var only string
	f := flag.NewFlagSet("compat", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&only, "only", "", "comma-separated patterns of files (unit/type/*, unit/scan), in place of all")
	f.BoolVar(&c.baseline, "baseline", false, "measure the real redis-server again")
	f.IntVar(&c.jobs, "j", 1, "files that run at the same time")
	f.DurationVar(&c.stall, "stall", time.Minute, "a test that takes longer than this hangs")
	f.StringVar(&c.out, "out", "", "Markdown file whose generated part is replaced by the report")
	f.BoolVar(&c.verbose, "v", false, "print every failed test with its whole error")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see -h", f.Arg(0))
	}
	if c.jobs < 1 || c.stall < time.Second {
		return nil, fmt.Errorf("-j must be positive, -stall a second at least; see -h")
	}
	if only != "" {
		c.only = strings.Split(only, ",")
	}
	for _, p := range c.only {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("-only %s: %w", p, err)
		}
	}
	root, err := testenv.FindRoot()
	if err != nil {
		return nil, err
	}
	c.root, c.dir = root, filepath.Join(root, "bin", "compat")
	return c, nil
}

// command is how to do the same again.
func (c *config) command() string {
	text := "go run ./internal/compat"
	if c.only != nil {
		text += " -only " + strings.Join(c.only, ",")
	}
	if c.baseline {
		text += " -baseline"
	}
	return text + fmt.Sprintf(" -j %d -stall %v", c.jobs, c.stall)
}

// chosen are the files that -only names, in the suite's order.
func (c *config) chosen(files []string) ([]string, error) {
	if c.only == nil {
		return files, nil
	}
	var list []string
	used := make([]bool, len(c.only))
	for _, file := range files {
		hit := false
		for i, p := range c.only {
			if ok, _ := path.Match(p, file); ok {
				hit, used[i] = true, true
			}
		}
		if hit {
			list = append(list, file)
		}
	}
	for i, ok := range used {
		if !ok {
			return nil, fmt.Errorf("-only %s: the suite has no such file", c.only[i])
		}
	}
	return list, nil
}

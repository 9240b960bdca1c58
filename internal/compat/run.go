package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/node/command"
)

// run measures what is asked for and reports it.
func run(ctx context.Context, c *config, out io.Writer) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	s, err := prepareSuite(ctx, c)
	if err != nil {
		return err
	}
	files, err := c.chosen(s.files)
	if err != nil {
		return err
	}
	commit, err := describeCommit(ctx, c.root)
	if err != nil {
		return err
	}
	base, err := measureBaseline(ctx, c, s, files, out)
	if err != nil {
		return err
	}
	excuses := &Excuses{differences: differences, has: has}
	ours := &runner{c: c, suite: s, kind: "redoubt", stall: c.stall, start: startRedoubt, skip: excuses.skipped}
	report := &Report{Version: s.version, Made: time.Now(), Commit: commit, How: c.command(), Files: make([]*FileReport, len(files))}
	err = eachFile(ctx, c.jobs, files, func(ctx context.Context, i int) error {
		r, err := ours.run(ctx, files[i])
		if err != nil {
			return err
		}
		report.Files[i] = judge(base.Files[files[i]], r, excuses)
		printFile(out, report.Files[i], c.verbose)
		return nil
	})
	if err != nil {
		return err
	}
	return finish(c, report, out)
}

// baselineStall is how many times longer the real server may take for a test: what
// seems to hang there would be missing from all that is compared with it.
const baselineStall = 4

// measureBaseline runs the real server where that was not done before.
func measureBaseline(ctx context.Context, c *config, s *suite, files []string, out io.Writer) (*Baseline, error) {
	base, err := loadBaseline(c.baselinePath(), s.version)
	if err != nil {
		return nil, err
	}
	wanted := files
	if !c.baseline {
		wanted = base.missing(files)
	}
	redis := &runner{c: c, suite: s, kind: "redis", stall: baselineStall * c.stall, start: startRedis, skip: func(string) ([]string, bool) { return nil, false }}
	var mu sync.Mutex
	return base, eachFile(ctx, c.jobs, wanted, func(ctx context.Context, i int) error {
		r, err := redis.run(ctx, wanted[i])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		base.Files[wanted[i]] = r
		fmt.Fprintf(out, "redis-server  %-24s %4d passed %6.1fs\n", wanted[i], len(passed(r)), r.Seconds)
		return base.save(c.baselinePath())
	})
}

// has tells whether Redoubt, which is built from this tree, has a command.
func has(full string) bool {
	name, sub, _ := strings.Cut(full, "|")
	cmd := node.Table().Find([]byte(name))
	if cmd == nil || sub == "" {
		return cmd != nil
	}
	return slices.ContainsFunc(cmd.Sub, func(s *command.Command) bool { return s.Name == sub })
}

// describeCommit names what is checked out: the commit, and whether files differ
// from it.
func describeCommit(ctx context.Context, root string) (string, error) {
	out, code, err := testenv.Run(ctx, testenv.Command{
		Name: "name the commit", Path: "git", Dir: root, Args: []string{"describe", "--always", "--dirty", "--exclude=*"},
	})
	if err != nil || code != 0 {
		return "", fmt.Errorf("name the commit: exit code %d: %w\n%s", code, err, out)
	}
	return strings.TrimSpace(out), nil
}

func passed(r *FileRun) []Result {
	var list []Result
	for _, t := range r.Results {
		if t.Outcome == Passed {
			list = append(list, t)
		}
	}
	return list
}

// eachFile calls fn for every index, jobs at a time, until one fails.
func eachFile(ctx context.Context, jobs int, files []string, fn func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for i := range files {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fn(ctx, i)
		})
	}
	return g.Wait()
}

func printFile(out io.Writer, r *FileReport, verbose bool) {
	c := r.counts()
	text := fmt.Sprintf("%-24s redis %4d  redoubt %4d  failed %3d  not applicable %3d %6.1fs\n", r.File, c.Real, c.Passed, c.Failed, c.Excused, r.Seconds)
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Outcome == NotRun && v.Excuse == "" {
			text += fmt.Sprintf("    not run: %s\n", v.Name)
		} else if v.Outcome != Passed && v.Excuse == "" {
			detail := v.line()
			if verbose {
				detail = v.Detail
			}
			text += fmt.Sprintf("    %s: %s\n        %s\n", v.Outcome, v.Name, detail)
		}
	}
	for _, a := range r.Aborts {
		if !verbose {
			a = firstLine(a)
		}
		text += fmt.Sprintf("    error outside of tests: %s\n", a)
	}
	for _, name := range r.Stale {
		text += fmt.Sprintf("    passes, although it is a known difference: %s\n", name)
	}
	io.WriteString(out, text)
}

// finish writes the report and says how it went.
func finish(c *config, r *Report, out io.Writer) error {
	text := r.markdown()
	name := filepath.Join(c.dir, "report.md")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err
	}
	if c.out != "" {
		if err := updateDocument(c.out, text); err != nil {
			return err
		}
	}
	all, types := r.total(""), r.total("unit/type/")
	fmt.Fprintf(out, "\nredis-server passes %d, Redoubt %d of them (%s), failed %d, not applicable %d\n", all.Real, all.Passed, percent(all), all.Failed, all.Excused)
	if types.Real > 0 {
		fmt.Fprintf(out, "of unit/type: %d of %d (%s)\n", types.Passed, types.Real, percent(types))
	}
	fmt.Fprintf(out, "the report is %s, what each file said is beside it\n", name)
	if all.Failed > 0 {
		return fmt.Errorf("%d tests that redis-server passes failed", all.Failed)
	}
	return nil
}

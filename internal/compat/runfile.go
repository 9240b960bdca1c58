package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// FileRun is one file of the suite on one server.
type FileRun struct {
	File    string
	Results []Result
	Aborts  []string `json:",omitempty"`
	Seconds float64
}

// maxHangs is how many tests of one file may hang before the rest of it is given
// up.
const maxHangs = 8

// fileTimeout bounds one run of a file, whatever its tests do.
const fileTimeout = 20 * time.Minute

// runner runs files on one kind of server.
type runner struct {
	c     *config
	suite *suite
	kind  string // names the server in file names: redis or redoubt
	stall time.Duration
	start func(testenv.TB) server
	// skip names tests not to be run at all; all of the file's when all is true.
	skip func(file string) (tests []string, all bool)
}

// run runs one file, again without what hung until it comes to its end, each time
// on a new server.
func (r *runner) run(ctx context.Context, file string) (*FileRun, error) {
	began := time.Now()
	skip, all := r.skip(file)
	if all {
		return &FileRun{File: file}, nil
	}
	skip = slices.Concat(unfit[file], skip)
	var hung []string
	for {
		log, err := r.once(ctx, file, slices.Concat(skip, hung))
		if err != nil {
			return nil, err
		}
		if log.Hanging == "" || slices.Contains(hung, log.Hanging) || len(hung) == maxHangs {
			return &FileRun{File: file, Results: markHung(log.Results, hung), Aborts: log.Aborts, Seconds: time.Since(began).Seconds()}, nil
		}
		hung = append(hung, log.Hanging)
	}
}

// markHung turns what was passed over because it hung into what it is.
func markHung(results []Result, hung []string) []Result {
	for i := range results {
		if t := &results[i]; t.Outcome == Skipped && slices.Contains(hung, t.Name) {
			t.Outcome, t.Detail = Hung, "no answer before the time was over"
		}
	}
	return results
}

// once runs a file on a fresh server, which ends with it.
func (r *runner) once(ctx context.Context, file string, skip []string) (*Log, error) {
	name := r.kind + "-" + strings.ReplaceAll(file, "/", "-")
	dir, err := os.MkdirTemp(r.c.dir, name+"-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p := testenv.NewProgram(name, dir)
	defer p.Close()
	var output string
	err = p.Catch(func() error {
		srv := r.start(p)
		var err error
		output, err = r.tclsh(ctx, p, file, srv.addr, skip)
		if !srv.process.Running() {
			output += "\n[exception]: the server ended\n" + srv.process.Log()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parseOutput(file, output), nil
}

// tclsh runs the suite on one file and returns what it says.
func (r *runner) tclsh(ctx context.Context, p *testenv.Program, file, addr string, skip []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	// The suite looks for a port for itself among the 32 below its base.
	base := testenv.FreePorts(p, 33) + 32
	host, port, _ := strings.Cut(addr, ":")
	args := []string{
		"tests/test_helper.tcl", "--host", host, "--port", port, "--baseport", strconv.Itoa(base),
		"--durable", "--single", file, "--tags", "-needs:repl",
		"--timeout", strconv.Itoa(int(r.stall.Seconds())),
	}
	for _, name := range skip {
		args = append(args, "--skiptest", "/^"+quoteRegexp(name)+"$")
	}
	return runGroup(ctx, r.suite.dir, filepath.Join(r.c.dir, p.Name()+".txt"), "tclsh", args...)
}

// quoteRegexp is for Tcl, which would take an unquoted test name that begins with
// a slash for a pattern.
func quoteRegexp(name string) string { return regexp.QuoteMeta(name) }

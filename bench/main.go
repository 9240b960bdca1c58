// Command bench compares Redoubt with redis-server on one machine in one run: `make
// bench`, or `go run ./bench -h` for what can be set.
//
// Two sets of servers are started one after the other. "single": Redoubt in one
// process with one etcd member (redoubt dev), plain redis-server, and
// redis-server with appendfsync always. "three": a Redoubt node on a cluster of
// three etcd processes, the same two redis-servers, and a redis-server with two
// replicas, all appendfsync always, whose writes are followed by WAIT 2, which is
// what promises as much. A pipelined batch ends in one WAIT, not one each: the
// kinder reading for redis-server.
//
// GET, SET and the other commands (-ops commands) are redis-benchmark's. The mix, and SET against WAIT, come from a
// load of our own on both sides. Each load runs on all servers in turn, for
// several rounds; medians are printed, with the lowest and highest rate. The
// latency of a pipelined request is that of its batch. Processor time is read
// from /proc over the whole measurement and is that of the servers alone, not of
// the S3 server and not of the load, which shares the machine's processors: trust
// the ratios more than the rates.
//
// The raw rows, beside the SET of one client, say what the machine gives: a write
// and fdatasync, an etcd put, and the etcd transaction that an append is.
//
// The report goes to standard output as Markdown, progress to standard error.
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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// config is the command line.
type config struct {
	options
	sets      []string
	redisOnly bool
	memory    bool
	gcKeys    int // strings; 0, and no gcHashes: no look at garbage collection
	gcHashes  int
	redoubt   string
	dir       string
}

const (
	setSingle = "single"
	setThree  = "three"
)

func main() {
	c, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string, usage io.Writer) (config, error) {
	c := config{options: options{clients: []int{50, 1}, pipelines: []int{1, 16}}}
	sets, ops := setSingle+","+setThree, "get,set,mix"
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&c.rounds, "rounds", 3, "measurements of each server in each case; medians are reported")
	f.Float64Var(&c.seconds, "seconds", 1, "length of one measurement, about")
	f.IntVar(&c.requests, "requests", 0, "requests in one measurement, instead of -seconds")
	f.IntVar(&c.keys, "keys", 100_000, "different keys")
	f.IntVar(&c.size, "size", 64, "bytes of a value")
	f.StringVar(&sets, "sets", sets, "which servers: single (one etcd member), three (three etcd members)")
	f.StringVar(&ops, "ops", ops, "which loads: mix, redis-benchmark's (get, lpush, zadd, ...), or commands for all of these")
	f.Func("clients", "numbers of connections (default 50,1)", numbers(&c.clients))
	f.Func("pipelines", "requests sent before their answers are awaited (default 1,16)", numbers(&c.pipelines))
	f.BoolVar(&c.memory, "memory", false, "measure what -keys keys of each kind take, in place of speed")
	f.IntVar(&c.gcKeys, "gc", 0, "measure what garbage collection does to GET with so many keys (30000000 of 64 bytes are about 4 GiB), in place of speed")
	f.IntVar(&c.gcHashes, "gc-hashes", 0, "the same with so many hashes of ten fields beside the strings (12000000 are about 4 GiB)")
	f.BoolVar(&c.redisOnly, "redis-only", false, "leave Redoubt out")
	f.StringVar(&c.redoubt, "redoubt", "", "the redoubt binary (default: built from this tree)")
	f.StringVar(&c.dir, "dir", "", "where the servers keep their data, on a real disk (default: below bin/)")
	if err := f.Parse(args); err != nil {
		return config{}, err
	}
	if f.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	c.sets = strings.Split(sets, ",")
	for _, set := range c.sets {
		if set != setSingle && set != setThree {
			return config{}, fmt.Errorf("-sets: %q is neither %s nor %s", set, setSingle, setThree)
		}
	}
	var err error
	if c.ops, err = parseOps(ops); err != nil {
		return config{}, err
	}
	if c.rounds < 1 || c.keys < 1 || c.size < 1 || c.seconds <= 0 || c.requests < 0 || c.gcKeys < 0 || c.gcHashes < 0 {
		return config{}, errors.New("-rounds, -seconds, -keys and -size must be positive")
	}
	return c, nil
}

// numbers parses a comma-separated list of positive numbers.
func numbers(to *[]int) func(string) error {
	return func(s string) error {
		var list []int
		for _, part := range strings.Split(s, ",") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return err
			}
			if n < 1 {
				return fmt.Errorf("%d is not positive", n)
			}
			list = append(list, n)
		}
		*to = list
		return nil
	}
}

func run(ctx context.Context, c config, out, progress io.Writer) error {
	dir, err := workDir(c.dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := testenv.NewProgram("bench", dir)
	return h.Catch(func() error {
		if !c.redisOnly && c.redoubt == "" {
			c.redoubt = testenv.Redoubt(h)
		}
		b := &bencher{options: c.options, benchmark: testenv.Tool(h, "redis-benchmark"), progress: progress, started: time.Now()}
		writeHeader(ctx, out, b)
		if c.memory || c.gcKeys+c.gcHashes > 0 {
			return b.runData(ctx, h, c, out)
		}
		single, three := &table{title: "One etcd member"}, &table{title: "Three etcd members"}
		for _, set := range []struct {
			name  string
			run   func(context.Context, *testenv.Program, config, *table) error
			table *table
		}{{setSingle, b.runSingle, single}, {setThree, b.runThree, three}} {
			if !slices.Contains(c.sets, set.name) {
				continue
			}
			err := b.withServers(h, func() error { return set.run(ctx, h, c, set.table) })
			set.table.write(out) // what was measured before an error, too
			if err != nil {
				return err
			}
		}
		if !c.redisOnly {
			writeGoals(out, goals(single, three))
		}
		if h.Failed() {
			return errors.New("a server misbehaved, see above: the numbers mean nothing")
		}
		b.say("done")
		return nil
	})
}

// runData measures what data does, in place of speed.
func (b *bencher) runData(ctx context.Context, h *testenv.Program, c config, out io.Writer) error {
	if c.memory {
		if err := b.runMemory(ctx, h, c, out); err != nil {
			return err
		}
	}
	if c.gcKeys+c.gcHashes > 0 {
		return b.runGC(ctx, h, c, out)
	}
	return nil
}

// workDir makes a directory for the servers' data below parent, by default the
// tree's bin/.
func workDir(parent string) (string, error) {
	if parent == "" {
		root, err := testenv.FindRoot()
		if err != nil {
			return "", err
		}
		parent = filepath.Join(root, "bin")
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, "bench-")
	if err != nil {
		return "", err
	}
	memory, err := inMemory(dir)
	if err == nil && memory {
		err = fmt.Errorf("%s is kept in memory: choose a -dir on a disk", dir)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// withServers calls fn and ends all servers that it started. When it failed, they
// leave the end of their output.
func (b *bencher) withServers(h *testenv.Program, fn func() error) error {
	defer h.Close()
	err := h.Catch(fn)
	if err != nil {
		h.Fail()
	}
	return err
}

// runSingle measures the servers whose writes go to one disk once.
func (b *bencher) runSingle(ctx context.Context, h *testenv.Program, c config, t *table) error {
	b.say("starting the servers of one etcd member")
	servers := []*server{startRedisPlain(h), startRedisAlways(h)}
	if !c.redisOnly {
		servers = append(servers, startRedoubtDev(h, c.redoubt))
	}
	return b.runSet(ctx, h, testenv.StartEtcd(h, 1, testenv.EtcdOptions{}), servers, b.cases(), t)
}

// runThree measures those whose writes go to three disks.
func (b *bencher) runThree(ctx context.Context, h *testenv.Program, c config, t *table) error {
	b.say("starting the servers of three etcd members")
	etcd := testenv.StartEtcd(h, 3, testenv.EtcdOptions{})
	servers := []*server{startRedisPlain(h), startRedisAlways(h), startRedisWait(h)}
	if !c.redisOnly {
		servers = append(servers, startRedoubtNode(h, c.redoubt, etcd))
	}
	var extra []string
	if slices.Contains(b.ops, opSet) {
		extra = append(extra, opTrio)
	}
	return b.runSet(ctx, h, etcd, servers, b.cases(extra...), t)
}

func (b *bencher) runSet(ctx context.Context, h *testenv.Program, etcd *testenv.Etcd, servers []*server, cases []benchCase, t *table) error {
	for _, s := range servers {
		if err := b.fill(ctx, s); err != nil {
			return err
		}
	}
	sync, closeSync, err := syncProbe(h.TempDir())
	if err != nil {
		return err
	}
	defer closeSync()
	cli := etcd.Client(h)
	txn, err := txnProbe(ctx, cli)
	if err != nil {
		return err
	}
	probes := []*probe{sync, putProbe(cli), txn}
	for i, k := range cases {
		b.say("%s: load %d of %d", t.title, i+1, len(cases))
		var all []contestant
		for _, s := range servers {
			if competes(s, k) {
				all = append(all, b.on(s, k))
			}
		}
		if k == (benchCase{opSet, 1, 1}) {
			for _, p := range probes {
				all = append(all, contestant{p.name, p.run})
			}
		}
		results, err := b.measure(ctx, k, all)
		if err != nil {
			return err
		}
		t.add(k, all, results)
	}
	return nil
}

// competes leaves out what says nothing: reads of the server that waits for its
// replicas are a redis-server's, redis-benchmark cannot WAIT, and a single
// redis-server does not write to three disks.
func competes(s *server, c benchCase) bool {
	switch c.Op {
	case opMix:
		return true
	case opTrio:
		return s.wait > 0 || s.name == redoubtTri
	}
	return s.wait == 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/internal/faults/audit"
	"github.com/redoubtdb/redoubt/internal/faults/cluster"
	"github.com/redoubtdb/redoubt/internal/faults/nemesis"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
)

// What every round's cluster is started with: the lease that users get, and a
// small head, which fills quickly when object storage is away.
const (
	leaseTTL  = 2 * time.Second
	headLimit = 4 << 20
)

// round is one cluster's life.
type round struct {
	*config
	seed    uint64
	variant broken.Variant
	dir     string // what is left of it
	result  *result

	program *testenv.Program
	cluster *cluster.Cluster
	env     *workload.Env
	auditor *audit.Auditor
	loads   []workload.Workload
	journal *journal
	began   time.Time
}

func newRound(c *config, seed uint64, v broken.Variant) *round {
	name := fmt.Sprintf("seed-%d", seed)
	if v != "" {
		name += "-" + string(v)
	}
	return &round{
		config: c, seed: seed, variant: v, dir: filepath.Join(c.out, name),
		result: &result{Seed: seed, Variant: string(v), Operations: map[string]int{}},
	}
}

// run is the whole round. errFound: it found a violation; any other error: it
// could not be judged.
func (r *round) run(ctx context.Context) (err error) {
	if err := errors.Join(os.RemoveAll(r.dir), os.MkdirAll(r.dir, 0o755)); err != nil {
		return err
	}
	r.began = time.Now()
	r.program = testenv.NewProgram("faults", filepath.Join(r.dir, "processes"))
	err = r.program.Catch(func() error { return r.live(ctx) })
	r.program.Close()
	if r.program.Failed() && err == nil {
		err = errors.New("a process said what none may say; see its log")
	}
	r.result.Took = time.Since(r.began)
	return errors.Join(err, r.leave(err))
}

// live is the round while its processes run.
func (r *round) live(ctx context.Context) (err error) {
	if err := r.start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, r.auditor.Close(), r.env.Trace.Close(), r.journal.Close()) }()
	loadErr := r.underLoad(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	checkErr := r.check(ctx)
	r.measure()
	if kept, more := r.env.List(); len(kept) > 0 {
		r.note(kept, more)
		return errFound
	}
	return errors.Join(loadErr, checkErr)
}

// start brings up the cluster, the witness of its log and the clients' memory.
func (r *round) start() error {
	trace, err := os.Create(filepath.Join(r.dir, "history.log"))
	if err != nil {
		return err
	}
	if r.journal, err = newJournal(r.dir, r.stdout); err != nil {
		return err
	}
	r.cluster = cluster.Start(r.program, cluster.Options{
		LeaseTTL: leaseTTL, HeadLimit: strconv.Itoa(headLimit), Broken: string(r.variant),
	})
	r.env = workload.NewEnv(r.cluster.Targets(), fmt.Sprintf("%d:", r.seed), r.seed)
	r.env.Think = r.think
	r.env.Trace = workload.NewTrace(trace)
	r.loads = workload.All(r.env)
	r.auditor, err = audit.Start(audit.Options{
		Endpoints: r.cluster.Etcd.Endpoints(), Cluster: cluster.Name,
		Segments: s3segments.NewShard(r.cluster.Store(), 0), HeadLimit: headLimit,
		Clock: r.env.Clock, Violations: r.env.Violations,
	})
	if err != nil {
		return err
	}
	r.journal.begin(r.env.Clock, r)
	return nil
}

// underLoad runs the clients and, beside them, snapshots, clean-ups and the
// faults; it returns when all is healed and the clients have ended.
func (r *round) underLoad(ctx context.Context) error {
	lctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	// Also when a fault panics its way out, as testenv's Fatalf does.
	defer func() { stop(); wg.Wait() }()
	wg.Go(func() { r.env.Run(lctx, r.loads) })
	wg.Go(func() { r.keepHouse(lctx) })
	err := r.inject(lctx)
	err = errors.Join(err, r.cluster.Heal())
	hctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	if herr := r.cluster.WaitHealthy(hctx); herr != nil && ctx.Err() == nil {
		r.env.Report("recovery", "the shard is not well %v after the last fault was healed: %v", healthyWithin, herr)
	}
	return err
}

// inject lets the faults happen, until one of them was survived badly.
func (r *round) inject(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-r.env.Found():
			cancel()
		case <-done:
		}
	}()
	for lap := range r.laps {
		e := &nemesis.Env{
			C: r.cluster, Rand: rand.New(rand.NewPCG(r.seed, uint64(lap))), Lease: leaseTTL, Scale: r.scale, Log: r.journal.detail,
		}
		steps := nemesis.Schedule(r.seed+uint64(lap)<<32, r.names())
		for _, s := range steps {
			r.journal.detail("scheduled: %v", s)
		}
		err := nemesis.Run(ctx, e, steps, func(ev nemesis.Event) { r.observe(ctx, ev) })
		switch {
		case errors.Is(err, nemesis.ErrNotRecovered):
			r.env.Report("recovery", "%v", err)
			return nil
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// observe notes a fault that is over.
func (r *round) observe(ctx context.Context, ev nemesis.Event) {
	clock, answers := r.env.Clock, r.env.Answers.List()
	f := fault{Name: ev.Name, With: ev.With, Node: ev.Node, At: clock.At(ev.Injected), End: clock.At(ev.End)}
	f.Outage = audit.LongestGap(answers, f.At, f.End)
	if !ev.Led.IsZero() {
		f.Takeover, _ = audit.Takeover(answers, f.At, ev.Node)
	}
	if ev.Err != nil {
		r.journal.detail("%s was not what it should have been: %v", ev.Name, ev.Err)
		f.Failed = true
	}
	r.result.Faults = append(r.result.Faults, f)
	r.journal.fault(f)
	if err := r.checkOnePrimary(ctx); err != nil {
		r.journal.detail("not judged yet who was primary: %v", err)
	}
}

package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/backoff"
)

// keeperConfig is what a keeper works with.
type keeperConfig struct {
	machine machine
	leases  leases
	prober  prober
	pacing  pacing
	grace   time.Duration
	random  func() float64
	observe observer
	log     *slog.Logger
}

// observer is told what happens, for metrics.
type observer interface {
	step(verb)
	exit(fleet.Exit)
	nodes([]fleet.Status)
}

// keeper is the driver of core: run's goroutine alone touches it. What takes its time
// runs in goroutines of its own, which end with run.
type keeper struct {
	keeperConfig
	core   *core
	inbox  chan func(now time.Time)
	procs  map[string]process
	asked  map[string]*atomic.Pointer[fleet.Assignment] // how each is asked whether it serves
	report func([]fleet.Status)

	ctx context.Context // of run
	wg  sync.WaitGroup
}

func newKeeper(cfg keeperConfig) *keeper {
	return &keeper{
		keeperConfig: cfg, core: newCore(cfg.pacing, cfg.grace, cfg.random),
		inbox: make(chan func(time.Time)), procs: map[string]process{}, asked: map[string]*atomic.Pointer[fleet.Assignment]{},
		report: func([]fleet.Status) {},
	}
}

// find takes over what earlier agents have left; with end, what runs of it is killed.
// Before run.
func (k *keeper) find(end bool) error {
	all, err := k.machine.Find()
	if err != nil {
		return err
	}
	for name, l := range all {
		l.unwanted = end && l.process != nil
		k.core.found(name, l)
		if l.process != nil {
			k.procs[name] = l.process
			text := "a node goes on that an earlier agent has started"
			if end {
				text = "a node is killed that an earlier agent has started"
			}
			k.log.Info(text, "node", name, "pid", l.process.PID())
		}
	}
	return nil
}

// post has fn called by run's goroutine; it does nothing once ctx or run has ended.
func (k *keeper) post(ctx context.Context, fn func(now time.Time)) {
	select {
	case k.inbox <- fn:
	case <-ctx.Done():
	}
}

// run keeps the nodes until ctx ends. Their processes are left as they are.
func (k *keeper) run(ctx context.Context) { k.runUntil(ctx, func() bool { return false }) }

// stopAll stops all nodes, after run, and returns when they have ended.
func (k *keeper) stopAll() {
	k.core.leaving = true
	ctx, cancel := context.WithTimeout(context.Background(), 2*k.grace)
	defer cancel()
	k.runUntil(ctx, k.core.idle)
}

func (k *keeper) runUntil(ctx context.Context, done func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	k.ctx = ctx
	defer k.wg.Wait()
	defer cancel()
	k.core.resume()
	for name, p := range k.procs {
		k.watch(name, p)
	}
	tend := time.NewTicker(tendEvery)
	defer tend.Stop()
	for !done() {
		wake := k.act()
		select {
		case fn := <-k.inbox:
			fn(time.Now())
		case <-wake:
		case <-tend.C:
			k.tend()
		case <-ctx.Done():
			return
		}
	}
	k.act() // says how it ended
}

// act does what is to be done until nothing is, and returns when to look again.
func (k *keeper) act() <-chan time.Time {
	for {
		now := time.Now()
		steps, wake := k.core.next(now)
		for _, s := range steps {
			k.do(s)
		}
		if len(steps) > 0 {
			continue // they may have consequences
		}
		statuses := k.core.statuses()
		k.report(statuses)
		k.observe.nodes(statuses)
		if wake.IsZero() {
			return nil
		}
		return time.After(time.Until(wake))
	}
}

func (k *keeper) do(s step) {
	log := k.log.With("node", s.node)
	k.observe.step(s.verb)
	switch s.verb {
	case start:
		p, err := k.machine.Start(s)
		if err != nil {
			log.Error("node cannot be started", "err", err)
			k.core.startFailed(s.node, err, time.Now())
			return
		}
		log.Info("node is started", "pid", p.PID(), "engine", s.assignment.Engine, "port", s.assignment.Port, "generation", s.assignment.Generation)
		k.core.started(s, p.PID(), p.Began())
		k.procs[s.node] = p
		k.watch(s.node, p)
	case renew:
		err := k.machine.Renew(s)
		if err != nil {
			log.Error("node does not get its certificate", "err", err)
		} else {
			log.Info("node has another certificate", "generation", s.assignment.Generation)
			k.asked[s.node].Store(&s.assignment)
		}
		k.core.renewed(s, err, time.Now())
	case terminate:
		log.Info("node is asked to hand over and stop")
		k.signal(s.node, syscall.SIGTERM)
	case kill:
		if !k.core.nodes[s.node].unwanted {
			log.Warn("node did not stop in time and is killed", "after", k.grace)
		}
		k.signal(s.node, syscall.SIGKILL)
	case settle:
		k.wg.Go(func() { k.settle(s) })
	case remove:
		err := k.machine.Remove(s.node)
		if err != nil {
			log.Error("folder of node is not removed", "err", err)
		} else {
			log.Info("folder of node is removed")
		}
		k.core.removed(s.node, err, time.Now())
	}
}

func (k *keeper) signal(node string, sig syscall.Signal) {
	if err := k.procs[node].Signal(sig); err != nil {
		k.log.Error("cannot signal node", "node", node, "signal", sig, "err", err)
	}
}

// settle ends the lease of a process that has ended. It goes on until that is done:
// before, the node must not be started again.
func (k *keeper) settle(s step) {
	ctx := k.ctx
	var b backoff.Backoff
	for {
		err := k.leases.Settle(ctx, s.assignment)
		if err == nil {
			k.post(ctx, func(time.Time) { k.core.settled(s.node) })
			return
		}
		if ctx.Err() == nil {
			k.log.Warn("the lease of a node that has ended is not ended, trying again", "node", s.node, "err", err)
		}
		if backoff.Sleep(ctx, b.Next()) != nil {
			return
		}
	}
}

// watch sees a process end, and asks it meanwhile whether it serves.
func (k *keeper) watch(name string, p process) {
	ctx, cancel := context.WithCancel(k.ctx)
	how := &atomic.Pointer[fleet.Assignment]{}
	how.Store(k.core.nodes[name].launched)
	k.asked[name] = how
	k.wg.Go(func() {
		exit, ended := p.Wait(ctx)
		cancel()
		if !ended {
			return
		}
		k.post(k.ctx, func(now time.Time) {
			level := slog.LevelWarn
			if k.core.nodes[name].asked() {
				level = slog.LevelInfo
			}
			k.log.Log(k.ctx, level, "node has ended", "node", name, "pid", p.PID(), "code", exit.Code, "signal", exit.Signal)
			delete(k.procs, name)
			delete(k.asked, name)
			k.core.exited(name, exit, now)
			k.observe.exit(exit)
		})
	})
	k.wg.Go(func() { k.probe(ctx, name, how, p) })
}

// probe asks a process whether it serves, until ctx ends.
func (k *keeper) probe(ctx context.Context, name string, how *atomic.Pointer[fleet.Assignment], p process) {
	serves, misses := false, 0
	for {
		err := k.prober.Probe(ctx, *how.Load())
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			misses = 0
		default:
			misses++
		}
		// One answer that does not come is no reason to call it out of service.
		if now := err == nil || serves && misses < 3; now != serves {
			serves = now
			k.post(ctx, func(time.Time) {
				if k.procs[name] == p {
					k.core.answered(name, now)
				}
			})
		}
		wait := probeStarting
		if serves {
			wait = probeRunning
		}
		if backoff.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// tend keeps logs within bounds.
func (k *keeper) tend() {
	var errs error
	for name := range k.core.nodes {
		errs = errors.Join(errs, k.machine.Tend(name))
	}
	if errs != nil {
		k.log.Warn("logs of nodes are not kept within bounds", "err", errs)
	}
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// Config is what an agent needs. Etcd stays the caller's to close, after the agent.
type Config struct {
	HostID              string
	AZ                  string
	Address             string // that clients reach its nodes at
	Bind                string // that nodes listen on; default Address
	Memory              bytesize.Size
	FirstPort, LastPort int
	Dir                 string
	Engines             Engines
	Version             string // of the agent
	Etcd                *clientv3.Client
	// NodeFlags are those of `redoubt node` that are the same for all nodes, by name:
	// etcd, the object storage, the level of logs.
	NodeFlags map[string]any
	// NodeEnv is what nodes have in their environment beside the agent's, and before it.
	NodeEnv []string

	// EndLeft kills the nodes that an earlier agent has left, and starts them again:
	// for when what they work with has ended with it.
	EndLeft bool
	// NoGroups leaves control groups alone: several agents may be in one process then,
	// and nodes are held to their memory by GOMEMLIMIT and maxmemory.
	NoGroups bool

	// StopNodes makes the end of the agent that of its nodes.
	StopNodes bool
	Grace     time.Duration // for a node to hand over and stop; default 30 s
	LogSize   int64         // of one log file; default 16 MiB
	LogFiles  int           // older ones that are kept; default 4
	HostTTL   time.Duration // how long the host is known without the agent; default fleet.DefaultTTL

	FirstRetry time.Duration // after a node's first failure, doubled with each; default 500 ms
	MostRetry  time.Duration // default 1 min
	Stable     time.Duration // a node that ran for so long starts anew with FirstRetry; default 30 s

	Logger  *slog.Logger          // default: nothing is logged
	Metrics prometheus.Registerer // default: not exported
}

func (c Config) withDefaults() Config {
	if c.Bind == "" {
		c.Bind = c.Address
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	setDefault(&c.Grace, 30*time.Second)
	setDefault(&c.LogSize, 16<<20)
	setDefault(&c.LogFiles, 4)
	setDefault(&c.FirstRetry, 500*time.Millisecond)
	setDefault(&c.MostRetry, time.Minute)
	setDefault(&c.Stable, 30*time.Second)
	return c
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

const (
	// probeStarting and probeRunning are how often nodes are asked whether they serve.
	probeStarting = 100 * time.Millisecond
	probeRunning  = 2 * time.Second
	// tendEvery is how often logs are looked at, and the programs of engines.
	tendEvery = 10 * time.Second
	// corruptRetry is how often it is tried to read what could not be read.
	corruptRetry = 2 * time.Second
	// reportTimeout bounds the last report.
	reportTimeout = 5 * time.Second
)

// Agent runs the nodes of one host. Open makes it, Run is its life, Close lets go of
// the directory.
type Agent struct {
	cfg      Config
	self     fleet.Host
	fleet    *fleet.Fleet
	keeper   *keeper
	engines  Engines
	nodes    string // directory of their folders
	lock     *os.File
	log      *slog.Logger
	metrics  *metrics
	reg      atomic.Pointer[fleet.Registration] // nil: not yet
	informed atomic.Bool                        // assignments have been read
	close    sync.Once
	closeErr error
}

// Open takes the directory, and the nodes that an earlier agent has left in it. It
// touches neither etcd nor a process.
func Open(cfg Config) (*Agent, error) {
	cfg = cfg.withDefaults()
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	lock, instance, err := takeDir(dir)
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, engines: cfg.Engines, lock: lock, log: cfg.Logger.With("host", cfg.HostID)}
	if err := a.open(dir, instance); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return a, nil
}

func (a *Agent) open(dir, instance string) error {
	cfg := a.cfg
	versions, err := cfg.Engines.List()
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return fmt.Errorf("agent: %s has no program: put redoubt there, named by its version", cfg.Engines.Dir)
	}
	site := site{
		AZ: cfg.AZ, Address: cfg.Address, Bind: cfg.Bind,
		FirstPort: cfg.FirstPort, LastPort: cfg.LastPort, Flags: cfg.NodeFlags, Env: cfg.NodeEnv,
	}
	a.self = fleet.Host{
		ID: cfg.HostID, Instance: instance, AZ: cfg.AZ, Address: cfg.Address, Memory: cfg.Memory,
		FirstPort: cfg.FirstPort, LastPort: cfg.LastPort, Engines: versions, Agent: cfg.Version, Started: time.Now().UTC(),
	}
	var groups *groups
	if !cfg.NoGroups {
		if groups, err = openGroups(groupMount, groupSelf); err != nil {
			a.log.Warn("memory.max of nodes is not set, GOMEMLIMIT and maxmemory alone hold them", "why", err)
			groups = nil
		}
	}
	a.nodes = filepath.Join(dir, "nodes")
	m := &host{
		dir: a.nodes, site: site, engines: cfg.Engines,
		logs: logs{size: cfg.LogSize, keep: cfg.LogFiles}, groups: groups, log: a.log,
	}
	a.fleet = fleet.Open(cfg.Etcd, fleet.Options{TTL: cfg.HostTTL, Logger: a.log})
	a.metrics = newMetrics(cfg.Metrics, a.Healthy)
	a.keeper = newKeeper(keeperConfig{
		machine: m, leases: leaders{cli: cfg.Etcd, site: site, log: a.log}, prober: ping{site}, log: a.log,
		pacing: pacing{first: cfg.FirstRetry, most: cfg.MostRetry, stable: cfg.Stable}, grace: cfg.Grace, random: rand.Float64,
		observe: a.metrics,
	})
	return a.keeper.find(cfg.EndLeft)
}

// Run registers the host and keeps its nodes until ctx ends: the nodes go on, unless
// Config.StopNodes. It ends early when the host's id is another agent's.
func (a *Agent) Run(ctx context.Context) (err error) {
	rctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	reporter := a.fleet.Report(a.cfg.HostID)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.attend(rctx, reporter); err != nil {
			stop(err)
		}
	})
	// Whatever becomes of that: what died while no agent ran, or dies while etcd is
	// away, is seen.
	a.keeper.run(rctx)
	if ctx.Err() == nil {
		err = context.Cause(rctx)
	}
	wg.Wait()
	if a.cfg.StopNodes {
		a.keeper.stopAll()
	}
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	if cerr := reporter.Close(cctx); cerr != nil {
		a.log.Warn("the last status of nodes is not reported", "err", cerr)
	}
	switch reg := a.reg.Load(); {
	case reg == nil:
	case a.cfg.StopNodes:
		err = errors.Join(err, reg.Close())
	default:
		reg.Leave() // the next agent may come in time
	}
	return err
}

// Running names the nodes that have a process; after Run.
func (a *Agent) Running() []string { return a.keeper.core.running() }

// Healthy is nil when the host is registered and knows its assignments.
func (a *Agent) Healthy() error {
	reg := a.reg.Load()
	switch {
	case reg == nil, !reg.Registered():
		return errors.New("the host is not registered")
	case !a.informed.Load():
		return errors.New("assignments are not read yet")
	}
	return nil
}

// attend registers, and brings assignments, until ctx ends or etcd forbids it.
// Nothing is reported before: the id may be another's.
func (a *Agent) attend(ctx context.Context, reporter *fleet.Reporter) error {
	reg, err := a.fleet.Register(ctx, a.self)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	a.reg.Store(reg)
	a.log.Info("host is registered", "az", a.self.AZ, "address", a.self.Address, "engines", strings.Join(a.self.Engines, " "))
	wctx, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop(nil)
	wg.Go(func() {
		select {
		case <-reg.Done():
			stop(reg.Err())
		case <-wctx.Done():
		}
	})
	wg.Go(func() { a.tendHost(wctx, reg) })
	for {
		err = a.fleet.WatchAssignments(wctx, a.self.ID, func(all []fleet.Assignment) {
			a.informed.Store(true)
			a.keeper.post(wctx, func(now time.Time) {
				a.keeper.core.assign(all, now)
				a.keeper.report = reporter.Set
			})
		})
		if !errors.Is(err, fleet.ErrCorrupt) {
			return ignoreEnd(ctx, err)
		}
		// What is assigned is not known, so everything stays as it is; processes are
		// watched and started again all the same.
		a.informed.Store(false)
		a.log.Error("assignments cannot be read, nodes stay as they are", "err", err)
		if backoff.Sleep(wctx, corruptRetry) != nil {
			return ignoreEnd(ctx, context.Cause(wctx))
		}
	}
}

// ignoreEnd drops the error that says that ctx has ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tendHost says when there are other engines.
func (a *Agent) tendHost(ctx context.Context, reg *fleet.Registration) {
	said := a.self
	for backoff.Sleep(ctx, tendEvery) == nil {
		versions, err := a.engines.List()
		if err != nil {
			a.log.Warn("cannot list engines", "err", err)
			continue
		}
		if slices.Equal(versions, said.Engines) {
			continue
		}
		now := said
		now.Engines = versions
		if err := reg.Update(ctx, now); err != nil {
			a.log.Warn("engines have changed, and cannot be told", "err", err)
			continue
		}
		a.log.Info("engines have changed", "engines", strings.Join(versions, " "))
		said = now
	}
}

// Close lets go of the directory. It is idempotent.
func (a *Agent) Close() error {
	a.close.Do(func() { a.closeErr = a.lock.Close() })
	return a.closeErr
}

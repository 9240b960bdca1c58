package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/redoubtdb/redoubt/control/spec"
)

// Config is what a Driver works with.
type Config struct {
	Store       Store
	Fleet       Fleet
	Shards      Shards
	Snapshotter Snapshotter
	// Certificates issues what nodes of clusters with TLS serve with. Nil: such
	// clusters get no nodes, and say so.
	Certificates Certificates
	// AtStart reports whether a parameter takes effect when a node starts, not before.
	AtStart func(name string) bool
	// Fenced reports whether an error says that another control plane was elected.
	Fenced func(error) bool
	Policy Policy
	// Workers is how many resources are worked on at the same time; default 4.
	Workers int
	// Jobs is how much long work is done at the same time; default 2.
	Jobs int
	// Resync is how often everything is looked at without a reason; default 30 s.
	Resync time.Duration
	// Pass bounds the look at one resource and what is done about it; default 15 s.
	Pass    time.Duration
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = 4
	}
	if c.Jobs <= 0 {
		c.Jobs = 2
	}
	if c.Resync <= 0 {
		c.Resync = 30 * time.Second
	}
	if c.Pass <= 0 {
		c.Pass = 15 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.AtStart == nil {
		c.AtStart = func(string) bool { return false }
	}
	if c.Fenced == nil {
		c.Fenced = func(error) bool { return false }
	}
	c.Policy = c.Policy.withDefaults()
	return c
}

// ErrDeposed: another control plane was elected.
var ErrDeposed = errors.New("reconcile: another control plane was elected")

// Driver makes clusters what they are asked to be, for as long as its control plane is
// the elected one. Each elected time takes a Driver of its own: what one remembers is
// of no use to a later one.
type Driver struct {
	cfg     Config
	queue   *queue
	jobs    *jobs
	memory  *memory
	metrics *metrics
	log     *slog.Logger

	placing sync.Mutex // held from the look at the fleet to what is assigned

	mu       sync.Mutex
	watching map[string]context.CancelFunc // by cluster
	logs     map[string]seenLog            // by cluster
}

// New makes a driver; Run does the work.
func New(cfg Config) *Driver {
	cfg = cfg.withDefaults()
	q := newQueue()
	return &Driver{
		cfg: cfg, queue: q, memory: newMemory(), metrics: newMetrics(cfg.Metrics, q), log: cfg.Logger,
		watching: map[string]context.CancelFunc{}, logs: map[string]seenLog{},
	}
}

// Run works until ctx ends, which ends with its error, or another control plane is
// elected (ErrDeposed). It returns when all that it began has ended.
func (d *Driver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer d.queue.close()
	d.metrics.begin()
	defer d.metrics.end()
	d.jobs = newJobs(ctx, d.cfg.Jobs, time.Now)
	defer d.jobs.running.Wait()
	defer cancel(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.cfg.Store.Watch(ctx, d.changed) })
	g.Go(func() error { return d.cfg.Fleet.Watch(ctx, d.all) })
	g.Go(func() error { return d.resync(ctx) })
	for range d.cfg.Workers {
		g.Go(func() error { return d.work(ctx) })
	}
	err := g.Wait()
	d.unwatchAll()
	return err
}

// resync wishes for everything now and then.
func (d *Driver) resync(ctx context.Context) error {
	tick := time.NewTicker(d.cfg.Resync)
	defer tick.Stop()
	for {
		d.queue.add(keyList)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Keys of the queue: one cluster, one snapshot, all of both, and what is assigned for
// clusters that are no more.
const (
	keyList      = "list"
	keyOrphans   = "orphans"
	keyCluster   = "clusters/"
	keySnapshots = "snapshots/"
	keyGroup     = "parameter-groups/" // in Input.Applied alone
)

// changed wishes for what a change of a resource concerns.
func (d *Driver) changed(resource string) {
	kind, _, _ := strings.Cut(resource, "/")
	switch kind {
	case "clusters", "snapshots":
		d.queue.add(resource)
	case "operations", "events":
	default:
		d.all()
	}
}

func (d *Driver) all() { d.queue.add(keyList) }

func (d *Driver) work(ctx context.Context) error {
	for {
		key, ok := d.queue.next(ctx)
		if !ok {
			return context.Cause(ctx)
		}
		began := time.Now()
		again, err := d.pass(ctx, key)
		d.metrics.pass(began, time.Now(), err)
		d.queue.done(key, again, err)
		switch {
		case err == nil:
		case errors.Is(err, ErrDeposed):
			return err
		case d.cfg.Fenced(err):
			return fmt.Errorf("%w: %w", ErrDeposed, err)
		case ctx.Err() == nil:
			d.log.Warn("not reconciled, trying again", "resource", key, "err", err)
		}
	}
}

// pass looks at one key. again is how soon to look again; 0: when something changes.
func (d *Driver) pass(ctx context.Context, key string) (again time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.Pass, fmt.Errorf("not within %v", d.cfg.Pass))
	defer cancel()
	kind, name, _ := strings.Cut(key, "/")
	switch kind {
	case keyList:
		return 0, d.list(ctx)
	case keyOrphans:
		return d.orphans(ctx)
	case "clusters":
		return d.cluster(ctx, name)
	case "snapshots":
		return d.snapshot(ctx, name)
	}
	return 0, nil
}

// list wishes for all there is.
func (d *Driver) list(ctx context.Context) error {
	clusters, err := d.cfg.Store.Clusters(ctx)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		d.queue.add(keyCluster + c)
	}
	snapshots, err := d.cfg.Store.Snapshots(ctx)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if s.Deleting || s.Status.Status == "" || s.Status.Status == spec.Creating {
			d.queue.add(keySnapshots + s.Name)
		}
	}
	d.queue.add(keyOrphans)
	return nil
}

// watch begins to watch a cluster's nodes, once.
func (d *Driver) watch(cluster string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watching[cluster] != nil {
		return
	}
	ctx, cancel := context.WithCancel(d.jobs.ctx)
	d.watching[cluster] = cancel
	d.jobs.running.Go(func() {
		for {
			err := d.cfg.Shards.Watch(ctx, cluster, func() { d.queue.add(keyCluster + cluster) })
			if ctx.Err() != nil {
				return
			}
			d.log.Warn("watch of a cluster's nodes broke off, trying again", "cluster", cluster, "err", err)
			select {
			case <-time.After(maxRetry / 10):
			case <-ctx.Done():
				return
			}
		}
	})
}

func (d *Driver) unwatch(cluster string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if stop := d.watching[cluster]; stop != nil {
		stop()
		delete(d.watching, cluster)
	}
	delete(d.logs, cluster)
}

func (d *Driver) unwatchAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stop := range d.watching {
		stop()
	}
}

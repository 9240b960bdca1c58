// Package plane is one control plane: the API that it serves, and, while it is the
// elected one, the reconciler. Any number may run on one etcd.
//
// What the reconciler asks of its surroundings (package reconcile's interfaces) is
// answered here by package store and package fleet.
package plane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/backup"
	"github.com/redoubtdb/redoubt/control/certs"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/token"
)

// DefaultTTL is how long a control plane that is not heard of stays the elected one.
const DefaultTTL = 5 * time.Second

// Config of a Plane. Etcd stays the caller's to close.
type Config struct {
	ID   string // in the election, for people
	Etcd *clientv3.Client
	// Backup is what work on clusters' data needs; Etcd, Fence and Logger are set here.
	Backup backup.Config
	// Reserved are names of clusters that the API refuses; see api.Config.
	Reserved []string
	TTL      time.Duration // default DefaultTTL
	Policy   reconcile.Policy
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
}

// Plane is one control plane.
type Plane struct {
	cfg   Config
	store *store.Store
	fleet *fleet.Fleet
}

// Open makes a control plane; nothing is done yet.
func Open(ctx context.Context, cfg Config) (*Plane, error) {
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	resources, err := store.Open(ctx, cfg.Etcd, store.Options{})
	if err != nil {
		return nil, err
	}
	return &Plane{cfg: cfg, store: resources, fleet: fleet.Open(cfg.Etcd, fleet.Options{Logger: cfg.Logger})}, nil
}

// API is what the control plane serves.
func (p *Plane) API() *api.API {
	return api.New(api.Config{
		Etcd: p.cfg.Etcd, Store: p.store, Tokens: token.Open(p.cfg.Etcd), Hosts: hosts{p.fleet}, Reserved: p.cfg.Reserved, Logger: p.cfg.Logger,
	})
}

// Reconcile campaigns, and works whenever it is elected, until ctx ends.
func (p *Plane) Reconcile(ctx context.Context) error {
	err := reconcile.Lead(ctx, p.cfg.Etcd, p.cfg.ID, p.cfg.TTL, func(ctx context.Context, f reconcile.Fence) error {
		p.cfg.Logger.Info("this control plane is the elected one", "id", p.cfg.ID)
		err := p.driver(f).Run(ctx)
		if ctx.Err() == nil {
			p.cfg.Logger.Error("the reconciler has ended", "err", err)
		}
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("reconcile: %w", err)
}

// driver is what works for one elected time.
func (p *Plane) driver(f reconcile.Fence) *reconcile.Driver {
	work := p.cfg.Backup
	work.Etcd, work.Fence, work.Logger = p.cfg.Etcd, f, p.cfg.Logger
	return reconcile.New(reconcile.Config{
		Store:        resources{p.store, store.Fence{Key: f.Key, CreateRevision: f.CreateRevision}},
		Fleet:        nodes{p.fleet, []clientv3.Cmp{f.Holds()}},
		Shards:       reconcile.EtcdShards{Client: p.cfg.Etcd, Fence: f},
		Snapshotter:  backup.New(work),
		Certificates: &certs.Issuer{Etcd: p.cfg.Etcd, Fence: f},
		AtStart: func(name string) bool {
			parameter, ok := spec.LookupParameter(name)
			return ok && !parameter.Runtime
		},
		Fenced: func(err error) bool { return errors.Is(err, store.ErrFenced) || errors.Is(err, fleet.ErrFenced) },
		Policy: p.cfg.Policy, Logger: p.cfg.Logger, Metrics: p.cfg.Metrics,
	})
}

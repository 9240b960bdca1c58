package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
	"github.com/redoubtdb/redoubt/internal/objectserver"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

const (
	// rolePoll is how often a starting node is asked whether it is there yet.
	rolePoll = 5 * time.Millisecond
	// replicaPatience is how long Start waits for the replicas once there is a
	// primary; they catch up by themselves.
	replicaPatience = 300 * time.Millisecond
)

// Dev is a running dev. It owns everything it has started.
type Dev struct {
	cfg       Config
	lock      *os.File
	etcd      *etcd
	s3        *objectserver.Server
	store     *s3segments.Store
	registry  *prometheus.Registry
	metrics   *metricsserver.Server
	issuer    *issuer // nil without TLS
	nodes     []*member
	control   *control // nil without a control plane
	endpoints Endpoints
	recovered *snapshot.Recovered
	imported  *snapshot.Imported

	failOnce sync.Once
	failed   chan struct{} // closed when a part has ended by itself
	failure  error         // set before failed is closed
	watching sync.WaitGroup
	stop     chan struct{} // closed by Close

	closeOnce sync.Once
	closeErr  error
}

// Start runs everything and returns when the shard has a primary. ctx bounds
// only the start. Errors: ErrConfig, ErrLocked (as *LockedError),
// snapshot.ErrDataLeft when etcd/ is gone and s3/ is not, and those of the parts.
func Start(ctx context.Context, cfg Config) (*Dev, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	d := &Dev{cfg: cfg, registry: metricsserver.NewRegistry(), failed: make(chan struct{}), stop: make(chan struct{})}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dev) start(ctx context.Context) error {
	if err := os.MkdirAll(d.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	var err error
	if d.lock, err = lock(d.cfg.Dir); err != nil {
		return err
	}
	// What a killed dev left must not be taken for this one's.
	if err := removeEndpoints(d.cfg.Dir); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	d.endpoints = Endpoints{PID: os.Getpid(), Started: time.Now().UTC(), Version: node.Version(), Cluster: Cluster}
	for _, step := range []func(context.Context) error{
		d.startS3, d.startEtcd, d.recover, d.importFiles, d.startTLS, d.makeNodes, d.startMetrics, d.runNodes, d.startControl,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return d.endpoints.write(d.cfg.Dir)
}

func (d *Dev) startS3(ctx context.Context) error {
	access, secret, err := credentials(d.cfg.Dir)
	if err != nil {
		return err
	}
	file, err := filepath.Abs(filepath.Join(d.cfg.Dir, credentialsName))
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	d.s3, err = objectserver.Start(ctx, objectserver.Config{
		Dir: filepath.Join(d.cfg.Dir, "s3"), Bucket: Bucket,
		Addr:      net.JoinHostPort(d.cfg.Bind, strconv.Itoa(d.cfg.S3Port)),
		AccessKey: access, SecretKey: secret, Logger: d.cfg.Logger,
	})
	if err != nil {
		return listenError(err, "--s3-port", d.cfg.S3Port)
	}
	d.endpoints.S3 = S3{Endpoint: d.s3.URL(), Bucket: Bucket, Region: Region, AccessKey: access, SecretKey: secret, CredentialsFile: file}
	// Over HTTP, as from elsewhere. One store for all nodes: the requests of a
	// process are counted together.
	store := d.endpoints.StoreConfig()
	store.Logger, store.Metrics = d.cfg.Logger, node.NewStoreMetrics(d.registry)
	if d.store, err = s3segments.OpenStore(ctx, store); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	return nil
}

// StoreConfig is how the cluster's objects are reached.
func (e Endpoints) StoreConfig() s3segments.Config {
	return s3segments.Config{
		URL: e.S3.URL(), Cluster: e.Cluster, Endpoint: e.S3.Endpoint, Region: e.S3.Region,
		PathStyle: true, AccessKey: e.S3.AccessKey, SecretKey: e.S3.SecretKey,
	}
}

func (d *Dev) startEtcd(ctx context.Context) error {
	var err error
	if d.etcd, err = startEtcd(ctx, d.cfg.Dir, d.cfg.Logger); err != nil {
		return err
	}
	d.endpoints.Etcd = []string{d.etcd.url()}
	d.watch(d.etcd.server.Err(), "etcd")
	return d.revokeDead(ctx)
}

// revokeDead ends the lease of a primary of the directory's last run, which the
// lock proves to be dead, so that nobody waits until it expires.
func (d *Dev) revokeDead(ctx context.Context) error {
	shard := d.shard()
	st, err := shard.State(ctx)
	if err == nil && st.Leader != nil && isNodeID(st.Leader.NodeID) {
		err = shard.RevokeLeader(ctx, st.Leader.NodeID)
	}
	if err != nil {
		return fmt.Errorf("dev: end the last run's lease: %w", err)
	}
	return nil
}

func (d *Dev) shard() *etcdfence.Shard {
	return etcdfence.Open(d.etcd.client, Cluster, Shard, etcdfence.Options{Logger: d.cfg.Logger})
}

func (d *Dev) startMetrics(ctx context.Context) error {
	if !d.cfg.Metrics {
		return nil
	}
	var err error
	addr := net.JoinHostPort(d.cfg.Bind, strconv.Itoa(d.cfg.MetricsPort))
	if d.metrics, err = metricsserver.Start(ctx, metricsserver.Config{Addr: addr, Metrics: d.registry, Healthy: d.healthy}); err != nil {
		return listenError(err, "--metrics-port", d.cfg.MetricsPort)
	}
	d.endpoints.Metrics = "http://" + reachable(d.metrics.Addr()) + "/metrics"
	return nil
}

// healthy says what keeps the shard from being served.
func (d *Dev) healthy() error {
	select {
	case <-d.failed:
		return d.failure
	default:
	}
	if d.leader() == nil {
		return errors.New("no primary")
	}
	return nil
}

// Endpoints says where everything is reached.
func (d *Dev) Endpoints() Endpoints { return d.endpoints }

// Roles says what each node is now, in the order of Endpoints().Nodes.
func (d *Dev) Roles() []node.Role {
	roles := make([]node.Role, len(d.nodes))
	for i, m := range d.nodes {
		roles[i] = m.node.Role()
	}
	return roles
}

// Failed is closed when a part that the rest needs has ended; Err says which.
func (d *Dev) Failed() <-chan struct{} { return d.failed }

// Err is what ended, once Failed is closed.
func (d *Dev) Err() error {
	select {
	case <-d.failed:
		return d.failure
	default:
		return nil
	}
}

func (d *Dev) fail(err error) {
	d.failOnce.Do(func() {
		d.failure = err
		close(d.failed)
	})
}

// watch fails the Dev when ended delivers.
func (d *Dev) watch(ended <-chan error, what string) {
	d.watching.Add(1)
	go func() {
		defer d.watching.Done()
		select {
		case err := <-ended:
			if err == nil { // the channel was closed
				err = errors.New("for a reason it did not give")
			}
			d.fail(fmt.Errorf("dev: %s ended: %w", what, err))
		case <-d.stop:
		}
	}()
}

// Close stops everything in order; a primary commits what it has executed and
// lets go of the shard. It is idempotent.
func (d *Dev) Close() error {
	d.closeOnce.Do(func() { d.closeErr = d.close() })
	return d.closeErr
}

func (d *Dev) close() error {
	close(d.stop)
	d.watching.Wait()
	if d.lock == nil {
		return nil
	}
	errs := []error{removeEndpoints(d.cfg.Dir)}
	stop := func(what string, stop func() error) {
		began := time.Now()
		errs = append(errs, stop())
		d.cfg.Logger.Debug("stopped", "part", what, "took", time.Since(began).Round(time.Millisecond))
	}
	if d.control != nil {
		stop("control plane", d.control.stop)
	}
	stop("nodes", d.stopNodes)
	if d.metrics != nil {
		stop("metrics", d.metrics.Close)
	}
	if d.s3 != nil {
		stop("s3", d.s3.Close)
	}
	if d.etcd != nil {
		stop("etcd", d.etcd.close)
	}
	return errors.Join(append(errs, d.lock.Close())...)
}

// listenError says which flag to change when an address cannot be had.
func listenError(err error, flag string, port int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d is in use by another program, choose one with %s: %w", port, flag, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d is not for this user, choose one from 1024 up with %s: %w", port, flag, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("this machine does not have the address, change --bind: %w", err)
	}
	return err
}

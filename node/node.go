package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// errReload: the data in memory is not a prefix of the log any more.
var errReload = errors.New("node: the data must be loaded again")

// Node is one process's part in a shard. New listens, Run serves until its
// context ends, Close waits for the rest.
type Node struct {
	cfg      Config
	log      *slog.Logger
	shard    *etcdfence.Shard
	store    *s3segments.Store
	segments *s3segments.Shard
	engine   *engine
	settings *settings
	server   *server
	metrics  *metrics
	announce addresses
	runID    string

	load           loadProgress
	ready          atomic.Bool // has caught up with the log once since it was loaded
	leader         atomic.Pointer[etcdfence.Leader]
	peers          atomic.Pointer[[]etcdfence.NodeInfo]
	sealed         atomic.Uint64 // newest sealed seq heard of
	tail           atomic.Uint64 // newest seq heard of
	behindSince    atomic.Int64  // Unix ms of the newest entry applied while behind
	snapshotTime   atomic.Pointer[time.Time]
	heapPeak       atomic.Uint64                   // bytes
	heapAtStart    uint64                          // bytes, before there was data
	standBackUntil atomic.Int64                    // Unix ns
	request        atomic.Pointer[handoverRequest] // the last one heard of
	changed        chan struct{}                   // the role changed: register anew

	closeOnce sync.Once
	closeErr  error
}

// New checks the configuration and listens. Clients are answered -LOADING until
// Run has loaded the data.
func New(cfg Config) (*Node, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	ln, err := listen(&cfg)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	n := &Node{
		cfg: cfg, store: cfg.Store, segments: s3segments.NewShard(cfg.Store, cfg.Shard),
		log:      cfg.Logger.With("node", cfg.NodeID, "shard", cfg.Shard),
		announce: cfg.announced(address(ln.plain), address(ln.tls)), runID: newRunID(), heapAtStart: heapBytes(), changed: make(chan struct{}, 1),
	}
	n.metrics = newMetrics(n, cfg.Metrics)
	n.settings = newSettings(&cfg, ln, n.log)
	n.settings.primary = n.primaryAddress
	if most := n.settings.clients; int64(cfg.MaxClients) > most {
		n.log.Warn("maxclients is lowered to what the limit on open files has room for", "maxclients", cfg.MaxClients, "now", most)
	}
	n.shard = etcdfence.Open(cfg.Etcd, cfg.Cluster, cfg.Shard, etcdfence.Options{
		HeadLimit: cfg.HeadLimit, LeaseTTL: cfg.LeaseTTL, Spill: n.segments, Logger: n.log, Metrics: n.metrics,
	})
	n.engine = newEngine(Table(), keyspace.New(keyspace.Config{Databases: cfg.Databases}))
	if err := n.engine.users.configure(&cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("node: %w", err), ln.close())
	}
	n.server = newServer(n, ln)
	n.server.start()
	return n, nil
}

func newRunID() string {
	var b [20]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Addr is the address that clients reach the node at without TLS; "" when only
// TLS is served.
func (n *Node) Addr() string { return address(n.server.ln.plain) }

// TLSAddr is the address that clients reach the node at over TLS; "" when TLS is
// not served.
func (n *Node) TLSAddr() string { return address(n.server.ln.tls) }

// Role is what the node is to its shard at this moment.
func (n *Node) Role() Role {
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	return n.engine.role
}

// Run loads the data and serves, as replica or primary, until ctx ends; a
// primary then hands over. It returns early only when the node cannot go on:
// the log or a snapshot is damaged or of a newer format, or the shard's data
// and etcd do not belong together.
func (n *Node) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.watchPeers(gctx) })
	g.Go(func() error { return n.register(gctx) })
	g.Go(func() error { return n.watchHandover(gctx) })
	g.Go(func() error { return n.watchSnapshots(gctx) })
	g.Go(func() error { return n.watchUse(gctx) })
	g.Go(func() error { return n.engine.releaseLoop(gctx) })
	if n.cfg.ManagedParameters {
		g.Go(func() error { return n.watchParameters(gctx) })
	}
	if n.cfg.ManagedUsers {
		g.Go(func() error { return n.watchUsers(gctx) })
	}
	g.Go(func() error { return n.runRoles(gctx) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// runRoles is the node's life: load, follow, lead, and again.
func (n *Node) runRoles(ctx context.Context) error {
	mustLoad := true
	for {
		if mustLoad {
			if err := n.loadData(ctx); err != nil {
				return err
			}
			mustLoad = false
		}
		term, err := n.follow(ctx)
		if err == nil {
			err = n.lead(ctx, term)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errReload):
			n.log.Warn("loading the data again", "why", err)
			mustLoad = true
		case err != nil:
			return err
		}
	}
}

// Close stops serving and waits. It is idempotent. Run must have returned, or
// its context have ended.
func (n *Node) Close() error {
	n.closeOnce.Do(func() { n.closeErr = n.server.close() })
	return n.closeErr
}

// roleChanged lets the registration tell the others.
func (n *Node) roleChanged() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// appliedAt notes how far behind the newest applied entry is.
func (n *Node) appliedAt(e *wal.Entry) {
	n.behindSince.Store(e.Time)
	if n.tail.Load() < e.Seq {
		n.tail.Store(e.Seq)
	}
}

// caughtUp notes that everything up to tail is applied.
func (n *Node) caughtUp(tail uint64) {
	n.tail.Store(tail)
	n.behindSince.Store(0)
	if n.ready.CompareAndSwap(false, true) {
		n.engine.becomeReplica()
		n.load.started.Store(0)
		n.log.Info("caught up with the log", "seq", tail)
		n.roleChanged()
	}
}

// lag is how far a replica is behind, in entries it has heard of and in
// milliseconds since the newest one it applied was written.
func (n *Node) lag() (entries uint64, ms int64) {
	applied := n.engine.applied.Seq
	if tail := n.tail.Load(); tail > applied {
		entries = tail - applied
	}
	if since := n.behindSince.Load(); since > 0 && entries > 0 {
		ms = max(0, time.Now().UnixMilli()-since)
	}
	return entries, ms
}

// replicationID names the shard's one history, in the place of Redis's
// replication id.
func (n *Node) replicationID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%04d", n.cfg.Cluster, n.cfg.Shard))
	return hex.EncodeToString(sum[:20])
}

func formatSeq(seq uint64) string { return strconv.FormatUint(seq, 10) }

package etcdfence

import (
	"context"
	"log/slog"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

const (
	// DefaultHeadLimit is Options.HeadLimit when it is not set: 256 MiB.
	DefaultHeadLimit = 256 << 20
	// DefaultMaxInline is Options.MaxInline when it is not set: 1 MiB, below
	// etcd's request limit of 1.5 MiB.
	DefaultMaxInline = 1 << 20
	// DefaultLeaseTTL is Options.LeaseTTL when it is not set.
	DefaultLeaseTTL = 2 * time.Second
	// DefaultNodeTTL is Options.NodeTTL when it is not set.
	DefaultNodeTTL = 5 * time.Second
	// DefaultCompactEvery is Options.CompactEvery when it is not set.
	DefaultCompactEvery = time.Second
)

// Options tunes a Shard. The zero value is usable, but an entry larger than
// MaxInline then cannot be stored or read.
type Options struct {
	// HeadLimit bounds the bytes of keys and values of the log head. Hard.
	HeadLimit int64
	// MaxInline is the largest encoded entry, in bytes, that is stored in etcd
	// itself; larger ones go through Spill and are logged by reference.
	MaxInline int
	// Spill stores and reads entries larger than MaxInline.
	Spill Spiller
	// LeaseTTL is asked for the leader key's lease, rounded up to seconds.
	// etcd grants at least 1.5 election timeouts; what it grants counts.
	LeaseTTL time.Duration
	// DriftMargin is taken off the lease on our side, for clocks that run at
	// different speed. Default a tenth of the granted TTL.
	DriftMargin time.Duration
	// NodeTTL is asked for the lease of a node's registration.
	NodeTTL time.Duration
	// CompactEvery is how often a term compacts etcd behind its trims.
	CompactEvery time.Duration
	// Now is the clock that lease deadlines are measured with. Default time.Now.
	Now func() time.Time
	// Logger is told of retries, lost leases and the like. Default: nothing.
	Logger *slog.Logger
	// Metrics observes requests and the head. Default: nothing.
	Metrics Observer
}

// Spiller stores entries that are too large for etcd. Spilling one entry twice
// must be harmless; orphans are the store's to clean up.
type Spiller interface {
	// Spill stores wal.Encode(e) durably and returns its reference.
	Spill(ctx context.Context, e *wal.Entry) (wal.Ref, error)
	wal.Resolver
}

// Observer is told what happens, for metrics. Its methods are called on the
// paths they measure and must not block.
type Observer interface {
	// Append: an Append took d with all its retries; err is what it returned.
	Append(d time.Duration, storedBytes int, err error)
	// Request: one request to etcd took d. op is one of append, campaign, trim,
	// compact, renew, grant, revoke, read, put.
	Request(op string, d time.Duration, err error)
	// Head: a term's head now holds so many entries of so many bytes.
	Head(entries int, bytes int64)
}

type noObserver struct{}

func (noObserver) Append(time.Duration, int, error)     {}
func (noObserver) Request(string, time.Duration, error) {}
func (noObserver) Head(int, int64)                      {}

func (o Options) withDefaults() Options {
	setDefault(&o.HeadLimit, DefaultHeadLimit)
	setDefault(&o.MaxInline, DefaultMaxInline)
	setDefault(&o.LeaseTTL, DefaultLeaseTTL)
	setDefault(&o.NodeTTL, DefaultNodeTTL)
	setDefault(&o.CompactEvery, DefaultCompactEvery)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noObserver{}
	}
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

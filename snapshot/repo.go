package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
	"github.com/redoubtdb/redoubt/wal"
)

// Head reads the newest part of a shard's log, the one that is not in segments
// yet. *etcdfence.Shard is one.
type Head interface {
	// State is the shard's sealed pointer and tail at one moment.
	State(ctx context.Context) (etcdfence.State, error)
	// ReadHead calls fn for the entries from..to, up to the tail. It fails with
	// etcdfence.ErrTrimmed when from, or the place reached, was sealed.
	ReadHead(ctx context.Context, from, to uint64, fn func(e *wal.Entry, stored int) error) error
}

var _ Head = (*etcdfence.Shard)(nil)

// Options tune a Repo. The zero value is good.
type Options struct {
	// Keyspace configures the keyspaces that data is loaded into.
	Keyspace keyspace.Config
	// Parallel is how many parts of an object are downloaded at once; default 4.
	Parallel int
	// Version of the program, noted in what it writes.
	Version string
	// Logger is told of snapshots that are refused. Nil: nothing is logged.
	Logger *slog.Logger
}

// Repo is the snapshots of one cluster. It is safe for concurrent use and owns
// no goroutine beyond its calls.
type Repo struct {
	store   *s3segments.Store
	cluster string
	o       Options
	log     *slog.Logger
	now     func() time.Time
	part    int64 // bytes of one ranged download
	// save writes a file; tests damage what it writes.
	save func(io.Writer, *keyspace.Keyspace, rdb.SaveOptions) (int64, error)
}

// Open names the snapshots of the cluster whose objects store holds; it makes no
// request. The store stays the caller's.
func Open(store *s3segments.Store, cluster string, o Options) *Repo {
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Repo{store: store, cluster: cluster, o: o, log: o.Logger, now: time.Now, part: 8 << 20, save: rdb.Save}
}

// table is what effects are replayed with. Built once, since rows are
// completed in place.
var table = sync.OnceValue(func() *command.Table { return command.NewTable(command.Data()) })

// Summary is a snapshot as List finds it.
type Summary struct {
	Name     string
	Manifest *Manifest // nil when Err is set
	// Err says why the manifest cannot be used: ErrDamaged or ErrNewerFormat.
	Err error
}

// listParallel is how many manifests are read at once.
const listParallel = 8

// List reads the manifests of all published snapshots, the newest first; those
// that cannot be read come last. It does not look at the data.
func (r *Repo) List(ctx context.Context) ([]Summary, error) {
	var names []string
	err := r.store.List(ctx, prefix, func(o s3segments.ObjectInfo) error {
		if name, file, ok := nameOf(o.Key); ok && "/"+file == manifestFile {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	found := make([]Summary, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(listParallel)
	for i, name := range names {
		g.Go(func() error {
			m, err := r.Show(gctx, name)
			if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewerFormat) && !errors.Is(err, ErrNotFound) {
				return err
			}
			found[i] = Summary{Name: name, Manifest: m, Err: err}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// One that was removed since it was listed is not there any more.
	found = slices.DeleteFunc(found, func(s Summary) bool { return errors.Is(s.Err, ErrNotFound) })
	slices.SortFunc(found, newestFirst)
	return found, nil
}

func newestFirst(a, b Summary) int {
	switch {
	case a.Manifest == nil && b.Manifest == nil:
		return strings.Compare(a.Name, b.Name)
	case a.Manifest == nil:
		return 1
	case b.Manifest == nil:
		return -1
	}
	if c := b.Manifest.CreatedAt.Compare(a.Manifest.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(b.Name, a.Name)
}

// Show reads a snapshot's manifest. Errors: ErrBadName, ErrNotFound, ErrDamaged,
// ErrNewerFormat.
func (r *Repo) Show(ctx context.Context, name string) (*Manifest, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	b, err := r.store.GetRange(ctx, manifestKey(name), 0, maxManifest+1)
	switch {
	case errors.Is(err, s3segments.ErrNotFound):
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	case errors.Is(err, s3segments.ErrDamaged):
		return nil, fmt.Errorf("%w: manifest of %s: %w", ErrDamaged, name, err)
	case err != nil:
		return nil, fmt.Errorf("read the manifest of snapshot %s: %w", name, err)
	case len(b) > maxManifest:
		return nil, fmt.Errorf("%w: manifest of %s is larger than %d bytes", ErrDamaged, name, maxManifest)
	}
	m, err := parseManifest(name, b)
	if err == nil && m.Cluster != r.cluster {
		return nil, fmt.Errorf("%w: manifest of %s is of cluster %q, not %q", ErrDamaged, name, m.Cluster, r.cluster)
	}
	return m, err
}

// unfinishedAge is how long a snapshot without a manifest is left alone: it may be
// the work of a snapshotter that still runs.
const unfinishedAge = time.Hour

// Remove deletes a snapshot: its manifest first, so that nobody meets a snapshot
// without its data. What a snapshotter left behind that did not get to the
// manifest is deleted once it is an hour old; before that Remove answers
// ErrNameTaken. Error: ErrNotFound when there is nothing.
func (r *Repo) Remove(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	published := false
	var data []string
	var newest time.Time
	err := r.store.List(ctx, prefix+name+"/", func(o s3segments.ObjectInfo) error {
		if o.Key == manifestKey(name) {
			published = true
			return nil
		}
		data = append(data, o.Key)
		if o.LastModified.After(newest) {
			newest = o.LastModified
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("remove snapshot %s: %w", name, err)
	case !published && len(data) == 0:
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	case !published && r.now().Sub(newest) < unfinishedAge:
		return fmt.Errorf("%w: %s is being made, or was given up less than %v ago", ErrNameTaken, name, unfinishedAge)
	case published:
		if err := r.store.Delete(ctx, manifestKey(name)); err != nil {
			return fmt.Errorf("remove snapshot %s: %w", name, err)
		}
	}
	if err := r.store.Delete(ctx, data...); err != nil {
		return fmt.Errorf("remove the data of snapshot %s: %w", name, err)
	}
	return nil
}

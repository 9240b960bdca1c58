package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// Source is a shard that a snapshot is made of.
type Source struct {
	Shard int
	Slots string // hash slots it owns, as in "0-16383"
	Head  Head
}

// CreateOptions say what snapshot to make.
type CreateOptions struct {
	Name   string // see CheckName; "" is DefaultName
	Shards []Source
	// UpTo is the last entry to take in, for a snapshot of one shard. 0 is all
	// that is committed when Create begins.
	UpTo uint64
	// TempDir is where the files are written before they are uploaded; "" is the
	// system's. It needs as much room as the largest shard's file.
	TempDir string
	// Progress is told how far it has come, a few times a second. May be nil.
	Progress func(Progress)
}

// createTries bounds how often Create begins again when the snapshot or the
// segments that it was reading are cleaned up under it.
const createTries = 3

// Create makes a snapshot away from the serving nodes: it loads the newest good
// snapshot, applies segments and head up to a chosen entry, each checked to follow
// the one before, writes an RDB file, loads that file back from disk and compares
// digests, uploads it, reads it back from S3, and publishes the manifest last. Until
// then nobody can see the snapshot; when Create fails it takes away what it uploaded.
//
// It holds one shard's data in memory at a time, once.
//
// Errors: ErrBadName, ErrNameTaken, ErrNotRestorable, ErrBeyondLog,
// ErrOtherHistory, ErrNewerFormat, *s3segments.MissingError,
// *s3segments.DamagedError, etcdfence.ErrNotInitialized.
func (r *Repo) Create(ctx context.Context, o CreateOptions) (*Manifest, error) {
	created := r.now().UTC()
	if o.Name == "" {
		o.Name = DefaultName(created)
	}
	m := &Manifest{
		Format: ManifestFormat, Name: o.Name, Cluster: r.cluster, Engine: Engine,
		WrittenBy: "redoubt " + r.o.Version, CreatedAt: created,
	}
	if err := r.create(ctx, o, m); err != nil {
		return nil, fmt.Errorf("create snapshot %s: %w", o.Name, err)
	}
	return m, nil
}

func (r *Repo) create(ctx context.Context, o CreateOptions, m *Manifest) (err error) {
	if err := r.checkCreate(ctx, o); err != nil {
		return err
	}
	targets, err := tails(ctx, o)
	if err != nil {
		return err
	}
	dir, err := tempDir(o.TempDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p := newMeter(o.Progress)
	for i, src := range o.Shards {
		if err := r.createShard(ctx, src, targets[i], fileIn(dir, src.Shard), m, p); err != nil {
			return errors.Join(err, r.takeBack(ctx, m))
		}
	}
	p.end()
	m.VerifiedAt = r.now().UTC()
	// From here on nothing is taken back: the manifest may get there although
	// the answer is lost.
	return r.publish(ctx, m)
}

func (r *Repo) checkCreate(ctx context.Context, o CreateOptions) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if len(o.Shards) == 0 || o.UpTo > 0 && len(o.Shards) > 1 {
		return fmt.Errorf("%d shards and a last entry of %d: give one or more shards, and one with a last entry", len(o.Shards), o.UpTo)
	}
	seen := map[int]bool{}
	for _, s := range o.Shards {
		if seen[s.Shard] || s.Head == nil || s.Shard < 0 || s.Shard > maxShard {
			return fmt.Errorf("shard %d is given twice, out of range or without its log", s.Shard)
		}
		seen[s.Shard] = true
	}
	_, err := r.store.Head(ctx, manifestKey(o.Name))
	switch {
	case err == nil:
		return fmt.Errorf("%w: there is a snapshot %s", ErrNameTaken, o.Name)
	case errors.Is(err, s3segments.ErrNotFound):
		return nil
	}
	return err
}

// tails decides up to where each shard's log is taken in.
func tails(ctx context.Context, o CreateOptions) ([]uint64, error) {
	targets := make([]uint64, len(o.Shards))
	for i, s := range o.Shards {
		st, err := s.Head.State(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("shard %d: %w", s.Shard, err)
		case !st.Initialized:
			return nil, fmt.Errorf("shard %d: %w", s.Shard, etcdfence.ErrNotInitialized)
		case o.UpTo > st.Tail:
			return nil, fmt.Errorf("%w: shard %d ends at entry %d, a snapshot up to %d was asked for", ErrBeyondLog, s.Shard, st.Tail, o.UpTo)
		}
		targets[i] = st.Tail
		if o.UpTo > 0 {
			targets[i] = o.UpTo
		}
	}
	return targets, nil
}

// createShard makes, checks and stores one shard's file and adds it to m.
func (r *Repo) createShard(ctx context.Context, src Source, upTo uint64, path string, m *Manifest, p *meter) error {
	st, err := r.replayTo(ctx, src, upTo, p)
	if err != nil {
		return err
	}
	return r.storeShard(ctx, st, src, path, m, p)
}

// storeShard writes, checks and stores the file of a shard whose data is st, and
// adds it to m.
func (r *Repo) storeShard(ctx context.Context, st *replay, src Source, path string, m *Manifest, p *meter) error {
	p.phase(Progress{Phase: PhaseWrite, Shard: src.Shard})
	s, err := r.writeFile(ctx, st, path, src.Shard, src.Slots, m.CreatedAt, p)
	if err != nil {
		return fmt.Errorf("write shard %d to %s: %w", src.Shard, path, err)
	}
	p.phase(Progress{Phase: PhaseCheck, Shard: src.Shard, TotalBytes: s.RDB.Size})
	if err := r.checkFile(ctx, path, &s, p); err != nil {
		return err
	}
	p.phase(Progress{Phase: PhaseUpload, Shard: src.Shard, TotalBytes: s.RDB.Size})
	if err := r.upload(ctx, path, m.Name, &s); err != nil {
		return fmt.Errorf("upload shard %d: %w", src.Shard, err)
	}
	m.Shards = append(m.Shards, s)
	p.bytes(s.RDB.Size)
	p.phase(Progress{Phase: PhaseReadBack, Shard: src.Shard, TotalBytes: s.RDB.Size})
	if err := r.readBack(ctx, &s, p); err != nil {
		return err
	}
	return os.Remove(path)
}

// replayTo builds a shard's data as it was after entry upTo.
func (r *Repo) replayTo(ctx context.Context, src Source, upTo uint64, p *meter) (*replay, error) {
	l := r.shardLog(src.Shard, src.Head)
	for try := 1; ; try++ {
		st, _, refused, err := r.base(ctx, src.Shard, upTo, r.o.Keyspace, p)
		if err == nil {
			p.phase(Progress{Phase: PhaseReplay, Shard: src.Shard, TotalEntries: seqRange(st.pos, upTo)})
			st.applied = func(*wal.Entry) { p.entry() }
			st.short = broken.Is(broken.ShortSnapshot)
			err = l.advance(ctx, st, upTo)
			if err == nil {
				return st, nil
			}
			st.close()
			err = fmt.Errorf("from %s: %w", st.from, errors.Join(append([]error{err}, refused...)...))
		}
		if try == createTries || !cleanedUp(err) {
			return nil, err
		}
		r.log.Info("what was being read is gone, looking again", "shard", src.Shard, "err", err)
	}
}

// cleanedUp tells errors that a clean-up at the same time may have caused.
func cleanedUp(err error) bool {
	return errors.Is(err, s3segments.ErrMissing) || errors.Is(err, s3segments.ErrNotFound)
}

// takeBackTime bounds the clean-up after a failure; what it does not reach is an
// orphan that PlanGC finds.
const takeBackTime = 30 * time.Second

// takeBack deletes the files of a snapshot that will not be published.
func (r *Repo) takeBack(ctx context.Context, m *Manifest) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer cancel()
	keys := make([]string, len(m.Shards))
	for i := range m.Shards {
		keys[i] = m.Shards[i].RDB.Key
	}
	return r.store.Delete(ctx, keys...)
}

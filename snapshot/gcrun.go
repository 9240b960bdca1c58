package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
)

// DefaultGrace is GCOptions.Grace when it is not set.
const DefaultGrace = 24 * time.Hour

// GCOptions say what a clean-up keeps.
type GCOptions struct {
	// Keep is how many snapshots stay, at least 1.
	Keep int
	// Heads are the logs of the cluster's shards. A shard that is not given keeps all
	// of its log.
	Heads map[int]Head
	// Grace is how long something must not have changed that looks left behind.
	Grace time.Duration
	// Quick compares only the sizes of the files of snapshots that are kept.
	// Otherwise they are downloaded and their SHA-256 is compared.
	Quick bool
	// Progress is told how far the check has come, a few times a second. May be nil.
	Progress func(Progress)
}

// PlanGC decides what can be deleted: snapshots older than the newest good ones,
// segments whose entries are all in every kept snapshot, segments that others
// supersede, spilled entries that are in segments, files of snapshots that were
// never finished, records of old clean-ups. It changes nothing.
//
// Errors: ErrNoVerified, ErrNewerFormat, *s3segments.MissingError.
func (r *Repo) PlanGC(ctx context.Context, o GCOptions) (*Plan, error) {
	if o.Keep < 1 {
		return nil, fmt.Errorf("%w: at least one snapshot must be kept", ErrPlan)
	}
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	inv, err := r.takeInventory(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("plan a clean-up: %w", err)
	}
	plan, err := decide(inv, o.Keep, o.Grace)
	if err != nil {
		return nil, fmt.Errorf("plan a clean-up: %w", err)
	}
	return plan, nil
}

func (r *Repo) takeInventory(ctx context.Context, o GCOptions) (inventory, error) {
	inv := inventory{cluster: r.cluster, now: r.now().UTC()}
	// Files before manifests: a snapshot that is published in between is seen.
	var err error
	if inv.files, err = r.objects(ctx, prefix); err != nil {
		return inv, err
	}
	if inv.plans, err = r.objects(ctx, gcPrefix); err != nil {
		return inv, err
	}
	all, err := r.List(ctx)
	if err != nil {
		return inv, err
	}
	p, good := newMeter(o.Progress), 0
	for _, s := range all {
		if errors.Is(s.Err, ErrNewerFormat) {
			return inv, s.Err
		}
		c := checked{Summary: s, err: s.Err}
		if c.err == nil && good < o.Keep {
			if c.err, err = r.inspect(ctx, s.Manifest, o.Quick, p); err != nil {
				return inv, err
			}
			if c.err == nil {
				good++
			}
		}
		inv.snapshots = append(inv.snapshots, c)
	}
	p.end()
	for _, shard := range slices.Sorted(maps.Keys(o.Heads)) {
		s, err := r.shardInventory(ctx, shard, o.Heads[shard])
		if err != nil {
			return inv, fmt.Errorf("shard %d: %w", shard, err)
		}
		inv.shards = append(inv.shards, s)
	}
	return inv, nil
}

func (r *Repo) objects(ctx context.Context, prefix string) (found []s3segments.ObjectInfo, err error) {
	err = r.store.List(ctx, prefix, func(o s3segments.ObjectInfo) error {
		found = append(found, o)
		return nil
	})
	return found, err
}

// inspect looks at the files of a snapshot; damage is what is wrong with them.
func (r *Repo) inspect(ctx context.Context, m *Manifest, quick bool, p *meter) (damage, err error) {
	for i := range m.Shards {
		s := &m.Shards[i]
		p.phase(Progress{Phase: PhaseCheck, Shard: s.Shard, TotalBytes: s.RDB.Size})
		if quick {
			err = r.sameSize(ctx, s.RDB)
		} else {
			err = r.compareStored(ctx, s.RDB, p)
		}
		if err != nil && isDamage(err) {
			return fmt.Errorf("%w: shard %d (%s): %w", ErrDamaged, s.Shard, r.store.URL(s.RDB.Key), err), nil
		}
		if err != nil {
			return nil, fmt.Errorf("check snapshot %s: %w", m.Name, err)
		}
	}
	return nil, nil
}

// shardInventory lists a shard's log. The sealed pointer is read first: what the
// listings then lack up to it is truly missing.
func (r *Repo) shardInventory(ctx context.Context, shard int, head Head) (s shardInventory, err error) {
	s.shard = shard
	state, err := head.State(ctx)
	if err != nil {
		return s, err
	}
	if !state.Initialized {
		return s, etcdfence.ErrNotInitialized
	}
	s.sealed = state.Sealed.Seq
	l := r.shardLog(shard, head)
	if s.segments, err = l.segments.List(ctx); err != nil {
		return s, err
	}
	s.spills, err = l.segments.ListSpills(ctx)
	return s, err
}

// RunGC stores a plan under gc/ and then carries it out: the manifests of snapshots
// to remove, their files, then the other objects, each in the plan's order. Before
// anything is deleted it looks whether the kept snapshots are still there. It may
// be run again when it was interrupted. The result is the key of the stored plan.
//
// Errors: ErrPlan, ErrNewerFormat.
func (r *Repo) RunGC(ctx context.Context, p *Plan, progress func(Progress)) (string, error) {
	key, err := r.runPlan(ctx, p, newMeter(progress))
	if err != nil {
		return key, fmt.Errorf("clean up: %w", err)
	}
	return key, nil
}

func (r *Repo) runPlan(ctx context.Context, p *Plan, m *meter) (string, error) {
	if err := p.check(r.cluster); err != nil {
		return "", err
	}
	if len(p.Keep) == 0 {
		return "", fmt.Errorf("%w: it keeps no snapshot", ErrNoVerified)
	}
	for _, k := range p.Keep {
		if err := r.stillThere(ctx, k); err != nil {
			return "", fmt.Errorf("%w: snapshot %s, which is to be kept: %w", ErrPlan, k.Name, err)
		}
	}
	return r.carryOut(ctx, p, m)
}

func (r *Repo) stillThere(ctx context.Context, k PlanSnapshot) error {
	m, err := r.Show(ctx, k.Name)
	if err != nil {
		return err
	}
	if now := planned(m, k.Why); !m.CreatedAt.Equal(k.CreatedAt) || !slices.Equal(now.Files, k.Files) {
		return errors.New("it is another one than when the plan was made")
	}
	for _, f := range k.Files {
		if err := r.sameSize(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// carryOut stores a checked plan and deletes.
func (r *Repo) carryOut(ctx context.Context, p *Plan, m *meter) (string, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return "", err
	}
	key := gcPrefix + r.now().UTC().Format("20060102T150405.000000000Z") + ".json"
	err = r.store.Put(ctx, key, append(b, '\n'), s3segments.PutOptions{IfNoneMatch: true, Metadata: map[string]string{
		"kind": "clean-up plan", "engine": "redoubt", "cluster": r.cluster, "format": fmt.Sprint(p.Format),
	}})
	if err != nil {
		return "", fmt.Errorf("store the plan: %w", err)
	}
	m.phase(Progress{Phase: PhaseDelete, TotalBytes: p.Bytes(), TotalEntries: uint64(p.Objects())})
	for _, s := range p.Remove {
		if err := r.removePlanned(ctx, s, m); err != nil {
			return key, err
		}
	}
	objects, err := r.withoutPublished(ctx, p.Delete)
	if err != nil {
		return key, err
	}
	for batch := range slices.Chunk(objects, 1000) {
		if err := r.deleteBatch(ctx, batch, m); err != nil {
			return key, err
		}
	}
	m.end()
	return key, nil
}

// removePlanned deletes a snapshot unless another one has taken its name.
func (r *Repo) removePlanned(ctx context.Context, s PlanSnapshot, m *meter) error {
	now, err := r.Show(ctx, s.Name)
	switch {
	case errors.Is(err, ErrNotFound): // an earlier run got so far
	case err != nil:
		return err
	case !now.CreatedAt.Equal(s.CreatedAt):
		r.log.Warn("a snapshot that was to be removed was made anew and is kept", "snapshot", s.Name)
		return nil
	default:
		if err := r.store.Delete(ctx, manifestKey(s.Name)); err != nil {
			return err
		}
	}
	var files []PlanObject
	for _, f := range s.Files {
		files = append(files, PlanObject{Key: f.Key, Size: f.Size})
	}
	return r.deleteBatch(ctx, files, m)
}

// withoutPublished leaves out files of snapshots that were finished since the plan
// was made.
func (r *Repo) withoutPublished(ctx context.Context, objects []PlanObject) ([]PlanObject, error) {
	published := map[string]bool{}
	for _, o := range objects {
		name, _, ok := nameOf(o.Key)
		if _, known := published[name]; !ok || known {
			continue
		}
		_, err := r.store.Head(ctx, manifestKey(name))
		if err != nil && !errors.Is(err, s3segments.ErrNotFound) {
			return nil, err
		}
		published[name] = err == nil
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o PlanObject) bool {
		name, _, ok := nameOf(o.Key)
		return ok && published[name]
	}), nil
}

func (r *Repo) deleteBatch(ctx context.Context, objects []PlanObject, m *meter) error {
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = o.Key
	}
	if err := r.store.Delete(ctx, keys...); err != nil {
		return err
	}
	for _, o := range objects {
		m.bytes(o.Size)
		m.entry()
	}
	return nil
}

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redoubtdb/redoubt/wal"
)

// VerifyOptions say how much to check.
type VerifyOptions struct {
	// Replay also builds the same data a second way, from the snapshot before and
	// the log between the two, and compares.
	Replay bool
	// Heads are the logs of shards, needed to replay a snapshot that reaches past
	// the last segment.
	Heads map[int]Head
	// Progress is told how far it has come, a few times a second. May be nil.
	Progress func(Progress)
}

// Verified says what Verify has checked of a shard.
type Verified struct {
	Shard    int      `json:"shard"`
	Keys     int      `json:"keys"`
	Digest   string   `json:"digest"`
	Position Position `json:"position"`
	// ReplayedFrom is what the data was built from a second time, "" when that
	// was not asked for: a snapshot, or the start of the log.
	ReplayedFrom    string `json:"replayed_from,omitempty"`
	ReplayedEntries uint64 `json:"replayed_entries,omitempty"`
}

// Verify downloads a snapshot, loads it and compares it with its manifest: size,
// SHA-256, CRC, position, counts and digest of each shard. It holds one shard's
// data in memory at a time.
//
// Errors: ErrNotFound, ErrDamaged, ErrNewerFormat; with Replay also
// *s3segments.MissingError when the segments were cleaned up since.
func (r *Repo) Verify(ctx context.Context, name string, o VerifyOptions) ([]Verified, error) {
	m, err := r.Show(ctx, name)
	if err != nil {
		return nil, err
	}
	p := newMeter(o.Progress)
	var done []Verified
	for i := range m.Shards {
		c := candidate{m, &m.Shards[i]}
		v, err := r.verifyShard(ctx, c, p)
		if err == nil && o.Replay {
			err = r.verifyReplay(ctx, c, &v, o.Heads[v.Shard], p)
		}
		if err != nil {
			return done, fmt.Errorf("verify %s: %w", name, err)
		}
		done = append(done, v)
	}
	p.end()
	return done, nil
}

func (r *Repo) verifyShard(ctx context.Context, c candidate, p *meter) (Verified, error) {
	st, err := r.restore(ctx, c, r.o.Keyspace, p)
	if err != nil {
		return Verified{}, err
	}
	st.close()
	return Verified{Shard: c.shard.Shard, Keys: c.shard.Keys, Digest: c.shard.Digest, Position: c.shard.Position}, nil
}

// verifyReplay builds the data of c from what came before it.
func (r *Repo) verifyReplay(ctx context.Context, c candidate, v *Verified, head Head, p *meter) error {
	before, err := r.candidates(ctx, v.Shard, v.Position.Seq)
	if err != nil {
		return err
	}
	before = slices.DeleteFunc(before, func(o candidate) bool { return o.shard.Position.Seq >= v.Position.Seq })
	st, _, refused, err := r.firstGood(ctx, before, r.o.Keyspace, p)
	if err != nil {
		return err
	}
	defer st.close()
	v.ReplayedFrom, v.ReplayedEntries = st.from, v.Position.Seq-st.pos.Seq
	p.phase(Progress{Phase: PhaseReplay, Shard: v.Shard, TotalEntries: v.ReplayedEntries})
	st.applied = func(*wal.Entry) { p.entry() }
	if err := r.replayAgain(ctx, v, head, st); err != nil {
		return fmt.Errorf("replay from %s: %w", st.from, errors.Join(append([]error{err}, refused...)...))
	}
	got := Shard{Shard: v.Shard, Position: Position(st.pos)}
	got.count(st.ks)
	if got.Position != v.Position || got.Digest != v.Digest {
		return fmt.Errorf("%w: snapshot %s, shard %d: replayed from %s, the log gives digest %s at %v, the snapshot has %s at %v",
			ErrDamaged, c.manifest.Name, v.Shard, st.from, got.Digest, got.Position, v.Digest, v.Position)
	}
	return nil
}

func (r *Repo) replayAgain(ctx context.Context, v *Verified, head Head, st *replay) error {
	l := r.shardLog(v.Shard, head)
	if head != nil {
		return l.advance(ctx, st, v.Position.Seq)
	}
	return l.readSegments(ctx, st, v.Position.Seq)
}

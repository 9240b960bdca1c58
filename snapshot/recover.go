package snapshot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
)

// RecoverOptions say how far to recover.
type RecoverOptions struct {
	// UpTo is the last entry to recover: the last one of a segment, or of a
	// snapshot. 0 is all there is. Set it to accept the loss of what is behind a
	// hole or a damaged segment, which Recover names.
	UpTo uint64
	// Progress is told how far it has come, a few times a second. May be nil.
	Progress func(Progress)
}

// Recovered is what object storage alone gives of a shard.
type Recovered struct {
	Shard     int       `json:"shard"`
	Position  Position  `json:"position"`   // of the last entry that was found
	EntryTime time.Time `json:"entry_time"` // when it was written
	EpochBase int64     `json:"epoch_base"` // no epoch above it was ever seen
	Snapshot  string    `json:"snapshot"`   // begun with; "" for the start of the log
	Segments  []string  `json:"segments"`   // keys of those read behind it
	Keys      int       `json:"keys"`
	Digest    string    `json:"digest"`
	// Refused says what was wrong with damaged snapshots that were passed over.
	Refused []string `json:"refused,omitempty"`
	// Beyond are snapshots and segments past Position. They belong to a history that
	// is given up, and must be gone (Discard) before the shard is used again.
	BeyondSnapshots []PlanSnapshot `json:"beyond_snapshots,omitempty"`
	BeyondSegments  []PlanObject   `json:"beyond_segments,omitempty"`

	// segment ends with Position; "" when a snapshot does.
	segment string
}

// Sealed is the pointer to initialise the shard with in a new etcd
// (etcdfence.Shard.Initialize).
func (r *Recovered) Sealed(now time.Time) etcdfence.Sealed {
	return etcdfence.Sealed{
		Seq: r.Position.Seq, Epoch: r.Position.Epoch, Chain: r.Position.Chain,
		EpochBase: r.EpochBase, Segment: r.segment, Time: now.UTC(),
	}
}

// Recover finds out, from object storage alone, how far a shard's log reaches when
// its etcd is lost: up to the last sealed entry, or to a snapshot that was made of
// later ones. It loads the newest good snapshot and applies all segments behind it,
// so that what it answers has been proved to load. It changes nothing.
//
// Errors: ErrNotFound when there is nothing of the shard; *s3segments.MissingError and
// *s3segments.DamagedError, saying up to where the log is whole; ErrBeyondLog and
// ErrPlan for an UpTo that cannot be; ErrNewerFormat.
func (r *Repo) Recover(ctx context.Context, shard int, o RecoverOptions) (*Recovered, error) {
	rec, err := r.recover(ctx, shard, o)
	if err != nil {
		return nil, fmt.Errorf("recover shard %d: %w", shard, err)
	}
	return rec, nil
}

func (r *Repo) recover(ctx context.Context, shard int, o RecoverOptions) (*Recovered, error) {
	limit := o.UpTo
	if limit == 0 {
		limit = math.MaxUint64
	}
	l := r.shardLog(shard, nil)
	infos, err := l.segments.List(ctx)
	if err != nil {
		return nil, err
	}
	all, err := r.candidates(ctx, shard, math.MaxUint64)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 && len(all) == 0 {
		return nil, fmt.Errorf("%w: object storage holds neither segments nor snapshots of it (%s)", ErrNotFound, r.store.URL(""))
	}
	rec := &Recovered{Shard: shard}
	rec.look(infos, all, limit)
	p := newMeter(o.Progress)
	usable := all
	for len(usable) > 0 && usable[0].shard.Position.Seq > limit {
		usable = usable[1:]
	}
	st, from, refused, err := r.firstGood(ctx, usable, r.o.Keyspace, p)
	if err != nil {
		return nil, err
	}
	defer st.close()
	for _, err := range refused {
		rec.Refused = append(rec.Refused, err.Error())
	}
	if from != nil {
		rec.Snapshot = from.manifest.Name
	}
	if err := l.recoverLog(ctx, st, infos, o.UpTo, rec, p); err != nil {
		return nil, errors.Join(append([]error{err}, refused...)...)
	}
	p.end()
	rec.Position, rec.EntryTime = Position(st.pos), entryTime(st.entryTime)
	counts := Shard{}
	counts.count(st.ks)
	rec.Keys, rec.Digest = counts.Keys, counts.Digest
	return rec, nil
}

// look notes the highest epoch and what lies past limit.
func (r *Recovered) look(infos []s3segments.SegmentInfo, all []candidate, limit uint64) {
	why := fmt.Sprintf("past entry %d, which the shard is recovered to", limit)
	for _, s := range infos {
		r.EpochBase = max(r.EpochBase, s.Epoch)
		if s.Last > limit {
			r.BeyondSegments = append(r.BeyondSegments, PlanObject{s.Key, s.Size, why})
		}
	}
	for _, c := range all {
		r.EpochBase = max(r.EpochBase, c.shard.Position.Epoch)
		if c.shard.Position.Seq > limit {
			r.BeyondSnapshots = append(r.BeyondSnapshots, planned(c.manifest, why))
		}
	}
}

// recoverLog applies all that segments hold after st, or up to upTo.
func (l *shardLog) recoverLog(ctx context.Context, st *replay, infos []s3segments.SegmentInfo, upTo uint64, rec *Recovered, p *meter) error {
	base, last := st.pos.Seq, st.pos.Seq
	within := infos[:0:0]
	for _, s := range infos {
		if upTo == 0 || s.Last <= upTo {
			within = append(within, s)
			last = max(last, s.Last)
		}
	}
	if upTo > last {
		return fmt.Errorf("%w: entry %d was asked for; snapshots and segments that end at or before it reach to entry %d: choose that", ErrBeyondLog, upTo, last)
	}
	chain, err := s3segments.Chain(within, base+1, last)
	if err != nil {
		return fmt.Errorf("from %s the log is whole up to entry %d: %w", st.from, s3segments.Extent(within, base+1), err)
	}
	if err := l.replaySegments(ctx, st, within, last, p); err != nil {
		return fmt.Errorf("from %s the log is whole up to entry %d: %w", st.from, lastWhole(chain, base, st.pos.Seq), err)
	}
	for _, s := range chain {
		rec.Segments = append(rec.Segments, s.Key)
		rec.segment = s.Key
	}
	return nil
}

// lastWhole is where the last segment ends of which everything was applied.
func lastWhole(chain []s3segments.SegmentInfo, base, applied uint64) uint64 {
	for _, s := range chain {
		if s.Last <= applied {
			base = s.Last
		}
	}
	return base
}

// Discard deletes what lies past the position that a shard was recovered to, by a
// plan that is stored first. It must be called before the shard is initialised
// when Beyond is not empty.
func (r *Repo) Discard(ctx context.Context, rec *Recovered) error {
	if len(rec.BeyondSegments)+len(rec.BeyondSnapshots) == 0 {
		return nil
	}
	p := &Plan{
		Format: PlanFormat, Cluster: r.cluster, CreatedAt: r.now().UTC(),
		Reason: fmt.Sprintf("shard %d is recovered to %v", rec.Shard, rec.Position),
		Shards: []PlanShard{{Shard: rec.Shard, Sealed: rec.Position.Seq}},
		Remove: rec.BeyondSnapshots, Delete: rec.BeyondSegments,
	}
	err := p.check(r.cluster)
	if err == nil {
		_, err = r.carryOut(ctx, p, nil)
	}
	if err != nil {
		return fmt.Errorf("discard what lies past %v of shard %d: %w", rec.Position, rec.Shard, err)
	}
	return nil
}

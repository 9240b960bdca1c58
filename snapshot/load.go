package snapshot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// LoadOptions say how a node gets its data.
type LoadOptions struct {
	// Head is asked how far the log is sealed, and whether it is the log that
	// object storage holds. It is not read from: a node goes on there itself.
	Head Head
	// Keyspace configures the keyspace that is made.
	Keyspace keyspace.Config
	// Progress is told how far it has come, a few times a second: the bytes of
	// snapshot and segments that are to be read and that were. May be nil.
	Progress func(Progress)
}

// Loaded is a shard's data as object storage has it.
type Loaded struct {
	Keyspace *keyspace.Keyspace
	Position wal.Position // of the data in the log
	// Snapshot is what was begun with, nil for the start of the log.
	Snapshot *Manifest
	// EntryTime is when the entry at Position was written; zero without one.
	EntryTime time.Time
	// Refused are the snapshots that were passed over, as damaged, before Snapshot.
	Refused []error
}

// loadTries bounds how often Load begins again when what it was reading is
// cleaned up under it.
const loadTries = 3

// Load builds a shard's data from object storage: of the furthest snapshot that
// checks out (size, SHA-256, CRC, digest), then of the segments behind it, up to the
// sealed pointer. A damaged snapshot is logged with what is wrong and the one
// before is used, or the start of the log.
//
// Errors: ErrOtherHistory, ErrNewerFormat, *s3segments.MissingError, which names the
// entries that are in no segment, *s3segments.DamagedError,
// etcdfence.ErrNotInitialized.
func (r *Repo) Load(ctx context.Context, shard int, o LoadOptions) (*Loaded, error) {
	for try := 1; ; try++ {
		l, err := r.load(ctx, shard, o)
		if err == nil || try == loadTries || !cleanedUp(err) {
			return l, err
		}
		r.log.Info("what was being read is gone, looking again", "shard", shard, "err", err)
	}
}

func (r *Repo) load(ctx context.Context, shard int, o LoadOptions) (*Loaded, error) {
	state, err := o.Head.State(ctx)
	if err == nil && !state.Initialized {
		err = etcdfence.ErrNotInitialized
	}
	if err != nil {
		return nil, fmt.Errorf("load shard %d: %w", shard, err)
	}
	p := newMeter(o.Progress)
	st, from, refused, err := r.base(ctx, shard, math.MaxUint64, o.Keyspace, p)
	if err != nil {
		return nil, fmt.Errorf("load shard %d: %w", shard, err)
	}
	if err := r.loadLog(ctx, r.shardLog(shard, o.Head), st, state, p); err != nil {
		st.close()
		return nil, fmt.Errorf("load shard %d from %s: %w", shard, st.from, errors.Join(append([]error{err}, refused...)...))
	}
	p.end()
	l := &Loaded{Keyspace: st.ks, Position: st.pos, EntryTime: entryTime(st.entryTime), Refused: refused}
	if from != nil {
		l.Snapshot = from.manifest
	}
	return l, nil
}

// loadLog applies what is sealed after st.
func (r *Repo) loadLog(ctx context.Context, l *shardLog, st *replay, state etcdfence.State, p *meter) error {
	// The log may have grown while the snapshot was loaded, and the snapshot may
	// be newer than the state.
	if st.pos.Seq > state.Tail {
		var err error
		if state, err = l.head.State(ctx); err != nil {
			return err
		}
	}
	if err := checkHistory(st.pos, state); err != nil {
		return err
	}
	infos, err := l.segments.List(ctx)
	if err != nil {
		return err
	}
	if err := l.replaySegments(ctx, st, infos, state.Sealed.Seq, p); err != nil {
		return err
	}
	return checkHistory(st.pos, state)
}

// replaySegments applies the entries after st up to and with to.
func (l *shardLog) replaySegments(ctx context.Context, st *replay, infos []s3segments.SegmentInfo, to uint64, p *meter) error {
	chain, err := s3segments.Chain(infos, st.pos.Seq+1, to)
	if err != nil {
		return err
	}
	work := Progress{Phase: PhaseReplay, Shard: l.shard, TotalEntries: seqRange(st.pos, to)}
	for _, s := range chain {
		work.TotalBytes += s.Size
	}
	p.phase(work)
	st.applied = func(e *wal.Entry) {
		p.entry()
		// A segment's bytes count once its last entry is applied.
		for len(chain) > 0 && chain[0].Last <= e.Seq {
			p.bytes(chain[0].Size)
			chain = chain[1:]
		}
	}
	_, err = l.segments.ReadSegments(ctx, infos, st.pos, to, st.entry)
	return err
}

// LoadTo builds a shard's data as it was after entry upTo, of the log in the
// head as well. It is how a snapshot is made, for those who want the data itself.
//
// Errors: those of Load, and ErrBeyondLog when the log ends before.
func (r *Repo) LoadTo(ctx context.Context, src Source, upTo uint64) (*Loaded, error) {
	st, err := r.replayTo(ctx, src, upTo, newMeter(nil))
	if err != nil {
		return nil, err
	}
	return &Loaded{Keyspace: st.ks, Position: st.pos}, nil
}

package snapshot

import (
	"context"
	"errors"
	"fmt"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// replay is a shard's data at a place in its log, on the way to a later one.
type replay struct {
	ks        *keyspace.Keyspace
	apply     *command.Replayer
	pos       wal.Position
	entryTime int64 // of the entry at pos, Unix milliseconds
	from      string
	applied   func(e *wal.Entry) // told of every entry

	short     bool   // broken.ShortSnapshot: the last effects are left out
	unapplied []byte // these
}

func newReplay(c keyspace.Config) *replay {
	ks := keyspace.New(c)
	return &replay{ks: ks, apply: newReplayer(ks), applied: func(*wal.Entry) {}}
}

// close gives the data's memory back at once: the next shard's is as large.
func (r *replay) close() {
	r.ks.Close()
	r.apply = nil
}

func newReplayer(ks *keyspace.Keyspace) *command.Replayer {
	return command.NewReplayer(table(), ks, nil)
}

// entry applies the entry that follows pos.
func (r *replay) entry(e *wal.Entry) error {
	if err := r.pos.Check(e); err != nil {
		return err
	}
	switch e.Kind {
	case wal.KindEffects:
		payload := e.Payload
		if r.short {
			payload, r.unapplied = r.unapplied, payload
		}
		if err := wal.EachUnit(payload, r.apply.Apply); err != nil {
			return fmt.Errorf("apply entry %d: %w", e.Seq, err)
		}
	case wal.KindEpochOpened:
	default:
		return newer("entry %d is of kind %v, which this redoubt does not know", e.Seq, e.Kind)
	}
	r.pos = e.Position()
	r.entryTime = e.Time
	r.applied(e)
	return nil
}

// shardLog is all of a shard's log that is kept.
type shardLog struct {
	shard    int
	segments *s3segments.Shard
	head     Head // nil: etcd is not asked
}

func (r *Repo) shardLog(shard int, head Head) *shardLog {
	return &shardLog{shard: shard, segments: s3segments.NewShard(r.store, shard), head: head}
}

// maxTurns bounds how often a reader is sent from the head to segments and back
// without getting on.
const maxTurns = 10

// advance applies entries up to and with seq upTo: from segments as far as the
// log is sealed, then from the head. When the head is trimmed meanwhile, the
// entries are in segments by then.
//
// Errors: ErrBeyondLog, ErrOtherHistory, s3segments.ErrMissing, and what is wrong with
// an entry. The replay is of no use after an error.
func (l *shardLog) advance(ctx context.Context, st *replay, upTo uint64) error {
	for turns := 0; ; turns++ {
		before := st.pos.Seq
		err := l.turn(ctx, st, upTo)
		switch {
		case err == nil && st.pos.Seq >= upTo:
			return nil
		case err == nil:
			return fmt.Errorf("%w: shard %d ends at entry %d, entry %d was asked for", ErrBeyondLog, l.shard, st.pos.Seq, upTo)
		case !errors.Is(err, etcdfence.ErrTrimmed):
			return fmt.Errorf("shard %d, after %v: %w", l.shard, st.pos, err)
		case st.pos.Seq > before:
			turns = 0
		case turns == maxTurns:
			return fmt.Errorf("shard %d: entry %d is neither in the head nor in segments: %w", l.shard, st.pos.Seq+1, err)
		}
	}
}

// turn reads segments as far as they are known to go, then the head.
func (l *shardLog) turn(ctx context.Context, st *replay, upTo uint64) error {
	state, err := l.head.State(ctx)
	if err != nil {
		return err
	}
	if !state.Initialized {
		return etcdfence.ErrNotInitialized
	}
	if err := checkHistory(st.pos, state); err != nil {
		return err
	}
	if to := min(state.Sealed.Seq, upTo); st.pos.Seq < to {
		if err := l.readSegments(ctx, st, to); err != nil {
			return err
		}
		if err := checkHistory(st.pos, state); err != nil {
			return err
		}
	}
	if st.pos.Seq >= upTo {
		return nil
	}
	return l.head.ReadHead(ctx, st.pos.Seq+1, upTo, func(e *wal.Entry, _ int) error { return st.entry(e) })
}

func (l *shardLog) readSegments(ctx context.Context, st *replay, to uint64) error {
	_, err := l.segments.Read(ctx, st.pos, to, st.entry)
	if err == nil && st.pos.Seq != to {
		err = fmt.Errorf("%w: segments end at entry %d, entry %d was asked for", ErrBeyondLog, st.pos.Seq, to)
	}
	return err
}

// checkHistory refuses a position that the log known to etcd cannot contain.
func checkHistory(p wal.Position, s etcdfence.State) error {
	switch {
	case p.Seq > s.Tail:
		return fmt.Errorf("%w: object storage has the log up to %v, etcd only up to entry %d; "+
			"was etcd put back to an earlier state?", ErrOtherHistory, p, s.Tail)
	case p.Seq == s.Sealed.Seq && p != s.Sealed.Position():
		return fmt.Errorf("%w: object storage has %v, etcd says %v", ErrOtherHistory, p, s.Sealed.Position())
	}
	return nil
}

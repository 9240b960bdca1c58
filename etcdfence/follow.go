package etcdfence

import (
	"context"
	"fmt"
	"math"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Handler takes what Follow delivers, from one goroutine. An error ends Follow,
// which returns it as it is.
type Handler interface {
	// Entry is the next entry of the log, checked to continue the one before.
	Entry(e *wal.Entry) error
	// Leader is called when the leader has changed, in order with the entries:
	// nil when there is none. It is called once at the start in any case. When
	// the watch broke off meanwhile, only the last of several changes is told.
	Leader(l *Leader)
	// CaughtUp is called whenever everything known was delivered; tail is the
	// last entry of the log as of then. It may repeat itself.
	CaughtUp(tail uint64)
}

// SealedHandler is a Handler that also wants to know how far the log is sealed.
type SealedHandler interface {
	Handler
	Sealed(s Sealed)
}

// HandoverHandler is a Handler that also wants to know of requests to hand over, in
// order with the changes of the leader. One made while the watch was broken may be
// missed.
type HandoverHandler interface {
	Handler
	Handover(h Handover)
}

// Follow delivers the log from applied on, entry by entry and without end:
// first what the head holds, then what etcd's watch brings. It survives etcd
// being away, compaction and broken watches, and returns when ctx ends, when h
// fails, or with
//
//   - ErrTrimmed: the next entry is in segments; read on there, then call again
//   - ErrDiverged, or wal.ErrChain for the next entry: applied is not of this log
//   - wal.ErrCorrupt, ErrGap, ErrChain, ErrEpoch, ErrNewerFormat: the entry that
//     the error names cannot be applied
//
// Each entry was checked with wal.Position.Check against the one before.
func (s *Shard) Follow(ctx context.Context, applied wal.Position, h Handler) error {
	f := &follower{s: s, h: h, pos: applied, pages: pager{target: s.tune.pageBytes}}
	f.sealedHandler, _ = h.(SealedHandler)
	f.handoverHandler, _ = h.(HandoverHandler)
	return s.keepCurrent(ctx, f, s.k.shard, clientv3.WithPrefix())
}

// follower is the view behind Follow.
type follower struct {
	s               *Shard
	h               Handler
	sealedHandler   SealedHandler   // nil unless h is one
	handoverHandler HandoverHandler // nil unless h is one
	pos             wal.Position    // last entry delivered
	anchored        bool            // pos is known to be of this log
	epochBase       int64
	sealed          Sealed
	sealedTold      bool
	leader          Leader
	leaderTold      bool
	pages           pager
}

func (f *follower) Sync(ctx context.Context) (int64, error) {
	if !f.anchored {
		if err := f.anchor(ctx); err != nil {
			return 0, err
		}
		f.anchored = true
	}
	for {
		hp, err := f.s.page(ctx, f.pos.Seq+1, math.MaxUint64, &f.pages)
		if err != nil {
			return 0, fmt.Errorf("follow log after %v: %w", f.pos, err)
		}
		f.epochBase = hp.sealed.EpochBase
		for _, kv := range hp.entries {
			if err := f.entry(ctx, kv); err != nil {
				return 0, err
			}
		}
		if hp.more {
			continue
		}
		f.tellSealed(hp.sealed)
		f.tellLeader(hp.leader)
		f.h.CaughtUp(f.pos.Seq)
		return hp.rev, nil
	}
}

// anchor makes sure that the position to start from is a place in this log.
func (f *follower) anchor(ctx context.Context) error {
	s := f.s
	resp, err := s.read(ctx, clientv3.OpGet(s.k.sealed), clientv3.OpGet(s.k.entry(f.pos.Seq)))
	if err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	sealed, _, err := s.pointers(kvOf(resp, 0), nil)
	if err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	if sealed == nil {
		return fmt.Errorf("follow log: %w", ErrNotInitialized)
	}
	var at *wal.Entry
	if kv := kvOf(resp, 1); kv != nil {
		if at, err = s.header(kv); err != nil {
			return fmt.Errorf("follow log: %w", err)
		}
	}
	return onLog(f.pos, sealed.Sealed, at)
}

// onLog judges whether pos is a place in the log whose sealed pointer is given;
// at is the head's entry pos.Seq, nil when there is none. ErrTrimmed when that
// cannot be told any more.
func onLog(pos wal.Position, sealed Sealed, at *wal.Entry) error {
	switch {
	case pos.Seq < sealed.Seq:
		return fmt.Errorf("%w: entry %d, sealed up to %d", ErrTrimmed, pos.Seq+1, sealed.Seq)
	case pos.Seq == sealed.Seq && pos != sealed.Position():
		return fmt.Errorf("%w: %v, the log was sealed at %v", ErrDiverged, pos, sealed.Position())
	case pos.Seq == sealed.Seq:
		return nil
	case at == nil:
		return fmt.Errorf("%w: %v, the log ends before", ErrDiverged, pos)
	case at.Position() != pos:
		return fmt.Errorf("%w: %v, the log has %v", ErrDiverged, pos, at.Position())
	}
	return nil
}

func (f *follower) Apply(ctx context.Context, events []*clientv3.Event, last bool) error {
	for _, ev := range events {
		if err := f.event(ctx, ev); err != nil {
			return err
		}
	}
	if last {
		f.h.CaughtUp(f.pos.Seq)
	}
	return nil
}

func (f *follower) event(ctx context.Context, ev *clientv3.Event) error {
	put := ev.Type == clientv3.EventTypePut
	switch key := string(ev.Kv.Key); {
	case key == f.s.k.leader && !put:
		f.tellLeader(nil)
	case key == f.s.k.leader:
		l, err := parseLeader(ev.Kv, f.epochBase)
		if err != nil {
			return err
		}
		f.tellLeader(l)
	case key == f.s.k.sealed && put:
		sealed, err := parseSealed(ev.Kv)
		if err != nil {
			return err
		}
		f.tellSealed(sealedAt{sealed, ev.Kv.ModRevision})
	case key == f.s.k.handover && put && f.handoverHandler != nil:
		h, err := parseHandover(ev.Kv)
		if err != nil {
			return err
		}
		f.handoverHandler.Handover(*h)
	default:
		seq, ok := f.s.k.seq(ev.Kv.Key)
		if !ok || seq <= f.pos.Seq {
			return nil // not the log's, or known: most often being trimmed
		}
		if !put || seq != f.pos.Seq+1 {
			return fmt.Errorf("%w: event for entry %d after %d", errResync, seq, f.pos.Seq)
		}
		return f.entry(ctx, ev.Kv)
	}
	return nil
}

// entry delivers what must be the next entry.
func (f *follower) entry(ctx context.Context, kv *mvccpb.KeyValue) error {
	e, err := f.s.decode(ctx, kv)
	if err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	if err := f.pos.Check(e); err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	f.s.learn(e.Seq, len(kv.Value))
	if err := f.h.Entry(e); err != nil {
		return err
	}
	f.pos = e.Position()
	return nil
}

func (f *follower) tellLeader(l *Leader) {
	var now Leader // the zero Leader is nobody
	if l != nil {
		now = *l
	}
	if f.leaderTold && now == f.leader {
		return
	}
	f.leader, f.leaderTold = now, true
	f.h.Leader(l)
}

func (f *follower) tellSealed(sealed sealedAt) {
	f.s.learnSealed(sealed.Seq)
	f.s.mu.Lock()
	f.s.followed = &sealed
	f.s.mu.Unlock()
	if f.sealedHandler == nil || f.sealedTold && sealed.sameLog(f.sealed) {
		return
	}
	f.sealed, f.sealedTold = sealed.Sealed, true
	f.sealedHandler.Sealed(sealed.Sealed)
}

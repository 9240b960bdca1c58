package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/wal"
)

// errVacant ends a Follow: nobody leads the shard and this node may.
var errVacant = errors.New("node: the shard has no primary")

// standBackFor is how long a node that has just handed over lets others
// campaign first.
const standBackFor = 2 * time.Second

// follow keeps the node a replica until it has won a campaign; it then returns
// the term. errReload means that the data must be loaded anew.
func (n *Node) follow(ctx context.Context) (*etcdfence.Term, error) {
	for {
		f := &follower{n: n}
		fctx, cancel := context.WithCancelCause(ctx)
		f.vacant = func() { cancel(errVacant) }
		f.again = time.AfterFunc(time.Hour, f.reconsider)
		f.again.Stop()
		err := n.shard.Follow(fctx, n.engine.position(), f)
		f.stop()
		vacant := errors.Is(context.Cause(fctx), errVacant)
		cancel(nil)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case vacant:
			term, err := n.campaign(ctx, f.applied())
			if term != nil || err != nil {
				return term, err
			}
		case errors.Is(err, etcdfence.ErrTrimmed):
			if err := n.readSegments(ctx); err != nil {
				return nil, err
			}
		case errors.Is(err, etcdfence.ErrDiverged):
			return nil, fmt.Errorf("%w: %w", errReload, err)
		default:
			return nil, fmt.Errorf("follow the log: %w", err)
		}
	}
}

// campaign tries to become the primary of the log that was applied so far.
// Neither a term nor an error: somebody else was first, or there is more of the
// log to apply.
func (n *Node) campaign(ctx context.Context, applied wal.Position) (*etcdfence.Term, error) {
	c := etcdfence.Candidate{NodeID: n.cfg.NodeID, Address: n.announce.any, TLSAddress: n.announce.tls, AZ: n.cfg.AZ}
	term, err := n.shard.Campaign(ctx, c, applied)
	if err == nil {
		return term, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	again, err := afterCampaign(err)
	if !again {
		return nil, err
	}
	n.log.Warn("campaign failed, trying again", "err", err)
	return nil, pause(ctx, 100*time.Millisecond)
}

// afterCampaign judges why a campaign failed: worth another try after a pause,
// or else nil to follow on, or the error that ends the following.
func afterCampaign(err error) (again bool, _ error) {
	switch {
	case errors.Is(err, etcdfence.ErrLeaderExists), errors.Is(err, etcdfence.ErrNotCaughtUp):
		return false, nil
	case errors.Is(err, etcdfence.ErrDiverged):
		return false, fmt.Errorf("%w: %w", errReload, err)
	case final(err):
		return false, err
	}
	return true, err
}

// pause waits for about d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readSegments applies what has been sealed and trimmed before this node got
// to it.
func (n *Node) readSegments(ctx context.Context) error {
	st, err := n.shard.State(ctx)
	if err != nil {
		return err
	}
	n.log.Info("catching up from segments", "from", n.engine.position().Seq+1, "to", st.Sealed.Seq)
	_, err = n.segments.Read(ctx, n.engine.position(), st.Sealed.Seq, n.engine.apply)
	if err != nil {
		// A segment that was cleaned up meanwhile is below a newer snapshot.
		return fmt.Errorf("%w: read segments: %w", errReload, err)
	}
	return nil
}

// follower is what a replica does with what Follow delivers. Its methods are
// called from one goroutine; reconsider from a timer's.
type follower struct {
	n      *Node
	vacant func()
	again  *time.Timer // calls reconsider once set
	// told and caughtUp: this Follow has said who leads and has delivered
	// everything. Before, what the node remembers may be long past.
	told, caughtUp atomic.Bool

	unread *wal.Entry // only of broken.UnreadTail
}

// applied is the place in the log that this node has got to.
func (f *follower) applied() wal.Position {
	if broken.Is(broken.UnreadTail) && f.unread != nil {
		return f.unread.Position()
	}
	return f.n.engine.position()
}

// Entry applies one entry.
func (f *follower) Entry(e *wal.Entry) error {
	if broken.Is(broken.UnreadTail) {
		e, f.unread = f.unread, e
		if e == nil {
			return nil
		}
	}
	if err := f.n.engine.apply(e); err != nil {
		return err
	}
	f.n.appliedAt(e)
	return nil
}

// Leader hears who leads the shard.
func (f *follower) Leader(l *etcdfence.Leader) {
	f.n.leader.Store(l)
	if l != nil && l.NodeID != f.n.cfg.NodeID {
		f.n.standBackUntil.Store(0) // somebody else has taken over
	}
	f.told.Store(true)
	f.reconsider()
}

// CaughtUp hears that everything known was delivered.
func (f *follower) CaughtUp(tail uint64) {
	f.n.caughtUp(tail)
	f.caughtUp.Store(true)
	f.reconsider()
}

// Handover leaves the shard to another node that a planned hand-over names.
func (f *follower) Handover(h etcdfence.Handover) {
	if h.To != "" && h.To != f.n.cfg.NodeID {
		f.n.standBack()
	}
}

// reconsider ends the Follow when this node should campaign, or looks again
// when it is done standing back.
func (f *follower) reconsider() {
	back := f.n.standsBack()
	ready, led := f.told.Load() && f.caughtUp.Load(), f.n.leader.Load() != nil
	switch {
	case mayCampaign(ready, led, time.Now(), back):
		f.vacant()
	case mayCampaign(ready, led, back, back):
		f.again.Reset(time.Until(back))
	}
}

// Sealed hears how far the log is sealed.
func (f *follower) Sealed(s etcdfence.Sealed) {
	f.n.sealed.Store(s.Seq)
	if broken.Is(broken.UnreadTail) && f.unread != nil && f.unread.Seq <= s.Seq {
		f.Entry(nil) // or a shard at rest would never be caught up with
	}
}

func (f *follower) stop() { f.again.Stop() }

// standsBack is until when this node leaves the shard to others.
func (n *Node) standsBack() time.Time { return time.Unix(0, n.standBackUntil.Load()) }

// standBack leaves the shard to others for a while.
func (n *Node) standBack() { n.standBackUntil.Store(time.Now().Add(standBackFor).UnixNano()) }

// mayCampaign: a node campaigns when it has caught up, nobody leads, and it is
// not standing back for others.
func mayCampaign(caughtUp, led bool, now, standBackUntil time.Time) bool {
	return caughtUp && !led && !now.Before(standBackUntil)
}

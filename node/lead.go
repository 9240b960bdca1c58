package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/wal"
)

// drainFor bounds how long a planned hand-over waits for what was executed to
// be committed; the lease bounds it too.
const drainFor = 5 * time.Second

// maxQueue is how many bytes of effects may wait to be committed before nothing
// more is executed, give or take one command.
const maxQueue = 64 << 20

// errHandover ends a term because somebody asked for it.
var errHandover = errors.New("node: planned hand-over")

// lead is one term as primary, from the epoch's opening entry to its end. It
// returns nil when the node can go on as a replica with the data it has, and
// errReload when it executed what was not committed.
func (n *Node) lead(ctx context.Context, term *etcdfence.Term) error {
	if err := n.openEpoch(ctx, term); err != nil {
		n.log.Warn("lost the term before it began", "epoch", term.Epoch(), "err", err)
		n.closeTerm(term)
		return nil
	}
	lctx, cancel := context.WithCancelCause(ctx)
	p := n.promote(term, cancel)
	n.log.Info("primary", "epoch", term.Epoch(), "seq", n.engine.position().Seq)
	n.considerHandover()

	var duties sync.WaitGroup
	duty := func(run func(context.Context)) {
		duties.Add(1)
		go func() { defer duties.Done(); run(lctx) }()
	}
	duty(n.engine.expireLoop)
	duty(func(ctx context.Context) { n.seal(ctx, p) })

	var why error
	select {
	case <-term.Lost():
		why = etcdfence.ErrLeaseLost
	case <-p.appender.Done():
		why = p.appender.Err()
	case <-lctx.Done():
		why = context.Cause(lctx)
	}
	planned := errors.Is(why, errHandover) || ctx.Err() != nil
	n.log.Info("leaving the primary's place", "epoch", term.Epoch(), "why", why, "planned", planned)
	began := time.Now()
	if planned {
		n.drain(p)
	}
	drained := time.Since(began)
	clean := n.demote(p)
	cancel(nil)
	duties.Wait()
	n.endTerm(term, planned)
	n.log.Info("left the primary's place", "epoch", term.Epoch(), "drained in", drained, "took", time.Since(began))
	if !clean {
		return errReload
	}
	return nil
}

// openEpoch puts the term's first entry into the log (DESIGN invariant 4).
func (n *Node) openEpoch(ctx context.Context, term *etcdfence.Term) error {
	if broken.Is(broken.UnreadTail) {
		n.engine.skipTo(term.Tail())
	}
	e := n.engine.position().Next(wal.KindEpochOpened, term.Epoch(), time.Now().UnixMilli(), []byte(n.cfg.NodeID))
	if err := term.Append(ctx, e); err != nil {
		return fmt.Errorf("open epoch %d: %w", term.Epoch(), err)
	}
	return n.engine.apply(e)
}

// promote makes the engine execute writes.
func (n *Node) promote(term *etcdfence.Term, end context.CancelCauseFunc) *tenure {
	e := n.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &tenure{term: term, end: end, executed: e.applied.Seq, away: n.store.Outage, gen: e.gate.reset(e.applied.Seq)}
	p.sealer = n.newSealer(term, e.applied)
	p.appender = wal.NewAppender(reservedWriter{term}, term.Epoch(), e.applied, wal.AppenderConfig{
		MaxBatch: n.cfg.MaxBatch, MaxQueue: maxQueue,
		Committed: func(at wal.Position) {
			e.gate.commit(at.Seq)
			p.sealer.Committed(at, n.metrics.stored.Load())
			p.warnHead(n.log)
		},
		Appended: n.metrics.appended,
	})
	e.last.reset()
	e.primary, e.role = p, RolePrimary
	e.appender.Store(p.appender)
	e.stats.failovers.Add(1)
	n.leader.Store(&etcdfence.Leader{NodeID: n.cfg.NodeID, Address: n.announce.any, TLSAddress: n.announce.tls, AZ: n.cfg.AZ, Epoch: term.Epoch()})
	n.roleChanged()
	return p
}

// drain stops writes and waits for what was executed to be committed, so that
// a planned hand-over fails no write beyond a -READONLY.
func (n *Node) drain(p *tenure) {
	e := n.engine
	e.mu.Lock()
	p.leaving = true
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), min(drainFor, p.term.LeaseLeft()))
	defer cancel()
	if err := p.appender.Drain(ctx); err != nil {
		n.log.Warn("hand-over could not commit everything", "err", err)
	}
}

// demote ends the tenure in the engine. It reports whether all that was
// executed is committed, so that the data is a prefix of the log; otherwise the
// data is dropped (DESIGN invariant 10).
func (n *Node) demote(p *tenure) (clean bool) {
	e := n.engine
	e.mu.Lock()
	p.leaving = true
	e.mu.Unlock()
	p.appender.Close()
	tail := p.appender.Tail()

	e.mu.Lock()
	defer e.mu.Unlock()
	clean = p.executed == tail.Seq && !p.tainted || broken.Is(broken.KeptDirty)
	e.primary = nil
	e.appender.Store(nil)
	e.role = RoleReplica
	e.applied = tail
	e.unblockAll()
	if !clean {
		n.log.Warn("dropping what was executed and not committed", "executed", p.executed, "committed", tail.Seq)
		e.role = RoleLoading
		e.adopt(keyspace.New(*e.ks.Config()), wal.Position{})
	}
	if clean && p.term.Valid() && !e.gate.settle(p.term.LeaseLeft()) {
		// Everything is committed and nobody else leads yet: those whose commands
		// ran get their answer, for which they do not need the engine's lock.
		n.log.Warn("not all that was executed got its answer before the lease ended")
	}
	// Cuts whoever waits for a write that this node will not see committed.
	e.gate.reset(tail.Seq)
	e.last.reset()
	n.leader.Store(nil)
	n.roleChanged()
	return clean
}

// endTerm lets go of the leader key: at once when planned, so that a replica
// can take over, otherwise as far as etcd can be reached.
func (n *Node) endTerm(term *etcdfence.Term, planned bool) {
	if planned {
		n.standBack()
		ctx, cancel := context.WithTimeout(context.Background(), drainFor)
		defer cancel()
		if err := term.Resign(ctx); err != nil {
			n.log.Warn("resign", "err", err)
		}
	}
	n.closeTerm(term)
}

// closeTerm ends what is left of a term. That etcd could not be told is no
// reason to give up: the lease ends by itself, and the node goes on as a replica
// when etcd is back.
func (n *Node) closeTerm(term *etcdfence.Term) {
	if err := term.Close(); err != nil && !lost(err) {
		n.log.Warn("etcd was not told of the end of the term; its lease ends by itself", "epoch", term.Epoch(), "err", err)
	}
}

// lost reports an error that merely says how the term ended.
func lost(err error) bool {
	return errors.Is(err, etcdfence.ErrLeaseLost) || errors.Is(err, etcdfence.ErrResigned) || errors.Is(err, wal.ErrFenced)
}

// watchHandover hears of planned hand-overs until ctx ends.
func (n *Node) watchHandover(ctx context.Context) error {
	return n.shard.WatchHandover(ctx, func(h etcdfence.Handover) { n.heardHandover(ctx, h) })
}

// handoverStands is how long a primary that was asked to hand over goes on looking
// for who could take the shard.
const handoverStands = 10 * time.Second

// handoverRequest is a request that waits for somebody to take over.
type handoverRequest struct {
	etcdfence.Handover
	until time.Time
}

// heardHandover takes part in a planned hand-over, as primary or as who comes next.
func (n *Node) heardHandover(ctx context.Context, h etcdfence.Handover) {
	if h.To != n.cfg.NodeID {
		// Kept by replicas, too: one may have won the shard and not know it yet.
		n.request.Store(&handoverRequest{h, time.Now().Add(handoverStands)})
	}
	n.engine.mu.Lock()
	primary := n.engine.primary != nil
	n.engine.mu.Unlock()
	switch {
	case primary:
		n.considerHandover()
	case h.To == "" || h.To == n.cfg.NodeID:
		// While the primary commits what it has and lets go.
		if err := n.shard.Prepare(ctx); err != nil {
			n.log.Debug("no lease in advance of a hand-over", "err", err)
		}
	}
}

// considerHandover leaves the primary's place if that was asked for and another node is
// there to take the shard. It is called whenever one of both may have become so.
func (n *Node) considerHandover() {
	r := n.request.Load()
	if r == nil {
		return
	}
	n.engine.mu.Lock()
	p := n.engine.primary
	n.engine.mu.Unlock()
	switch {
	case p == nil || r.Epoch != p.term.Epoch():
	case time.Now().After(r.until):
		n.request.CompareAndSwap(r, nil)
	case !canTakeOver(n.replicas(), r.To):
		n.log.Warn("asked to hand over, and no such replica is there yet", "to", r.To)
	default:
		p.end(errHandover)
	}
}

// canTakeOver reports whether a replica, the one named if one is, follows the
// log.
func canTakeOver(replicas []etcdfence.NodeInfo, to string) bool {
	for _, r := range replicas {
		if r.Role == RoleReplica.String() && (to == "" || r.ID == to) {
			return true
		}
	}
	return false
}

// reservedWriter keeps the end of the head free for epochs' opening entries: a
// head filled by writes must not keep the next primary from taking over and
// sealing it.
type reservedWriter struct{ term *etcdfence.Term }

func (w reservedWriter) Append(ctx context.Context, e *wal.Entry) error {
	stored := min(len(e.Payload)+wal.Overhead, etcdfence.DefaultMaxInline)
	if w.term.HeadBytes()+int64(stored)+headReserve/2 > w.term.HeadLimit() {
		return wal.ErrHeadFull
	}
	return w.term.Append(ctx, e)
}

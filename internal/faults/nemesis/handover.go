package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node"
)

const (
	handOverCount = 5
	// A request stands for 10 s; one that nobody heeds is made again earlier.
	askAgainAfter = 3 * time.Second
)

// handOvers moves the shard from node to node. Each move is an Event of its own.
func handOvers(ctx context.Context, e *Env) error {
	for range handOverCount {
		named, gap := e.coin(), e.between(0, 150*time.Millisecond)
		if err := e.handOver(ctx, named); err != nil {
			return err
		}
		if err := pause(ctx, gap); err != nil {
			return err
		}
	}
	return nil
}

// handOver asks the primary to hand over, to a replica that is named or to
// whoever is first, and waits until another leads and takes a write.
func (e *Env) handOver(ctx context.Context, named bool) error {
	draw := e.Rand.IntN(len(e.C.Nodes))
	ev := Event{Start: time.Now()}
	var from etcdfence.Leader
	to := ""
	err := e.await(ctx, "there is a primary and a replica", func(ctx context.Context) error {
		st, err := e.C.State(ctx)
		if err != nil {
			return err
		}
		if st.Leader == nil {
			return etcdfence.ErrNoLeader
		}
		from = *st.Leader
		ready, err := e.successors(ctx, from.NodeID)
		if err == nil && len(ready) == 0 {
			err = errors.New("no replica is ready to take over")
		}
		if err != nil {
			return err
		}
		if named {
			to = ready[draw%len(ready)]
		}
		return nil
	})
	if err != nil {
		return err
	}
	ev.Node, ev.Injected = from.NodeID, time.Now()
	e.record.hit(from.NodeID)
	now, err := e.requestUntilHeeded(ctx, from.Epoch, to)
	if err != nil {
		return err
	}
	ev.Led = time.Now()
	e.logf("from %s to %s (asked for: %q) in %v", from.NodeID, now.ID, to, ev.Led.Sub(ev.Injected).Round(time.Millisecond))
	if _, err := e.awaitWrite(ctx, from.Epoch); err != nil {
		return err
	}
	ev.End = time.Now()
	ev.Healed = ev.End
	e.record.part(ev)
	return nil
}

// requestUntilHeeded asks for a hand-over from the term of an epoch. The request
// may meet a primary that knows of no replica yet, or be lost with it.
func (e *Env) requestUntilHeeded(ctx context.Context, epoch int64, to string) (target, error) {
	deadline := time.Now().Add(recoverWithin)
	for {
		rctx, cancel := context.WithTimeout(ctx, askAgainAfter)
		err := e.C.Shard().RequestHandover(rctx, etcdfence.Handover{To: to})
		var now target
		if err == nil {
			now, err = e.awaitLeader(rctx, epoch)
		}
		cancel()
		switch {
		case err == nil:
			return now, nil
		case ctx.Err() != nil:
			return now, context.Cause(ctx)
		case time.Now().After(deadline):
			return now, fmt.Errorf("%w within %v: no hand-over from epoch %d to %q: %w", ErrNotRecovered, recoverWithin, epoch, to, err)
		}
		e.logf("no hand-over from epoch %d to %q yet (%v), asking again", epoch, to, err)
		if err := pause(ctx, retryPause); err != nil {
			return now, err
		}
	}
}

// successors are the nodes that say that they could take over.
func (e *Env) successors(ctx context.Context, leader string) ([]string, error) {
	all, err := e.C.Shard().Nodes(ctx)
	var ready []string
	for _, n := range all {
		if n.ID != leader && n.Role == node.RoleReplica.String() {
			ready = append(ready, n.ID)
		}
	}
	return ready, err
}

package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// mayTrim decides whether the head may be trimmed up to next: it has to move
// the pointer forward, over committed entries only, and not change history.
func mayTrim(known Sealed, tail wal.Position, next Sealed) error {
	switch {
	case next.Seq <= known.Seq:
		return fmt.Errorf("trim to %d: sealed up to %d already", next.Seq, known.Seq)
	case next.Seq > tail.Seq:
		return fmt.Errorf("trim to %d: committed up to %d only", next.Seq, tail.Seq)
	case next.Seq == tail.Seq && next.Position() != tail:
		return fmt.Errorf("trim to %v: the log has %v: %w", next.Position(), tail, wal.ErrChain)
	case next.Epoch < known.Epoch || next.Epoch > tail.Epoch:
		return fmt.Errorf("trim to %v: sealed %v, tail %v: %w", next.Position(), known.Position(), tail, wal.ErrEpoch)
	}
	return nil
}

// trimAnswer is a trim transaction's answer.
type trimAnswer struct {
	succeeded bool
	leaderRev int64     // CreateRevision of the leader key, 0: absent
	sealed    *sealedAt // nil: absent
}

// judgeTrim decides what became of a trim to next, sent under the leader key
// created at createRev with the sealed pointer known as of sealedRev.
func judgeTrim(next Sealed, createRev, sealedRev int64, a trimAnswer) (verdict, error) {
	switch {
	case a.succeeded:
		return committed, nil
	case a.sealed != nil && a.sealed.sameLog(next):
		return committed, nil
	case a.leaderRev != createRev:
		return fencedOff, nil
	case a.sealed == nil:
		return impossible, fmt.Errorf("%w: sealed pointer is gone", wal.ErrCorrupt)
	case a.sealed.rev != sealedRev:
		return askAgain, nil
	}
	return impossible, fmt.Errorf("%w: trim to %d refused at the revision it was made for", wal.ErrCorrupt, next.Seq)
}

// Trim moves the sealed pointer to next and deletes the entries up to it from
// the head, in one fenced transaction. The caller must have made a segment that
// holds them durable (invariant 8). next.EpochBase is ignored: the shard's own
// is kept. A trim to the pointer as it is does nothing. An unknown outcome is
// resolved by asking until ctx ends or the term is lost; wal.ErrFenced in the
// latter case. After another error the trim may still have happened; the next
// Append or Trim finds out.
func (t *Term) Trim(ctx context.Context, next Sealed) error {
	t.trimMu.Lock()
	defer t.trimMu.Unlock()
	if !t.Valid() {
		return t.over("trim")
	}
	ctx, release := t.bind(ctx)
	defer release()
	var b backoff.Backoff
	for {
		t.mu.Lock()
		known, tail := t.sealed, t.tail
		t.mu.Unlock()
		next.EpochBase = known.EpochBase
		if next.sameLog(known.Sealed) {
			return nil
		}
		if err := mayTrim(known.Sealed, tail, next); err != nil {
			return err
		}
		resp, err := t.s.do(ctx, "trim", requestTimeout, t.trimTxn(known.rev, next))
		if err == nil {
			a, err := t.trimAnswer(resp)
			if err != nil {
				return fmt.Errorf("trim to %d: %w", next.Seq, err)
			}
			switch v, err := judgeTrim(next, t.createRev, known.rev, a); v {
			case committed:
				t.adopt(*a.sealed)
				return nil
			case fencedOff:
				return t.fenced("trim to %d refused, leader key changed", next.Seq)
			case impossible:
				t.lose(err)
				return err
			case askAgain:
				t.adopt(*a.sealed) // of an earlier Trim whose outcome was unknown
				continue
			}
		}
		if permanent(err) {
			return fmt.Errorf("trim to %d: %w", next.Seq, err)
		}
		t.s.log.Log(ctx, level(&b), "outcome of trim unknown, asking", "seq", next.Seq, "err", err)
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return t.ended(cause, fmt.Sprintf("trim to %d: outcome unknown: %v", next.Seq, err))
		}
	}
}

func (t *Term) trimTxn(sealedRev int64, next Sealed) clientv3.Op {
	k := &t.s.k
	gets := []clientv3.Op{clientv3.OpGet(k.leader), clientv3.OpGet(k.sealed)}
	return clientv3.OpTxn(
		[]clientv3.Cmp{
			t.isLeader(),
			clientv3.Compare(clientv3.ModRevision(k.sealed), "=", sealedRev),
		},
		append([]clientv3.Op{
			clientv3.OpPut(k.sealed, mustJSON(next)),
			clientv3.OpDelete(k.log, clientv3.WithRange(k.entryAfter(next.Seq))),
		}, gets...),
		gets)
}

// trimAnswer decodes the gets that end the response.
func (t *Term) trimAnswer(resp *clientv3.TxnResponse) (a trimAnswer, err error) {
	t.saw(resp.Header.Revision)
	a.succeeded = resp.Succeeded
	i := len(resp.Responses) - 2
	if kv := kvOf(resp, i); kv != nil {
		a.leaderRev = kv.CreateRevision
	}
	a.sealed, _, err = t.s.pointers(kvOf(resp, i+1), nil)
	return a, err
}

// idleCompactEvery is how often etcd is compacted while nothing is trimmed:
// nodes that report on themselves grow its history too.
const idleCompactEvery = time.Minute

// compactor chooses what to compact to. It lags one tick behind, so that a
// watch that keeps up has the revision behind it before it goes.
type compactor struct {
	every, idle time.Duration // tick; time after which any revision will do
	ready       int64         // revision to compact to at the next tick
	done        int64         // compacted up to here
	quiet       time.Duration // since there was last something to compact
}

// tick returns the revision to compact to now, 0 for none.
func (c *compactor) tick(trimRev, seenRev int64) int64 {
	target := c.ready
	c.ready = trimRev
	if target > c.done {
		c.quiet = 0
		return target
	}
	if c.quiet += c.every; c.quiet >= c.idle {
		c.ready = max(trimRev, seenRev)
	}
	return 0
}

func (c *compactor) compacted(rev int64) { c.done = rev }

// compact runs the compactor until the term is lost.
func (t *Term) compact() {
	c := compactor{every: t.s.o.CompactEvery, idle: idleCompactEvery}
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-t.ctx.Done():
			return
		}
		t.mu.Lock()
		rev := c.tick(t.trimRev, t.seenRev)
		t.mu.Unlock()
		if rev == 0 {
			continue
		}
		// A lost answer or a failure is caught up with at a later tick. Another
		// shard's compaction may have come first: as good.
		if err := t.s.compactTo(t.ctx, rev); err == nil || errors.Is(err, rpctypes.ErrCompacted) {
			c.compacted(rev)
		} else if t.ctx.Err() == nil {
			t.s.log.Warn("etcd was not compacted", "revision", rev, "err", err)
		}
	}
}

func (s *Shard) compactTo(ctx context.Context, rev int64) error {
	ctx, cancel := attempt(ctx, requestTimeout)
	defer cancel()
	start := time.Now()
	_, err := s.cli.Compact(ctx, rev)
	s.o.Metrics.Request("compact", time.Since(start), err)
	return err
}

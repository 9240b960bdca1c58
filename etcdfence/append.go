package etcdfence

import (
	"context"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// refRoom is more than an entry stored by reference takes: header, key.
const refRoom = 1 << 10

// verdict is what a fenced transaction's answer means.
type verdict int

const (
	committed  verdict = iota + 1 // done, by this try or an earlier one
	fencedOff                     // the shard is not ours any more
	askAgain                      // our sealed pointer was out of date; try with the new one
	impossible                    // etcd holds what cannot be there
)

// appendAnswer is an append transaction's answer.
type appendAnswer struct {
	succeeded bool
	leaderRev int64      // CreateRevision of the leader key, 0: absent
	entry     *wal.Entry // what log/<seq> holds; nil: nothing
	sealed    *sealedAt  // nil: absent
}

// judgeAppend decides what became of entry e, sent under the leader key created
// at createRev with the sealed pointer known as of sealedRev.
func judgeAppend(e *wal.Entry, createRev, sealedRev int64, a appendAnswer) (verdict, error) {
	switch {
	case a.succeeded:
		return committed, nil
	case a.entry != nil && a.entry.Position() == e.Position():
		// Even if the leader has changed since: it is in the log.
		return committed, nil
	case a.leaderRev != createRev:
		return fencedOff, nil
	case a.entry != nil:
		return impossible, fmt.Errorf("%w: etcd holds %v under our own epoch, not %v", wal.ErrCorrupt, a.entry.Position(), e.Position())
	case a.sealed == nil:
		return impossible, fmt.Errorf("%w: sealed pointer is gone", wal.ErrCorrupt)
	case a.sealed.rev != sealedRev && a.sealed.Seq < e.Seq:
		return askAgain, nil
	}
	return impossible, fmt.Errorf("%w: entry %d refused with sealed pointer at %d (revision %d, known %d)",
		wal.ErrCorrupt, e.Seq, a.sealed.Seq, a.sealed.rev, sealedRev)
}

// Append makes e, which must continue the log's tail under this epoch, the next
// entry. nil: it is committed on the quorum. Unknown outcomes are resolved by
// asking with the same seq until ctx ends or the term is lost. Errors:
//
//   - wal.ErrHeadFull: nothing was stored; the same e may be tried after a trim
//   - wal.ErrGap, ErrChain, ErrEpoch: e does not continue the tail; nothing stored
//   - wal.ErrTooLarge: e needs a Spiller and there is none; nothing stored
//   - wal.ErrFenced: the term is over; e is not in the log, unless the error
//     says that its outcome is unknown
//   - wal.ErrCorrupt: the log holds another entry there; the term is over
//   - anything else: e may or may not be in the log. Append it again, unchanged,
//     or end the term; never append another entry in its place.
//
// e and its payload are not kept. One append runs at a time.
func (t *Term) Append(ctx context.Context, e *wal.Entry) error {
	t.appendMu.Lock()
	defer t.appendMu.Unlock()
	start := time.Now()
	stored, err := t.append(ctx, e)
	t.s.o.Metrics.Append(time.Since(start), stored, err)
	return err
}

func (t *Term) append(ctx context.Context, e *wal.Entry) (stored int, err error) {
	if !t.Valid() && !broken.Is(broken.PlainAppend) {
		return 0, t.over("append")
	}
	if err := t.follows(e); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	ctx, release := t.bind(ctx)
	defer release()
	if broken.Is(broken.PlainAppend) {
		ctx = context.WithoutCancel(ctx) // nobody calls a late append back
	}
	value, err := t.encode(ctx, e)
	if err != nil {
		return 0, err
	}
	size := t.s.k.entrySize(len(value))
	if err := t.room(size); err != nil {
		return 0, err
	}
	if err := t.commit(ctx, e, string(value)); err != nil {
		return int(size), err
	}
	t.mu.Lock()
	t.tail = e.Position()
	t.head.add(e.Seq, size)
	t.mu.Unlock()
	t.observeHead()
	return int(size), nil
}

// follows checks what Position.Check does, less the checksum over the payload,
// which was just computed by whoever made e.
func (t *Term) follows(e *wal.Entry) error {
	tail := t.Tail()
	switch {
	case e.Epoch != t.epoch:
		return fmt.Errorf("%w: entry %d has epoch %d, the term is %d", wal.ErrEpoch, e.Seq, e.Epoch, t.epoch)
	case e.Seq != tail.Seq+1:
		return fmt.Errorf("%w: entry %d does not follow %v", wal.ErrGap, e.Seq, tail)
	case e.Prev != tail.Chain:
		return fmt.Errorf("%w: entry %d continues %016x, not %v", wal.ErrChain, e.Seq, e.Prev, tail)
	}
	return nil
}

// room is invariant 7: the head's bytes in etcd never pass the limit.
func (t *Term) room(size int64) error {
	if have, limit := t.HeadBytes(), t.HeadLimit(); have+size > limit {
		return fmt.Errorf("append: %w: %d bytes and %d more, limit %d", wal.ErrHeadFull, have, size, limit)
	}
	return nil
}

// encode returns what is stored for e in etcd, in memory that the next call
// uses again.
func (t *Term) encode(ctx context.Context, e *wal.Entry) ([]byte, error) {
	t.buf = wal.Encode(t.buf[:0], e)
	value := t.buf
	if cap(t.buf) > 2*t.s.o.MaxInline {
		t.buf = nil // a rare giant, not worth keeping
	}
	if len(value) <= t.s.o.MaxInline {
		return value, nil
	}
	if t.s.o.Spill == nil {
		return nil, fmt.Errorf("append: %w: %d bytes in etcd, and no object store is configured", wal.ErrTooLarge, len(value))
	}
	// Asked before the object is written: a full head must not fill the store.
	if err := t.room(refRoom); err != nil {
		return nil, err
	}
	var b backoff.Backoff
	for {
		ref, err := t.s.o.Spill.Spill(ctx, e)
		if err == nil {
			return wal.EncodeRef(nil, e, ref), nil
		}
		t.s.log.Warn("large entry not stored, trying again", "seq", e.Seq, "bytes", len(value), "err", err)
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return nil, t.ended(cause, fmt.Sprintf("append: store entry %d of %d bytes: %v", e.Seq, len(value), err))
		}
	}
}

// commit sends the append transaction until its outcome is known.
func (t *Term) commit(ctx context.Context, e *wal.Entry, value string) error {
	var b backoff.Backoff
	for try := 1; ; try++ {
		sealedRev := t.sealedRev()
		resp, err := t.s.do(ctx, "append", t.attemptTimeout(), t.appendTxn(e.Seq, sealedRev, value))
		if err == nil {
			a, err := t.appendAnswer(resp)
			if err != nil {
				return fmt.Errorf("append entry %d: %w", e.Seq, err)
			}
			switch v, err := judgeAppend(e, t.createRev, sealedRev, a); v {
			case committed:
				t.unsure = false
				if !a.succeeded && a.leaderRev != t.createRev {
					t.lose(fmt.Errorf("%w: leader key changed after entry %d", wal.ErrFenced, e.Seq))
				}
				return nil
			case fencedOff:
				return t.fencedAppend(e)
			case impossible:
				// What this node has executed is not what the log says.
				t.lose(err)
				return fmt.Errorf("append: %w", err)
			case askAgain:
				t.adopt(*a.sealed)
				continue
			}
		}
		if permanent(err) {
			return fmt.Errorf("append entry %d: %w", e.Seq, err)
		}
		t.unsure = true
		t.s.log.Log(ctx, level(&b), "outcome of append unknown, asking", "seq", e.Seq, "try", try, "err", err)
		if cause := backoff.Sleep(ctx, b.Next()); cause != nil {
			return t.ended(cause, fmt.Sprintf("append: outcome of entry %d unknown after %d tries: %v", e.Seq, try, err))
		}
	}
}

// fencedAppend ends the term. When every try was answered, e is certainly not
// in the log; else a lost one may have put it there, and it was trimmed since.
func (t *Term) fencedAppend(e *wal.Entry) error {
	if t.unsure {
		return t.fenced("outcome of entry %d unknown, leader key changed", e.Seq)
	}
	return t.fenced("entry %d refused, leader key changed", e.Seq)
}

// ended is the error of a call whose context ended: because the term did, or
// for the caller's own cause.
func (t *Term) ended(cause error, what string) error {
	if t.ctx.Err() != nil {
		return t.over(what)
	}
	return fmt.Errorf("%s: %w", what, cause)
}

func (t *Term) sealedRev() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sealed.rev
}

func (t *Term) appendTxn(seq uint64, sealedRev int64, value string) clientv3.Op {
	key := t.s.k.entry(seq)
	put := []clientv3.Op{clientv3.OpPut(key, value)}
	if broken.Is(broken.PlainAppend) {
		return clientv3.OpTxn(nil, put, nil)
	}
	return clientv3.OpTxn(
		[]clientv3.Cmp{
			t.isLeader(),
			clientv3.Compare(clientv3.CreateRevision(key), "=", 0),
			clientv3.Compare(clientv3.ModRevision(t.s.k.sealed), "=", sealedRev),
		},
		put,
		[]clientv3.Op{clientv3.OpGet(t.s.k.leader), clientv3.OpGet(key), clientv3.OpGet(t.s.k.sealed)})
}

func (t *Term) appendAnswer(resp *clientv3.TxnResponse) (a appendAnswer, err error) {
	t.saw(resp.Header.Revision)
	if a.succeeded = resp.Succeeded; a.succeeded {
		return a, nil
	}
	if kv := kvOf(resp, 0); kv != nil {
		a.leaderRev = kv.CreateRevision
	}
	if kv := kvOf(resp, 1); kv != nil {
		if a.entry, err = t.s.header(kv); err != nil {
			return a, err
		}
	}
	a.sealed, _, err = t.s.pointers(kvOf(resp, 2), nil)
	return a, err
}

package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// headPage is a linearizable read of the pointers and of some log keys.
type headPage struct {
	sealed  sealedAt
	leader  *Leader
	entries []*mvccpb.KeyValue // from the seq asked for on, in order
	more    bool               // the range asked for holds further ones
	rev     int64
}

// pager chooses how many entries a page asks for, so that pages come out near
// a target in bytes whatever the size of the entries.
type pager struct {
	target int64
	limit  int64
}

const (
	pageFirst = 16
	pageMost  = 1024
)

func (p *pager) next() int64 {
	if p.limit == 0 {
		p.limit = pageFirst
	}
	return p.limit
}

// got adapts to a page that had n entries of so many bytes. It grows slowly,
// because the entries ahead may be larger than those seen.
func (p *pager) got(n int, bytes int64) {
	if n == 0 {
		return
	}
	fits := p.target / max(1, bytes/int64(n))
	p.limit = max(1, min(fits, p.limit*4, pageMost))
}

// failed makes the next page smaller: the last one may have been too large to
// arrive in time.
func (p *pager) failed() { p.limit = max(1, p.limit/4) }

// page reads log keys from..to, as many as p allows, trying until ctx ends.
// Nothing pins the revision over pages: entries never change, and trimming
// takes them away from the front only, which shows.
func (s *Shard) page(ctx context.Context, from, to uint64, p *pager) (headPage, error) {
	var hp headPage
	var resp *clientv3.TxnResponse
	err := s.retry(ctx, "read head", func() (err error) {
		resp, err = s.do(ctx, "read", requestTimeout, clientv3.OpTxn(nil, []clientv3.Op{
			clientv3.OpGet(s.k.sealed), clientv3.OpGet(s.k.leader),
			clientv3.OpGet(s.k.entry(from), clientv3.WithRange(s.k.entryAfter(to)), clientv3.WithLimit(p.next())),
		}, nil))
		if err != nil {
			p.failed()
		}
		return err
	})
	if err != nil {
		return hp, err
	}
	sealed, leader, err := s.pointers(kvOf(resp, 0), kvOf(resp, 1))
	if err != nil {
		return hp, err
	}
	if sealed == nil {
		return hp, ErrNotInitialized
	}
	r := resp.Responses[2].GetResponseRange()
	hp = headPage{sealed: *sealed, leader: leader, entries: r.Kvs, more: r.More, rev: resp.Header.Revision}
	var bytes int64
	for _, kv := range r.Kvs {
		bytes += int64(len(kv.Value))
	}
	p.got(len(r.Kvs), bytes)
	return hp, s.contiguous(hp, from)
}

// contiguous reports whether a page holds exactly from, from+1, ...:
// ErrTrimmed when from was sealed, wal.ErrGap for a hole.
func (s *Shard) contiguous(hp headPage, from uint64) error {
	if hp.sealed.Seq >= from {
		return fmt.Errorf("%w: entry %d, sealed up to %d", ErrTrimmed, from, hp.sealed.Seq)
	}
	for i, kv := range hp.entries {
		seq, ok := s.k.seq(kv.Key)
		if want := from + uint64(i); !ok || seq != want {
			return fmt.Errorf("%w: head has %s where entry %d belongs", wal.ErrGap, kv.Key, want)
		}
	}
	return nil
}

// ReadHead calls fn for the head's entries from..to in order, spilled ones
// resolved, with the bytes each takes in etcd. It stops at the tail when to
// lies past it. Entries after the first are checked to continue the one before
// (wal.Position.Check); the caller checks the first. ErrTrimmed when from, or
// the place reached, has left the head: go on in the segments. An error of fn
// ends the reading and is returned as it is.
func (s *Shard) ReadHead(ctx context.Context, from, to uint64, fn func(e *wal.Entry, stored int) error) error {
	if from == 0 {
		return errors.New("etcdfence: read head: entries start at 1")
	}
	p := pager{target: s.tune.pageBytes}
	var last *wal.Entry
	for from <= to {
		hp, err := s.page(ctx, from, to, &p)
		if err != nil {
			return fmt.Errorf("read head from entry %d: %w", from, err)
		}
		for _, kv := range hp.entries {
			e, err := s.decode(ctx, kv)
			if err != nil {
				return fmt.Errorf("read head: %w", err)
			}
			if last != nil {
				if err := last.Position().Check(e); err != nil {
					return fmt.Errorf("read head: %w", err)
				}
			}
			if err := fn(e, int(s.k.entrySize(len(kv.Value)))); err != nil {
				return err
			}
			last = e
		}
		from += uint64(len(hp.entries))
		if !hp.more || from == 0 {
			return nil
		}
	}
	return nil
}

// errUnresolved: a spilled entry's object could not be read now.
var errUnresolved = errors.New("etcdfence: spilled entry could not be read")

// decode reads a log key's entry, with its payload. errUnresolved may pass;
// other errors are damage or a newer format.
func (s *Shard) decode(ctx context.Context, kv *mvccpb.KeyValue) (*wal.Entry, error) {
	e, err := s.header(kv)
	if err != nil || e.Spill == nil {
		return e, err
	}
	if s.o.Spill == nil {
		return nil, fmt.Errorf("entry %d is in object %s and no object store is configured", e.Seq, e.Spill.Key)
	}
	full, err := wal.Resolve(ctx, e, s.o.Spill)
	if err == nil || errors.Is(err, wal.ErrCorrupt) || errors.Is(err, wal.ErrNewerFormat) {
		return full, err
	}
	return nil, fmt.Errorf("%w: %w", errUnresolved, err)
}

// header decodes a log key's entry; a spilled one stays without payload.
func (s *Shard) header(kv *mvccpb.KeyValue) (*wal.Entry, error) {
	e, err := wal.Decode(kv.Value)
	if err != nil {
		return nil, fmt.Errorf("etcd key %s: %w", kv.Key, err)
	}
	if seq, ok := s.k.seq(kv.Key); !ok || seq != e.Seq {
		return nil, fmt.Errorf("%w: etcd key %s holds entry %d", wal.ErrCorrupt, kv.Key, e.Seq)
	}
	return e, nil
}

// headSizes returns the sizes of exactly the entries after sealed up to tail,
// reading those that were not met before. ErrTrimmed when the head moved on.
func (s *Shard) headSizes(ctx context.Context, sealed, tail uint64) (headIndex, error) {
	s.mu.Lock()
	head := s.sizes.cut(sealed+1, tail)
	known := s.sizes.first
	s.mu.Unlock()
	p := pager{target: s.tune.pageBytes}
	if known > head.next() && known <= tail {
		if err := s.measure(ctx, &head, known-1, &p); err != nil {
			return head, err
		}
		s.mu.Lock()
		head.join(s.sizes.cut(head.next(), tail))
		s.mu.Unlock()
	}
	if err := s.measure(ctx, &head, tail, &p); err != nil {
		return head, err
	}
	if head.next() != tail+1 {
		return head, fmt.Errorf("%w: head ends at %d, should end at %d", wal.ErrGap, head.next()-1, tail)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := head.cut(head.first, tail)
	all.join(s.sizes.cut(tail+1, math.MaxUint64-1))
	s.sizes = all
	return head, nil
}

// measure adds the sizes of the entries after head's run, up to to.
func (s *Shard) measure(ctx context.Context, head *headIndex, to uint64, p *pager) error {
	for from := head.next(); from <= to && from < math.MaxUint64; from = head.next() {
		hp, err := s.page(ctx, from, to, p)
		if err != nil {
			return fmt.Errorf("measure head from entry %d: %w", from, err)
		}
		if len(hp.entries) == 0 {
			return nil
		}
		for i, kv := range hp.entries {
			head.add(from+uint64(i), s.k.entrySize(len(kv.Value)))
		}
	}
	return nil
}

// learn remembers the size of an entry that was met, and lets go of what is
// sealed.
func (s *Shard) learn(seq uint64, valueBytes int) {
	s.mu.Lock()
	s.sizes.add(seq, s.k.entrySize(valueBytes))
	s.mu.Unlock()
}

// learnHead remembers the sizes of a head, unless as much is known already.
func (s *Shard) learnHead(head headIndex) {
	s.mu.Lock()
	if head.next() > s.sizes.next() {
		s.sizes = head
	}
	s.mu.Unlock()
}

func (s *Shard) learnSealed(seq uint64) {
	s.mu.Lock()
	s.sizes.dropThrough(seq)
	s.mu.Unlock()
}

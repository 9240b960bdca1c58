package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/backoff"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Candidate is who campaigns.
type Candidate struct {
	NodeID  string
	Address string // where clients will reach it, host:port
	AZ      string
	// TLSAddress is where they will reach it over TLS; empty: nowhere.
	TLSAddress string
}

// ballot is what etcd holds of a shard as far as a campaign depends on it.
type ballot struct {
	sealed  *sealedAt  // nil: not initialized
	leader  *Leader    // nil: nobody
	applied *wal.Entry // head entry the candidate applied last, nil when absent
	next    bool       // the head holds an entry after that
}

// mayLead decides whether a candidate that has applied the log up to applied
// may lead: nil, or why not.
func mayLead(b ballot, applied wal.Position) error {
	if b.sealed == nil {
		return ErrNotInitialized
	}
	if b.leader != nil {
		return fmt.Errorf("%w: node %s, epoch %d", ErrLeaderExists, b.leader.NodeID, b.leader.Epoch)
	}
	switch err := onLog(applied, b.sealed.Sealed, b.applied); {
	case errors.Is(err, ErrTrimmed):
		return fmt.Errorf("%w: applied %d, sealed up to %d", ErrNotCaughtUp, applied.Seq, b.sealed.Seq)
	case err != nil:
		return err
	case b.next:
		return fmt.Errorf("%w: applied %d, the log goes on", ErrNotCaughtUp, applied.Seq)
	}
	return nil
}

// Campaign makes c the shard's leader, if nobody is and c has applied the whole
// log. Errors: ErrLeaderExists, ErrNotCaughtUp (follow on and try again),
// ErrDiverged, ErrNotInitialized, wal.ErrEpoch when EpochBase is too low for
// the log, or ctx's. Whatever goes wrong, etcd is told to end the lease.
//
// A returned term owns the shard and its tail is applied; the caller appends
// the epoch's opening entry before it serves, and must Close or Resign.
func (s *Shard) Campaign(ctx context.Context, c Candidate, applied wal.Position) (*Term, error) {
	b, err := s.firstBallot(ctx, applied)
	if err != nil {
		return nil, fmt.Errorf("campaign: %w", err)
	}
	l, err := s.campaignLease(ctx)
	if err != nil {
		return nil, fmt.Errorf("campaign: %w", err)
	}
	t, err := s.elect(ctx, c, applied, b, l)
	if err != nil {
		// ctx may be what ended the campaign; the lease still has to go.
		rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.ttl)
		defer cancel()
		if rerr := s.revoke(rctx, l.id); rerr != nil {
			s.log.Warn("a lost campaign's lease stays until it expires", "ttl", l.ttl, "err", rerr)
		}
		return nil, fmt.Errorf("campaign: %w", err)
	}
	return t, nil
}

// firstBallot is what the campaign's first vote goes by. What Follow was told
// serves without another trip to etcd: when it is out of date the vote fails and
// brings what is true.
func (s *Shard) firstBallot(ctx context.Context, applied wal.Position) (ballot, error) {
	s.mu.Lock()
	sealed := s.followed
	s.mu.Unlock()
	if sealed != nil && sealed.Seq <= applied.Seq {
		return ballot{sealed: sealed}, nil
	}
	b, err := s.readBallot(ctx, applied)
	if err != nil {
		return b, err
	}
	return b, mayLead(b, applied)
}

// Prepare asks for the lease of a campaign that is about to begin, so that the
// campaign need not wait for it. A lease that no campaign takes within half of
// its time is forgotten and ends by itself.
func (s *Shard) Prepare(ctx context.Context) error {
	l, err := s.grant(ctx, s.o.LeaseTTL)
	if err != nil {
		return fmt.Errorf("prepare campaign: %w", err)
	}
	s.mu.Lock()
	s.prepared = &l
	s.mu.Unlock()
	return nil
}

// campaignLease is the lease that was prepared, or a new one.
func (s *Shard) campaignLease(ctx context.Context) (lease, error) {
	s.mu.Lock()
	l := s.prepared
	s.prepared = nil
	s.mu.Unlock()
	if l != nil && s.clk.read().since(l.sent) < l.ttl/2 {
		return *l, nil
	}
	return s.grant(ctx, s.o.LeaseTTL)
}

// elect votes until the outcome is known.
func (s *Shard) elect(ctx context.Context, c Candidate, applied wal.Position, b ballot, l lease) (*Term, error) {
	if margin(s.o.DriftMargin, l.ttl) >= l.ttl {
		return nil, fmt.Errorf("drift margin %v leaves nothing of a lease of %v", s.o.DriftMargin, l.ttl)
	}
	value := mustJSON(Leader{NodeID: c.NodeID, Address: c.Address, TLSAddress: c.TLSAddress, AZ: c.AZ})
	var wait backoff.Backoff
	for {
		// Measured before leading, so that a new leader is not held up by it;
		// that sealed has not moved since is part of the transaction.
		head, err := s.headSizes(ctx, b.sealed.Seq, applied.Seq)
		switch {
		case err == nil:
			b, err = s.vote(ctx, s.campaignTxn(applied, b.sealed.rev, value, l.id), applied, &wait)
		case errors.Is(err, ErrTrimmed):
			b, err = s.readBallot(ctx, applied)
		}
		if err != nil {
			return nil, err
		}
		if b.leader != nil && b.leader.LeaseID == int64(l.id) {
			if err := onLog(applied, b.sealed.Sealed, b.applied); err != nil {
				return nil, err
			}
			// Only a leader trims, so the head is still the one measured.
			return s.won(c, applied, b, l, head)
		}
		if err := mayLead(b, applied); err != nil {
			return nil, err
		}
	}
}

// vote sends the campaign's transaction once and returns what the shard looks
// like after it, whoever leads it then.
func (s *Shard) vote(ctx context.Context, txn clientv3.Op, applied wal.Position, wait *backoff.Backoff) (ballot, error) {
	resp, err := s.do(ctx, "campaign", attemptTimeout(s.o.LeaseTTL), txn)
	switch {
	case err == nil:
		return s.ballotOf(resp)
	case permanent(err):
		return ballot{}, err
	}
	s.log.Log(ctx, level(wait), "outcome of campaign unknown, asking", "err", err)
	if cause := backoff.Sleep(ctx, wait.Next()); cause != nil {
		return ballot{}, cause
	}
	return s.readBallot(ctx, applied)
}

func (s *Shard) campaignTxn(applied wal.Position, sealedRev int64, value string, id clientv3.LeaseID) clientv3.Op {
	return clientv3.OpTxn(
		[]clientv3.Cmp{
			clientv3.Compare(clientv3.CreateRevision(s.k.leader), "=", 0),
			clientv3.Compare(clientv3.ModRevision(s.k.sealed), "=", sealedRev),
			clientv3.Compare(clientv3.CreateRevision(s.k.entry(applied.Seq+1)), "=", 0),
		},
		append([]clientv3.Op{clientv3.OpPut(s.k.leader, value, clientv3.WithLease(id))}, s.ballotGets(applied)...),
		s.ballotGets(applied))
}

func (s *Shard) ballotGets(applied wal.Position) []clientv3.Op {
	return []clientv3.Op{
		clientv3.OpGet(s.k.sealed), clientv3.OpGet(s.k.leader),
		clientv3.OpGet(s.k.entry(applied.Seq)),
		clientv3.OpGet(s.k.entry(applied.Seq+1), clientv3.WithKeysOnly()),
	}
}

func (s *Shard) readBallot(ctx context.Context, applied wal.Position) (ballot, error) {
	resp, err := s.read(ctx, s.ballotGets(applied)...)
	if err != nil {
		return ballot{}, err
	}
	return s.ballotOf(resp)
}

// ballotOf decodes the answers to ballotGets, which end the response.
func (s *Shard) ballotOf(resp *clientv3.TxnResponse) (b ballot, err error) {
	i := len(resp.Responses) - 4
	if b.sealed, b.leader, err = s.pointers(kvOf(resp, i), kvOf(resp, i+1)); err != nil {
		return b, err
	}
	if kv := kvOf(resp, i+2); kv != nil {
		if b.applied, err = s.header(kv); err != nil {
			return b, err
		}
	}
	b.next = kvOf(resp, i+3) != nil
	return b, nil
}

// won starts the term that a campaign has won.
func (s *Shard) won(c Candidate, applied wal.Position, b ballot, l lease, head headIndex) (*Term, error) {
	epoch := b.leader.Epoch
	if epoch <= applied.Epoch {
		return nil, fmt.Errorf("%w: won epoch %d after %v; the shard was initialized with epoch base %d",
			wal.ErrEpoch, epoch, applied, b.sealed.EpochBase)
	}
	limit := l.sent.add(l.ttl - margin(s.o.DriftMargin, l.ttl))
	now := s.clk.read()
	if now.since(limit) >= 0 {
		return nil, fmt.Errorf("%w: the campaign took longer than the lease of %v", ErrLeaseLost, l.ttl)
	}
	t := newTerm(s, l, epoch, applied, *b.sealed, head, limit)
	s.log.Info("won the shard", "node", c.NodeID, "epoch", epoch, "tail", applied.Seq, "lease", l.ttl,
		"took", now.since(l.sent).Round(time.Millisecond))
	return t, nil
}

package node

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// sealHead is the head of the log as the sealer sees it: read from etcd,
// trimmed under the primary's term.
type sealHead struct {
	*etcdfence.Shard
	term *etcdfence.Term
}

// Trim moves the sealed pointer to p, fenced by the term.
func (h sealHead) Trim(ctx context.Context, p wal.Position, segment string, at time.Time) error {
	return h.term.Trim(ctx, etcdfence.Sealed{
		Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain, EpochBase: h.term.Sealed().EpochBase, Segment: segment, Time: at,
	})
}

// newSealer makes the term's sealer, told of what the head holds already.
func (n *Node) newSealer(term *etcdfence.Term, tail wal.Position) *s3segments.Sealer {
	s := s3segments.NewSealer(s3segments.SealerConfig{
		Shard: n.segments, Head: sealHead{n.shard, term}, Epoch: term.Epoch(), Sealed: term.Sealed().Position(),
		Size: n.cfg.SegmentSize, Age: n.cfg.SegmentAge,
	})
	s.Committed(tail, term.HeadBytes())
	return s
}

// seal runs the sealer while this node is the primary.
func (n *Node) seal(ctx context.Context, p *tenure) {
	if err := p.sealer.Run(ctx); err != nil && ctx.Err() == nil {
		n.log.Warn("sealing ended", "err", err)
	}
}

// sealedSeq is the last entry that is in a segment.
func (p *tenure) sealedSeq() uint64 { return p.term.Sealed().Seq }

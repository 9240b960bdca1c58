package wal

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Kind tells what an entry's payload is.
type Kind uint8

const (
	// KindEffects: the payload is a run of units.
	KindEffects Kind = 1
	// KindEpochOpened: a new primary's first entry; the payload is its node id.
	KindEpochOpened Kind = 2
)

func (k Kind) String() string {
	switch k {
	case KindEffects:
		return "effects"
	case KindEpochOpened:
		return "epoch-opened"
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Position names a place in a shard's log: the state after entry Seq.
// The zero value is the empty log.
type Position struct {
	Seq   uint64 // sequence number of the last entry
	Epoch int64  // epoch that entry was written under
	Chain uint64 // running checksum up to and with that entry
}

func (p Position) String() string {
	return fmt.Sprintf("seq %d epoch %d chain %016x", p.Seq, p.Epoch, p.Chain)
}

// Entry is the unit of the log.
type Entry struct {
	Kind    Kind
	Epoch   int64
	Seq     uint64
	Time    int64  // wall time at the primary, Unix milliseconds
	Prev    uint64 // running checksum before this entry
	Chain   uint64 // running checksum after this entry
	Payload []byte // uncompressed; nil while Spill is set

	// Spill is set when the payload is stored by reference; Resolve reads it.
	Spill *Ref
}

// Position is the place in the log after e.
func (e *Entry) Position() Position {
	return Position{Seq: e.Seq, Epoch: e.Epoch, Chain: e.Chain}
}

// Next makes the entry that follows p. The payload is not copied.
func (p Position) Next(kind Kind, epoch, timeMs int64, payload []byte) *Entry {
	e := &Entry{Kind: kind, Epoch: epoch, Seq: p.Seq + 1, Time: timeMs, Prev: p.Chain, Payload: payload}
	e.Chain = e.checksum()
	return e
}

// Check reports whether e is the entry that follows p: ErrGap, ErrEpoch or
// ErrChain, with both positions. The running checksum is recomputed over the
// payload, so e must have been resolved.
func (p Position) Check(e *Entry) error {
	switch {
	case e.Seq != p.Seq+1:
		return fmt.Errorf("%w: entry %d does not follow %v", ErrGap, e.Seq, p)
	case e.Epoch < p.Epoch:
		return fmt.Errorf("%w: entry %d has epoch %d after %v", ErrEpoch, e.Seq, e.Epoch, p)
	case e.Prev != p.Chain:
		return fmt.Errorf("%w: entry %d continues %016x, not %v", ErrChain, e.Seq, e.Prev, p)
	case e.Spill != nil:
		return fmt.Errorf("%w: entry %d was not resolved from %s", ErrCorrupt, e.Seq, e.Spill.Key)
	case e.checksum() != e.Chain:
		return fmt.Errorf("%w: entry %d says %016x, its content gives %016x", ErrChain, e.Seq, e.Chain, e.checksum())
	}
	return nil
}

func (e *Entry) checksum() uint64 {
	var h [40]byte
	binary.LittleEndian.PutUint64(h[0:], e.Prev)
	h[8] = byte(e.Kind)
	binary.LittleEndian.PutUint64(h[16:], uint64(e.Epoch))
	binary.LittleEndian.PutUint64(h[24:], e.Seq)
	binary.LittleEndian.PutUint64(h[32:], uint64(e.Time))
	var d xxhash.Digest
	d.Reset()
	d.Write(h[:])
	d.Write(e.Payload)
	return d.Sum64()
}

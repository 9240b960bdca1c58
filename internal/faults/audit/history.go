package audit

import (
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/wal"
)

// Names that violations are reported under.
const (
	checkLog      = "log"            // entries: order, chain, epochs, effects
	checkFence    = "fence"          // keys in etcd: who may change them, and how often
	checkHead     = "head limit"     // bytes of the head
	checkSegments = "sealed segment" // what sealed pointers name
)

// finding is a broken promise.
type finding struct{ check, what string }

func (f *finding) Error() string { return f.check + ": " + f.what }

func found(check, format string, args ...any) *finding {
	return &finding{check, fmt.Sprintf(format, args...)}
}

// Epoch is one node's time as primary, as the log tells it.
type Epoch struct {
	Epoch int64
	Node  string
	First uint64 // seq of its opening entry
	// At is when the opening entry was seen, on the round's clock: the epoch was
	// opened then or before.
	At int64
}

// history is a log from its first entry on, and the data it leads to.
type history struct {
	ks      *keyspace.Keyspace
	replay  *command.Replayer
	pos     wal.Position
	chains  []uint64 // running checksum after entry i+1
	epochs  []Epoch
	effects uint64
	bytes   int64 // of payloads
}

func newHistory() *history {
	ks := keyspace.New(keyspace.Config{})
	return &history{ks: ks, replay: command.NewReplayer(node.Table(), ks, nil)}
}

// add takes the next entry, seen at a time. Its error is a *finding, after which
// the history goes no further.
func (h *history) add(e *wal.Entry, at int64) error {
	if err := h.pos.Check(e); err != nil {
		return found(checkLog, "%v", err)
	}
	if err := h.epoch(e, at); err != nil {
		return err
	}
	if e.Kind == wal.KindEffects {
		err := wal.EachUnit(e.Payload, func(unit []wal.Effect) error {
			h.effects += uint64(len(unit))
			return h.replay.Apply(unit)
		})
		if err != nil {
			return found(checkLog, "entry %d of epoch %d: %v", e.Seq, e.Epoch, err)
		}
	}
	h.bytes += int64(len(e.Payload))
	h.chains = append(h.chains, e.Chain)
	h.pos = e.Position()
	return nil
}

// epoch is DESIGN invariant 4: an epoch's first entry is the one that opens it.
func (h *history) epoch(e *wal.Entry, at int64) error {
	opens := e.Kind == wal.KindEpochOpened
	switch {
	case e.Epoch == h.pos.Epoch && !opens:
		return nil
	case e.Epoch == h.pos.Epoch:
		return found(checkLog, "entry %d opens epoch %d a second time", e.Seq, e.Epoch)
	case !opens:
		return found(checkLog, "epoch %d begins with entry %d, which does not open it", e.Epoch, e.Seq)
	case len(e.Payload) == 0:
		return found(checkLog, "entry %d opens epoch %d for nobody", e.Seq, e.Epoch)
	}
	h.epochs = append(h.epochs, Epoch{Epoch: e.Epoch, Node: string(e.Payload), First: e.Seq, At: at})
	return nil
}

// at is the place in the log after entry seq.
func (h *history) at(seq uint64) (p wal.Position, ok bool) {
	if seq == 0 {
		return p, true
	}
	if seq > h.pos.Seq {
		return p, false
	}
	i := sort.Search(len(h.epochs), func(i int) bool { return h.epochs[i].First > seq }) - 1
	return wal.Position{Seq: seq, Epoch: h.epochs[i].Epoch, Chain: h.chains[seq-1]}, true
}

func (h *history) digest() string {
	d := h.ks.RedisDigest()
	return hex.EncodeToString(d[:])
}

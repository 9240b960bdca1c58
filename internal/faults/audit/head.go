package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// shardPrefix is what a shard's keys in etcd begin with. It and the keys below it
// are written down here a second time on purpose: the witness must not share a
// mistake with who it watches.
func shardPrefix(cluster string, shard int) string {
	return fmt.Sprintf("/redoubt/%s/shards/%04d/", cluster, shard)
}

// head is the shard's keys at one revision of etcd, and what may not happen to
// them from one revision to the next. It does no I/O.
type head struct {
	prefix string
	limit  int64 // of bytes; 0: none

	rev     int64                // everything up to here was seen
	entries map[uint64]int64     // bytes of the key and value of each entry there is
	keys    map[uint64]revisions // of the log key of each entry ever seen
	bytes   int64                // sum of entries
	most    int64                // largest bytes so far
	over    bool                 // above the limit, and said so
	tail    uint64               // last entry ever seen

	leaderRev int64 // CreateRevision of the leader key; 0: nobody leads
	leader    string
	sealedRev int64 // ModRevision of the sealed pointer; 0: not seen yet
	sealed    etcdfence.Sealed
	moves     []etcdfence.Sealed // sealed pointers that name segments, until taken
}

// revisions are when a key was created and last put.
type revisions struct{ created, put int64 }

func newHead(prefix string, limit int64) *head {
	return &head{prefix: prefix, limit: limit, entries: map[uint64]int64{}, keys: map[uint64]revisions{}}
}

// reset takes over the shard's keys as they are at a revision, when what led to
// them was not seen.
func (h *head) reset(rev int64, kvs []*mvccpb.KeyValue) (all []*finding) {
	h.entries, h.bytes = map[uint64]int64{}, 0
	h.leaderRev, h.leader = 0, ""
	for _, kv := range kvs {
		all = append(all, h.put(kv, false)...)
	}
	for seq := range h.entries {
		if seq <= h.sealed.Seq {
			all = append(all, found(checkFence, "entry %d is in etcd although the log is sealed up to %d", seq, h.sealed.Seq))
		}
	}
	h.rev = rev
	return append(all, h.judgeBytes()...)
}

// apply takes the events after the revision reached. Those of one revision
// happened at once and are judged together.
func (h *head) apply(events []*clientv3.Event) (all []*finding) {
	for len(events) > 0 {
		rev := events[0].Kv.ModRevision
		n := slices.IndexFunc(events, func(ev *clientv3.Event) bool { return ev.Kv.ModRevision != rev })
		if n < 0 {
			n = len(events)
		}
		if rev > h.rev {
			all = append(all, h.revision(events[:n])...)
			h.rev = rev
		}
		events = events[n:]
	}
	return all
}

func (h *head) revision(events []*clientv3.Event) (all []*finding) {
	var gone []uint64
	for _, ev := range events {
		if ev.Type == clientv3.EventTypePut {
			all = append(all, h.put(ev.Kv, true)...)
			continue
		}
		switch key := h.key(ev.Kv); key {
		case "leader":
			h.leaderRev, h.leader = 0, ""
		case "sealed":
			all = append(all, found(checkFence, "the sealed pointer was deleted"))
		default:
			if seq, ok := seqOf(key); ok {
				h.bytes -= h.entries[seq]
				delete(h.entries, seq)
				gone = append(gone, seq)
			}
		}
	}
	// DESIGN invariant 8: the pointer moves in the same step.
	for _, seq := range gone {
		if seq > h.sealed.Seq {
			all = append(all, found(checkFence, "entry %d was taken out of etcd, the log is sealed up to %d only", seq, h.sealed.Seq))
		}
	}
	return append(all, h.judgeBytes()...)
}

// put takes a key as it now is. live: it was put at its ModRevision, with
// everything before seen.
func (h *head) put(kv *mvccpb.KeyValue, live bool) (all []*finding) {
	switch key := h.key(kv); key {
	case "leader":
		return h.putLeader(kv)
	case "sealed":
		return h.putSealed(kv, live)
	default:
		if seq, ok := seqOf(key); ok {
			return h.putEntry(seq, kv, live)
		}
	}
	return nil
}

func (h *head) putLeader(kv *mvccpb.KeyValue) (all []*finding) {
	if kv.Version != 1 {
		all = append(all, found(checkFence, "the leader key of revision %d was overwritten", kv.CreateRevision))
	}
	var l etcdfence.Leader
	if err := json.Unmarshal(kv.Value, &l); err != nil {
		all = append(all, found(checkFence, "leader key: %v", err))
	}
	h.leaderRev, h.leader = kv.CreateRevision, l.NodeID
	return all
}

func (h *head) putSealed(kv *mvccpb.KeyValue, live bool) (all []*finding) {
	var s etcdfence.Sealed
	if err := json.Unmarshal(kv.Value, &s); err != nil {
		return append(all, found(checkFence, "sealed pointer: %v", err))
	}
	if h.sealedRev != 0 {
		if s.Seq < h.sealed.Seq || s.EpochBase != h.sealed.EpochBase {
			all = append(all, found(checkFence, "the sealed pointer went from %v to %v", h.sealed.Position(), s.Position()))
		}
		if live && h.leaderRev == 0 {
			all = append(all, found(checkFence, "the log was trimmed to %d while nobody led the shard", s.Seq))
		}
	}
	if s.Segment != "" && kv.ModRevision != h.sealedRev {
		h.moves = append(h.moves, s)
	}
	h.sealed, h.sealedRev = s, kv.ModRevision
	return all
}

// takeMoves returns the sealed pointers that were seen since the last call.
func (h *head) takeMoves() []etcdfence.Sealed {
	moves := h.moves
	h.moves = nil
	return moves
}

func (h *head) putEntry(seq uint64, kv *mvccpb.KeyValue, live bool) (all []*finding) {
	before, known := h.keys[seq]
	now := revisions{kv.CreateRevision, kv.ModRevision}
	switch {
	case known && now == before: // read anew
	case kv.Version != 1:
		all = append(all, found(checkFence, "log rewritten: entry %d was put again at revision %d", seq, kv.ModRevision))
	case known && now.created != before.created:
		all = append(all, found(checkFence, "log rewritten: entry %d came back at revision %d", seq, kv.CreateRevision))
	case live && seq <= h.sealed.Seq:
		all = append(all, found(checkFence, "entry %d was appended although the log was sealed up to %d", seq, h.sealed.Seq))
	}
	h.keys[seq] = now
	h.tail = max(h.tail, seq)
	size := int64(len(kv.Key) + len(kv.Value))
	h.bytes += size - h.entries[seq]
	h.entries[seq] = size

	e, err := wal.Decode(kv.Value)
	switch {
	case err != nil:
		all = append(all, found(checkLog, "etcd key %s: %v", kv.Key, err))
	case e.Seq != seq:
		all = append(all, found(checkLog, "etcd key %s holds entry %d", kv.Key, e.Seq))
	case live:
		all = append(all, h.judgeAppend(e)...)
	}
	return all
}

// judgeAppend is DESIGN invariant 2: an entry gets in only under the epoch that
// owns the shard at that revision.
func (h *head) judgeAppend(e *wal.Entry) []*finding {
	owner := h.sealed.EpochBase + h.leaderRev
	switch {
	case h.leaderRev == 0:
		return []*finding{found(checkFence, "entry %d of epoch %d was appended while nobody led the shard", e.Seq, e.Epoch)}
	case e.Epoch != owner:
		return []*finding{found(checkFence, "entry %d of epoch %d was appended while epoch %d of %s owned the shard", e.Seq, e.Epoch, owner, h.leader)}
	case e.Kind == wal.KindEpochOpened && string(e.Payload) != h.leader:
		return []*finding{found(checkFence, "entry %d opens epoch %d for %s, the leader is %s", e.Seq, e.Epoch, e.Payload, h.leader)}
	}
	return nil
}

// judgeBytes is DESIGN invariant 7, told once for as long as it is broken.
func (h *head) judgeBytes() []*finding {
	h.most = max(h.most, h.bytes)
	told := h.over
	h.over = h.limit > 0 && h.bytes > h.limit
	if !h.over || told {
		return nil
	}
	return []*finding{found(checkHead, "the head has %d bytes in etcd, its limit is %d", h.bytes, h.limit)}
}

// key is a key's name below the shard's prefix.
func (h *head) key(kv *mvccpb.KeyValue) string { return strings.TrimPrefix(string(kv.Key), h.prefix) }

// seqOf reads a log key's name.
func seqOf(key string) (seq uint64, ok bool) {
	digits, ok := strings.CutPrefix(key, "log/")
	if !ok || len(digits) != 20 {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	return seq, err == nil
}

package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const testPrefix = "/redoubt/c/shards/0000/"

// keysOf is a shard's keys as etcd would have them: what is put and deleted
// becomes events of the next revision.
type keysOf struct {
	*testing.T
	rev  int64
	kvs  map[string]*mvccpb.KeyValue
	step []*clientv3.Event
}

func newKeysOf(t *testing.T) *keysOf {
	return &keysOf{T: t, rev: 100, kvs: map[string]*mvccpb.KeyValue{}}
}

func (k *keysOf) put(key string, value []byte) *keysOf {
	kv := &mvccpb.KeyValue{Key: []byte(testPrefix + key), Value: value, CreateRevision: k.rev + 1, ModRevision: k.rev + 1, Version: 1}
	if old := k.kvs[key]; old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
	}
	k.kvs[key] = kv
	k.step = append(k.step, &clientv3.Event{Type: clientv3.EventTypePut, Kv: kv})
	return k
}

func (k *keysOf) remove(key string) *keysOf {
	delete(k.kvs, key)
	kv := &mvccpb.KeyValue{Key: []byte(testPrefix + key), ModRevision: k.rev + 1}
	k.step = append(k.step, &clientv3.Event{Type: clientv3.EventTypeDelete, Kv: kv})
	return k
}

// commit ends a revision; events gather until take.
func (k *keysOf) commit() []*clientv3.Event {
	events := k.step
	k.step = nil
	k.rev++
	return events
}

func (k *keysOf) leader(node string) *keysOf {
	v, err := json.Marshal(etcdfence.Leader{NodeID: node})
	if err != nil {
		k.Fatal(err)
	}
	return k.put("leader", v)
}

func (k *keysOf) sealed(s etcdfence.Sealed) *keysOf {
	v, err := json.Marshal(s)
	if err != nil {
		k.Fatal(err)
	}
	return k.put("sealed", v)
}

// entry puts seq under an epoch; only number, epoch and kind are looked at.
func (k *keysOf) entry(seq uint64, epoch int64) *keysOf {
	return k.put(logKey(seq), wal.Encode(nil, wal.Position{Seq: seq - 1}.Next(wal.KindEffects, epoch, 1, set("k", "v"))))
}

func logKey(seq uint64) string { return fmt.Sprintf("log/%020d", seq) }

// the shard of these tests: node a leads with the epoch of revision 102, entries
// 1 and 2 are in the head.
func ledShard(t *testing.T) (*keysOf, *head) {
	k := newKeysOf(t)
	h := newHead(testPrefix, 0)
	h.reset(k.rev, nil)
	h.mustApply(t, k.sealed(etcdfence.Sealed{}).commit())
	h.mustApply(t, k.leader("a").commit())
	opening := wal.Position{}.Next(wal.KindEpochOpened, 102, 1, []byte("a"))
	h.mustApply(t, k.put(logKey(1), wal.Encode(nil, opening)).commit())
	h.mustApply(t, k.entry(2, 102).commit())
	return k, h
}

func (h *head) mustApply(t *testing.T, events []*clientv3.Event) {
	t.Helper()
	for _, f := range h.apply(events) {
		t.Fatal(f)
	}
}

func sealedAt(seq uint64) etcdfence.Sealed {
	return etcdfence.Sealed{Seq: seq, Epoch: 102, Segment: fmt.Sprint("segment-", seq)}
}

func TestHeadOfAGoodShard(t *testing.T) {
	k, h := ledShard(t)
	h.mustApply(t, k.entry(3, 102).commit())
	h.mustApply(t, k.sealed(sealedAt(2)).remove(logKey(1)).remove(logKey(2)).commit())
	h.mustApply(t, k.put("handover", []byte("{}")).commit())
	h.mustApply(t, k.remove("leader").remove("handover").commit())
	h.mustApply(t, k.leader("b").commit())
	h.mustApply(t, k.put(logKey(4), wal.Encode(nil, wal.Position{Seq: 3}.Next(wal.KindEpochOpened, k.rev, 1, []byte("b")))).commit())
	var two []*clientv3.Event // a watch that catches up brings several revisions at once
	two = append(two, k.entry(5, h.leaderRev).commit()...)
	two = append(two, k.sealed(sealedAt(4)).remove(logKey(3)).remove(logKey(4)).commit()...)
	h.mustApply(t, two)
	if moves := h.takeMoves(); len(moves) != 2 || moves[0].Seq != 2 || moves[1].Seq != 4 || h.takeMoves() != nil {
		t.Errorf("sealed pointers %v", moves)
	}

	before := *h
	for _, f := range h.reset(k.rev, k.state()) {
		t.Error(f)
	}
	if h.bytes != before.bytes || h.leaderRev != before.leaderRev || h.sealed != before.sealed || len(h.moves) != 0 {
		t.Errorf("read anew: %+v, was %+v", h, before)
	}
}

func TestHeadRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(k *keysOf)
		want string
	}{
		{"an entry changed", func(k *keysOf) { k.entry(2, 102) }, "log rewritten: entry 2 was put again"},
		{"an entry of an older epoch", func(k *keysOf) { k.entry(3, 101) }, "entry 3 of epoch 101 was appended while epoch 102 of a owned"},
		{"an entry of a later epoch", func(k *keysOf) { k.entry(3, 103) }, "while epoch 102 of a owned"},
		{"an opening entry for another", func(k *keysOf) {
			k.put(logKey(3), wal.Encode(nil, wal.Position{Seq: 2}.Next(wal.KindEpochOpened, 102, 1, []byte("b"))))
		}, "opens epoch 102 for b, the leader is a"},
		{"an entry under another's name", func(k *keysOf) { k.entry(3, 102); k.step[0].Kv.Key = []byte(testPrefix + logKey(7)) }, "holds entry 3"},
		{"no entry", func(k *keysOf) { k.put(logKey(3), []byte("?")) }, "no entry starts here"},
		{"an entry taken out", func(k *keysOf) { k.remove(logKey(1)) }, "entry 1 was taken out of etcd, the log is sealed up to 0 only"},
		{"one entry more than sealed taken out", func(k *keysOf) { k.sealed(sealedAt(1)).remove(logKey(1)).remove(logKey(2)) }, "entry 2 was taken out"},
		{"the leader key overwritten", func(k *keysOf) { k.leader("b") }, "was overwritten"},
		{"a leader that cannot be read", func(k *keysOf) { k.put("leader", []byte("?")) }, "leader key"},
		{"a sealed pointer that cannot be read", func(k *keysOf) { k.put("sealed", []byte("?")) }, "sealed pointer"},
		{"the sealed pointer gone", func(k *keysOf) { k.remove("sealed") }, "was deleted"},
		{"another epoch base", func(k *keysOf) { k.sealed(etcdfence.Sealed{EpochBase: 1}) }, "the sealed pointer went from"},
	} {
		k, h := ledShard(t)
		c.do(k)
		if got := fmt.Sprint(h.apply(k.commit())); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %q", c.name, got, c.want)
		}
	}
}

// What is wrong only after something else went before.
func TestHeadRefusesSequences(t *testing.T) {
	trimmed := func(t *testing.T) (*keysOf, *head) {
		k, h := ledShard(t)
		h.mustApply(t, k.sealed(sealedAt(2)).remove(logKey(1)).remove(logKey(2)).commit())
		return k, h
	}
	vacant := func(t *testing.T) (*keysOf, *head) {
		k, h := ledShard(t)
		h.mustApply(t, k.remove("leader").commit())
		return k, h
	}
	for _, c := range []struct {
		name  string
		after func(t *testing.T) (*keysOf, *head)
		do    func(k *keysOf)
		want  string
	}{
		{"a trimmed entry comes back", trimmed, func(k *keysOf) { k.entry(2, 102) }, "log rewritten: entry 2 came back"},
		{"the sealed pointer goes back", trimmed, func(k *keysOf) { k.sealed(sealedAt(1)) }, "the sealed pointer went from"},
		{"an append that no leader made", vacant, func(k *keysOf) { k.entry(3, 102) }, "while nobody led"},
		{"a trim that no leader made", vacant, func(k *keysOf) { k.sealed(sealedAt(1)).remove(logKey(1)) }, "trimmed to 1 while nobody led"},
	} {
		k, h := c.after(t)
		c.do(k)
		if got := fmt.Sprint(h.apply(k.commit())); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %q", c.name, got, c.want)
		}
	}
}

func (k *keysOf) state() (kvs []*mvccpb.KeyValue) {
	for _, kv := range k.kvs {
		kvs = append(kvs, kv)
	}
	return kvs
}

// What happened while nobody looked may have been right; what follows it is
// judged against the state that it left.
func TestHeadGoesOnAfterAGap(t *testing.T) {
	k, h := ledShard(t)
	missed := k.remove("leader").commit()
	missed = append(missed, k.leader("b").commit()...)
	epoch := k.rev
	missed = append(missed, k.entry(3, epoch).entry(4, epoch).entry(5, epoch).commit()...)
	missed = append(missed, k.sealed(sealedAt(4)).remove(logKey(1)).remove(logKey(2)).remove(logKey(3)).remove(logKey(4)).commit()...)
	for _, f := range h.reset(k.rev, k.state()) {
		t.Fatal(f)
	}
	five := k.kvs[logKey(5)]
	if want := int64(len(five.Key) + len(five.Value)); h.bytes != want || h.tail != 5 || h.leader != "b" {
		t.Errorf("%d bytes, want %d; last entry %d, leader %s", h.bytes, want, h.tail, h.leader)
	}
	h.mustApply(t, missed) // a watch that brings them late changes nothing
	if h.rev != k.rev || h.leaderRev != epoch {
		t.Errorf("went back to revision %d, leader key of %d", h.rev, h.leaderRev)
	}
	h.mustApply(t, k.entry(6, epoch).commit())
	if got := fmt.Sprint(h.apply(k.entry(3, epoch).commit())); !strings.Contains(got, "entry 3 was appended although the log was sealed up to 4") {
		t.Errorf("an entry that was trimmed meanwhile comes back: %s", got)
	}
}

// After a gap in what was seen, the state itself is judged.
func TestHeadReadAnewRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(k *keysOf)
		want string
	}{
		{"an entry changed", func(k *keysOf) { k.entry(2, 102) }, "log rewritten: entry 2 was put again"},
		{"an entry deleted and put anew", func(k *keysOf) { k.remove(logKey(2)); k.rev++; k.entry(2, 102) }, "log rewritten: entry 2 came back"},
		{"a trim that left an entry", func(k *keysOf) { k.sealed(sealedAt(2)).remove(logKey(1)) }, "entry 2 is in etcd although the log is sealed up to 2"},
	} {
		k, h := ledShard(t)
		c.do(k)
		if got := fmt.Sprint(h.reset(k.rev+1, k.state())); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %q", c.name, got, c.want)
		}
		if again := fmt.Sprint(h.reset(k.rev+2, k.state())); strings.Contains(again, "rewritten") {
			t.Errorf("%s: told again: %s", c.name, again)
		}
	}
}

func TestHeadBytes(t *testing.T) {
	k, h := ledShard(t)
	want := int64(0)
	for _, seq := range []uint64{1, 2} {
		kv := k.kvs[logKey(seq)]
		want += int64(len(kv.Key) + len(kv.Value))
	}
	if h.bytes != want || h.most != want {
		t.Fatalf("%d bytes, at most %d, want %d", h.bytes, h.most, want)
	}
	one := int64(len(k.kvs[logKey(2)].Key) + len(k.kvs[logKey(2)].Value))
	h.limit = want + one
	h.mustApply(t, k.entry(3, 102).commit()) // to the limit, not over it
	got := fmt.Sprint(h.apply(k.entry(4, 102).commit()))
	if !strings.Contains(got, fmt.Sprintf("the head has %d bytes in etcd, its limit is %d", want+2*one, want+one)) {
		t.Errorf("above the limit: %s", got)
	}
	if all := h.apply(k.entry(5, 102).commit()); len(all) != 0 {
		t.Errorf("said again: %v", all)
	}
	// Trimmed and filled within one revision: only what stands at its end counts.
	most := h.most
	h.mustApply(t, k.entry(6, 102).sealed(sealedAt(4)).remove(logKey(1)).remove(logKey(2)).remove(logKey(3)).remove(logKey(4)).commit())
	if h.bytes != 2*one || h.most != most {
		t.Errorf("%d bytes after the trim, want %d; at most %d, want %d", h.bytes, 2*one, h.most, most)
	}
	h.limit = 2 * one
	if all := h.apply(k.entry(7, 102).commit()); len(all) != 1 {
		t.Errorf("above the limit once more: %v", all)
	}
}

package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"
)

// TestTwoTermsAtOnce lets two nodes campaign, append and trim in any order,
// with answers lost, requests doubled or arriving late, and leases ended behind
// their backs. After each step, etcd itself is asked:
//
//   - every entry was written under the leader key of its epoch (invariant 2)
//   - the head's bytes are within the limit (invariant 7)
//   - the log is one chain that only grows, and holds what was acknowledged
//   - a campaign was won by a node that had all of it only (invariant 4)
func TestTwoTermsAtOnce(t *testing.T) {
	cli := newClient(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt, cli)
		defer w.close()
		rt.Repeat(map[string]func(*rapid.T){
			"append":   func(rt *rapid.T) { w.append(rt, w.pick(rt)) },
			"append 2": func(rt *rapid.T) { w.append(rt, w.pick(rt)) },
			"trim":     func(rt *rapid.T) { w.trim(rt, w.pick(rt)) },
			"campaign": func(rt *rapid.T) { w.campaign(rt, w.pick(rt)) },
			"revoke":   func(rt *rapid.T) { w.revoke(w.pick(rt)) },
			"late":     w.late,
			"":         w.observe,
		})
	})
}

const worldHeadLimit = 1000 // room for six entries or so

type world struct {
	e       *env
	nodes   []*worldNode
	delayed []sendFunc
	log     []wal.Position // log[i] is the position after entry i
	acked   map[uint64]uint64
	denied  map[uint64]map[uint64]bool // seq: chains that were refused for certain
	payload int
	nested  bool
}

type worldNode struct {
	name    string
	f       *faults
	s       *Shard
	term    *Term
	pending *wal.Entry // its outcome is not known
}

func newWorld(t *testing.T, rt *rapid.T, cli *clientv3.Client) *world {
	e := newEnvWith(rtTB{t, rt}, cli)
	e.opts.HeadLimit = worldHeadLimit
	w := &world{e: e, log: make([]wal.Position, 1), acked: map[uint64]uint64{}, denied: map[uint64]map[uint64]bool{}}
	e.init(Sealed{})
	for _, name := range []string{"a", "b"} {
		n := &worldNode{name: name, f: newFaults(t, cli)}
		n.s = e.openWith(n.f.cli)
		w.nodes = append(w.nodes, n)
	}
	return w
}

// rtTB reports failures to rapid, which shrinks them.
type rtTB struct {
	testing.TB
	rt *rapid.T
}

func (t rtTB) Fatal(args ...any)            { t.rt.Fatal(args...) }
func (t rtTB) Fatalf(f string, args ...any) { t.rt.Fatalf(f, args...) }
func (t rtTB) Errorf(f string, args ...any) { t.rt.Errorf(f, args...) }

func (w *world) close() {
	for _, n := range w.nodes {
		n.f.on(nil)
		if n.term != nil {
			n.term.Close()
		}
	}
}

func (w *world) pick(rt *rapid.T) *worldNode {
	return rapid.SampledFrom(w.nodes).Draw(rt, "node")
}

func (w *world) tail() wal.Position { return w.log[len(w.log)-1] }

// faulty draws what becomes of the next requests of a kind. give up is called
// when the caller shall lose its patience.
func (w *world) faulty(rt *rapid.T, n *worldNode, kind string, giveUp func()) {
	plan := rapid.SliceOfN(rapid.SampledFrom([]string{
		"", "", "answer lost", "request lost", "twice", "late", "give up", "meanwhile",
	}), 0, 3).Draw(rt, "faults")
	n.f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		if op != kind || len(plan) == 0 {
			return send()
		}
		fault := plan[0]
		plan = plan[1:]
		switch fault {
		case "answer lost":
			return answerLost(send)
		case "request lost":
			return requestLost(send)
		case "twice":
			return sentTwice(send)
		case "late":
			w.delayed = append(w.delayed, send)
			return requestLost(send)
		case "give up":
			giveUp()
			if rapid.Bool().Draw(rt, "arrived") {
				return answerLost(send)
			}
			return requestLost(send)
		case "meanwhile":
			w.meanwhile(rt, n)
		}
		return send()
	})
}

// meanwhile lets something else happen before a request arrives.
func (w *world) meanwhile(rt *rapid.T, n *worldNode) {
	if w.nested {
		return
	}
	w.nested = true
	defer func() { w.nested = false }()
	other := w.nodes[0]
	if other == n {
		other = w.nodes[1]
	}
	for range rapid.IntRange(1, 4).Draw(rt, "steps") {
		switch rapid.SampledFrom([]string{"revoke", "campaign", "append", "trim", "late"}).Draw(rt, "meanwhile") {
		case "revoke":
			w.revoke(n)
		case "campaign":
			w.campaign(rt, other)
		case "append":
			w.append(rt, other)
		case "trim":
			w.trim(rt, other)
		case "late":
			w.late(rt)
		}
		w.observe(rt)
	}
}

func (w *world) append(rt *rapid.T, n *worldNode) {
	if n.term == nil {
		return
	}
	entry := n.pending
	if entry == nil {
		w.payload++
		entry = next(n.term, fmt.Sprint(n.name, w.payload))
	}
	ctx, cancel := context.WithCancel(w.e.ctx())
	defer cancel()
	w.faulty(rt, n, "append", cancel)
	err := n.term.Append(ctx, entry)
	n.f.on(nil)
	n.pending = nil
	switch {
	case err == nil:
		w.acked[entry.Seq] = entry.Chain
	case errors.Is(err, wal.ErrHeadFull):
	case errors.Is(err, wal.ErrFenced):
		if strings.Contains(err.Error(), "refused, leader key changed") {
			if w.denied[entry.Seq] == nil {
				w.denied[entry.Seq] = map[uint64]bool{}
			}
			w.denied[entry.Seq][entry.Chain] = true
		}
		n.term = w.ended(n.term)
	case errors.Is(err, context.Canceled):
		n.pending = entry
	default:
		rt.Fatalf("append: %v", err)
	}
}

// ended closes a term that is lost, and finds it so.
func (w *world) ended(t *Term) *Term {
	if t.Valid() {
		w.e.Fatal("a fenced term is valid")
	}
	w.e.ok(t.Close())
	return nil
}

func (w *world) trim(rt *rapid.T, n *worldNode) {
	if n.term == nil {
		return
	}
	known, tail := n.term.Sealed().Seq, n.term.Tail().Seq
	if known >= tail {
		return
	}
	to := w.log[rapid.Uint64Range(known+1, tail).Draw(rt, "to")]
	ctx, cancel := context.WithCancel(w.e.ctx())
	defer cancel()
	w.faulty(rt, n, "trim", cancel)
	err := n.term.Trim(ctx, sealedAtPos(to))
	n.f.on(nil)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
	case errors.Is(err, wal.ErrFenced):
		n.term = w.ended(n.term)
	case strings.Contains(err.Error(), "sealed up to"): // an earlier trim had gone further
	default:
		rt.Fatalf("trim to %v: %v", to, err)
	}
}

func (w *world) campaign(rt *rapid.T, n *worldNode) {
	if n.term != nil {
		return
	}
	applied := w.tail()
	if rapid.IntRange(0, 3).Draw(rt, "behind") == 0 {
		applied = rapid.SampledFrom(w.log).Draw(rt, "applied")
	}
	ctx, cancel := context.WithCancel(w.e.ctx())
	defer cancel()
	w.faulty(rt, n, "campaign", cancel)
	term, err := n.s.Campaign(ctx, Candidate{NodeID: n.name}, applied)
	n.f.on(nil)
	switch {
	case err == nil:
		w.observe(rt)
		if term.Tail() != applied || applied != w.tail() {
			rt.Fatalf("won with %v applied, the log ends at %v", applied, w.tail())
		}
		if term.Epoch() <= applied.Epoch {
			rt.Fatalf("won epoch %d after %v", term.Epoch(), applied)
		}
		n.term, n.pending = term, nil
	case errors.Is(err, ErrNotCaughtUp), errors.Is(err, ErrLeaderExists), errors.Is(err, context.Canceled):
	case strings.Contains(err.Error(), "lease not found"): // a late try met a lease that was given back
	default:
		rt.Fatalf("campaign with %v applied: %v", applied, err)
	}
}

func (w *world) revoke(n *worldNode) { w.e.ok(n.s.RevokeLeader(w.e.ctx(), n.name)) }

// late lets a request arrive that its sender gave up long ago.
func (w *world) late(rt *rapid.T) {
	if len(w.delayed) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.delayed)-1).Draw(rt, "which")
	send := w.delayed[i]
	w.delayed = append(w.delayed[:i], w.delayed[i+1:]...)
	_, err := send()
	if err != nil && !leaseGone(err) {
		rt.Fatalf("late request: %v", err)
	}
}

// observe reads what is in etcd, takes note of new entries and checks it all.
func (w *world) observe(rt *rapid.T) {
	e, s := w.e, w.nodes[0].s
	resp, err := e.cli.Txn(e.ctx()).Then(clientv3.OpGet(s.k.sealed), clientv3.OpGet(s.k.log, clientv3.WithPrefix())).Commit()
	e.ok(err)
	sealed, err := parseSealed(kvOf(resp, 0))
	e.ok(err)
	if sealed.Seq > w.tail().Seq || w.log[sealed.Seq] != sealed.Position() {
		rt.Fatalf("sealed pointer at %v, which is not in the log %v", sealed.Position(), w.log)
	}
	var bytes int64
	at := sealed.Position()
	for _, kv := range resp.Responses[1].GetResponseRange().Kvs {
		bytes += int64(len(kv.Key) + len(kv.Value))
		entry, err := s.header(kv)
		e.ok(err)
		if err := at.Check(entry); err != nil {
			rt.Fatalf("head after %v: %v", at, err)
		}
		at = entry.Position()
		switch {
		case at.Seq < uint64(len(w.log)) && w.log[at.Seq] != at:
			rt.Fatalf("entry %v has become %v", w.log[at.Seq], at)
		case at.Seq == uint64(len(w.log)):
			w.log = append(w.log, at)
			w.writtenUnderItsEpoch(rt, entry, kv.CreateRevision)
		}
		if w.denied[at.Seq][at.Chain] {
			rt.Fatalf("entry %v is in the log though its append was refused for certain", at)
		}
	}
	if at != w.tail() {
		rt.Fatalf("the log ended at %v and now ends at %v", w.tail(), at)
	}
	if bytes > worldHeadLimit {
		rt.Fatalf("head has %d bytes, limit %d", bytes, worldHeadLimit)
	}
	for seq, chain := range w.acked {
		if seq >= uint64(len(w.log)) || w.log[seq].Chain != chain {
			rt.Fatalf("acknowledged entry %d is not in the log", seq)
		}
	}
}

// writtenUnderItsEpoch asks etcd who led just before the entry was written.
func (w *world) writtenUnderItsEpoch(rt *rapid.T, entry *wal.Entry, rev int64) {
	resp, err := w.e.cli.Get(w.e.ctx(), w.nodes[0].s.k.leader, clientv3.WithRev(rev-1))
	w.e.ok(err)
	if len(resp.Kvs) != 1 || resp.Kvs[0].CreateRevision != entry.Epoch {
		rt.Fatalf("entry %v was written at revision %d while the leader key was %v", entry.Position(), rev, resp.Kvs)
	}
}

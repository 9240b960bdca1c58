package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestHistory runs the scripts in testdata/history: who does what to a shard in
// which order, and what comes of it. Commands:
//
//	init [base=N]                     create the shard
//	campaign node=X applied=N|tail    N: the log up to N; other=1: of another history
//	append node=X [fault=F] [give-up] the input is one payload a line
//	trim node=X to=N [fault=F] [give-up]
//	revoke node=X                     end X's lease behind its back
//	resign node=X
//	deliver                           let requests arrive that were delayed
//	state                             the shard as etcd has it
//
// Faults, of the next request: answer-lost, request-lost, delayed.
func TestHistory(t *testing.T) {
	datadriven.Walk(t, "testdata/history", func(t *testing.T, path string) {
		h := &history{e: newEnv(t), nodes: map[string]*historyNode{}, at: map[uint64]wal.Position{0: {}}}
		datadriven.RunTest(t, path, h.run)
	})
}

type history struct {
	e       *env
	nodes   map[string]*historyNode
	at      map[uint64]wal.Position // places in the log
	delayed []sendFunc
}

type historyNode struct {
	f     *faults
	s     *Shard
	term  *Term
	retry *wal.Entry // last entry whose outcome was left open
}

func (h *history) node(t *testing.T, d *datadriven.TestData) *historyNode {
	var name string
	d.ScanArgs(t, "node", &name)
	n := h.nodes[name]
	if n == nil {
		f := newFaults(t, h.e.cli)
		n = &historyNode{f: f, s: h.e.openWith(f.cli)}
		h.nodes[name] = n
	}
	return n
}

func (h *history) run(t *testing.T, d *datadriven.TestData) string {
	e := h.e
	switch d.Cmd {
	case "init":
		var base int64
		d.MaybeScanArgs(t, "base", &base)
		return outcome(e.open().Initialize(e.ctx(), Sealed{EpochBase: base}))
	case "campaign":
		return h.campaign(t, d)
	case "append":
		return h.append(t, d)
	case "trim":
		return h.trim(t, d)
	case "revoke":
		var name string
		d.ScanArgs(t, "node", &name)
		return outcome(e.open().RevokeLeader(e.ctx(), name))
	case "resign":
		return outcome(h.node(t, d).term.Resign(e.ctx()))
	case "deliver":
		var out []string
		for _, send := range h.delayed {
			resp, err := send()
			if err != nil {
				out = append(out, outcome(err))
			} else {
				out = append(out, fmt.Sprintf("succeeded=%v", resp.Txn().Succeeded))
			}
		}
		h.delayed = nil
		return strings.Join(out, "\n")
	case "state":
		return h.state()
	}
	d.Fatalf(t, "unknown command")
	return ""
}

func (h *history) campaign(t *testing.T, d *datadriven.TestData) string {
	n := h.node(t, d)
	var applied string
	d.ScanArgs(t, "applied", &applied)
	st, err := h.e.open().State(h.e.ctx())
	h.e.ok(err)
	seq := st.Tail
	if applied != "tail" {
		if _, err := fmt.Sscan(applied, &seq); err != nil {
			d.Fatalf(t, "applied=%s", applied)
		}
	}
	pos, ok := h.at[seq]
	if !ok || d.HasArg("other") {
		pos = wal.Position{Seq: seq, Epoch: 1, Chain: 0xbad}
	}
	var name string
	d.ScanArgs(t, "node", &name)
	term, err := n.s.Campaign(h.e.ctx(), Candidate{NodeID: name}, pos)
	if err != nil {
		return outcome(err)
	}
	t.Cleanup(func() { term.Close() })
	n.term, n.retry = term, nil
	return fmt.Sprintf("leads, tail %d, head %d entries", term.Tail().Seq, term.HeadEntries())
}

// arm sets up the faults a command asks for.
func (h *history) arm(t *testing.T, d *datadriven.TestData, n *historyNode) context.Context {
	ctx, cancel := context.WithCancel(h.e.ctx())
	t.Cleanup(cancel)
	var fault string
	d.MaybeScanArgs(t, "fault", &fault)
	if fault == "" {
		return ctx
	}
	n.f.once(d.Cmd, func(send sendFunc) (clientv3.OpResponse, error) {
		if d.HasArg("give-up") {
			cancel()
		}
		switch fault {
		case "answer-lost":
			return answerLost(send)
		case "request-lost":
			return requestLost(send)
		case "delayed":
			h.delayed = append(h.delayed, send)
			return requestLost(send)
		}
		d.Fatalf(t, "unknown fault %s", fault)
		return send()
	})
	return ctx
}

func (h *history) append(t *testing.T, d *datadriven.TestData) string {
	n := h.node(t, d)
	ctx := h.arm(t, d, n)
	var out []string
	for _, payload := range strings.Fields(d.Input) {
		entry := next(n.term, payload)
		if n.retry != nil && string(n.retry.Payload) == payload {
			entry = n.retry
		}
		err := n.term.Append(ctx, entry)
		n.retry = nil
		if err == nil {
			h.at[entry.Seq] = entry.Position()
		} else if errors.Is(err, context.Canceled) {
			n.retry = entry
		}
		out = append(out, fmt.Sprintf("%d: %s", entry.Seq, outcome(err)))
	}
	return strings.Join(out, "\n")
}

func (h *history) trim(t *testing.T, d *datadriven.TestData) string {
	n := h.node(t, d)
	var to uint64
	d.ScanArgs(t, "to", &to)
	return outcome(n.term.Trim(h.arm(t, d, n), sealedAtPos(h.at[to])))
}

func (h *history) state() string {
	st, err := h.e.open().State(h.e.ctx())
	if err != nil {
		return outcome(err)
	}
	leader := "nobody"
	if st.Leader != nil {
		leader = st.Leader.NodeID
	}
	out := fmt.Sprintf("leader %s, sealed %d, tail %d", leader, st.Sealed.Seq, st.Tail)
	for _, line := range h.e.log() {
		out += "\n" + line
	}
	for name, n := range h.nodes {
		if n.term != nil && n.term.Valid() && n.term.HeadBytes() != h.e.storedBytes(n.s) && leader == name {
			out += fmt.Sprintf("\n%s counts %d bytes, etcd holds %d", name, n.term.HeadBytes(), h.e.storedBytes(n.s))
		}
	}
	return out
}

// outcome names an error by its sentinel.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []error{
		ErrNotInitialized, ErrInitialized, ErrLeaderExists, ErrNotCaughtUp, ErrDiverged, ErrTrimmed,
		wal.ErrFenced, wal.ErrHeadFull, wal.ErrCorrupt, wal.ErrGap, wal.ErrChain, wal.ErrEpoch, context.Canceled,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if leaseGone(err) {
		return "lease not found"
	}
	return err.Error()
}

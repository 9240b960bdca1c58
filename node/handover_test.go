package node

import (
	"bufio"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestHandoverAnswersWhatWasExecuted: a chunk that has been executed when a planned
// hand-over ends the term, and whose goroutine gets to its replies only then, gets
// them out: its writes are committed, and the lease is not let go before.
func TestHandoverAnswersWhatWasExecuted(t *testing.T) {
	n1 := startNode(t, func(c *Config) { c.LeaseTTL = 10 * time.Second })
	cfg := n1.cfg
	cfg.NodeID = "n2"
	n2 := runNode(t, cfg)
	waitRole(t, n2, RoleReplica)
	if got := talk(t, n1).ask("SET k v"); got != "+OK" {
		t.Fatal(got)
	}

	e := n1.engine
	e.mu.Lock()
	p := e.primary
	e.gate.enter()
	e.mu.Unlock()
	testenv.Eventually(t, 20*time.Second, "the primary to hand over", func(ctx context.Context) error {
		if e.gate.settling.Load() != nil {
			return nil
		}
		if err := n1.shard.RequestHandover(ctx, etcdfence.Handover{To: "n2"}); err != nil {
			return err
		}
		return errors.New("it does not wait for the chunk")
	})
	if !p.term.Valid() {
		t.Error("the lease was let go before the chunk's replies were judged")
	}
	server, client := pair(t)
	o := newOutput(server, noLimit)
	defer o.close()
	replies(t, o, e.gate, p.gen, "answer", p.executed)
	e.gate.leave()
	expect(t, bufio.NewReader(client), "answer")
	waitRole(t, n2, RolePrimary)
}

// TestSettleIsBounded: who never gets to its replies does not keep the shard.
func TestSettleIsBounded(t *testing.T) {
	g := &gate{}
	g.enter()
	if g.settle(time.Millisecond) {
		t.Error("settled with a chunk under way")
	}
	g.leave()
	if !g.settle(time.Hour) {
		t.Error("not settled with none under way")
	}
}

// TestHandoverWaitsForReplica: a primary that is asked to hand over to a node which it does
// not know of yet does so when that has come.
func TestHandoverWaitsForReplica(t *testing.T) {
	n1 := startNode(t, func(c *Config) { c.LeaseTTL = 10 * time.Second })
	if err := n1.shard.RequestHandover(t.Context(), etcdfence.Handover{To: "n2"}); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "the primary to hear of it", func(context.Context) error {
		if n1.request.Load() == nil {
			return errors.New("it has not")
		}
		return nil
	})
	cfg := n1.cfg
	cfg.NodeID = "n2"
	n2 := runNode(t, cfg)
	waitRole(t, n2, RolePrimary)
	waitRole(t, n1, RoleReplica)
}

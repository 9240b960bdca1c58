package etcdfence

import (
	"context"
	"testing"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestHandover(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.init(Sealed{})
		e.isErr(s.RequestHandover(e.ctx(), Handover{To: "b"}), ErrNoLeader)
		if h, err := s.PendingHandover(e.ctx()); h != nil || err != nil {
			t.Fatalf("pending %+v, %v", h, err)
		}
		a := e.campaign(s, "a", wal.Position{})
		watch := func(ctx context.Context) chan Handover {
			told := make(chan Handover, 10)
			done := make(chan struct{})
			wctx, cancel := context.WithCancel(ctx)
			go func() {
				defer close(done)
				if err := s.WatchHandover(wctx, func(h Handover) { told <- h }); wctx.Err() == nil {
					t.Errorf("WatchHandover: %v", err)
				}
			}()
			t.Cleanup(func() { cancel(); <-done })
			return told
		}
		told := watch(e.ctx())
		e.ok(s.RequestHandover(e.ctx(), Handover{To: "a"})) // leads already
		e.ok(s.RequestHandover(e.ctx(), Handover{To: "b"}))
		h := <-told
		if h.To != "b" || h.Epoch != a.Epoch() || h.Time.IsZero() {
			t.Fatalf("told %+v, epoch is %d", h, a.Epoch())
		}
		pending, err := e.open().PendingHandover(e.ctx())
		e.ok(err)
		if pending == nil || *pending != h {
			t.Fatalf("pending %+v, told %+v", pending, h)
		}

		// The next leader sees the request stand, and that it is not for it.
		e.ok(a.Resign(e.ctx()))
		b := e.campaign(e.open(), "b", wal.Position{})
		if h := <-watch(e.ctx()); h.Epoch == b.Epoch() {
			t.Fatalf("the request %+v would be taken for epoch %d", h, b.Epoch())
		}
		e.ok(s.RequestHandover(e.ctx(), Handover{}))
		if h := <-told; h.To != "" || h.Epoch != b.Epoch() {
			t.Fatalf("told %+v, epoch is %d", h, b.Epoch())
		}
	})
}

// A request made for a leader that is gone by the time it arrives is refused.
func TestHandoverForAnEndedTerm(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	s := e.init(Sealed{})
	a := e.campaign(s, "a", wal.Position{})
	f.once("put", func(send sendFunc) (clientv3.OpResponse, error) {
		e.ok(a.Resign(e.ctx()))
		e.campaign(e.open(), "b", wal.Position{})
		return send()
	})
	e.isErr(e.openWith(f.cli).RequestHandover(e.ctx(), Handover{To: "c"}), ErrNoLeader)
	if h, err := s.PendingHandover(e.ctx()); h != nil || err != nil {
		t.Fatalf("pending %+v, %v", h, err)
	}
}

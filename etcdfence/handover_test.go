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
		if late := <-watch(e.ctx()); late != h {
			t.Fatalf("who comes later is told %+v, not %+v", late, h)
		}

		// The request ends with the term.
		e.ok(a.Resign(e.ctx()))
		b := e.campaign(e.open(), "b", wal.Position{})
		e.noRequest(s)
		e.isErr(s.RequestHandover(e.ctx(), Handover{To: "a", Epoch: h.Epoch}), ErrNoLeader)
		e.noRequest(s)
		e.ok(s.RequestHandover(e.ctx(), Handover{}))
		if h := <-told; h.To != "" || h.Epoch != b.Epoch() {
			t.Fatalf("told %+v, epoch is %d", h, b.Epoch())
		}
	})
}

// Who follows the log hears of a request before it hears that the leader is gone, so
// that it can leave the shard to whom the request names.
func TestHandoverIsToldBeforeTheVacancy(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	for range 20 {
		term := e.campaign(s, "a", wal.Position{})
		h := &handoverRecorder{}
		stop := e.follow(e.open(), wal.Position{}, h)
		h.awaitEvent(t, "leader a")
		e.ok(s.RequestHandover(e.ctx(), Handover{To: "b"}))
		e.ok(term.Resign(e.ctx()))
		h.awaitEvent(t, "nobody")
		stop()
		h.want(t, "sealed 0", "leader a", "to b", "nobody")
	}
}

// handoverRecorder notes requests, too.
type handoverRecorder struct{ recorder }

func (h *handoverRecorder) Handover(r Handover) { h.note("to " + r.To) }

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
	e.noRequest(s)
}

func (e *env) noRequest(s *Shard) {
	e.Helper()
	resp, err := e.cli.Get(e.ctx(), s.k.handover)
	e.ok(err)
	if resp.Count != 0 {
		e.Fatalf("a request stands: %s", resp.Kvs[0].Value)
	}
}

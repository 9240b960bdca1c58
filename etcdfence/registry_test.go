package etcdfence

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// nodeWatch collects what WatchNodes tells, as one string a call.
type nodeWatch struct {
	recorder
}

func (e *env) watchNodes(s *Shard) *nodeWatch {
	w := &nodeWatch{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.WatchNodes(ctx, func(nodes []NodeInfo) {
			told := "nodes"
			for _, n := range nodes {
				told += fmt.Sprintf(" %s/%s/%d", n.ID, n.Role, n.Applied)
			}
			w.note(told)
		})
		if ctx.Err() == nil {
			e.Errorf("WatchNodes: %v", err)
		}
	}()
	e.Cleanup(func() { cancel(); <-done })
	return w
}

func (e *env) register(s *Shard, info NodeInfo) *Registration {
	e.Helper()
	r, err := s.Register(e.ctx(), info)
	e.ok(err)
	e.Cleanup(func() { r.Close() })
	return r
}

func TestRegister(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.open()
		w := e.watchNodes(s)
		w.awaitEvent(t, "nodes")
		started := time.Unix(1700000000, 0).UTC()
		info := NodeInfo{ID: "b", Address: "b:6379", AZ: "az1", Shard: 7, Role: "replica", Version: "1", Started: started, Updated: started}
		b := e.register(s, info)
		w.awaitEvent(t, "nodes b/replica/0")
		nodes, err := s.Nodes(e.ctx())
		e.ok(err)
		if len(nodes) != 1 || nodes[0] != info {
			t.Fatalf("got %+v, want %+v", nodes, info)
		}
		a := e.register(e.open(), NodeInfo{ID: "a", Role: "primary"})
		w.awaitEvent(t, "nodes a/primary/0 b/replica/0")
		b.Update(NodeInfo{ID: "ignored", Role: "replica", Applied: 5})
		w.awaitEvent(t, "nodes a/primary/0 b/replica/5")
		e.ok(a.Close())
		e.ok(a.Close())
		w.awaitEvent(t, "nodes b/replica/5")
		if a.Err() != nil || b.Err() != nil {
			t.Fatalf("%v, %v", a.Err(), b.Err())
		}
		if _, err := s.Register(e.ctx(), NodeInfo{ID: "a/b"}); err == nil {
			t.Fatal("an id with a slash was accepted")
		}
	})
}

// A registration whose lease was lost comes back by itself, with what was said
// last.
func TestRegisterAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.opts.NodeTTL = time.Second
	f := newFaults(t, e.cli)
	w := e.watchNodes(e.open())
	r := e.register(e.openWith(f.cli), NodeInfo{ID: "a", Role: "loading"})
	w.awaitEvent(t, "nodes a/loading/0")
	_, err := e.cli.Revoke(e.ctx(), f.leases[0])
	e.ok(err)
	w.awaitEvent(t, "nodes")
	w.awaitEvent(t, "nodes a/loading/0") // at the next renewal

	// Noticed by an update, its put failing for some time.
	_, err = e.cli.Revoke(e.ctx(), r.leaseForTest())
	e.ok(err)
	w.awaitEvent(t, "nodes")
	var mu sync.Mutex
	left := 3
	f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		mu.Lock()
		defer mu.Unlock()
		if left--; left >= 0 {
			return requestLost(send)
		}
		return send()
	})
	r.Update(NodeInfo{Role: "replica", Applied: 3})
	w.awaitEvent(t, "nodes a/replica/3")
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
}

// leaseForTest is the lease as of the last registration seen by etcd.
func (r *Registration) leaseForTest() clientv3.LeaseID {
	resp, err := r.s.cli.Get(context.Background(), r.key())
	if err != nil || len(resp.Kvs) == 0 {
		return 0
	}
	return clientv3.LeaseID(resp.Kvs[0].Lease)
}

// A process that starts again takes its registration over; the one before, if
// it lives, is told.
func TestRegisterTwice(t *testing.T) {
	e := newEnv(t)
	s := e.open()
	old := e.register(s, NodeInfo{ID: "a", Role: "old"})
	e.register(e.open(), NodeInfo{ID: "a", Role: "new"})
	old.Update(NodeInfo{Role: "still old"})
	select {
	case <-old.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("two processes are registered as one node")
	}
	e.isErr(old.Err(), ErrReplaced)
	e.ok(old.Close())
	nodes, err := s.Nodes(e.ctx())
	e.ok(err)
	if len(nodes) != 1 || nodes[0].Role != "new" {
		t.Fatalf("nodes %+v", nodes)
	}
}

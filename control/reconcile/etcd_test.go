package reconcile

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestEtcd: one etcd for what follows.
func TestEtcd(t *testing.T) {
	cli := testenv.StartEtcd(t, 1, testenv.EtcdOptions{}).Client(t)
	t.Run("OneLeads", func(t *testing.T) { oneLeads(t, cli) })
	t.Run("Project", func(t *testing.T) { projects(t, cli) })
	t.Run("Watch", func(t *testing.T) { watches(t, cli) })
}

// oneLeads: of two, one leads at a time; the other takes over when it ends, and what
// the first writes from then on is refused.
func oneLeads(t *testing.T, cli *clientv3.Client) {
	var leading atomic.Int32
	elected := make(chan Fence, 2)
	campaign := func(ctx context.Context, id string) <-chan error {
		done := make(chan error, 1)
		go func() {
			done <- Lead(ctx, cli, id, 2*time.Second, func(ctx context.Context, f Fence) error {
				if leading.Add(1) > 1 {
					t.Error("two lead")
				}
				elected <- f
				<-ctx.Done()
				leading.Add(-1)
				return nil
			})
		}()
		return done
	}
	first, stopFirst := context.WithCancel(t.Context())
	a := campaign(first, "a")
	was := <-elected
	second, stopSecond := context.WithCancel(t.Context())
	b := campaign(second, "b")
	if err := (EtcdShards{cli, was}).commit(t.Context(), []clientv3.Op{clientv3.OpPut("/x", "a")}); err != nil {
		t.Errorf("the leader writes: %v", err)
	}
	stopFirst()
	<-a
	is := <-elected
	if err := (EtcdShards{cli, was}).commit(t.Context(), []clientv3.Op{clientv3.OpPut("/x", "a")}); !errors.Is(err, ErrDeposed) {
		t.Errorf("the deposed one writes: %v", err)
	}
	if err := (EtcdShards{cli, is}).commit(t.Context(), []clientv3.Op{clientv3.OpPut("/x", "b")}); err != nil {
		t.Errorf("the new one writes: %v", err)
	}
	// Its lease ends without it: it learns that it leads no more, and campaigns again.
	kv, err := cli.Get(t.Context(), is.Key)
	if err != nil || len(kv.Kvs) != 1 {
		t.Fatal(kv, err)
	}
	if _, err := cli.Revoke(t.Context(), clientv3.LeaseID(kv.Kvs[0].Lease)); err != nil {
		t.Fatal(err)
	}
	if next := <-elected; next == is {
		t.Errorf("elected anew with the old fence %v", next)
	}
	stopSecond()
	<-b
}

func projects(t *testing.T, cli *clientv3.Client) {
	put, err := cli.Put(t.Context(), "/leader", "")
	if err != nil {
		t.Fatal(err)
	}
	s := EtcdShards{cli, Fence{"/leader", put.Header.Revision}}
	read := func() map[string]string {
		resp, err := cli.Get(t.Context(), "/redoubt/p/", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, kv := range resp.Kvs {
			out[string(kv.Key)] = string(kv.Value)
		}
		return out
	}
	if _, err := cli.Put(t.Context(), "/redoubt/p/nodes/n", "theirs"); err != nil {
		t.Fatal(err)
	}
	many := map[string]string{"parameters/timeout": "1"}
	for i := range 300 {
		many["users/u"+string(rune('0'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10))] = "{}"
	}
	if err := s.Project(t.Context(), "p", many); err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != len(many)+1 {
		t.Errorf("%d keys", len(got))
	}
	if err := s.Project(t.Context(), "p", map[string]string{"users/u000": "new"}); err != nil {
		t.Fatal(err)
	}
	got := read()
	if len(got) != 2 || got["/redoubt/p/users/u000"] != "new" || got["/redoubt/p/nodes/n"] != "theirs" {
		t.Errorf("%v", got)
	}
	before, _ := cli.Get(t.Context(), "/redoubt/p/users/u000")
	if err := s.Project(t.Context(), "p", map[string]string{"users/u000": "new"}); err != nil {
		t.Fatal(err)
	}
	if after, _ := cli.Get(t.Context(), "/redoubt/p/users/u000"); after.Kvs[0].ModRevision != before.Kvs[0].ModRevision {
		t.Error("what was as asked is written again")
	}
	if _, err := cli.Delete(t.Context(), "/leader"); err != nil {
		t.Fatal(err)
	}
	if err := s.Project(t.Context(), "p", nil); !errors.Is(err, ErrDeposed) {
		t.Errorf("deposed, it writes: %v", err)
	}
}

// watches: roles are told, how far nodes have come is not.
func watches(t *testing.T, cli *clientv3.Client) {
	s := EtcdShards{Client: cli}
	told := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, "w", func() { told <- struct{}{} }) }()
	info := etcdfence.NodeInfo{ID: "n", Role: roleReplica}
	reg, err := s.open("w", 0).Register(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	<-told
	info.Applied = 5
	reg.Update(info)
	testenv.Eventually(t, 10*time.Second, "the update", func(ctx context.Context) error {
		nodes, err := s.Nodes(ctx, "w")
		if err == nil && nodes[0].Applied != 5 {
			err = errors.New("not there yet")
		}
		return err
	})
	if len(told) > 0 {
		t.Error("told of how far it has come")
	}
	info.Role = rolePrimary
	reg.Update(info)
	<-told
	cancel()
	<-done
}

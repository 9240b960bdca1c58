package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node"
)

// startNode runs a real node of the world's shard; stop hands the shard over.
func (w *world) startNode(id string) (db *redis.Client, stop func()) {
	w.Helper()
	n, err := node.New(node.Config{
		Cluster: w.cluster, NodeID: id, AZ: "a", Listen: "127.0.0.1:0", Etcd: w.cli, Store: w.segments.Store(),
		EnableDebugCommand: "local", SegmentSize: 4 << 10, SegmentAge: 50 * time.Millisecond,
	})
	w.ok(err)
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	running := true
	stop = func() {
		if !running {
			return
		}
		running = false
		cancel()
		if err := <-ended; err != nil {
			w.Errorf("node %s: %v", id, err)
		}
		if err := n.Close(); err != nil {
			w.Errorf("close node %s: %v", id, err)
		}
	}
	w.Cleanup(stop)
	db = redis.NewClient(&redis.Options{Addr: n.Addr(), MaxRetries: -1, DisableIdentity: true, PoolSize: 1})
	w.Cleanup(func() { db.Close() })
	return db, stop
}

func (w *world) waitRole(db *redis.Client, want string) {
	w.Helper()
	testenv.Eventually(w, 30*time.Second, "a node is "+want, func(ctx context.Context) error {
		role, err := db.Do(ctx, "ROLE").Slice()
		if err == nil && (role[0] != want || want == "slave" && role[3] != "connected") {
			err = fmt.Errorf("it is %v", role)
		}
		return err
	})
}

// sameAs compares the Auditor with a node once both have the whole log.
func (w *world) sameAs(db *redis.Client) {
	w.Helper()
	testenv.Eventually(w, 20*time.Second, "node and witness hold the same", func(ctx context.Context) error {
		st, err := w.shard.State(ctx)
		if err != nil {
			return err
		}
		if err := w.auditor.CatchUp(ctx, st.Tail); err != nil {
			return err
		}
		got, err := db.Do(ctx, "DEBUG", "DIGEST").Text()
		if err != nil {
			return err
		}
		return SameDigest(map[string]string{"node": got, "witness": w.auditor.Digest()})
	})
}

// What real nodes write to the log is found good, and leads to what they hold.
func TestAuditorOfRealNodes(t *testing.T) {
	w := startServers(t).newWorld(t)
	first, stop := w.startNode("first")
	w.watch()
	w.waitRole(first, "master")
	second, _ := w.startNode("second")
	w.waitRole(second, "slave")

	var answers []workload.Answer
	do := func(db *redis.Client, node string, args ...any) {
		t.Helper()
		a := workload.Answer{Node: node, Call: w.clock.Now(), Write: true}
		w.ok(db.Do(w.ctx, args...).Err())
		a.Return = w.clock.Now()
		answers = append(answers, a)
	}
	for i := range 200 {
		do(first, "first", "SET", fmt.Sprint("k", i%20), fmt.Sprint(i))
		do(first, "first", "HSET", fmt.Sprint("h", i%5), fmt.Sprint("f", i), i)
		do(first, "first", "INCR", "n")
	}
	do(first, "first", "SET", "short", "x", "PX", 20)
	do(first, "first", "SET", "long", "x", "EX", 1000)
	do(first, "first", "DEL", "k3")
	_, err := first.TxPipelined(w.ctx, func(p redis.Pipeliner) error {
		p.Rename(w.ctx, "k4", "k6")
		p.Append(w.ctx, "k6", "in one entry")
		return p.Del(w.ctx, "h1").Err()
	})
	w.ok(err)
	w.sameAs(first)

	stop()
	w.waitRole(second, "master")
	do(second, "second", "APPEND", "k4", "after the hand-over")
	do(second, "second", "FLUSHDB")
	do(second, "second", "SET", "k5", "after the flush")
	w.sameAs(second)
	if epochs := w.auditor.Epochs(); len(epochs) != 2 || epochs[0].Node != "first" || epochs[1].Node != "second" {
		t.Errorf("epochs %+v", epochs)
	}
	w.ok(OnePrimary(w.auditor.Epochs(), answers))
	stale := workload.Answer{Node: "first", Call: w.clock.Now(), Return: w.clock.Now()}
	if err := OnePrimary(w.auditor.Epochs(), append(answers, stale)); err == nil {
		t.Error("an answer of the node that handed over is accepted")
	}
	if w.auditor.Segments() == 0 {
		t.Error("no segment was compared")
	}
	w.clean()
}

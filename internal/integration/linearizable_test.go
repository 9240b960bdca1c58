package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// registerOp is one GET or SET of a key.
type registerOp struct {
	key   string
	write bool
	value string
}

// registers is porcupine's model of independent keys that are read and written.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range history {
			k := op.Input.(registerOp).key
			byKey[k] = append(byKey[k], op)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if op := input.(registerOp); op.write {
			return true, op.value
		}
		return output.(string) == state.(string), state
	},
	DescribeOperation: func(input, output any) string {
		if op := input.(registerOp); op.write {
			return fmt.Sprintf("SET %s %s", op.key, op.value)
		} else {
			return fmt.Sprintf("GET %s -> %q", op.key, output)
		}
	},
}

// history collects what clients saw. A write without an answer may take effect
// at any later time.
type history struct {
	mu     sync.Mutex
	start  time.Time
	ops    []porcupine.Operation
	nextID int
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

func (h *history) newClient() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextID++
	return h.nextID
}

func (h *history) add(op porcupine.Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

// run is one client: it reads and writes registers on whichever node answers as
// the primary, until ctx ends.
func (h *history) run(ctx context.Context, client int, addrs []string) {
	id := h.newClient()
	var db *redis.Client
	at := client
	for n := 0; ctx.Err() == nil; n++ {
		if db == nil {
			db = redis.NewClient(&redis.Options{Addr: addrs[at%len(addrs)], MaxRetries: -1, DialTimeout: time.Second,
				ReadTimeout: 3 * time.Second, DisableIdentity: true, PoolSize: 1})
		}
		in := registerOp{key: fmt.Sprint("r", rand.IntN(4)), write: rand.IntN(5) < 2}
		op := porcupine.Operation{ClientId: id, Input: in, Call: h.now()}
		var err error
		if in.write {
			in.value = fmt.Sprintf("%d-%d", client, n)
			op.Input = in
			err = db.Set(context.Background(), in.key, in.value, 0).Err()
		} else {
			var got string
			if got, err = db.Get(context.Background(), in.key).Result(); errors.Is(err, redis.Nil) {
				err = nil
			}
			op.Output = got
		}
		op.Return = h.now()
		switch {
		case err == nil:
			h.add(op)
			continue
		case in.write && !refused(err):
			op.Return = 1 << 62
			h.add(op)
			id = h.newClient() // porcupine's clients have one operation at a time
		}
		db.Close()
		db, at = nil, at+1
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if db != nil {
		db.Close()
	}
}

// TestLinearizable records what clients see of a few registers while the primary
// is killed, stopped past its lease and asked to hand over, and has porcupine
// look for one order of all operations that explains every answer.
func TestLinearizable(t *testing.T) {
	c := startCluster(t, clusterOptions{nodes: 3, args: []string{"--lease-ttl", "1s", "--segment-size", "64KiB", "--segment-age", "1s"}})
	h := &history{start: time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Add(1)
		go func() { defer wg.Done(); h.run(ctx, i, c.addrs()) }()
	}
	for range testenv.Rounds(t, 3) {
		old := c.waitPrimary("")
		old.proc.Kill()
		c.waitPrimary(old.id)
		old.proc.Restart()
		c.waitServing(old)

		old = c.waitPrimary("")
		old.proc.Stop()
		c.waitPrimary(old.id)
		old.proc.Cont()
		c.waitServing(old)

		if out, code := c.redoubt("failover", "--shard", "0"); code != 0 {
			t.Fatalf("failover: exit %d\n%s", code, out)
		}
		c.waitPrimary("")
	}
	cancel()
	wg.Wait()
	result, info := porcupine.CheckOperationsVerbose(registers, h.ops, 2*time.Minute)
	t.Logf("%d operations", len(h.ops))
	if result != porcupine.Ok {
		picture := filepath.Join(testenv.Root(t), "bin", "linearizable.html")
		t.Errorf("the history is %v; its picture is in %s (%v)", result, picture, porcupine.VisualizePath(registers, info, picture))
	}
	c.sameEverywhere()
}

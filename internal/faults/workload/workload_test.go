package workload

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// judged are the workloads that porcupine judges.
var judged = []func(*Env) (Workload, *operations){
	func(env *Env) (Workload, *operations) { w := NewRegisters(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewCounters(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewHashes(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewQueues(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewSets(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewSortedSets(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewStreams(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewBank(env); return w, &w.ops },
	func(env *Env) (Workload, *operations) { w := NewMixed(env); return w, &w.ops },
}

// TestWhatIsLostInTheEnd: every workload looks once more when all is over.
func TestWhatIsLostInTheEnd(t *testing.T) {
	server := testenv.StartRedis(t)
	for _, create := range judged {
		env := newEnv(Target{"node-0", newLiar(t, server.Addr, asPrimary)})
		w, _ := create(env)
		t.Run(w.Name(), func(t *testing.T) {
			runOnly(env, w, 200*time.Millisecond)
			expect(t, connected(t, server.Addr).Write("FLUSHALL"), Done, "OK")
			judgeRun(t, env, w)
			expectFound(t, env, "no order of the")
		})
	}
}

// TestLostAnswers: a server is right however many of its answers are lost on the
// way, and no key gets more of them than can be judged.
func TestLostAnswers(t *testing.T) {
	for _, create := range judged {
		proxy := testenv.NewProxy(t, testenv.StartRedis(t).Addr)
		env := newEnv(Target{"node-0", newLiar(t, proxy.Addr(), asPrimary)})
		w, ops := create(env)
		t.Run(w.Name(), func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			var clients sync.WaitGroup
			clients.Go(func() { env.Run(ctx, []Workload{w}) })
			for range 25 {
				loseAnswers(t, proxy, w)
			}
			cancel()
			clients.Wait()
			judgeRun(t, env, w)
			expectClean(t, env, w)
			unknown := 0
			for key, n := range ops.unknown {
				unknown += n
				if n > maxUnknown+w.Clients() {
					t.Errorf("%d unknown outcomes on %s", n, key)
				}
			}
			if unknown < 5 {
				t.Errorf("%d unknown outcomes in all", unknown)
			}
		})
	}
}

// loseAnswers breaks all connections while answers are on their way.
func loseAnswers(t *testing.T, proxy *testenv.Proxy, w Workload) {
	t.Helper()
	before := w.Operations()
	testenv.Eventually(t, 10*time.Second, "clients go on", func(context.Context) error {
		if w.Operations() < before+20 {
			return errors.New("not yet")
		}
		return nil
	})
	proxy.Blackhole(testenv.Down)
	testenv.Eventually(t, 10*time.Second, "answers are on their way", func(context.Context) error {
		if proxy.Held(testenv.Down) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	proxy.Reset()
	proxy.Heal()
}

// TestAuditReplica: it stays with its node and looks at keys old and new.
func TestAuditReplica(t *testing.T) {
	env := shard(t, nil, nil)
	env.Clock = &Clock{start: time.Now().Add(-3*keyLife - keyLife/2)}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	seen := map[int64]bool{}
	env.auditReplica(ctx, env.Targets[1], func(c *Client, generation int64) {
		seen[generation] = true
		if r := c.Read("GET", "k"); r.Outcome != Done || r.Node != "node-1" {
			t.Errorf("read: %v by %s (error %v), want done by node-1", r.Outcome, r.Node, r.Err)
		}
		if seen[2] && seen[3] {
			cancel()
		}
	})
	if !seen[2] || !seen[3] || len(seen) > 2 {
		t.Errorf("looked at %v, want generations 2 and 3", seen)
	}
}

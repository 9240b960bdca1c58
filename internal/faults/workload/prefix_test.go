package workload

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestReading(t *testing.T) {
	for _, tt := range []struct {
		name                       string
		got, last, committed, sent []int64
		want                       []string // what each finding says
	}{
		{"nothing yet", []int64{0, 0}, []int64{0, 0}, []int64{0, 0}, []int64{0, 0}, nil},
		{"a first", []int64{1, 0}, []int64{0, 0}, []int64{0, 0}, []int64{1, 0}, nil},
		{"in flight", []int64{3, 3}, []int64{3, 2}, []int64{3, 2}, []int64{4, 3}, nil},
		{"as before", []int64{3, 2}, []int64{3, 2}, []int64{3, 2}, []int64{4, 3}, nil},
		{"together", []int64{7, 7, 7}, []int64{6, 6, 6}, []int64{7, 7, 7}, []int64{8, 8, 8}, nil},

		{"never sent", []int64{5, 4}, []int64{0, 0}, []int64{0, 0}, []int64{4, 4}, []string{"a is 5, but no more than 4"}},
		{"went back", []int64{3, 2}, []int64{3, 3}, []int64{0, 0}, []int64{4, 3}, []string{"b went back from 3 to 2"}},
		{"all went back", []int64{3, 3, 3}, []int64{4, 4, 4}, []int64{0, 0, 0}, []int64{4, 4, 4}, []string{"c went back", "d went back", "e went back"}},
		{"lost", []int64{3, 3}, []int64{0, 0}, []int64{4, 3}, []int64{4, 4}, []string{"a is 3 on the primary, where 4 was"}},
		{"lost all", []int64{0, 0, 0}, []int64{0, 0, 0}, []int64{1, 1, 1}, []int64{1, 1, 1}, []string{"c is 0 on", "d is 0 on", "e is 0 on"}},
		{"b ahead", []int64{3, 4}, []int64{3, 3}, []int64{0, 0}, []int64{4, 4}, []string{"b is ahead of a"}},
		{"a too far ahead", []int64{5, 3}, []int64{3, 3}, []int64{0, 0}, []int64{5, 4}, []string{"a is more than one ahead"}},
		{"c only", []int64{2, 1, 1}, []int64{1, 1, 1}, []int64{0, 0, 0}, []int64{2, 2, 2}, []string{"part of a transaction"}},
		{"not e", []int64{2, 2, 1}, []int64{1, 1, 1}, []int64{0, 0, 0}, []int64{2, 2, 2}, []string{"part of a transaction"}},
		{"several", []int64{3, 4}, []int64{4, 4}, []int64{4, 4}, []int64{4, 4}, []string{"a went back", "a is 3 on the primary", "b is ahead"}},
	} {
		keys := []string{"a", "b"}
		if len(tt.got) == 3 {
			keys = []string{"c", "d", "e"}
		}
		wrong := reading{keys: keys, got: tt.got, last: tt.last, committed: tt.committed, sent: tt.sent}.wrong()
		ok := len(wrong) == len(tt.want)
		for i := 0; ok && i < len(wrong); i++ {
			ok = strings.Contains(wrong[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%s: found %q, want %q", tt.name, wrong, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	got, err := numbers([]any{"12", nil, int64(3)}, 3)
	if err != nil || got[0] != 12 || got[1] != 0 || got[2] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	for _, value := range []any{nil, "12", []any{"12"}, []any{"12", "x"}, []any{"12", []any{}}, []any{"1", "2", "3"}} {
		if got, err := numbers(value, 2); err == nil {
			t.Errorf("numbers(%v) = %v", value, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	env := shard(t, nil, nil)
	w := NewPrefix(env)
	runFor(t, env, w, 3*time.Second, func() bool {
		for _, chains := range w.chains {
			for k := range chains[0].keys {
				if chains[0].committed[k].Load() < 20 {
					return false
				}
			}
		}
		return true
	})
	expectClean(t, env, w)
}

// TestPrefixBrokenConnections: keys are left when an outcome is unknown, and
// nothing is found.
func TestPrefixBrokenConnections(t *testing.T) {
	t.Parallel()
	env := shard(t, nil, nil)
	proxy := testenv.NewProxy(t, env.Targets[0].Addr)
	env.Targets[0].Addr = proxy.Addr()
	stop := breakOften(proxy)
	w := NewPrefix(env)
	runFor(t, env, w, 2*time.Second, broken(env), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.chains[0]) >= 3
	})
	stop()
	expectClean(t, env, w)
}

func to(suffix string) func([]string) bool {
	return func(c []string) bool { return c[0] == "SET" && strings.HasSuffix(c[1], suffix) }
}

// inTransaction changes what has this name in every nth transaction of a
// connection.
func inTransaction(n int, name string, change func(command []string) []string) lie {
	return func(said map[string]int, c []string) []string {
		if c[0] == name && said["MULTI"] > said["EXEC"] && said["MULTI"]%n == 0 {
			return change(c)
		}
		return c
	}
}

func TestPrefixFinds(t *testing.T) {
	for _, tt := range []struct {
		name             string
		primary, replica lie
		what             string
	}{
		{"a replica that goes back", nil, every(20, named("MGET"), instead(say("", "")...)), "went back"},
		{"a replica that goes back in a transaction", nil, inTransaction(10, "GET", instead("GET", "t:none")), "went back"},
		{"half of a transaction", every(20, to(":c"), instead(sayOK...)), nil, "part of a transaction"},
		{"half of a transaction, a list's", every(20, named("LPUSH"), instead("EVAL", "return 1", "0")), nil, "part of a transaction"},
		{"half of a transaction, a stream's", every(20, named("XADD"), instead("EVAL", "return '1-1'", "0")), nil, "part of a transaction"},
		{"half of a transaction on the replica", nil, inTransaction(10, "HGET", instead("GET", "t:none")), "part of a transaction"},
		{"half of a transaction on the replica, a sorted set's", nil, inTransaction(10, "ZSCORE", instead("GET", "t:none")), "part of a transaction"},
		{"a lost write", inTransaction(10, "SET", instead(sayOK...)), nil, "on the primary, where"},
		{"an old answer of the primary", every(20, named("MGET"), instead(say("", "")...)), nil, "on the primary"},
		{"what nobody sent", every(20, to(":a"), func(c []string) []string { return []string{"SET", c[1], "1" + c[2]} }), nil, "was ever sent"},
		{"other than numbers", nil, every(20, named("MGET"), instead(say("x", "y")...)), "is no number"},
		{"writes out of order", nil, every(5, named("MGET"), func(c []string) []string { return []string{"MGET", c[2], c[1]} }), "b is ahead of a"},
		{"an error", nil, every(20, named("MGET"), instead("EVAL", "return redis.error_reply('ERR no')", "0")), "was answered with ERR no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := shard(t, tt.primary, tt.replica)
			w := NewPrefix(env)
			runUntilFound(t, env, w, 20*time.Second, tt.what)
		})
	}
}

// TestAheadOfCommit: a write that shows on a replica binds the primary, though
// nobody was told of its success.
func TestAheadOfCommit(t *testing.T) {
	addrs := [2]string{}
	for i := range addrs {
		addrs[i] = newLiar(t, testenv.StartRedis(t).Addr, asPrimary)
	}
	env := newEnv(Target{"node-0", addrs[0]}, Target{"node-1", addrs[1]})
	w := NewPrefix(env)
	ch := w.chains[0][0]
	on := func(node int) *Client {
		c := env.NewReplicaClient(env.Targets[node])
		t.Cleanup(c.Close)
		connect(t, c)
		return c
	}
	primary, replica := on(0), on(1)
	expect(t, replica.Write("SET", ch.keys[keyA], 1), Done, "OK")
	ch.sent[keyA].Store(1)

	look := func(c *Client, primary bool) {
		t.Helper()
		if !w.look(c, ch, keyA, keyB, shown{}, primary) {
			t.Fatal("no answer")
		}
	}
	look(primary, true)
	if kept, _ := env.List(); len(kept) > 0 {
		t.Fatalf("found %v before the replica has shown anything", kept)
	}
	look(replica, false)
	look(primary, true)
	expectFound(t, env, "a is 0 on the primary, where 1 was acknowledged or shown")
}

// TestRestartedReplica: a node that was started again may be further behind than
// it was, which its readers' next connections tell.
func TestRestartedReplica(t *testing.T) {
	before, after := newLiar(t, testenv.StartRedis(t).Addr, asPrimary), newLiar(t, testenv.StartRedis(t).Addr, asPrimary)
	proxy := testenv.NewProxy(t, before)
	env := newEnv(Target{"node-0", proxy.Addr()})
	w := NewPrefix(env)
	for _, chains := range w.chains {
		ch := chains[0]
		ch.sent[keyA].Store(5)
		ch.sent[keyB].Store(5)
		for addr, n := range map[string]int{before: 5, after: 3} {
			expect(t, connected(t, addr).Write("MSET", ch.keys[keyA], n, ch.keys[keyB], n), Done, "OK")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		c := env.NewReplicaClient(env.Targets[0])
		defer c.Close()
		w.read(ctx, c, false)
	})
	reads := func(more int) {
		t.Helper()
		enough := w.Operations() + more
		testenv.Eventually(t, 30*time.Second, "more was read", func(context.Context) error {
			if n := w.Operations(); n < enough {
				return fmt.Errorf("%d of %d reads", n, enough)
			}
			return nil
		})
	}
	reads(100)
	proxy.SetTarget(after)
	proxy.Reset()
	reads(100)
	if kept, _ := env.List(); len(kept) > 0 {
		t.Errorf("found %v", kept)
	}
}

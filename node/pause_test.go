package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestPauseEqualsRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	n := startNode(t, nil)
	play(t, n.Addr(), redis.Addr, map[string]string{
		"arguments": `
			1> client pause
			1> client pause x
			1> client pause -1
			1> client pause 1.5
			1> client pause x foo
			1> client pause 10 foo
			1> client pause 10 write x
			1> client unpause x
			1> client unpause
			1> client pause 0
			1> client pause 0 write
			1> set k v`,
		"writes": `
			4> set k old
			4> client pause 100000 write
			1! set k v
			2> get k
			2> ping
			2> client getname
			2> config get maxclients
			3! incr n
			4> mget k n
			4> client unpause
			1<
			3<
			4> mget k n`,
		"what came before is answered": `
			4> client pause 100000 Write
			1? get k
			1? ping
			1? set k v
			1? get k
			1? append k w
			1? get k
			1<
			1<
			4> get k
			4> client unpause
			1<
			1<
			1<
			1<`,
		"what may replicate": `
			4> pfadd h a
			1> multi
			1> pfcount h
			4> client pause 100000 write
			1! exec
			2! pfcount h
			4> client unpause
			1<
			2<`,
		"errors come at once": `
			4> set s v
			4> client pause 100000 write
			1> set k
			1> nosuch
			1> exec
			1! lpush s x
			4> client unpause
			1<`,
		"transactions": `
			1> multi
			1> set a 1
			3> multi
			3> nosuch
			4> client pause 100000 write
			1! exec
			2> multi
			2> get a
			2> exec
			2> multi
			2! set b 1
			3> exec
			4> mget a b
			4> client unpause
			1<
			2<
			2> discard
			4> mget a b`,
		"pausing in a transaction": `
			4> multi
			4> set a 1
			4> client pause 100000 write
			4> set b 2
			4> get b
			4> exec
			1! set a 3
			4> mget a b
			4> client unpause
			1<
			4> mget a b`,
		"unpausing in a transaction": `
			4> client pause 100000 write
			1! set a 3
			4> multi
			4> client unpause
			4> exec
			1<
			4> get a`,
		"who waits for a key": `
			1! blpop k 0
			4> client pause 100000 write
			2! rpush k a b
			3! blpop k 0
			4> lrange k 0 -1
			4> client unpause
			2<
			1<
			3<
			1! bzpopmin z 0.5
			4> client pause 100000 write
			1<
			4> client unpause`,
		"it ends by itself": `
			4> client pause 300 write
			1? set k v
			2? rpush l a
			1<
			2<
			4> get k`,
		"everything": `
			4> client pause 300
			1? ping
			2? set k v
			3? nosuch
			x? client unpause
			1<
			2<
			3<
			x<
			4> get k
			4> client pause 200 all
			4? get k
			4? client pause 100 write
			4<
			4<
			1? set k w
			1<`,
		"what is more and longer stays": `
			4> client pause 100000 write
			4> client pause 1 write
			4> client pause 0 write
			1! set k v
			4> client unpause
			1<
			4> multi
			4> client pause 300 all
			4> client pause 1 write
			4> exec
			1? get k
			1<`,
		"who goes meanwhile": `
			4> client pause 100000 write
			1! set k v
			2! set l v
			4> client kill id {1}
			4> client unpause
			2<
			4> mget k l`,
		"expiry": `
			4> multi
			4> set k v px 20
			4> client pause 100000 write
			4> exec
			4~ get k
			4> dbsize
			4> exists k
			4> ttl k
			1! append k w
			4> client unpause
			1<
			4> get k
			4> multi
			4> set k v px 20
			4> client pause 100000 write
			4> exec
			4~ get k
			4> dbsize
			4> client unpause
			4> get k
			4> dbsize`,
		"silent clients": `
			4> client pause 100000 write
			1? client reply skip
			1! set k v
			1? get k
			4> client unpause
			1<`,
	})
}

// paused waits until so many clients wait for the end of the pause.
func paused(t *testing.T, n *Node, want int) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, "clients to be paused", func(context.Context) error {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if got := len(n.engine.pause.postponed); got != want {
			return fmt.Errorf("%d are, want %d", got, want)
		}
		return nil
	})
}

// As in 7.2 a client that waits for a key is not served during the pause, also if it
// came to have something by the transaction that paused; 7.0 serves it.
func TestPauseOfWhoWaitsForAKey(t *testing.T) {
	for name, c := range map[string]struct{ pause, end string }{
		"unpaused": {"CLIENT PAUSE 100000 WRITE", "CLIENT UNPAUSE"}, "by time": {"CLIENT PAUSE 300 WRITE", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, nil)
			w, first, second := talk(t, n), talk(t, n), talk(t, n)
			from := n.engine.position().Seq + 1
			first.block(n, "BLPOP k 0")
			second.block(n, "BLPOP k 0")
			w.send("MULTI\r\nRPUSH k a\r\n" + c.pause + "\r\nRPUSH k b c\r\nEXEC\r\nLRANGE k 0 -1")
			for range 5 {
				w.reply()
			}
			if got := w.reply(); c.end != "" && got != "[a b c]" {
				t.Errorf("during the pause there is %s", got)
			}
			if c.end != "" {
				blockedCount(t, n, 2)
				w.get(c.end)
			}
			if got := first.reply(); got != "[k a]" {
				t.Errorf("the first got %s", got)
			}
			if got := second.reply(); got != "[k b]" {
				t.Errorf("the second got %s", got)
			}
			if got := w.get("LRANGE k 0 -1"); got != "[c]" {
				t.Errorf("left is %s", got)
			}
			want := []string{"RPUSH k a; RPUSH k b c", "LPOP k", "LPOP k"}
			if got := effects(t, n, from); !slices.Equal(got[len(got)-3:], want) {
				t.Errorf("effects %q", got)
			}
		})
	}
}

// What is paused does not wait for a key: CLIENT UNBLOCK finds nobody, as in 7.2. 7.0
// crashes.
func TestUnblockFindsNoPausedClient(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	w.get("CLIENT PAUSE 100000 WRITE")
	c.send("SET k v")
	paused(t, n, 1)
	if got := w.get("CLIENT UNBLOCK " + c.id); got != ":0" {
		t.Errorf("CLIENT UNBLOCK %s", got)
	}
	w.get("CLIENT UNPAUSE")
	if got := c.reply(); got != "+OK" {
		t.Errorf("SET %s", got)
	}
}

// A client that leaves while it is paused has its command never run.
func TestPausedClientLeaves(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	w.get("CLIENT PAUSE 100000 WRITE")
	c.send("SET k v")
	paused(t, n, 1)
	c.nc.Close()
	paused(t, n, 0)
	w.get("CLIENT UNPAUSE")
	if got := w.get("EXISTS k"); got != ":0" {
		t.Errorf("EXISTS %s", got)
	}
}

// A planned hand-over during a pause: what is paused is told where it stands, and the
// shard goes on elsewhere.
func TestHandoverDuringPause(t *testing.T) {
	for _, mode := range []string{"WRITE", "ALL"} {
		t.Run(mode, func(t *testing.T) {
			n1 := startNode(t, nil)
			cfg := n1.cfg
			cfg.NodeID = "n2"
			n2 := runNode(t, cfg)
			waitRole(t, n2, RoleReplica)
			w, c, b := talk(t, n1), talk(t, n1), talk(t, n1)
			w.get("SET k old")
			b.block(n1, "BLPOP l 0")
			w.get("CLIENT PAUSE 100000 " + mode)
			c.send("SET k v")
			paused(t, n1, 1)
			testenv.Eventually(t, 20*time.Second, "the hand-over", func(ctx context.Context) error {
				if n2.Role() == RolePrimary {
					return nil
				}
				if err := n1.shard.RequestHandover(ctx, etcdfence.Handover{To: "n2"}); err != nil {
					return err
				}
				return errors.New("not yet")
			})
			if got := c.reply(); got != "-"+string(errReadOnly) {
				t.Errorf("the paused client got %s", got)
			}
			if got := b.reply(); got != "-"+errUnblockedByRole {
				t.Errorf("the waiting client got %s", got)
			}
			after := talk(t, n2)
			if got := after.get("GET k"); got != "old" {
				t.Errorf("GET on the new primary: %s", got)
			}
			if got := after.get("SET k new"); got != "+OK" {
				t.Errorf("SET on the new primary: %s", got)
			}
			if mode == "WRITE" { // a paused replica follows all the same
				testenv.Eventually(t, 10*time.Second, "the paused node to follow", func(context.Context) error {
					if got := w.get("READONLY"); got != "+OK" {
						return errors.New(got)
					}
					if got := w.get("GET k"); got != "new" {
						return errors.New(got)
					}
					return nil
				})
			}
		})
	}
}

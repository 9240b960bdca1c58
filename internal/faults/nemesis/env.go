package nemesis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/faults/cluster"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

const (
	keyPrefix    = "nemesis:"             // of what nemeses write
	writeTimeout = time.Second            // of one of their writes
	pollEvery    = 5 * time.Millisecond   // looks for who leads
	retryPause   = 100 * time.Millisecond // after a write that failed
)

// claims keep two nemeses that run at once from breaking the same node: a node
// that one of them has stopped the other must not kill.
type claims struct {
	mu   sync.Mutex
	held map[string]bool
}

func (c *claims) take(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[id] {
		return false
	}
	if c.held == nil {
		c.held = make(map[string]bool)
	}
	c.held[id] = true
	return true
}

func (c *claims) release(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, id)
}

// target is a node that a nemesis has to itself until it releases it. Of a
// primary, epoch is the term under which it leads.
type target struct {
	*cluster.Node
	epoch   int64
	release func()
}

// claim takes a node for the nemesis alone, if the other one has not.
func (e *Env) claim(n *cluster.Node, epoch int64) (target, error) {
	if !e.claims.take(n.ID) {
		return target{}, fmt.Errorf("%s is being broken by the other nemesis", n.ID)
	}
	return target{Node: n, epoch: epoch, release: func() { e.claims.release(n.ID) }}, nil
}

// claimPrimary takes the node that leads the shard, waiting until one does.
func (e *Env) claimPrimary(ctx context.Context) (target, error) {
	var t target
	err := e.await(ctx, "there is a primary to break", func(ctx context.Context) error {
		st, err := e.C.State(ctx)
		if err != nil {
			return err
		}
		if st.Leader == nil {
			return cluster.ErrNoPrimary
		}
		n, err := e.node(st.Leader.NodeID)
		if err != nil {
			return err
		}
		t, err = e.claim(n, st.Leader.Epoch)
		return err
	})
	return t, err
}

// claimReplica takes a node that does not lead.
func (e *Env) claimReplica(ctx context.Context) (target, error) {
	order := e.Rand.Perm(len(e.C.Nodes))
	var t target
	err := e.await(ctx, "there is a replica to break", func(ctx context.Context) error {
		st, err := e.C.State(ctx)
		if err != nil {
			return err
		}
		err = errors.New("no nodes")
		for _, i := range order {
			n := e.C.Nodes[i]
			if st.Leader != nil && st.Leader.NodeID == n.ID {
				continue
			}
			if t, err = e.claim(n, 0); err == nil {
				return nil
			}
		}
		return err
	})
	return t, err
}

func (e *Env) node(id string) (*cluster.Node, error) {
	for _, n := range e.C.Nodes {
		if n.ID == id {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%s leads the shard, which is none of the nodes", id)
}

// await waits for what the shard has to do in spite of the fault.
func (e *Env) await(ctx context.Context, what string, fn func(context.Context) error) error {
	actx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	err := testenv.Await(actx, what, fn)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w within %v: %w", ErrNotRecovered, recoverWithin, err)
}

// awaitLeader waits until a node leads under a later epoch than after.
func (e *Env) awaitLeader(ctx context.Context, after int64) (target, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, recoverWithin,
		fmt.Errorf("%w within %v: nobody leads under a later epoch than %d", ErrNotRecovered, recoverWithin, after))
	defer cancel()
	for {
		st, err := e.C.State(ctx)
		if err == nil && st.Leader != nil && st.Leader.Epoch > after {
			e.record.led(time.Now())
			n, err := e.node(st.Leader.NodeID)
			return target{Node: n, epoch: st.Leader.Epoch}, err
		}
		if err := pause(ctx, pollEvery); err != nil {
			return target{}, err
		}
	}
}

// takeover waits until the shard is led under a later epoch than old's and has
// acknowledged a write since: what old may still answer is history from then on.
func (e *Env) takeover(ctx context.Context, old target) (target, error) {
	now, err := e.awaitLeader(ctx, old.epoch)
	if err != nil {
		return target{}, err
	}
	e.logf("%s leads under epoch %d", now.ID, now.epoch)
	return e.awaitWrite(ctx, old.epoch)
}

// awaitWrite waits until a primary with a later epoch than after has acknowledged
// a write.
func (e *Env) awaitWrite(ctx context.Context, after int64) (now target, err error) {
	err = e.await(ctx, "the new primary takes a write", func(ctx context.Context) error {
		if now, err = e.awaitLeader(ctx, after); err != nil {
			return err
		}
		return do(ctx, now.Node, "SET", workload.QuietKey, now.epoch)
	})
	return now, err
}

// set writes a value through the link that clients use.
func set(ctx context.Context, n *cluster.Node, key string, value []byte) error {
	return do(ctx, n, "SET", keyPrefix+key, value)
}

// do sends one command through the link that clients use, once.
func do(ctx context.Context, n *cluster.Node, args ...any) error {
	db := redis.NewClient(&redis.Options{
		Addr: n.Addr, MaxRetries: -1, DialTimeout: writeTimeout, ReadTimeout: writeTimeout, WriteTimeout: writeTimeout,
		DisableIdentity: true, PoolSize: 1, Protocol: 2, DialerRetries: 1,
	})
	defer db.Close()
	if err := db.Do(ctx, args...).Err(); err != nil {
		return fmt.Errorf("%s on %s: %w", args[0], n.ID, err)
	}
	return nil
}

// doOnPrimary sends one command to whoever leads.
func (e *Env) doOnPrimary(ctx context.Context, args ...any) error {
	n, err := e.C.Primary(ctx)
	if err != nil {
		return err
	}
	return do(ctx, n, args...)
}

// logFull reports whether a write was refused because the head is full.
func logFull(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "LOGFULL ")
}

// kill is kill -9.
func (e *Env) kill(n *cluster.Node) {
	e.logf("kill -9 %s", n.ID)
	n.Proc.Kill()
}

// revive starts a killed process again or lets a stopped one go on.
func (e *Env) revive(what string, p *testenv.Process) error {
	e.logf("%s runs again", what)
	return p.Revive()
}

// between draws a duration from lo to hi, in whole milliseconds.
func (e *Env) between(lo, hi time.Duration) time.Duration {
	return (lo + time.Duration(e.Rand.Int64N(int64(hi-lo)+1))).Truncate(time.Millisecond)
}

// lease draws a duration from lo to hi leases.
func (e *Env) lease(lo, hi float64) time.Duration {
	return e.between(time.Duration(lo*float64(e.Lease)), time.Duration(hi*float64(e.Lease)))
}

// scaled stretches an outage by Scale.
func (e *Env) scaled(d time.Duration) time.Duration { return time.Duration(e.Scale * float64(d)) }

// coin draws one of two ways to do something.
func (e *Env) coin() bool { return e.Rand.IntN(2) == 0 }

// noise draws n bytes, which do not compress.
func noise(r *rand.Rand, n int) []byte {
	var seed [32]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(seed[8*i:], r.Uint64())
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

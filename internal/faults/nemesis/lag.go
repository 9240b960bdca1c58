package nemesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/cluster"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

const (
	lagValue = 16 << 10 // bytes of a value that moves the log on
	// Trims are compacted away in etcd a tick of a second later.
	compacted = 1200 * time.Millisecond
)

// replicaLag leaves a replica so far behind that what it misses is in segments
// only, and then leaves nobody else: it has to catch up before it leads.
func replicaLag(ctx context.Context, e *Env) (err error) {
	n, err := e.claimReplica(ctx)
	if err != nil {
		return err
	}
	defer n.release()
	before, order := e.coin(), e.Rand.Perm(len(e.C.Nodes))
	back := sync.OnceValue(func() error { return e.revive(n.ID, n.Proc) })
	defer func() { err = errors.Join(err, back()) }()
	if err := e.fallBehind(ctx, n); err != nil {
		return err
	}
	st, err := e.C.State(ctx)
	if err != nil {
		return err
	}
	if st.Leader == nil {
		return cluster.ErrNoPrimary
	}
	for _, i := range order {
		if other := e.C.Nodes[i]; other.ID != n.ID {
			defer func() { err = errors.Join(err, e.revive(other.ID, other.Proc)) }()
		}
	}
	if before {
		if err := back(); err != nil {
			return err
		}
	}
	e.record.hit(st.Leader.NodeID)
	for _, i := range order {
		if other := e.C.Nodes[i]; other.ID != n.ID {
			e.kill(other)
		}
	}
	if err := back(); err != nil {
		return err
	}
	_, err = e.takeover(ctx, target{epoch: st.Leader.Epoch})
	return err
}

// fallBehind stops a replica until the log that it misses has been trimmed and
// compacted away. Nothing may wait for it in a socket either.
func (e *Env) fallBehind(ctx context.Context, n target) error {
	l := links(n.Etcd)
	defer func() {
		l.reset()
		l.heal()
	}()
	l.drop(testenv.Up, testenv.Down)
	e.logf("SIGSTOP %s until the log has moved on", n.ID)
	n.Proc.Stop()
	st, err := e.C.State(ctx)
	if err != nil {
		return err
	}
	missed := st.Tail + 1
	err = e.await(ctx, fmt.Sprintf("the log is trimmed past entry %d", missed), func(ctx context.Context) error {
		if err := e.doOnPrimary(ctx, "SET", keyPrefix+"lag", noise(e.Rand, lagValue)); err != nil {
			return err
		}
		st, err := e.C.State(ctx)
		if err == nil && st.Sealed.Seq < missed {
			err = fmt.Errorf("it is sealed up to %d", st.Sealed.Seq)
		}
		return err
	})
	if err != nil {
		return err
	}
	return pause(ctx, compacted)
}

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// settle is longer than etcd takes for what has just reached it.
const settle = 50 * time.Millisecond

// moment is when a dead primary's last append reaches etcd.
type moment int

// The moments. While nobody leads, and while a new leader has not opened its epoch,
// the place in the log that the append is for is still free: nothing but the fence
// refuses it. Later it is taken as well.
const (
	nobodyLeads moment = iota
	epochNotOpen
	epochOpen
	moments
)

func (m moment) String() string {
	return [...]string{"nobody leads", "a leader's epoch is not open", "the next primary writes"}[m]
}

// lateAppend holds an append of the primary on its way to etcd, kills the primary
// and lets the append arrive when the shard has moved on. That the dead node's
// connection has ended arrives later still: etcd would not do what a broken
// connection asked for.
func lateAppend(ctx context.Context, e *Env) (err error) {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	when, slow := moment(e.Rand.IntN(int(moments))), e.between(40*time.Millisecond, 60*time.Millisecond)
	value := noise(e.Rand, 2<<10)
	var writer sync.WaitGroup
	l, others := links(p.Etcd), e.etcdLinksBut(p.ID)
	defer func() {
		writer.Wait()
		l.reset()
		l.heal()
		others.heal()
		err = errors.Join(err, e.revive(p.ID, p.Proc))
	}()
	l.each((*testenv.Proxy).HoldEnds)
	l.drop(testenv.Up)
	writer.Go(func() { _ = set(ctx, p.Node, "late-append", value) }) // nobody will answer
	if err := e.awaitHeldAppend(ctx, p); err != nil {
		return err
	}
	if when != epochOpen {
		// So that the moment is long enough to be met.
		others.delay(testenv.Up, slow)
		others.delay(testenv.Down, slow)
	}
	e.record.hit(p.ID)
	e.kill(p.Node)
	if err := e.awaitMoment(ctx, p, when); err != nil {
		return err
	}
	e.logf("%v: the last %d bytes of %s reach etcd", when, l.held(testenv.Up), p.ID)
	l.each(func(p *testenv.Proxy) { p.Open(testenv.Up) })
	err = e.await(ctx, "they have reached it", func(context.Context) error {
		if n := l.held(testenv.Up); n > 0 {
			return fmt.Errorf("%d bytes are still on their way", n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	others.heal()
	_, err = e.takeover(ctx, p)
	return err
}

func (e *Env) etcdLinksBut(id string) links {
	var l links
	for _, n := range e.C.Nodes {
		if n.ID != id {
			l = append(l, n.Etcd...)
		}
	}
	return l
}

// awaitHeldAppend waits until a primary that etcd does not hear any more has sent
// an append. When its last one was just answered into a connection that an earlier
// fault broke, its term may end over asking for that: then nothing is held but
// what it asked, and that arrives late.
func (e *Env) awaitHeldAppend(ctx context.Context, p target) error {
	if err := pause(ctx, settle); err != nil { // what had passed before is in the log then
		return err
	}
	return e.await(ctx, "an append of "+p.ID+" is on its way", func(ctx context.Context) error {
		st, err := e.C.State(ctx)
		if err != nil {
			return err
		}
		if st.Leader == nil || st.Leader.Epoch != p.epoch {
			e.logf("the term of %s ended before it sent an append", p.ID)
			return nil
		}
		info, err := e.C.Info(ctx, p.Node)
		if err != nil {
			return err
		}
		executed, err := strconv.ParseUint(info["seq_executed"], 10, 64)
		switch {
		case err != nil:
			return err
		case executed <= st.Tail || links(p.Etcd).held(testenv.Up) == 0:
			return fmt.Errorf("%d is executed, %d in the log", executed, st.Tail)
		}
		return nil
	})
}

func (e *Env) awaitMoment(ctx context.Context, old target, when moment) error {
	var err error
	switch when {
	case nobodyLeads:
		err = e.awaitVacancy(ctx, old.epoch)
	case epochNotOpen:
		_, err = e.awaitLeader(ctx, old.epoch)
	case epochOpen:
		_, err = e.takeover(ctx, old)
	}
	return err
}

// awaitVacancy waits until the term of an epoch has ended.
func (e *Env) awaitVacancy(ctx context.Context, epoch int64) error {
	return e.await(ctx, "the lease has ended", func(ctx context.Context) error {
		for {
			st, err := e.C.State(ctx)
			if err != nil {
				return err
			}
			if st.Leader == nil || st.Leader.Epoch > epoch {
				return nil
			}
			if err := pause(ctx, pollEvery); err != nil {
				return err
			}
		}
	})
}

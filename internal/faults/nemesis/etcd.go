package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// healTimeout bounds what is left to do when a nemesis was told to end.
const healTimeout = 20 * time.Second

// etcdMember picks the leader of etcd, or one of its followers.
func (e *Env) etcdMember(ctx context.Context, leader bool) (member int, err error) {
	draw := 1 + e.Rand.IntN(len(e.C.Etcd.Endpoints())-1)
	err = e.await(ctx, "etcd has a leader", func(ctx context.Context) error {
		member, err = e.C.Etcd.FindLeader(ctx)
		return err
	})
	if !leader {
		member = (member + draw) % len(e.C.Etcd.Endpoints())
	}
	return member, err
}

func memberName(i int) string { return fmt.Sprintf("etcd member %d", i) }

// killEtcdLeader waits until the others have elected another, so that the old one
// comes back as a follower.
func killEtcdLeader(ctx context.Context, e *Env) (err error) {
	i, err := e.etcdMember(ctx, true)
	if err != nil {
		return err
	}
	longer := e.lease(0, 0.25)
	defer func() { err = errors.Join(err, e.revive(memberName(i), e.C.Etcd.Process(i))) }()
	e.record.hit("")
	e.logf("kill -9 %s, the leader", memberName(i))
	e.C.Etcd.Kill(i)
	if err := e.awaitNewLeader(ctx, i); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// awaitNewLeader waits until etcd has another leader than the one that it lost.
func (e *Env) awaitNewLeader(ctx context.Context, lost int) error {
	return e.await(ctx, "etcd has another leader", func(ctx context.Context) error {
		now, err := e.C.Etcd.FindLeader(ctx)
		if err == nil && now == lost {
			return errors.New("the old one is still taken for the leader")
		}
		return err
	})
}

func killEtcdFollower(ctx context.Context, e *Env) (err error) {
	i, err := e.etcdMember(ctx, false)
	if err != nil {
		return err
	}
	down := e.lease(0.1, 0.5)
	defer func() { err = errors.Join(err, e.revive(memberName(i), e.C.Etcd.Process(i))) }()
	e.record.hit("")
	e.logf("kill -9 %s, a follower", memberName(i))
	e.C.Etcd.Kill(i)
	return pause(ctx, down)
}

// killEtcdQuorum leaves one member, which can decide nothing.
func killEtcdQuorum(ctx context.Context, e *Env) error {
	all := e.etcdProcesses()
	left := e.Rand.IntN(len(all))
	e.logf("%s stays", all[left].name)
	all = append(all[:left:left], all[left+1:]...)
	return e.crash(ctx, all, e.scaled(e.lease(1.1, 1.4)))
}

// stopEtcdLeader lasts longer than an election, for less or more than the lease.
// The old leader finds out that it is none when it goes on; until then it may
// think that it can answer.
func stopEtcdLeader(ctx context.Context, e *Env) error {
	d := e.lease(0.5, 0.8)
	if e.coin() {
		d = e.scaled(e.lease(1.1, 1.4))
	}
	return e.stopEtcd(ctx, true, d)
}

func stopEtcdFollower(ctx context.Context, e *Env) error {
	return e.stopEtcd(ctx, false, e.lease(0.3, 0.8))
}

func (e *Env) stopEtcd(ctx context.Context, leader bool, d time.Duration) (err error) {
	i, err := e.etcdMember(ctx, leader)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.revive(memberName(i), e.C.Etcd.Process(i))) }()
	e.record.hit("")
	e.logf("SIGSTOP %s (leader: %v) for %v", memberName(i), leader, d)
	e.C.Etcd.Stop(i)
	return pause(ctx, d)
}

// noSpace makes etcd refuse everything that stores: appends, and the leases that
// campaigns need; renewals it takes.
func noSpace(ctx context.Context, e *Env) (err error) {
	d := e.scaled(e.lease(1.1, 1.5))
	defer func() {
		hctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTimeout)
		defer cancel()
		e.logf("disarm etcd's alarms")
		err = errors.Join(err, testenv.Await(hctx, "etcd has no alarm", e.C.Etcd.DisarmAlarms))
	}()
	e.logf("raise etcd's NOSPACE alarm for %v", d)
	if err := e.C.Etcd.RaiseNoSpace(ctx); err != nil {
		return err
	}
	e.record.hit("")
	return pause(ctx, d)
}

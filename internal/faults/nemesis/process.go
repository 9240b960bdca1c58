package nemesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func killPrimary(ctx context.Context, e *Env) error      { return e.killPrimary(ctx, false) }
func killPrimaryKnown(ctx context.Context, e *Env) error { return e.killPrimary(ctx, true) }

// killPrimary kills the primary; known: somebody who saw it end says so. It comes
// back before or after the shard has a new primary.
func (e *Env) killPrimary(ctx context.Context, known bool) (err error) {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	early, later := e.Rand.IntN(4) == 0, e.lease(0, 0.25)
	back := sync.OnceValue(func() error { return e.revive(p.ID, p.Proc) })
	e.record.hit(p.ID)
	defer func() { err = errors.Join(err, back()) }()
	e.kill(p.Node)
	if known {
		e.logf("revoke the lease of %s", p.ID)
		if err := e.C.Shard().RevokeLeader(ctx, p.ID); err != nil {
			return err
		}
	}
	if early {
		if err := back(); err != nil {
			return err
		}
	}
	if _, err := e.takeover(ctx, p); err != nil {
		return err
	}
	return pause(ctx, later)
}

func killReplica(ctx context.Context, e *Env) (err error) {
	n, err := e.claimReplica(ctx)
	if err != nil {
		return err
	}
	defer n.release()
	down := e.lease(0, 0.5)
	e.record.hit(n.ID)
	defer func() { err = errors.Join(err, e.revive(n.ID, n.Proc)) }()
	e.kill(n.Node)
	return pause(ctx, down)
}

// process is a process with the name that it has in the log.
type process struct {
	name string
	*testenv.Process
}

func (e *Env) nodeProcesses() []process {
	var all []process
	for _, n := range e.C.Nodes {
		all = append(all, process{n.ID, n.Proc})
	}
	return all
}

func (e *Env) etcdProcesses() []process {
	var all []process
	for i := range e.C.Etcd.Endpoints() {
		all = append(all, process{fmt.Sprintf("etcd member %d", i), e.C.Etcd.Process(i)})
	}
	return all
}

func killAllNodes(ctx context.Context, e *Env) error {
	return e.crash(ctx, e.nodeProcesses(), e.lease(0, 0.25))
}

func powerLoss(ctx context.Context, e *Env) error {
	return e.crash(ctx, append(e.nodeProcesses(), e.etcdProcesses()...), e.lease(0, 0.25))
}

// crash kills processes at once, as far as that can be, and starts them again in
// another order.
func (e *Env) crash(ctx context.Context, all []process, down time.Duration) (err error) {
	deaths, births := e.Rand.Perm(len(all)), e.Rand.Perm(len(all))
	e.record.hit("")
	defer func() {
		for _, i := range births {
			err = errors.Join(err, e.revive(all[i].name, all[i].Process))
		}
	}()
	for _, i := range deaths {
		e.logf("kill -9 %s", all[i].name)
		all[i].Kill()
	}
	return pause(ctx, down)
}

func stopPrimaryShort(ctx context.Context, e *Env) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	return e.stopFor(ctx, p, e.lease(0.3, 0.7))
}

func stopReplica(ctx context.Context, e *Env) error {
	n, err := e.claimReplica(ctx)
	if err != nil {
		return err
	}
	defer n.release()
	return e.stopFor(ctx, n, e.lease(0.3, 0.8))
}

// stopFor makes a node stand still for a while.
func (e *Env) stopFor(ctx context.Context, n target, d time.Duration) (err error) {
	defer func() { err = errors.Join(err, e.revive(n.ID, n.Proc)) }()
	e.record.hit(n.ID)
	e.logf("SIGSTOP %s for %v", n.ID, d)
	n.Proc.Stop()
	return pause(ctx, d)
}

// stopPrimaryLong lets the old primary go on only when it has been overtaken:
// whatever it answers from its memory then is wrong.
func stopPrimaryLong(ctx context.Context, e *Env) (err error) {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	longer := e.scaled(e.lease(0, 0.5))
	defer func() { err = errors.Join(err, e.revive(p.ID, p.Proc)) }()
	e.record.hit(p.ID)
	e.logf("SIGSTOP %s until another leads, and %v", p.ID, longer)
	p.Proc.Stop()
	if _, err := e.takeover(ctx, p); err != nil {
		return err
	}
	return pause(ctx, longer)
}

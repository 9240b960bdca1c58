package nemesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

const (
	fillValue = 64 << 10         // bytes of a value that fills the head
	awayFor   = 8 * time.Second  // of s3-away, at Scale 1
	fillTime  = 30 * time.Second // until the head must be full
)

func killS3(ctx context.Context, e *Env) (err error) {
	down := e.between(500*time.Millisecond, 2*time.Second)
	s3 := e.C.S3.Process()
	defer func() { err = errors.Join(err, e.revive("S3", s3)) }()
	e.record.hit("")
	e.logf("kill -9 S3 for %v", down)
	s3.Kill()
	return pause(ctx, down)
}

func stopS3(ctx context.Context, e *Env) (err error) {
	d := e.between(time.Second, 2*time.Second)
	s3 := e.C.S3.Process()
	defer func() { err = errors.Join(err, e.revive("S3", s3)) }()
	e.record.hit("")
	e.logf("SIGSTOP S3 for %v", d)
	s3.Stop()
	return pause(ctx, d)
}

func slowS3(ctx context.Context, e *Env) error {
	l, delay := e.s3Links(), e.between(100*time.Millisecond, 400*time.Millisecond)
	rate := int64(32<<10 + e.Rand.IntN(96<<10))
	d := e.between(2*time.Second, 3*time.Second)
	defer l.heal()
	if e.coin() {
		e.logf("S3 is %v slower each way for %v", delay, d)
		l.delay(testenv.Up, delay)
		l.delay(testenv.Down, delay)
	} else {
		e.logf("S3 takes %d KiB/s from each node for %v", rate>>10, d)
		l.each(func(p *testenv.Proxy) { p.Throttle(testenv.Up, rate) })
	}
	e.record.hit("")
	return pause(ctx, d)
}

// s3Links are those of all nodes.
func (e *Env) s3Links() links {
	var l links
	for _, n := range e.C.Nodes {
		l = append(l, n.S3)
	}
	return l
}

// s3Away lasts until the head is full and a while longer, with a failover in
// between or without: a new primary must be able to open its epoch in a head that
// is full.
func s3Away(ctx context.Context, e *Env) (err error) {
	how, die := e.Rand.IntN(3), e.coin()
	begun := time.Now()
	back := sync.OnceValue(e.takeS3Away(how))
	defer func() { err = errors.Join(err, back()) }()
	e.record.hit("")
	if err := e.fillHead(ctx); err != nil {
		return err
	}
	if die {
		if err := e.failoverWhileFull(ctx); err != nil {
			return err
		}
	}
	if err := pause(ctx, e.scaled(awayFor)-time.Since(begun)); err != nil {
		return err
	}
	if err := back(); err != nil {
		return err
	}
	// DEL is a write too: it is taken once the head has room again.
	return e.await(ctx, "writes are taken again", func(ctx context.Context) error {
		return e.doOnPrimary(ctx, "DEL", keyPrefix+"fill")
	})
}

// takeS3Away makes S3 unreachable in one of three ways and returns what brings
// it back.
func (e *Env) takeS3Away(how int) (back func() error) {
	l, s3 := e.s3Links(), e.C.S3.Process()
	switch how {
	case 0:
		e.logf("kill -9 S3")
		s3.Kill()
		return func() error { return e.revive("S3", s3) }
	case 1:
		e.logf("cut all nodes from S3")
		l.cut()
	default:
		e.logf("drop all packets between nodes and S3")
		l.drop(testenv.Up, testenv.Down)
	}
	return func() error {
		e.logf("S3 can be reached again")
		l.heal()
		return nil
	}
}

// fillHead writes to the primary until it says that the head is full.
func (e *Env) fillHead(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fillTime, fmt.Errorf("the head was not full within %v", fillTime))
	defer cancel()
	for n := 1; ; n++ {
		err := e.doOnPrimary(ctx, "SET", keyPrefix+"fill", noise(e.Rand, fillValue))
		switch {
		case logFull(err):
			e.logf("the head is full at write %d: %v", n, err)
			return nil
		case err != nil:
			if err := pause(ctx, retryPause); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

// failoverWhileFull kills the primary. It comes back only to wait for S3.
func (e *Env) failoverWhileFull(ctx context.Context) (err error) {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	defer func() { err = errors.Join(err, e.revive(p.ID, p.Proc)) }()
	e.kill(p.Node)
	now, err := e.awaitLeader(ctx, p.epoch)
	if err == nil {
		e.logf("%s leads under epoch %d, with a full head", now.ID, now.epoch)
	}
	return err
}

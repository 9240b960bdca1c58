package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"time"
)

const (
	hogCount   = 3
	hogSeconds = 30 // of processor time, after which the system ends a hog
	largeLeast = 256 << 10
	largeMost  = 2 << 20 // more than etcd takes in one request
	largeKeys  = 4
)

// pressure makes everything slow and irregular at once: the processors are busy,
// the primary pauses as for a collection of garbage or a page that has to be
// read, and values are large.
func pressure(ctx context.Context, e *Env) (err error) {
	d := e.between(3*time.Second, 4*time.Second)
	stop, err := startHogs(hogCount)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	e.logf("%d busy processes, large values and pauses for %v", hogCount, d)
	e.record.hit("")
	pctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	own := rand.New(rand.NewPCG(e.Rand.Uint64(), 0))
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() { e.writeLarge(pctx, own) })
	for pctx.Err() == nil {
		if err := e.pulse(pctx, e.between(50*time.Millisecond, 300*time.Millisecond)); err != nil && pctx.Err() == nil {
			return err
		}
		_ = pause(pctx, e.between(100*time.Millisecond, 400*time.Millisecond))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// pulse stops whoever is the primary for a moment.
func (e *Env) pulse(ctx context.Context, d time.Duration) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	return e.stopFor(ctx, p, d)
}

// writeLarge writes and deletes large values until ctx ends. That some are
// refused, for want of room in the head, is as it should be.
func (e *Env) writeLarge(ctx context.Context, r *rand.Rand) {
	key := func(n int) string { return fmt.Sprint(keyPrefix, "large", n) }
	refused := 0
	for n := 0; ctx.Err() == nil; n = (n + 1) % largeKeys {
		size := largeLeast + r.IntN(largeMost-largeLeast)
		if e.doOnPrimary(ctx, "SET", key(n), noise(r, size)) != nil {
			refused++
		}
		if r.IntN(2) == 0 && e.doOnPrimary(ctx, "DEL", key(n)) != nil {
			refused++
		}
		_ = pause(ctx, time.Duration(r.Int64N(int64(200*time.Millisecond))))
	}
	hctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTimeout)
	defer cancel()
	err := e.await(hctx, "large values are deleted", func(ctx context.Context) error {
		return e.doOnPrimary(ctx, "DEL", key(0), key(1), key(2), key(3))
	})
	e.logf("large values deleted (%v); %d large writes were refused or not answered", err, refused)
}

// startHogs starts processes that do nothing but use a processor.
func startHogs(n int) (stop func() error, err error) {
	var hogs []*exec.Cmd
	stop = func() error {
		var all []error
		for _, h := range hogs {
			all = append(all, h.Process.Kill())
			_ = h.Wait() // says that it was killed
		}
		return errors.Join(all...)
	}
	for range n {
		// The limit ends it should this process not come to that.
		h := exec.Command("sh", "-c", fmt.Sprintf("ulimit -t %d; while :; do :; done", hogSeconds))
		if err := h.Start(); err != nil {
			return nil, errors.Join(fmt.Errorf("start a busy process: %w", err), stop())
		}
		hogs = append(hogs, h)
	}
	return stop, nil
}

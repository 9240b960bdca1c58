package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// outcome is what the end of a Follow or of reading segments means.
type outcome int

const (
	goOn     outcome = iota // follow on from where it stands
	tryAgain                // what failed may pass
	holes                   // entries are in no segment: cleaned up, or never there
	over                    // a violation, or ErrBehind
)

// judge tells what err, with which following the log ended, means. Only what
// etcd and S3 said can be a violation, not that they could not be asked.
func judge(err error) outcome {
	var own *finding
	switch {
	case err == nil:
		return goOn
	case errors.As(err, &own):
		return over
	case errors.Is(err, s3segments.ErrMissing):
		return holes
	case errors.Is(err, s3segments.ErrNotFound):
		return tryAgain // cleaned up between two requests
	}
	for _, target := range []error{
		wal.ErrChain, wal.ErrCorrupt, wal.ErrGap, wal.ErrEpoch, wal.ErrNewerFormat, etcdfence.ErrDiverged,
	} {
		if errors.Is(err, target) {
			return over
		}
	}
	return tryAgain
}

// followLog feeds the history until ctx ends or the log is broken.
func (a *Auditor) followLog(ctx context.Context) {
	var b backoff
	for {
		from := a.Position()
		err := a.follow(ctx)
		if errors.Is(err, etcdfence.ErrTrimmed) {
			err = a.readSegments(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if a.Position() != from {
			b.reset()
		}
		result := judge(err)
		if result == holes {
			result, err = a.judgeHole(ctx, err)
		}
		switch result {
		case goOn:
			continue
		case tryAgain:
			if a.failed(ctx, &b, err) {
				continue
			}
		case over:
			a.end(err)
		}
		return
	}
}

// errStalled ends a Follow that goes no further.
var errStalled = errors.New("audit: the log goes on, and Follow does not deliver it")

// follow is one Follow. Its watch may be on a member that hangs, which it would
// notice later than segments are cleaned up behind it, so it is given up when the
// keys show that there are further entries.
func (a *Auditor) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { a.supervise(ctx, silence, cancel) })
	defer wg.Wait()
	defer cancel(nil)
	return a.shard.Follow(ctx, a.Position(), entries{a})
}

// supervise gives up when, from one look to the next, the history stands still
// and the log does not end there.
func (a *Auditor) supervise(ctx context.Context, every time.Duration, giveUp context.CancelCauseFunc) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := a.Position(); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		a.mu.Lock()
		at, tail := a.history.pos, a.tail
		a.mu.Unlock()
		if at == last && tail > at.Seq {
			giveUp(errStalled)
			return
		}
		last = at
	}
}

// judgeHole tells whether entries that no segment holds were cleaned up behind a
// snapshot or lost.
func (a *Auditor) judgeHole(ctx context.Context, hole error) (outcome, error) {
	var missing *s3segments.MissingError
	if !errors.As(hole, &missing) {
		return tryAgain, hole
	}
	covered, err := a.covered(ctx, missing.To)
	switch {
	case err != nil:
		return tryAgain, err
	case covered:
		return over, fmt.Errorf("%w: %w", ErrBehind, hole)
	}
	return over, found(checkSegments, "entries %d to %d left etcd, no segment holds them and no snapshot covers them", missing.From, missing.To)
}

// end ends the following of the log with what is wrong with it.
func (a *Auditor) end(err error) {
	behind := errors.Is(err, ErrBehind)
	if !behind {
		var own *finding
		if !errors.As(err, &own) {
			own = found(checkLog, "after %v: %v", a.Position(), err)
		}
		a.report(own)
	}
	a.change(func() {
		a.ended = err
		if behind {
			a.behind = err
		}
	})
}

// readSegments reads what was sealed and trimmed before it was seen.
func (a *Auditor) readSegments(ctx context.Context) error {
	st, err := a.shard.State(ctx)
	if err != nil {
		return err
	}
	_, err = a.o.Segments.Read(ctx, a.Position(), st.Sealed.Seq, a.entry)
	return err
}

// entry takes the next entry of the log.
func (a *Auditor) entry(e *wal.Entry) (err error) {
	now := a.o.Clock.Now()
	a.change(func() { err = a.history.add(e, now) })
	return err
}

// entries is the Auditor as etcdfence's Handler. Who leads, and how far all of
// this goes, is seen in the keys.
type entries struct{ a *Auditor }

func (h entries) Entry(e *wal.Entry) error { return h.a.entry(e) }
func (entries) Leader(*etcdfence.Leader)   {}
func (entries) CaughtUp(uint64)            {}

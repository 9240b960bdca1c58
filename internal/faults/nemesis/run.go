package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// recoverWithin bounds how long the shard may take to be well after a fault was
// healed, and to find a new primary while one lasts.
const recoverWithin = time.Minute

var (
	// ErrNotRecovered: the shard was not well a minute after all was healed, or
	// a fault that it has to survive kept it from serving for a minute.
	ErrNotRecovered = errors.New("nemesis: the shard did not recover")

	errAborted = errors.New("nemesis: its goroutine was ended")
)

// Event is a fault that is over.
type Event struct {
	Name  string
	With  string    // the nemesis that ran at the same time; "": none
	Node  string    // that was hit, "" when it was not one node
	Start time.Time // the nemesis began to work on it
	// Injected is when the fault took hold: the moment of a kill, or when a
	// hand-over was asked for. Start when it never came to that.
	Injected time.Time
	// Led is when another node was seen to lead, for hand-overs and for faults
	// that wait for that; zero otherwise.
	Led    time.Time
	Healed time.Time // what the nemesis had done was undone
	End    time.Time // the shard was well again, or given up; of a hand-over: the new primary took a write
	Err    error     // why the fault was not what it should have been
}

// Run lets the steps happen, one after the other. After each it waits until the
// shard is well again. It ends with ctx, or with the first step that goes wrong:
// ErrNotRecovered is the shard's fault, anything else the harness's. observe is
// told of every fault, from Run's own goroutine, when its step is over.
//
// What testenv's Fatalf does in a nemesis, it does in Run's goroutine.
func Run(ctx context.Context, e *Env, steps []Step, observe func(Event)) error {
	r := &runner{env: e, table: byName(All()), healthy: e.C.WaitHealthy, within: recoverWithin, observe: observe}
	for _, s := range steps {
		if err := r.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// runner is Run with its surroundings as parameters.
type runner struct {
	env     *Env
	table   map[string]Nemesis
	healthy func(context.Context) error
	within  time.Duration
	observe func(Event)
}

func (r *runner) step(ctx context.Context, s Step) error {
	if err := pause(ctx, s.After); err != nil {
		return err
	}
	shared := &claims{}
	host, err := r.begin(s, shared)
	if err != nil {
		return err
	}
	var guest *task
	if s.During != nil {
		if guest, err = r.begin(*s.During, shared); err != nil {
			return err
		}
		host.env.record.event.With, guest.env.record.event.With = guest.Name, host.Name
	}
	if err = host.runWith(ctx, guest); err != nil {
		err = fmt.Errorf("%v: %w", s, err)
	} else if err = r.awaitHealth(ctx); err != nil {
		err = fmt.Errorf("after %v: %w", s, err)
	}
	end := time.Now()
	host.report(end, r.observe)
	if guest != nil {
		guest.report(end, r.observe)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// awaitHealth waits until the shard is well.
func (r *runner) awaitHealth(ctx context.Context) error {
	hctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	if err := r.healthy(hctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w within %v: %w", ErrNotRecovered, r.within, err)
	}
	return ctx.Err()
}

// task is one nemesis of a step.
type task struct {
	Nemesis
	env   *Env
	after time.Duration // its own pause, as a guest
}

func (r *runner) begin(s Step, shared *claims) (*task, error) {
	n, ok := r.table[s.Nemesis]
	if !ok {
		return nil, fmt.Errorf("nemesis: there is no %q", s.Nemesis)
	}
	e := *r.env
	e.Rand = rand.New(rand.NewPCG(s.Seed, 0))
	e.name, e.claims = n.Name, shared
	e.record = newRecord(n.Name)
	return &task{Nemesis: n, env: &e, after: s.After}, nil
}

// runWith runs a nemesis and its guest, which may be nil.
func (t *task) runWith(ctx context.Context, guest *task) error {
	if guest == nil {
		return t.run(ctx)
	}
	gctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var met outcome
	var wg sync.WaitGroup
	wg.Go(func() { met.of(func() error { return guest.follow(gctx, t) }) })
	err := t.runThen(ctx, func(err error) {
		if err != nil { // or a panic
			cancel()
		}
		t.env.record.over()
		wg.Wait()
	})
	if met.raised != nil {
		panic(met.raised)
	}
	return errors.Join(err, met.err)
}

// runThen runs a nemesis and then calls fn, even when it ends by a panic.
func (t *task) runThen(ctx context.Context, fn func(error)) error {
	err := errAborted
	defer func() { fn(err) }()
	err = t.run(ctx)
	return err
}

// follow runs a guest once its host is injected.
func (t *task) follow(ctx context.Context, host *task) error {
	select {
	case <-host.env.record.injected:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := pause(ctx, t.after); err != nil {
		return err
	}
	return t.run(ctx)
}

func (t *task) run(ctx context.Context) error {
	t.env.record.start()
	err := t.do(ctx, t.env)
	t.env.record.healed(err)
	return err
}

// report tells what is known of the fault, now that its step has ended.
func (t *task) report(end time.Time, observe func(Event)) {
	for _, ev := range t.env.record.events(end) {
		observe(ev)
	}
}

// outcome is how a function ended that ran in a goroutine of its own: with an
// error, a panic's value, or by Goexit, as a test's Fatalf ends a goroutine.
type outcome struct {
	err    error
	raised any
}

func (o *outcome) of(fn func() error) {
	o.err = errAborted
	defer func() { o.raised = recover() }()
	o.err = fn()
}

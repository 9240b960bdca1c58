package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
)

// Clients of an Expiry, beside one for every node as a replica; and bounds.
const (
	expiryWriters = 3
	expiryReaders = 2   // of the primary
	expiryOpen    = 8   // keys of one writer at a time
	expiryUses    = 150 // by the writer, before a key is left for a new one
	expiryRecent  = 64  // keys that are read, some of them left
)

// Expiry gives keys times to live and looks whether they are there until then,
// and no longer, on the primary and on replicas. A key has one writer, so that
// what it may hold is known at any time.
type Expiry struct {
	env      *Env
	judged   atomic.Int64
	min, max int64 // of the wall clock against the round's, at the start

	mu     sync.Mutex
	opened int
	recent []*expiryKey // a ring
}

// NewExpiry is the workload of one round.
func NewExpiry(env *Env) *Expiry {
	w := &Expiry{env: env}
	w.min, w.max = env.Clock.wall()
	return w
}

// Name is "expiry".
func (w *Expiry) Name() string { return "expiry" }

// Clients are the writers, the primary's readers and the nodes' readers.
func (w *Expiry) Clients() int { return expiryWriters + expiryReaders + len(w.env.Targets) }

// Operations is how many answers were judged.
func (w *Expiry) Operations() int { return int(w.judged.Load()) }

// Run writes, or reads from the primary, or from one node.
func (w *Expiry) Run(ctx context.Context, n int, c *Client) {
	switch node := n - expiryWriters - expiryReaders; {
	case n < expiryWriters:
		w.write(ctx, n, c)
	case node < 0:
		for c.Connect(ctx) && c.Think(ctx) {
			if k := w.pick(c.Rand); k != nil {
				w.read(c, k, lookAt(c.Rand))
			}
		}
	default:
		replica := w.env.NewReplicaClient(w.env.Targets[node])
		defer replica.Close()
		for replica.Connect(ctx) && replica.Think(ctx) {
			if k := w.pick(replica.Rand); k != nil {
				w.readReplica(replica, k)
			}
		}
	}
}

// expiryKey is a key and what it may have held when.
type expiryKey struct {
	name string
	hash bool // of one field; else a string
	uses int  // by its writer

	mu     sync.Mutex
	phases []phase
}

// open is a fresh key, which readers see, too.
func (w *Expiry) open(n int) *expiryKey {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := &expiryKey{
		name: w.env.key(w.Name(), n, ".", w.opened), hash: w.opened%3 == 0,
		phases: []phase{{lives: []life{{}}}},
	}
	if len(w.recent) < expiryRecent {
		w.recent = append(w.recent, k)
	} else {
		w.recent[w.opened%expiryRecent] = k
	}
	w.opened++
	return k
}

// pick returns a key to read; nil when there is none yet.
func (w *Expiry) pick(r *rand.Rand) *expiryKey {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recent) == 0 {
		return nil
	}
	return w.recent[r.IntN(len(w.recent))]
}

// write uses some keys of its own, reading more than writing, so that keys live
// long enough to expire.
func (w *Expiry) write(ctx context.Context, n int, c *Client) {
	var keys [expiryOpen]*expiryKey
	for i := 1; c.Connect(ctx) && c.Think(ctx); i++ {
		at := c.Rand.IntN(len(keys))
		if keys[at] == nil {
			keys[at] = w.open(n)
		}
		k := keys[at]
		ok := true
		if c.Rand.IntN(100) < 90 {
			ok = w.read(c, k, lookAt(c.Rand))
		} else {
			// INCR goes on from a value, and is used less often than a key is.
			value := strconv.Itoa(i * 1000)
			ok = w.change(c, k, changeTo(c.Rand, w.env.Clock, k.hash, value))
		}
		if k.uses++; !ok || k.uses == expiryUses {
			keys[at] = nil
		}
	}
}

// change sends a write. It returns false when the key is to be left: what becomes
// of it is not known from then on.
func (w *Expiry) change(c *Client, k *expiryKey, op expiryOp) bool {
	k.mu.Lock()
	before := k.phases[len(k.phases)-1]
	k.phases = append(k.phases, before.begin(op, w.env.Clock.Now()))
	k.mu.Unlock()

	r := c.Write(k.command(op)...)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch r.Outcome {
	case Unknown:
		return false
	case Refused:
		k.phases = k.phases[:len(k.phases)-1]
		return true
	}
	w.judged.Add(1)
	if r.Err != nil || r.Outcome == Aborted {
		w.env.Report(w.Name(), "%v was answered with %v, error %v", k.command(op), r.Outcome, r.Err)
		return false
	}
	answer := op.answer(r)
	lives := step(before.lives, op, r.Call, r.Return, answer)
	if len(lives) == 0 {
		past := k.phases[:len(k.phases)-1]
		w.report(k.command(op), r, misread(past, op, r.Call, r.Return, answer), past)
		return false
	}
	k.phases[len(k.phases)-1] = phase{r.Call, r.Return, lives}
	return true
}

// read reads a key from the primary and judges the answer. It returns false when
// that is wrong.
func (w *Expiry) read(c *Client, k *expiryKey, op expiryOp) bool {
	r := c.Read(k.command(op)...)
	if r.Outcome != Done {
		return true
	}
	w.judged.Add(1)
	if r.Err != nil {
		w.env.Report(w.Name(), "%v was answered with %v", k.command(op), r.Err)
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	wrong := misread(k.phases, op, r.Call, r.Return, op.answer(r))
	if wrong != "" {
		w.report(k.command(op), r, wrong, k.phases)
	}
	return wrong == ""
}

// readReplica reads a key from a replica and judges what it shows.
func (w *Expiry) readReplica(c *Client, k *expiryKey) {
	op := expiryOp{kind: "get"}
	r := c.Read(k.command(op)...)
	if r.Outcome != Done {
		return
	}
	w.judged.Add(1)
	if r.Err != nil {
		w.env.Report(w.Name(), "%v was answered with %v", k.command(op), r.Err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if wrong := misshown(k.phases, r.String(), r.Call, r.Return); wrong != "" {
		w.report(k.command(op), r, wrong, k.phases)
	}
}

// report says what is wrong unless the wall clock, by which servers expire keys,
// was set meanwhile.
func (w *Expiry) report(command []any, r Result, wrong string, phases []phase) {
	if w.clockWasSet() {
		return
	}
	s := ""
	for _, p := range phases[max(0, len(phases)-6):] {
		s += fmt.Sprintf("; from %v %v", between(p.call, p.ret), p.lives)
	}
	w.env.Report(w.Name(), "%s: %v of %s in %s was answered with %v%s", wrong, command, r.Node, between(r.Call, r.Return), r.Value, s)
}

func (w *Expiry) clockWasSet() bool {
	from, to := w.env.Clock.wall()
	return from > w.max+expirySkew/5 || to < w.min-expirySkew/5
}

// Check reads the keys that were used last.
func (w *Expiry) Check(ctx context.Context, c *Client) error {
	if w.clockWasSet() {
		return fmt.Errorf("%s: the wall clock was set during the round: what was to expire when is not known", w.Name())
	}
	for _, k := range w.recent {
		op := expiryOp{kind: "get"}
		r, err := c.Ask(ctx, k.command(op)...)
		if err != nil {
			return fmt.Errorf("%s: read %s back: %w", w.Name(), k.name, err)
		}
		w.judged.Add(1)
		if wrong := misread(k.phases, op, r.Call, r.Return, op.answer(r)); wrong != "" {
			w.report(k.command(op), r, wrong, k.phases)
		}
	}
	return nil
}

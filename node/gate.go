package node

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
)

// gate holds replies back until the writes they depend on are committed
// (DESIGN invariant 1). Outputs register the seq they wait for; commit
// releases them, reset cuts those whose writes were lost with the epoch.
//
// A generation is one term as primary. An output that registers for a term
// that is over is cut, whatever the seq: the same seq may by now belong to
// another primary's write.
type gate struct {
	mu        sync.Mutex
	gen       uint64
	committed uint64
	waiting   []gateBucket // ascending by seq

	// Chunks that were executed as primary and whose replies are not yet
	// judged and held; see settle.
	unsettled atomic.Int64
	settling  atomic.Pointer[chan struct{}]
}

type gateBucket struct {
	seq  uint64
	outs []*output
}

// hold registers out, whose oldest held reply executed in generation gen may
// leave once seq is committed.
func (g *gate) hold(gen, seq uint64, out *output) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case gen != g.gen:
		out.cut()
	case seq <= g.committed, broken.Is(broken.EarlyReply):
		out.release(seq)
	default:
		// Nearly always the newest seq; only reads of older uncommitted keys
		// land further up.
		i := sort.Search(len(g.waiting), func(i int) bool { return g.waiting[i].seq >= seq })
		if i == len(g.waiting) || g.waiting[i].seq != seq {
			g.waiting = append(g.waiting, gateBucket{})
			copy(g.waiting[i+1:], g.waiting[i:])
			g.waiting[i] = gateBucket{seq: seq}
		}
		g.waiting[i].outs = append(g.waiting[i].outs, out)
	}
}

// commit releases every output that waits for seq or less.
func (g *gate) commit(seq uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.committed = max(g.committed, seq)
	n := 0
	for n < len(g.waiting) && g.waiting[n].seq <= seq {
		for _, out := range g.waiting[n].outs {
			out.release(g.waiting[n].seq)
		}
		n++
	}
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
}

// reset ends the generation: everybody who still waits is cut, since what they
// wait for will not be committed by this node. It returns the new generation.
func (g *gate) reset(committed uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.waiting {
		for _, out := range b.outs {
			out.cut()
		}
	}
	g.waiting = nil
	g.committed = committed
	g.gen++
	return g.gen
}

// enter says that a chunk is being executed as primary; leave, that its replies
// have been judged and those that wait are held. enter is called under the
// engine's lock, so that none comes once the engine has no primary.
func (g *gate) enter() { g.unsettled.Add(1) }

func (g *gate) leave() {
	if g.unsettled.Add(-1) > 0 {
		return
	}
	if ch := g.settling.Load(); ch != nil {
		select {
		case *ch <- struct{}{}:
		default:
		}
	}
}

// settle waits, at most d, until every chunk that entered has left: a primary
// that hands over owes them an answer, which they lose with its lease.
func (g *gate) settle(d time.Duration) (settled bool) {
	ch := make(chan struct{}, 1)
	g.settling.Store(&ch)
	defer g.settling.Store(nil)
	timer := time.NewTimer(d)
	defer timer.Stop()
	for g.unsettled.Load() > 0 {
		select {
		case <-ch:
		case <-timer.C:
			return g.unsettled.Load() == 0
		}
	}
	return true
}

// waitingCount is the number of registrations, for INFO.
func (g *gate) waitingCount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, b := range g.waiting {
		n += len(b.outs)
	}
	return n
}

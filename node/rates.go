package node

import (
	"context"
	"time"
)

// lookEvery is how often a node looks at its counters and its heap (Redis's hz 10).
const lookEvery = 100 * time.Millisecond

// rate is how fast a counter grows, on average over its last samples.
type rate struct {
	last    uint64
	samples [16]float64 // a second
	next    int
}

// add takes the counter's value some time after the last one. A counter that is less
// has been set back.
func (r *rate) add(value uint64, after time.Duration) {
	grown := 0.0
	if value >= r.last && after > 0 {
		grown = float64(value-r.last) / after.Seconds()
	}
	r.last = value
	r.samples[r.next] = grown
	r.next = (r.next + 1) % len(r.samples)
}

func (r *rate) perSecond() float64 {
	sum := 0.0
	for _, s := range r.samples {
		sum += s
	}
	return sum / float64(len(r.samples))
}

// rates are those of INFO. The engine's lock guards them.
type rates struct{ commands, input, output rate }

// watchUse keeps the peak of the heap and the rates until ctx ends.
func (n *Node) watchUse(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		n.sawHeap(heapBytes() + uint64(n.engine.arenaStats().Allocated))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		now := time.Now()
		n.engine.sampleRates(now.Sub(last))
		last = now
	}
}

func (e *engine) sampleRates(after time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := &e.stats
	st.rates.commands.add(st.commands, after)
	st.rates.input.add(st.netInput.Load(), after)
	st.rates.output.add(st.netOutput.Load(), after)
}

package snapshot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Whatever was written, sealed, snapshotted and cleaned up, in any order: what
// loads is the live data as it was at that place, and with the rest of the log it
// is the live data. (Invariants 5 and 9.)
func TestAnySnapshotPlusLaterEntriesIsTheLiveState(t *testing.T) {
	objects := startObjects(t)
	for seed := range uint64(15) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := &randomRun{
				world: newWorldOn(t, t.Context(), objects, fmt.Sprintf("property-%d", seed)),
				rng:   rand.New(rand.NewPCG(seed, 0)),
			}
			for step := range 2 + r.rng.IntN(6) {
				r.step(fmt.Sprintf("s%d", step))
			}
			r.verifyAll()
		})
	}
}

type randomRun struct {
	*world
	rng     *rand.Rand
	cleaned bool // the start of the log may be gone
}

// between draws a number in [low, high].
func (r *randomRun) between(low, high uint64) uint64 { return low + r.rng.Uint64N(high-low+1) }

func (r *randomRun) step(name string) {
	r.writeRandom(r.rng, 1+r.rng.IntN(40))
	if sealed := r.log.sealedAt().Seq; r.rng.IntN(2) == 0 {
		r.seal(r.between(sealed+1, r.log.tail()))
	}
	switch r.rng.IntN(4) {
	case 0:
		m := r.create(name)
		if m.Shards[0].Digest != r.digest[r.log.tail()] || m.Shards[0].Position.Seq != r.log.tail() {
			r.t.Fatalf("a snapshot of the tail is %+v", m.Shards[0])
		}
	case 1:
		r.snapshotBack(name)
	case 2:
		r.cleanUp()
	}
	l := r.mustLoad()
	if l.Position.Seq < r.log.sealedAt().Seq {
		r.t.Fatalf("loaded only %v", l.Position)
	}
	r.goOn(l)
}

// positions are where the published snapshots stand, the lowest first.
func (r *randomRun) positions() (seqs []uint64) {
	all, err := r.repo.List(r.ctx)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	for _, s := range all {
		seqs = append(seqs, s.Manifest.Shards[0].Position.Seq)
	}
	slices.Sort(seqs)
	return seqs
}

// snapshotBack makes a snapshot of an earlier place that can still be reached.
func (r *randomRun) snapshotBack(name string) {
	lowest := uint64(1)
	if r.cleaned {
		lowest = r.positions()[0]
	}
	o := r.options(name)
	o.UpTo = r.between(lowest, r.log.tail())
	m, err := r.repo.Create(r.ctx, o)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	if s := m.Shards[0]; s.Digest != r.digest[o.UpTo] || s.Position.Seq != o.UpTo {
		r.t.Fatalf("a snapshot up to %d is %+v", o.UpTo, s)
	}
}

func (r *randomRun) cleanUp() {
	if len(r.positions()) == 0 {
		return
	}
	p, err := r.repo.PlanGC(r.ctx, GCOptions{Keep: 1 + r.rng.IntN(3), Heads: map[int]Head{0: r.log}, Grace: time.Nanosecond})
	if err == nil {
		_, err = r.repo.RunGC(r.ctx, p, nil)
	}
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	r.cleaned = true
}

func (r *randomRun) verifyAll() {
	seqs := r.positions()
	all, err := r.repo.List(r.ctx)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	for _, s := range all {
		// The lowest one has nothing before it once segments are cleaned up.
		replay := !r.cleaned || s.Manifest.Shards[0].Position.Seq > seqs[0]
		got, err := r.repo.Verify(r.ctx, s.Name, VerifyOptions{Replay: replay, Heads: map[int]Head{0: r.log}})
		if err != nil || len(got) != 1 || (got[0].ReplayedFrom != "") != replay {
			r.t.Fatalf("verify %s: %+v, %v", s.Name, got, err)
		}
	}
}

package nemesis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/cluster"
)

// TestEnded: a nemesis that is told to end while it lasts leaves nothing broken
// behind, on real processes: the shard becomes well without anybody's help.
func TestEnded(t *testing.T) {
	const lease = time.Second
	c := cluster.Start(t, cluster.Options{LeaseTTL: lease})
	ended := errors.New("told to end")
	for i, n := range All() {
		ctx, cancel := context.WithCancelCause(t.Context())
		r := fake(func(ev Event) {
			if ev.Name != n.Name || ev.Injected.IsZero() || ev.End.Before(ev.Injected) {
				t.Errorf("%+v", ev)
			}
		}, Nemesis{Name: n.Name, do: func(ctx context.Context, e *Env) error {
			done := make(chan struct{})
			watched := make(chan struct{})
			go func() {
				defer close(watched)
				select {
				case <-e.record.injected:
					cancel(ended)
				case <-done:
				}
			}()
			defer func() { close(done); <-watched }()
			return n.do(ctx, e)
		}})
		r.env = &Env{C: c, Lease: lease, Scale: 1, Log: t.Logf}
		began := time.Now()
		if err := r.step(ctx, Step{Nemesis: n.Name, Seed: uint64(i)}); !errors.Is(err, ended) {
			t.Errorf("%s ended with %v", n.Name, err)
		}
		told := time.Now()
		hctx, stop := context.WithTimeout(t.Context(), recoverWithin)
		err := c.WaitHealthy(hctx)
		stop()
		cancel(nil)
		if err != nil {
			t.Fatalf("%s left this: %v", n.Name, err)
		}
		t.Logf("%s: ended after %v, well after %v more", n.Name, told.Sub(began).Round(time.Millisecond), time.Since(told).Round(time.Millisecond))
	}
}

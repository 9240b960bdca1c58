package workload

import (
	"context"
	"testing"
	"time"
)

// TestProbe: a counter that lost an acknowledged increment, or has one that
// nobody sent, is found.
func TestProbe(t *testing.T) {
	env := shard(t, nil, nil)
	w := NewProbe(env)
	runFor(t, env, w, 500*time.Millisecond)
	expectClean(t, env, w)
	for _, by := range []int{-1, 2} {
		found := NewEnv(env.Targets, env.Prefix, env.Seed)
		w.env = found
		c := found.NewClient()
		if r, err := c.Ask(context.Background(), "INCRBY", found.key(w.Name()), by); err != nil || r.Outcome != Done {
			t.Fatalf("INCRBY %d: %+v, %v", by, r, err)
		}
		if err := w.Check(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		c.Close()
		expectFound(t, found, "the counter is")
	}
}

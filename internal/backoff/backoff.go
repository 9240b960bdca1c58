// Package backoff spaces out attempts at something that may be away for a while.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Bounds of a Backoff.
const (
	Min = 10 * time.Millisecond
	Max = time.Second
)

// Backoff is the wait before the next attempt: doubling from Min to Max, each a
// random part between half and whole, so that processes that lost something at the
// same moment do not come back at the same moment. The zero value is ready.
type Backoff struct{ wait time.Duration }

// Next is how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.wait = min(max(b.wait*2, Min), Max)
	return b.wait/2 + rand.N(b.wait/2)
}

// Reset is for an attempt that worked.
func (b *Backoff) Reset() { b.wait = 0 }

// Long tells that waits do not grow any more: one failed attempt is nothing, many in
// a row are somebody's business.
func (b *Backoff) Long() bool { return b.wait == Max }

// Sleep waits for d; it returns ctx's cause when ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

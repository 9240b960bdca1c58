package main

import (
	"context"
	"sync"
	"time"
)

// What attackers spend, all of them together, so that most of the processors is
// left to the node under attack and to etcd, which here share them with the attackers.
const (
	spendRate  = 64 << 20 // bytes a second
	spendBurst = 8 << 20  // bytes that may be spent at once after a rest
	costDial   = 24 << 10 // what a connection costs, in bytes
	costSend   = 2 << 10  // what a send costs beside its bytes
)

// budget is what all attackers may spend.
type budget struct {
	mu   sync.Mutex
	free time.Time // when all that was asked for so far is paid for
}

// charge takes n bytes out of the budget at now, and returns for how long
// whoever spends them has to wait.
func (b *budget) charge(now time.Time, n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	const rest = time.Second * spendBurst / spendRate
	if earliest := now.Add(-rest); b.free.Before(earliest) {
		b.free = earliest
	}
	b.free = b.free.Add(time.Duration(n) * time.Second / spendRate)
	return max(0, b.free.Sub(now))
}

// spend waits until n bytes may be spent; false when ctx ends first.
func (b *budget) spend(ctx context.Context, n int) bool {
	wait := b.charge(time.Now(), n)
	if wait == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

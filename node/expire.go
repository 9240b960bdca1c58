package node

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

const (
	// expireEvery is how often the primary looks for expired keys (hz 10).
	expireEvery = 100 * time.Millisecond
	// expireSample is how many keys with an expiry one round looks at in each
	// database under one hold of the engine's lock.
	expireSample = 200
	// expireStale is the share of expired keys in a sample above which another
	// round follows at once.
	expireStale = 0.1
	// expireRounds bounds the rounds of one cycle, so that a mass expiry leaves
	// most of the engine's time to clients.
	expireRounds = 20
)

// expireLoop deletes keys whose time has come and logs their deletion, which is
// how replicas lose them. It runs while this node is the primary.
func (e *engine) expireLoop(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for range expireRounds {
			if e.waitRoom(ctx) != nil || !e.expireRound(time.Now()) {
				break
			}
		}
	}
}

// expireRound looks at some keys of every database and deletes those that have
// expired, as one unit of the log. It reports whether there are likely more.
func (e *engine) expireRound(now time.Time) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.activeExpire || e.primary == nil {
		return false
	}
	if e.hold(now); e.ctx.Mode != command.Primary {
		return false
	}
	defer func() { e.latency.add("expire-cycle", e.ctx.Now, time.Since(now)) }()
	e.begin()
	for i := range e.ks.NumDBs() {
		sample := e.ks.DB(i).ExpireSample(now.UnixMilli(), expireSample)
		for _, key := range sample.Due {
			e.ctx.DeleteExpired(i, key)
		}
		more = more || sample.Stale() > expireStale
	}
	// The only error is the term's end, which the role loop is told, too.
	if _, err := e.finish(); err == nil {
		e.serveBlocked()
	}
	return more
}

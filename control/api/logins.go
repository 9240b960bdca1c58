package api

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// An address may fail failures times at once, and once more each failureEvery.
const (
	failures     = 20
	failureEvery = time.Second
	// maxAddresses are remembered; when there are more, all are forgotten.
	maxAddresses = 10_000
)

// logins bounds how often an address fails to log in. Guessing a token of 260 bits is
// hopeless anyway: this is for etcd, which is asked about each one.
type logins struct {
	mu   sync.Mutex
	from map[string]*rate.Limiter
}

func newLogins() *logins { return &logins{from: map[string]*rate.Limiter{}} }

// mayTry reports whether an address has failures left.
func (l *logins) mayTry(remote string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.from[hostOf(remote)]
	return limiter == nil || limiter.Tokens() >= 1
}

// failed counts one.
func (l *logins) failed(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	host := hostOf(remote)
	limiter := l.from[host]
	if limiter == nil {
		if len(l.from) >= maxAddresses {
			clear(l.from)
		}
		limiter = rate.NewLimiter(rate.Every(failureEvery), failures)
		l.from[host] = limiter
	}
	limiter.Allow()
}

func hostOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

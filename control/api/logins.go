package api

import (
	"context"
	"crypto/sha256"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// An address may fail failures times at once, and once more each failureEvery. Beyond
// that it is suspect.
const (
	failures     = 20
	failureEvery = time.Second
	// maxAddresses are remembered; when there are more, all are forgotten.
	maxAddresses = 10_000
	// maxSuspects are how many tokens from suspect addresses etcd is asked about at once.
	maxSuspects = 2
	// maxGood are remembered; when there are more, all are forgotten.
	maxGood = 1000
)

// logins bounds what failed logins cost. Guessing a token of 260 bits is hopeless anyway:
// this is for etcd, which is asked about each one.
//
// Many clients may share an address, that of a NAT or of a load balancer, so a suspect
// address is never refused as such: whoever has a valid token gets through. From there,
// a token that has just failed is not asked about again, and one that is not known waits
// in a line.
type logins struct {
	suspects chan struct{} // a place in it while etcd is asked

	mu   sync.Mutex
	from map[string]*failed
	good map[hash]bool // were valid, and may have been revoked since
}

// failed is what is known of an address that has failed.
type failed struct {
	left *rate.Limiter
	bad  map[hash]bool // some of the tokens that failed
}

type hash = [sha256.Size]byte

func hashOf(text string) hash { return sha256.Sum256([]byte(text)) }

func newLogins() *logins {
	return &logins{suspects: make(chan struct{}, maxSuspects), from: map[string]*failed{}, good: map[hash]bool{}}
}

// begin is called before etcd is asked about a token. It waits for a place if the address
// is suspect, which end gives back. A token that just failed is errTooMany.
func (l *logins) begin(ctx context.Context, remote, text string) (end func(), err error) {
	suspect, bad := l.look(remote, text)
	switch {
	case bad:
		return nil, errTooMany
	case !suspect:
		return func() {}, nil
	}
	select {
	case l.suspects <- struct{}{}:
		return func() { <-l.suspects }, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}

// look reports whether a token is from an address that has failed too often, and not
// known; and whether it has just failed there.
func (l *logins) look(remote, text string) (suspect, bad bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.from[hostOf(remote)]
	if f == nil || f.left.Tokens() >= 1 {
		return false, false
	}
	h := hashOf(text)
	return !l.good[h], f.bad[h]
}

// succeeded notes a token that is valid.
func (l *logins) succeeded(remote, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.good) >= maxGood {
		clear(l.good)
	}
	h := hashOf(text)
	l.good[h] = true
	if f := l.from[hostOf(remote)]; f != nil {
		delete(f.bad, h)
	}
}

// failed counts a request without a valid token, and returns its answer.
func (l *logins) failed(remote, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	host := hostOf(remote)
	f := l.from[host]
	if f == nil {
		if len(l.from) >= maxAddresses {
			clear(l.from)
		}
		f = &failed{left: rate.NewLimiter(rate.Every(failureEvery), failures), bad: map[hash]bool{}}
		l.from[host] = f
	}
	if len(f.bad) >= failures {
		clear(f.bad)
	}
	h := hashOf(text)
	f.bad[h] = true
	delete(l.good, h)
	if !f.left.Allow() {
		return errTooMany
	}
	return errUnauthenticated
}

// hostOf is the address of an address with a port.
func hostOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

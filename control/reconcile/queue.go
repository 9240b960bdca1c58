package reconcile

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Bounds of the wait after failures of a key.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = 30 * time.Second
)

// queue hands out keys to workers: each key to one worker at a time, once for any
// number of wishes that came before, and again after a while if that was asked for. A
// key that fails waits longer each time, with jitter.
type queue struct {
	mu     sync.Mutex
	ready  []string
	keys   map[string]*queued
	wake   chan struct{} // capacity 1: ready is not empty
	closed bool
}

type queued struct {
	waiting bool // it is in ready
	working bool
	again   bool // it was wished for while it was worked on
	timer   *time.Timer
	fails   int
}

func newQueue() *queue { return &queue{keys: map[string]*queued{}, wake: make(chan struct{}, 1)} }

// add wishes for a key now.
func (q *queue) add(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.push(key)
}

func (q *queue) push(key string) {
	if q.closed {
		return
	}
	k := q.keys[key]
	if k == nil {
		k = &queued{}
		q.keys[key] = k
	}
	k.stopTimer()
	switch {
	case k.working:
		k.again = true
	case !k.waiting:
		k.waiting = true
		q.ready = append(q.ready, key)
		q.signal()
	}
}

func (k *queued) stopTimer() {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for a key. ok is false when ctx has ended.
func (q *queue) next(ctx context.Context) (key string, ok bool) {
	for {
		q.mu.Lock()
		if len(q.ready) > 0 {
			key, q.ready = q.ready[0], q.ready[1:]
			k := q.keys[key]
			k.waiting, k.working = false, true
			if len(q.ready) > 0 {
				q.signal()
			}
			q.mu.Unlock()
			return key, ctx.Err() == nil
		}
		q.mu.Unlock()
		select {
		case <-q.wake:
		case <-ctx.Done():
			return "", false
		}
	}
}

// done gives a key back. It comes again after a while, 0 for not by itself, or after
// the wait that its failures have earned.
func (q *queue) done(key string, again time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.keys[key]
	k.working = false
	if err != nil {
		again = min(minRetry<<min(k.fails, 16), maxRetry)
		again = again/2 + rand.N(again/2)
		k.fails++
		k.again = false
	} else {
		k.fails = 0
	}
	switch {
	case k.again:
		k.again = false
		q.push(key)
	case again > 0 && !q.closed:
		k.timer = time.AfterFunc(again, func() { q.add(key) })
	default:
		delete(q.keys, key)
	}
}

// close ends all timers. Nothing comes any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, k := range q.keys {
		k.stopTimer()
	}
}

// depth is how many keys wait for a worker.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready)
}

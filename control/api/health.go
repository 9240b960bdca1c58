package api

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	healthTimeout = 2 * time.Second
	// healthKept is for how long an answer is: anybody may ask, and etcd is asked.
	healthKept = time.Second
)

// wellness is the last look at etcd.
type wellness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// healthy is the answer of /healthz.
type healthy struct {
	Status string `json:"status"` // "ok"; else the answer is a problem
}

// health says whether requests can be answered: whether etcd does.
func (a *API) health(r *request) (reply, error) {
	a.well.mu.Lock()
	defer a.well.mu.Unlock()
	if time.Since(a.well.at) > healthKept {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), healthTimeout)
		defer cancel()
		_, a.well.err = a.etcd.Get(ctx, "/redoubt-control/health")
		a.well.at = time.Now()
	}
	if a.well.err != nil {
		return reply{}, fmt.Errorf("etcd: %w", a.well.err)
	}
	return ok(healthy{Status: "ok"}), nil
}

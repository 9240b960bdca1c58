package reconcile

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"
)

// ErrPermanent marks errors of jobs that will be the same the next time.
var ErrPermanent = errors.New("reconcile: cannot be done")

// jobs runs long work: a few at a time, and one at a time for each cluster.
type jobs struct {
	ctx   context.Context
	slots chan struct{}
	now   func() time.Time

	mu      sync.Mutex
	all     map[string]map[string]*job // by cluster and key
	turns   map[string]chan struct{}   // by cluster, capacity 1
	running sync.WaitGroup
}

type job struct {
	Job
	result any
}

func newJobs(ctx context.Context, atOnce int, now func() time.Time) *jobs {
	return &jobs{
		ctx: ctx, slots: make(chan struct{}, atOnce), now: now,
		all: map[string]map[string]*job{}, turns: map[string]chan struct{}{},
	}
}

// start begins a job unless it runs or is done. Then, and whenever its progress
// changes, changed is called.
func (j *jobs) start(cluster, key string, do func(ctx context.Context, progress func(string)) (any, error), changed func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.all[cluster] == nil {
		j.all[cluster], j.turns[cluster] = map[string]*job{}, make(chan struct{}, 1)
	}
	one := j.all[cluster][key]
	if one == nil {
		one = &job{}
		j.all[cluster][key] = one
	}
	if one.Running || one.Done {
		return
	}
	one.Running, one.Progress = true, "waits for its turn"
	turn := j.turns[cluster]
	j.running.Go(func() {
		defer changed()
		var result any
		err := j.inTurn(turn, func() (err error) {
			result, err = do(j.ctx, func(text string) {
				j.mu.Lock()
				one.Progress = text
				j.mu.Unlock()
			})
			return err
		})
		j.end(one, result, err)
	})
}

// inTurn calls do when it is the cluster's turn and a slot is free.
func (j *jobs) inTurn(turn chan struct{}, do func() error) error {
	for _, c := range []chan struct{}{turn, j.slots} {
		select {
		case c <- struct{}{}:
			defer func() { <-c }()
		case <-j.ctx.Done():
			return context.Cause(j.ctx)
		}
	}
	return do()
}

func (j *jobs) end(one *job, result any, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	one.Running, one.Progress = false, ""
	one.Tries++
	if err == nil {
		one.Done, one.Err, one.result = true, "", result
		return
	}
	one.Err = strings.TrimSpace(err.Error())
	one.Permanent = errors.Is(err, ErrPermanent)
	one.RetryAt = j.now().Add(min(time.Second<<min(one.Tries, 10), 5*time.Minute))
}

// of is what is known of a cluster's jobs.
func (j *jobs) of(cluster string) map[string]Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[string]Job{}
	for key, one := range j.all[cluster] {
		out[key] = one.Job
	}
	return out
}

// result is what a job that is done has made.
func (j *jobs) result(cluster, key string) any {
	j.mu.Lock()
	defer j.mu.Unlock()
	if one := j.all[cluster][key]; one != nil {
		return one.result
	}
	return nil
}

// forget drops what is known of a job that does not run, of all of a cluster if key
// is "".
func (j *jobs) forget(cluster, key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.DeleteFunc(j.all[cluster], func(k string, one *job) bool { return !one.Running && (key == "" || k == key) })
	if len(j.all[cluster]) == 0 {
		delete(j.all, cluster)
		delete(j.turns, cluster)
	}
}

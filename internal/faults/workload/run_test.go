package workload

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// shard is a redis-server and its replica as a workload's targets. The lies,
// which may be nil, are what each of them tells.
func shard(t *testing.T, primary, replica lie) *Env {
	t.Helper()
	first := testenv.StartRedis(t, "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(first.Addr)
	if err != nil {
		t.Fatal(err)
	}
	second := testenv.StartRedis(t, "--replicaof", host+" "+port)
	db := redis.NewClient(&redis.Options{Addr: first.Addr, PoolSize: 1})
	defer db.Close()
	// A link that is up is not enough: the primary may hold back what comes
	// after the first copy for another second.
	testenv.Eventually(t, 30*time.Second, "the replica follows", func(ctx context.Context) error {
		if err := db.Incr(ctx, "follows").Err(); err != nil {
			return err
		}
		if n, err := db.Wait(ctx, 1, 100*time.Millisecond).Result(); err != nil || n < 1 {
			return fmt.Errorf("%d replicas have it (error %v)", n, err)
		}
		return nil
	})
	addrs := [2]string{}
	for i, l := range [2]lie{primary, replica} {
		role, addr := lie(asPrimary), first.Addr
		if i == 1 {
			role, addr = asReplica, second.Addr
		}
		if l != nil {
			role = role.then(l)
		}
		addrs[i] = newLiar(t, addr, role)
	}
	return newEnv(Target{"node-0", addrs[0]}, Target{"node-1", addrs[1]})
}

// newEnv is an Env whose clients hardly pause.
func newEnv(targets ...Target) *Env {
	env := NewEnv(targets, "t:", 1)
	env.Think = time.Millisecond
	return env
}

// breakOften breaks all connections through a proxy many times a second until
// the function that it returns is called. Answers are delayed, so that most of the
// time something is in flight.
func breakOften(proxy *testenv.Proxy) (end func()) {
	proxy.Delay(testenv.Down, 2*time.Millisecond)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				proxy.Reset()
			case <-stop:
				return
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
		proxy.Heal()
	}
}

// enoughJudged is how many operations a test needs to tell anything.
const enoughJudged = 300

// broken is enough when some outcomes were unknown.
func broken(env *Env) func() bool {
	return func() bool { return env.Answers.Counts().Unknown >= 10 }
}

// runFor runs a workload for d, longer on a slow machine until it has judged enough
// and everything else is enough, or until it has found something; and judges it.
func runFor(t *testing.T, env *Env, w Workload, d time.Duration, enough ...func() bool) {
	t.Helper()
	something := func() bool {
		select {
		case <-env.Found():
			return true
		default:
			return false
		}
	}
	runUntil(t, env, w, d, something, enough...)
}

// runUntilFound runs a workload likewise, but until it has found one of these: what
// else a lie brings to light may come first. It fails the test when none was found.
func runUntilFound(t *testing.T, env *Env, w Workload, d time.Duration, what ...string) {
	t.Helper()
	runUntil(t, env, w, d, func() bool {
		kept, _ := env.List()
		return found(env, what...) || len(kept) >= maxViolations/2 // what the end shows must be kept, too
	})
	expectFound(t, env, what...)
}

func runUntil(t *testing.T, env *Env, w Workload, d time.Duration, over func() bool, enough ...func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Minute)
	defer cancel()
	enough = append(enough, func() bool { return w.Operations() >= enoughJudged })
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		short := func(is func() bool) bool { return !is() }
		for !over() && (time.Since(began) < d || slices.ContainsFunc(enough, short)) {
			select {
			case <-ctx.Done():
				t.Errorf("after %v too little has happened: %d operations judged, %+v", d+time.Minute, w.Operations(), env.Answers.Counts())
				return
			case <-tick.C:
			}
		}
	})
	env.Run(ctx, []Workload{w})
	wg.Wait()
	ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := env.NewClient()
	defer c.Close()
	if err := w.Check(ctx, c); err != nil {
		t.Fatalf("%s: %v", w.Name(), err)
	}
}

// expectClean fails the test when anything was found, or too little judged.
func expectClean(t *testing.T, env *Env, w Workload) {
	t.Helper()
	kept, more := env.List()
	for _, v := range kept {
		t.Errorf("found %v", v)
	}
	if more > 0 {
		t.Errorf("and %d more", more)
	}
	if n := w.Operations(); n < enoughJudged {
		t.Errorf("only %d operations were judged", n)
	}
}

// expectFound fails the test unless something was found, and said to be one of
// these.
func expectFound(t *testing.T, env *Env, what ...string) {
	t.Helper()
	if !found(env, what...) {
		kept, _ := env.List()
		t.Errorf("no violation says %q, of %d: %v", what, len(kept), kept)
	}
}

// found tells whether a violation was said to be one of these.
func found(env *Env, what ...string) bool {
	kept, _ := env.List()
	for _, v := range kept {
		for _, s := range what {
			if strings.Contains(v.What, s) {
				return true
			}
		}
	}
	return false
}

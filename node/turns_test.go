package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestTurnLength(t *testing.T) {
	const short = 20 * time.Microsecond
	many := func(n int, d ...time.Duration) []time.Duration { return slices.Repeat(d, n) }
	for _, tc := range []struct {
		name       string
		turns      []time.Duration
		slow, fast bool // whether the next turn is expected to be long if it asks for slow or fast commands
	}{
		{name: "new", slow: true},
		{name: "new and short", turns: many(turnMemory-1, short), slow: true},
		{name: "short", turns: many(turnMemory, short)},
		{name: "once without a processor", turns: append(many(turnMemory, short), time.Second)},
		{name: "slow", turns: many(2, time.Second), slow: true, fast: true},
		{name: "slow among short", turns: many(20, short, 5*time.Millisecond), slow: true, fast: true},
		{name: "somewhat slow", turns: many(20, longTurn*3/2), slow: true, fast: true},
		{name: "slow once upon a time", turns: append(many(100, time.Second), many(20, short)...)},
	} {
		var l turnLength
		for _, d := range tc.turns {
			l.note(d)
		}
		slow, fast := l.long(func() bool { return false }), l.long(func() bool { return true })
		if slow != tc.slow || fast != tc.fast {
			t.Errorf("%s: average %v, long: %v for slow commands, %v for fast ones, want %v and %v", tc.name, l.average, slow, fast, tc.slow, tc.fast)
		}
	}
}

func TestChunkIsFast(t *testing.T) {
	table := Table()
	for _, tc := range []struct {
		name     string
		requests [][]string
		want     bool
	}{
		{"nothing", nil, true},
		{"fast ones", [][]string{{"GET", "a"}, {"SETNX", "a", "b"}, {"INCR", "c"}}, true},
		{"a slow one", [][]string{{"GET", "a"}, {"KEYS", "*"}}, false},
		{"a subcommand", [][]string{{"CLIENT", "LIST"}}, false},
		{"an unknown one", [][]string{{"NOSUCH"}}, false},
		{"many arguments", [][]string{append([]string{"MGET"}, make([]string, fewArgs)...)}, false},
		{"long arguments", [][]string{{"SETNX", "a", strings.Repeat("v", fewBytes)}}, false},
	} {
		var ch chunk
		for _, r := range tc.requests {
			for _, a := range r {
				ch.args = append(ch.args, []byte(a))
			}
			ch.ends = append(ch.ends, len(ch.args))
		}
		if got := ch.fast(table); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// Whoever takes short turns waits for a turn or two of those who take long ones,
// however many those are.
func TestShortTurnsDoNotWaitForAllLongOnes(t *testing.T) {
	const crowd, tries = 40, 25
	var (
		mu   sync.Mutex
		ts   = turns{mu: &mu}
		long atomic.Int64 // turns of the crowd
		stop atomic.Bool
		wg   sync.WaitGroup
	)
	for range crowd {
		wg.Go(func() {
			for !stop.Load() {
				ts.take(true)
				long.Add(1)
				for start := time.Now(); time.Since(start) < 2*time.Millisecond; {
				}
				ts.end(true)
			}
		})
	}
	testenv.Eventually(t, time.Minute, "the crowd to take turns", func(context.Context) error {
		if n := long.Load(); n < 2*crowd {
			return fmt.Errorf("%d turns", n)
		}
		return nil
	})
	var waited []int64
	for range tries {
		before := long.Load()
		ts.take(false)
		waited = append(waited, long.Load()-before)
		ts.end(false)
	}
	stop.Store(true)
	wg.Wait()
	// The median: now and then the scheduler keeps this goroutine from asking.
	slices.Sort(waited)
	if median := waited[tries/2]; median > 3 {
		t.Errorf("a short turn had to wait for %d long ones (of all tries: %v)", median, waited)
	}
}

// Beside connections with pipelines of slow commands, a client that asks for
// little waits for a few of those commands and not for one of each connection.
func TestSmallRequestsBesideSlowPipelines(t *testing.T) {
	const crowd, tries = 24, 9
	n := startNode(t, func(c *Config) { c.LeaseTTL = 30 * time.Second })
	small := talk(t, n)
	small.nc.SetDeadline(time.Time{}) // the race detector makes it slow
	// One or two such LCS take maxHold, which ends a turn.
	small.ask("SET k " + strings.Repeat("lcs!", 200))
	var slow atomic.Int64 // commands that were answered
	var wg sync.WaitGroup
	for range crowd {
		c := talk(t, n)
		c.nc.SetDeadline(time.Time{})
		wg.Go(func() {
			const pipelined = 8
			for {
				if _, err := io.WriteString(c.nc, strings.Repeat("LCS k k LEN\r\n", pipelined)); err != nil {
					return // the end, below
				}
				for range pipelined {
					if _, err := c.r.ReadString('\n'); err != nil {
						return
					}
					slow.Add(1)
				}
			}
		})
	}
	testenv.Eventually(t, 5*time.Minute, "the crowd to be served", func(context.Context) error {
		if n := slow.Load(); n < crowd {
			return fmt.Errorf("%d slow commands", n)
		}
		return nil
	})
	var waited []int64
	for range tries {
		before := slow.Load()
		small.ask("STRLEN k")
		waited = append(waited, slow.Load()-before)
	}
	n.server.each(func(c *conn) { c.out.end(net.ErrClosed) })
	wg.Wait()
	slices.Sort(waited)
	if median := waited[tries/2]; median > crowd/2 {
		t.Errorf("beside %d connections with slow pipelines, a small request waited for %d slow commands (of all tries: %v)", crowd, median, waited)
	}
}

package node

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for d := time.Duration(1); d < 2*time.Hour; d += d/64 + 1 {
		b := bucketOf(d)
		if b < last || b >= octaves*subBuckets {
			t.Fatalf("%v is in bucket %d, a shorter one in %d", d, b, last)
		}
		if b < octaves*subBuckets-1 && (upTo(b) < d || d > 2*shortest && upTo(b) > d+d/subBuckets+1) {
			t.Fatalf("%v is in the bucket that ends at %v", d, upTo(b))
		}
		last = b
	}
}

// Percentiles are within a bucket's width of those of the sorted durations.
func TestPercentiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := &histogram{}
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(rng.ExpFloat64() * float64(time.Millisecond))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, p := range []float64{50, 99, 99.9} {
		want := all[int(p/100*float64(len(all)))-1]
		if got := h.percentile(p); got < want || got > want+want/8+2*shortest {
			t.Errorf("p%v: %v, want about %v", p, got, want)
		}
	}
	if (&histogram{}).percentile(50) != 0 {
		t.Error("a percentile of nothing")
	}
	sum, last := uint64(0), time.Duration(0)
	h.cumulative(func(limit time.Duration, n uint64) {
		if want := 2 * max(last, shortest); last > 0 && limit < want || n <= sum {
			t.Errorf("%d up to %v after %d up to %v", n, limit, sum, last)
		}
		if below, _ := slices.BinarySearch(all, limit); uint64(below) != n {
			t.Errorf("%d up to %v, there are %d", n, limit, below)
		}
		sum, last = n, limit
	})
	if sum != h.n {
		t.Errorf("%d of %d", sum, h.n)
	}
}

func TestShownArgs(t *testing.T) {
	many := strings.Fields(strings.Repeat("a ", 40))
	for request, want := range map[string]string{
		"get a":                               "get a",
		"set k " + strings.Repeat("x", 130):   "set k " + strings.Repeat("x", 128) + "... (2 more bytes)",
		"del " + strings.Join(many[:31], " "): "del " + strings.Join(many[:31], " "),
		"del " + strings.Join(many, " "):      "del " + strings.Join(many[:30], " ") + " ... (10 more arguments)",
		"auth secret":                         "auth (redacted)",
		"auth name secret":                    "auth (redacted) (redacted)",
		"hello 3 setname n auth u p":          "hello 3 setname n auth (redacted) (redacted)",
		"hello 3":                             "hello 3",
		"config set timeout 1 Requirepass p":  "config set timeout 1 Requirepass (redacted)",
	} {
		var args [][]byte
		for _, w := range strings.Fields(request) {
			args = append(args, []byte(w))
		}
		cmd, err := Table().Lookup(args)
		if err != nil {
			t.Fatal(request, err)
		}
		if got := strings.Join(shownArgs(cmd, args), " "); got != want {
			t.Errorf("%s\n is shown as %s\n want        %s", request, got, want)
		}
	}
}

func TestLatencyMonitor(t *testing.T) {
	m := &latencyMonitor{}
	m.add("command", 1000, time.Hour)
	if len(m.events) != 0 {
		t.Error("something is kept without a threshold")
	}
	m.threshold = 10
	for _, s := range [][2]int64{{1000, 9}, {1000, 20}, {1900, 30}, {1950, 25}, {2000, 11}} {
		m.add("command", s[0], time.Duration(s[1])*time.Millisecond)
	}
	want := []latencySample{{1, 30}, {2, 11}}
	if e := m.events["command"]; !reflect.DeepEqual(e.samples, want) || e.max != 30 {
		t.Errorf("%+v", e)
	}
	for i := range int64(latencyKept + 5) {
		m.add("fast-command", 1000*i, time.Second)
	}
	if e := m.events["fast-command"]; len(e.samples) != latencyKept || e.samples[0].at != 6 { // each ended a second later
		t.Errorf("%d samples from %v", len(e.samples), e.samples[0])
	}
	if !strings.Contains(m.report(), "command: in 2 different seconds, 20 ms on average, 30 ms at most") {
		t.Error(m.report())
	}
	if n := m.reset("nosuch", "command"); n != 1 || len(m.names()) != 1 {
		t.Errorf("forgot %d, left %v", n, m.names())
	}
	if n := m.reset(); n != 1 || len(m.names()) != 0 {
		t.Errorf("forgot %d, left %v", n, m.names())
	}
}

// INFO counts commands of transactions one by one, refusals by themselves, and
// errors by their names.
func TestCommandStats(t *testing.T) {
	n := startNode(t, nil)
	c := commandtest.Dial(t, n.Addr())
	c.Do("config", "resetstat")
	for _, request := range []string{
		"set a x", "incr a", "hset a f v", "get", "nosuch", "multi", "get a", "incr a", "exec", "config get port",
	} {
		c.Do(words(request)...)
	}
	info := string(c.Do("info", "commandstats", "errorstats"))
	for name, want := range map[string]string{
		"cmdstat_set": "calls=1 rejected=0 failed=0", "cmdstat_incr": "calls=2 rejected=0 failed=2",
		"cmdstat_hset": "calls=1 rejected=0 failed=1", "cmdstat_get": "calls=1 rejected=1 failed=0",
		"cmdstat_exec": "calls=1 rejected=0 failed=0", "cmdstat_config|get": "calls=1 rejected=0 failed=0",
		"errorstat_ERR": "count=4", "errorstat_WRONGTYPE": "count=1",
	} {
		got := "missing"
		for line := range strings.Lines(info) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
				got = value
			}
		}
		var calls, usec, rejected, failed int
		var per float64
		if _, err := fmt.Sscanf(got, "calls=%d,usec=%d,usec_per_call=%f,rejected_calls=%d,failed_calls=%d", &calls, &usec, &per, &rejected, &failed); err == nil {
			got = fmt.Sprintf("calls=%d rejected=%d failed=%d", calls, rejected, failed)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestNumbersOfCommands(t *testing.T) {
	seen := map[int]string{}
	note := func(c *command.Command) {
		if other := seen[c.Number()]; other != "" {
			t.Errorf("%s and %s have one number", other, c.FullName())
		}
		seen[c.Number()] = c.FullName()
	}
	for _, c := range Table().All() {
		note(c)
		for _, s := range c.Sub {
			note(s)
		}
	}
	for i := range len(seen) {
		if seen[i] == "" {
			t.Errorf("number %d is nobody's", i)
		}
	}
}

// Fast commands of one pipeline share the time that they took; with a slow log that
// is to have such, each has its own.
func TestFastCommandsShareTheClock(t *testing.T) {
	n := startNode(t, nil)
	c := talk(t, n)
	c.send(strings.Repeat("GET k\r\n", 50) + "STRLEN k")
	for range 50 {
		c.line()
	}
	c.line()
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	get, strlen := n.engine.stats.of(n.engine.table.Find([]byte("get"))), n.engine.stats.of(n.engine.table.Find([]byte("strlen")))
	if get.calls != 50 || get.total <= 0 || get.latency.n != 50 || strlen.total <= 0 || len(n.engine.untimed) > 0 {
		t.Errorf("GET %+v, STRLEN %+v, %d without a time", get, strlen, len(n.engine.untimed))
	}
	row := n.engine.table.Find([]byte("get"))
	if n.engine.timesAlone(row, nil) {
		t.Error("a GET is timed alone")
	}
	n.engine.slowlog.slowerThan = 10
	if !n.engine.timesAlone(row, nil) {
		t.Error("a slow log of GETs is made of shared times")
	}
}

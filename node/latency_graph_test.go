package node

import (
	"regexp"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// TestLatencyGraphEqualsRedis draws one column, and then one more of another height.
func TestLatencyGraphEqualsRedis(t *testing.T) {
	redis := testenv.StartRedis(t, "--enable-debug-command", "local")
	n := startNode(t, nil)
	var clients [2]*commandtest.Client
	for i, addr := range []string{n.Addr(), redis.Addr} {
		c := commandtest.Dial(t, addr)
		c.Do("CONFIG", "SET", "latency-monitor-threshold", "90")
		clients[i] = c
	}
	number := regexp.MustCompile(`[0-9]+`)
	for _, seconds := range []string{"0.1", "1.1"} { // which end in different seconds
		var drawn [2]string
		for i, c := range clients {
			c.Do("DEBUG", "SLEEP", seconds)
			v, err := commandtest.Parse(c.Do("LATENCY", "GRAPH", "command"))
			if err != nil {
				t.Fatal(err)
			}
			drawn[i] = number.ReplaceAllString(v.Text, "0")
		}
		if drawn[0] != drawn[1] {
			t.Errorf("after %s s\n got  %q\n want %q", seconds, drawn[0], drawn[1])
		}
	}
}

func TestLatencyGraph(t *testing.T) {
	e := latencyEvent{max: 900}
	for i, ms := range []int64{100, 200, 290, 300, 100, 150} {
		e.samples = append(e.samples, latencySample{at: 1000 + int64(i), ms: ms})
	}
	e.samples[0].at, e.samples[1].at = 1010-2*24*3600, 1010-7200
	e.samples[2].at = 1010 - 60
	const want = "ev - high 300 ms, low 100 ms (all time high 900 ms)\n" +
		"--------------------------------------------------------------------------------\n" +
		"  ##  \n" +
		" _||  \n" +
		" ||| _\n" +
		"_|||_|\n" +
		"      \n" +
		"221765\n" +
		"dhmsss\n"
	if got := e.graph("ev", 1010); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for range 100 {
		e.samples = append(e.samples, e.samples[5])
	}
	if got := e.graph("ev", 1010); len(regexp.MustCompile(`(?m)^ {26}$`).FindAllString(got, -1)) == 0 {
		t.Errorf("106 samples are not drawn in two lines:\n%s", got)
	}
}

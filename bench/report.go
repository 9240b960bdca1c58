package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// row is one contestant's result in one case.
type row struct {
	Case   benchCase
	Server string
	result
}

// table is the rows of one set, in the order measured.
type table struct {
	title string
	rows  []row
}

func (t *table) add(c benchCase, contestants []contestant, results []result) {
	for i, r := range results {
		t.rows = append(t.rows, row{c, contestants[i].name, r})
	}
}

// find returns a server's row in a case, nil when it did not run.
func (t *table) find(c benchCase, server string) *row {
	for i := range t.rows {
		if t.rows[i].Case == c && t.rows[i].Server == server {
			return &t.rows[i]
		}
	}
	return nil
}

// ratio returns one server's throughput over another's, NaN when one of them did
// not run or is a probe, which serves nobody.
func (t *table) ratio(c benchCase, server, other string) float64 {
	a, b := t.find(c, server), t.find(c, other)
	if a == nil || b == nil || b.Ops == 0 || strings.HasPrefix(server, rawPrefix) {
		return math.NaN()
	}
	return a.Ops / b.Ops
}

// write prints the table as Markdown. Its last columns are throughput as a
// multiple of the redis-servers' in the same case.
func (t *table) write(w io.Writer) {
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## %s\n\n", t.title)
	fmt.Fprintln(w, "| load | -c | -P | server | requests/s | (min to max) | p50 ms | p99 ms | server CPU µs | all CPU µs | of redis | of always | of WAIT 2 |")
	fmt.Fprintln(w, "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range t.rows {
		cells := []string{
			r.Case.Op, fmt.Sprint(r.Case.Clients), fmt.Sprint(r.Case.Pipeline), r.Server,
			thousands(r.Ops), thousands(r.minOps) + " to " + thousands(r.maxOps),
			millis(r.P50), millis(r.P99), micros(r.ServerCPU), micros(r.AllCPU),
		}
		for _, other := range []string{redisPlain, redisAlways, redisWait} {
			cells = append(cells, times(t.ratio(r.Case, r.Server, other)))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// goal compares one number of the run with what Redoubt aims for.
type goal struct {
	text  string
	value float64 // NaN: not measured
	bound float64
	most  bool // the bound is an upper one
}

func (g goal) met() bool {
	if g.most {
		return g.value <= g.bound
	}
	return g.value >= g.bound
}

// goals evaluates what can be from the tables of a run.
func goals(single, three *table) []goal {
	var all []goal
	busy := func(op string, pipeline int) benchCase { return benchCase{op, 50, pipeline} }
	add := func(t *table, text string, c benchCase, server, other string, bound float64) {
		all = append(all, goal{
			text: fmt.Sprintf("%s, -P %d, against %s", text, c.Pipeline, other), value: t.ratio(c, server, other), bound: bound,
		})
	}
	add(single, "GET", busy(opGet, 1), redoubtOne, redisPlain, 1.0)
	add(single, "GET", busy(opGet, 16), redoubtOne, redisPlain, 1.3)
	add(single, "SET, one etcd member", busy(opSet, 1), redoubtOne, redisAlways, 0.8)
	add(single, "SET, one etcd member", busy(opSet, 16), redoubtOne, redisAlways, 1.0)
	add(three, "SET, three etcd members", busy(opTrio, 1), redoubtTri, redisWait, 1.0)
	add(three, "SET, three etcd members", busy(opTrio, 16), redoubtTri, redisWait, 1.0)
	lone := benchCase{opSet, 1, 1}
	for _, s := range []struct {
		table  *table
		server string
	}{{single, redoubtOne}, {three, redoubtTri}} {
		g := goal{text: "p50 of SET with one client, " + s.server + ", against the raw transaction", value: math.NaN(), bound: 1.2, most: true}
		if a, b := s.table.find(lone, s.server), s.table.find(lone, rawTxn); a != nil && b != nil {
			g.value = float64(a.P50) / float64(b.P50)
		}
		all = append(all, g)
	}
	return all
}

func writeGoals(w io.Writer, all []goal) {
	fmt.Fprint(w, "\n## Where that stands against the goals\n\n| goal | measured | wanted | |\n|---|--:|--:|---|\n")
	for _, g := range all {
		sign, verdict := "≥", "met"
		if g.most {
			sign = "≤"
		}
		switch {
		case math.IsNaN(g.value):
			verdict = "not measured"
		case !g.met():
			verdict = "missed"
		}
		fmt.Fprintf(w, "| %s | %s | %s %.2f | %s |\n", g.text, times(g.value), sign, g.bound, verdict)
	}
}

// thousands prints a rate with separators: 1,234,567.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func times(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }

func micros(d time.Duration) string {
	if d < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Microsecond))
}

package main

import (
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseCSV(t *testing.T) {
	const out = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","124999.99","0.119","0.040","0.071","0.151","3.879","3.903"
"GET","200000.00","0.060","0.024","0.063","0.095","0.127","0.135"
`
	got, err := parseCSV(out, "GET")
	want := sample{Ops: 200000, P50: 63 * time.Microsecond, P99: 127 * time.Microsecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for name, bad := range map[string]string{
		"nothing":          "",
		"a server's error": "Error from server: ERR unknown command 'x', with args beginning with: 'y' \n",
		"only the header":  `"test","rps","p50_latency_ms","p99_latency_ms"` + "\n",
		"a column less":    "\"test\",\"rps\",\"p50_latency_ms\"\n\"GET\",\"1\",\"2\"\n",
		"another test":     "\"test\",\"rps\"\n\"SET\",\"1\"\n",
		"no header":        "\"GET\",\"1\",\"2\",\"3\"\n",
		"a quote":          "\"GET\n",
	} {
		if s, err := parseCSV(bad, "GET"); !errors.Is(err, errNoResult) {
			t.Errorf("%s: %+v, %v, want %v", name, s, err, errNoResult)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		in := slices.Clone(c.in)
		if got := median(in); got != c.want || !slices.Equal(in, c.in) {
			t.Errorf("median(%v) = %v, want %v; the slice must stay, it is %v", c.in, got, c.want, in)
		}
	}
}

func TestSummarize(t *testing.T) {
	got := summarize([]sample{
		{Requests: 7, Ops: 10, P50: 1, P99: 30, ServerCPU: unknown, AllCPU: 5},
		{Requests: 7, Ops: 30, P50: 3, P99: 10, ServerCPU: unknown, AllCPU: 7},
		{Requests: 7, Ops: 20, P50: 2, P99: 20, ServerCPU: unknown, AllCPU: 6},
	})
	want := result{sample: sample{Requests: 7, Ops: 20, P50: 2, P99: 20, ServerCPU: unknown, AllCPU: 6}, minOps: 10, maxOps: 30}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHistogram(t *testing.T) {
	var empty, a, b histogram
	if got := empty.quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing: %v", got)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(math.Exp(rng.Float64() * 20)) // 1 ns to half a second
		all = append(all, d)
		a.add(d)
	}
	for range 10_000 {
		d := time.Duration(rng.Int64N(int64(time.Second)))
		all = append(all, d)
		b.add(d)
	}
	a.merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := a.quantile(q); got < want || float64(got) > float64(want)*(1+1.0/64)+1 {
			t.Errorf("quantile %v is %v, want %v or up to 1/64 more", q, got, want)
		}
	}
	for _, d := range []time.Duration{-1, 0, 63, 64, 127, 128, math.MaxInt64} {
		if end := bucketEnd(bucketOf(d)); end < d || end > 0 && bucketOf(end) != bucketOf(d) {
			t.Errorf("%d ns is in a bucket that ends at %d", d, end)
		}
	}
}

func testTable() *table {
	t := &table{title: "Three"}
	servers := []contestant{{name: redisPlain}, {name: redisAlways}, {name: redoubtTri}, {name: rawTxn}}
	t.add(benchCase{opSet, 1, 1}, servers, []result{
		{sample: sample{Ops: 40000, P50: 25 * time.Microsecond, ServerCPU: 10 * time.Microsecond, AllCPU: 10 * time.Microsecond}, minOps: 39000, maxOps: 1234567},
		{sample: sample{Ops: 2000, P50: 500 * time.Microsecond}},
		{sample: sample{Ops: 1000, P50: 1100 * time.Microsecond}},
		{sample: sample{Ops: 1100, P50: 1000 * time.Microsecond, ServerCPU: unknown, AllCPU: unknown}},
	})
	t.add(benchCase{opTrio, 50, 1}, []contestant{{name: redisWait}, {name: redoubtTri}}, []result{
		{sample: sample{Ops: 10000}}, {sample: sample{Ops: 9000}},
	})
	return t
}

func TestTable(t *testing.T) {
	var b strings.Builder
	testTable().write(&b)
	out := b.String()
	for _, want := range []string{
		"\n## Three\n",
		"| SET | 1 | 1 | redis | 40,000 | 39,000 to 1,234,567 | 0.025 | 0.000 | 10.0 | 10.0 | 1.00 | 20.00 | - |\n",
		"| SET | 1 | 1 | redoubt, 3 etcd members | 1,000 | 0 to 0 | 1.100 | 0.000 | 0.0 | 0.0 | 0.03 | 0.50 | - |\n",
		"| SET | 1 | 1 | raw etcd transaction | 1,100 | 0 to 0 | 1.000 | 0.000 | - | - | - | - | - |\n",
		"| SET on three disks | 50 | 1 | redoubt, 3 etcd members | 9,000 | 0 to 0 | 0.000 | 0.000 | 0.0 | 0.0 | - | - | 0.90 |\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	header, rows, _ := strings.Cut(strings.TrimSpace(out[strings.Index(out, "|"):]), "\n")
	for _, line := range strings.Split(rows, "\n") {
		if strings.Count(line, "|") != strings.Count(header, "|") {
			t.Errorf("the columns of %q are not the header's", line)
		}
	}
}

func TestGoals(t *testing.T) {
	var b strings.Builder
	writeGoals(&b, goals(&table{}, testTable()))
	out := b.String()
	for _, want := range []string{
		"| GET, -P 1, against redis | - | ≥ 1.00 | not measured |",
		"| SET, three etcd members, -P 1, against redis, 2 replicas, WAIT 2 | 0.90 | ≥ 1.00 | missed |",
		"| p50 of SET with one client, redoubt, 3 etcd members, against the raw transaction | 1.10 | ≤ 1.20 | met |",
		"| p50 of SET with one client, redoubt, 1 etcd member, against the raw transaction | - | ≤ 1.20 | not measured |",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestThousands(t *testing.T) {
	for in, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 999999.6: "1,000,000", 1234567: "1,234,567"} {
		if got := thousands(in); got != want {
			t.Errorf("thousands(%v) = %s, want %s", in, got, want)
		}
	}
}

func TestParseFlags(t *testing.T) {
	c, err := parseFlags([]string{"-sets", "three", "-ops", "mix,get", "-clients", "2,3", "-pipelines", "4"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := []benchCase{
		{opMix, 2, 4}, {opMix, 3, 4}, {opGet, 2, 4}, {opGet, 3, 4}, {opTrio, 2, 4}, {opTrio, 3, 4},
	}
	if got := c.cases(opTrio); !reflect.DeepEqual(got, want) {
		t.Errorf("cases %v, want %v", got, want)
	}
	for _, bad := range [][]string{
		{"-sets", "four"}, {"-ops", "del"}, {"-clients", "0"}, {"-pipelines", "x"}, {"-rounds", "0"}, {"extra"}, {"-nothing"},
	} {
		if _, err := parseFlags(bad, io.Discard); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	if _, err := parseFlags([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestCompetes(t *testing.T) {
	waits, plain, node := &server{name: redisWait, wait: 2}, &server{name: redisPlain}, &server{name: redoubtTri}
	for _, c := range []struct {
		op   string
		want [3]bool // waits, plain, node
	}{
		{opGet, [3]bool{false, true, true}},
		{opSet, [3]bool{false, true, true}},
		{opMix, [3]bool{true, true, true}},
		{opTrio, [3]bool{true, false, true}},
	} {
		k := benchCase{Op: c.op, Clients: 1, Pipeline: 1}
		if got := [3]bool{competes(waits, k), competes(plain, k), competes(node, k)}; got != c.want {
			t.Errorf("%s: %v, want %v", c.op, got, c.want)
		}
	}
}

package node

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// TestMemoryStatsEqualsRedis compares the fields of MEMORY STATS, and holds the numbers
// against each other.
func TestMemoryStatsEqualsRedis(t *testing.T) {
	n := startNode(t, nil)
	ours, theirs := commandtest.Dial(t, n.Addr()), commandtest.Dial(t, testenv.StartRedis(t).Addr)
	for _, c := range []*commandtest.Client{ours, theirs} {
		c.Do("SET", "a", strings.Repeat("x", 1<<20))
		c.Do("SELECT", "3")
		c.Do("SET", "b", "1", "EX", "1000")
	}
	fields := func(reply []byte) (names []string, values map[string]float64) {
		t.Helper()
		v, err := commandtest.Parse(reply)
		if err != nil {
			t.Fatal(err)
		}
		values = map[string]float64{}
		for i := 0; i < len(v.Elems); i += 2 {
			name := v.Elems[i].Text
			names = append(names, name)
			values[name], _ = strconv.ParseFloat(v.Elems[i+1].Text, 64)
			for j := 0; j < len(v.Elems[i+1].Elems); j += 2 {
				names = append(names, name+"/"+v.Elems[i+1].Elems[j].Text)
			}
		}
		return names, values
	}
	// New in 7.2, or not in 7.0.
	later := func(name string) bool { return strings.HasSuffix(name, "slot-to-keys") }
	want, _ := fields(theirs.Do("MEMORY", "STATS"))
	got, values := fields(ours.Do("MEMORY", "STATS"))
	if !slices.Equal(slices.DeleteFunc(want, later), slices.DeleteFunc(got, later)) {
		t.Errorf("fields\n got  %q\n want %q", got, want)
	}
	if values["keys.count"] != 2 {
		t.Errorf("%v keys", values["keys.count"])
	}
	ascending := []string{"startup.allocated", "total.allocated", "peak.allocated"}
	for _, names := range [][]string{{"allocator.allocated", "allocator.active", "allocator.resident"}, ascending[1:], {"dataset.bytes", "total.allocated"}} {
		if !slices.IsSortedFunc(names, func(a, b string) int { return int(values[a] - values[b]) }) {
			t.Errorf("%v: %v", names, values)
		}
	}
	if values["dataset.bytes"] < 1<<20 {
		t.Errorf("the dataset has %v bytes", values["dataset.bytes"])
	}
	if text := string(ours.Do("MEMORY", "MALLOC-STATS")); !strings.Contains(text, heapObjects) {
		t.Errorf("MALLOC-STATS: %q", text)
	}
	if text := string(ours.Do("MEMORY", "DOCTOR")); len(text) < 10 {
		t.Errorf("DOCTOR: %q", text)
	}
}

func TestDiagnose(t *testing.T) {
	const mb = 1 << 20
	well := memoryReport{memoryUse: memoryUse{heap: 100 * mb, active: 101 * mb, resident: 110 * mb, rss: 120 * mb},
		peak: 110 * mb, startup: 4 * mb, dataset: 90 * mb, keys: 5, system: 1000 * mb, conns: 1}
	for want, change := range map[string]func(*memoryReport){
		"Nothing found": func(*memoryReport) {},
		"Peak":          func(r *memoryReport) { r.peak = 200 * mb },
		"Size":          func(r *memoryReport) { r.rss = 900 * mb },
		"Free spans":    func(r *memoryReport) { r.resident = 200 * mb },
		"Fragmentation": func(r *memoryReport) { r.active, r.resident = 150*mb, 155*mb },
		"Clients":       func(r *memoryReport) { r.clients = mb },
		"Garbage":       func(r *memoryReport) { r.dataset = 10 * mb },
	} {
		r := well
		change(&r)
		if got := r.diagnose(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q", want, got)
		}
	}
}

func TestHeapPeak(t *testing.T) {
	var n Node
	for _, c := range [][2]uint64{{5, 5}, {3, 5}, {9, 9}, {9, 9}, {0, 9}} {
		if got := n.sawHeap(c[0]); got != c[1] {
			t.Errorf("after %d: %d, want %d", c[0], got, c[1])
		}
	}
}

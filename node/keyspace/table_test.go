package keyspace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/redoubtdb/redoubt/internal/arena"
	"pgregory.net/rapid"
)

func insertKey(tb *table, key string) *header {
	h := newInline(0, []byte(key), 0, NoExpire)
	tb.insert(hashOf([]byte(key)), h)
	return h
}

func removeKey(tb *table, key string) {
	hash := hashOf([]byte(key))
	tb.remove(hash, *tb.find(hash, []byte(key)))
}

// TestTableGrowsStepwise: no insert or removal adds or drops more than one bucket, and
// memory follows the number of records both ways.
func TestTableGrowsStepwise(t *testing.T) {
	t.Run("Go's heap", func(t *testing.T) { testGrowsStepwise(t, nil) })
	t.Run("arena", func(t *testing.T) {
		var pool arena.Pool
		defer pool.Close()
		testGrowsStepwise(t, &pool)
		pool.Reclaim()
		if s := pool.Stats(); s.Allocated != 0 {
			t.Errorf("emptied table: %+v", s)
		}
	})
}

func testGrowsStepwise(t *testing.T, pool *arena.Pool) {
	const n = 20_000
	var tb table
	var alive []*header // a table with an arena keeps nothing alive
	if pool != nil {
		tb.arena = pool.NewArena()
	}
	step := func(op func()) {
		t.Helper()
		buckets, mem := tb.n, tb.memory()
		op()
		if d := int64(tb.n) - int64(buckets); d < -1 || d > 1 {
			t.Fatalf("one operation changed the table by %d buckets", d)
		}
		if d := tb.memory() - mem; d > segmentBuckets*64+24*1024 {
			t.Fatalf("one operation allocated %d bytes", d)
		}
	}
	for i := range n {
		step(func() { alive = append(alive, insertKey(&tb, fmt.Sprint(i))) })
	}
	checkTable(t, &tb)
	if perKey := float64(tb.memory()) / n; perKey > 24 {
		t.Errorf("full table: %.1f bytes a record", perKey)
	}
	for i := range n {
		step(func() { removeKey(&tb, fmt.Sprint(i)) })
		if i%1000 == 0 {
			checkTable(t, &tb)
		}
	}
	if tb.memory() > 1024 || tb.overflows != 0 {
		t.Errorf("emptied table takes %d bytes", tb.memory())
	}
	runtime.KeepAlive(alive)
}

// TestScanGuarantee: elements there throughout a scan are returned, elements absent
// throughout are not, while the table grows and shrinks between the steps.
func TestScanGuarantee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tb table
		stable := rapid.IntRange(0, 300).Draw(t, "stable")
		missing := make(map[string]bool)
		for i := range stable {
			key := fmt.Sprintf("stable:%d", i)
			missing[key] = true
			insertKey(&tb, key)
		}
		var churn []string
		next := 0
		resize := func() {
			if rapid.Bool().Draw(t, "grow") {
				for range rapid.SampledFrom([]int{0, 1, 30, 300, 3000}).Draw(t, "inserts") {
					churn = append(churn, fmt.Sprintf("churn:%d", next))
					insertKey(&tb, churn[len(churn)-1])
					next++
				}
				return
			}
			for range len(churn) * rapid.SampledFrom([]int{0, 10, 50, 90, 100}).Draw(t, "percent") / 100 {
				removeKey(&tb, churn[len(churn)-1])
				churn = churn[:len(churn)-1]
			}
		}
		resize()
		// Changes end after a while, as the guarantee says nothing about when a scan
		// of a table that grows for ever completes.
		changes := rapid.IntRange(0, 10).Draw(t, "changes")
		for cursor, steps := uint64(0), 0; ; steps++ {
			cursor = tb.scan(cursor, rapid.SampledFrom([]int{1, 10, 100}).Draw(t, "count"), func(h *header) {
				key := string(h.keyBytes())
				delete(missing, key)
				if slot := tb.find(hashOf([]byte(key)), []byte(key)); slot == nil || *slot != h {
					t.Fatalf("scan returned %q, which is not there", key)
				}
			})
			if cursor == 0 {
				break
			}
			if steps > 100_000 {
				t.Fatalf("scan does not end")
			}
			if steps < changes {
				resize()
			}
		}
		if len(missing) > 0 {
			t.Fatalf("scan missed %d of %d", len(missing), stable)
		}
		checkTable(t, &tb)
	})
}

// TestScanOnceWhenStill: a table that does not change returns each element once, in
// steps of about the size asked for.
func TestScanOnceWhenStill(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 100, 5000} {
		db := New(Config{}).DB(0)
		for i := range n {
			db.SetString(fmt.Append(nil, i), nil)
		}
		seen := make(map[string]int)
		for cursor := uint64(0); ; {
			step := 0
			cursor = db.Scan(cursor, 10, func(key []byte, ref Ref) {
				seen[string(key)]++
				step++
			})
			if step > 10+50 {
				t.Errorf("%d keys: %d in one step of 10", n, step)
			}
			if cursor == 0 {
				break
			}
		}
		if len(seen) != n {
			t.Errorf("%d keys: %d seen", n, len(seen))
		}
		for key, times := range seen {
			if times != 1 {
				t.Errorf("%d keys: %q seen %d times", n, key, times)
			}
		}
	}
}

// TestScanAnyCursor: clients may send anything.
func TestScanAnyCursor(t *testing.T) {
	db := New(Config{}).DB(0)
	for i := range 1000 {
		db.SetString(fmt.Append(nil, i), nil)
	}
	for _, cursor := range []uint64{1, math.MaxInt64, math.MaxUint64, 1 << 63, 0xdeadbeef} {
		steps := 0
		for cursor != 0 && steps <= 1000 {
			cursor = db.Scan(cursor, 1, func([]byte, Ref) {})
			steps++
		}
		if steps > 1000 {
			t.Errorf("scan from an unknown cursor does not end")
		}
	}
	db.Flush()
	if next := db.Scan(77, 10, func([]byte, Ref) { t.Error("empty database has a key") }); next != 0 {
		t.Errorf("cursor %d in an empty database", next)
	}
}

// checkUniform fails when a count is further from the mean than six standard
// deviations, which a fair draw does less often than once in 10^8 elements.
func checkUniform(t *testing.T, what string, counts map[string]int, elements, draws int) {
	t.Helper()
	mean := float64(draws) / float64(elements)
	limit := 6 * math.Sqrt(mean)
	if len(counts) != elements {
		t.Errorf("%s: %d of %d elements were drawn", what, len(counts), elements)
	}
	for key, n := range counts {
		if math.Abs(float64(n)-mean) > limit {
			t.Errorf("%s: %q drawn %d times, expected %.0f +- %.0f", what, key, n, mean, limit)
		}
	}
}

func TestRandomKeyIsUniform(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 3, 10, 500} {
		db := New(Config{}).DB(0)
		for i := range n {
			db.SetString(fmt.Append(nil, i), nil)
		}
		counts := make(map[string]int)
		draws := 400 * n
		for range draws {
			key, ref, ok := db.RandomKey(rng)
			if !ok || string(ref.Key()) != string(key) {
				t.Fatalf("%d keys: none drawn", n)
			}
			counts[string(key)]++
		}
		checkUniform(t, fmt.Sprint(n, " keys"), counts, n, draws)
	}
	if _, _, ok := New(Config{}).DB(0).RandomKey(rng); ok {
		t.Error("empty database has a random key")
	}
}

// TestRandomAfterDeletes: a table that was large and has few records left still finds
// one, in few tries.
func TestRandomAfterDeletes(t *testing.T) {
	var tb table
	for i := range 10_000 {
		insertKey(&tb, fmt.Sprint(i))
	}
	for i := 1; i < 10_000; i++ {
		removeKey(&tb, fmt.Sprint(i))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	if h := tb.random(rng); string(h.keyBytes()) != "0" {
		t.Errorf("random found %q", h.keyBytes())
	}
	// The way out when chance does not find it: a far emptier table than joins leave.
	for range 5000 {
		tb.split()
	}
	for range 100 {
		if h := tb.randomFrom(rng.Uint64N(tb.n), rng); string(h.keyBytes()) != "0" {
			t.Errorf("random found %q", h.keyBytes())
		}
	}
}

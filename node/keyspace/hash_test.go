package keyspace

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func fieldsOf(h *Hash) string {
	var all []string
	h.Each(func(f, v []byte) bool {
		all = append(all, string(f)+"="+string(v))
		return true
	})
	return strings.Join(all, " ")
}

func TestHashKeepsInsertionOrderWhilePacked(t *testing.T) {
	h := New(Config{}).NewHash()
	for _, f := range []string{"c", "a", "d", "b"} {
		h.Set([]byte(f), []byte("1"))
	}
	h.Set([]byte("a"), []byte("a longer value, in its old place"))
	h.Del([]byte("c"))
	h.Set([]byte("c"), nil)
	if got, want := fieldsOf(h), "a=a longer value, in its old place d=1 b=1 c="; got != want {
		t.Errorf("fields %q, want %q", got, want)
	}
}

func TestHashConversion(t *testing.T) {
	field := func(i int) []byte { return fmt.Appendf(nil, "f%d", i) }
	fill := func(h *Hash, n int) {
		for i := range n {
			h.Set(field(i), []byte("v"))
		}
	}
	long := bytes.Repeat([]byte("x"), 65)
	tests := []struct {
		name   string
		do     func(ks *Keyspace, h *Hash)
		packed bool
	}{
		{"as many fields as allowed", func(_ *Keyspace, h *Hash) { fill(h, DefaultHashMaxListpackEntries) }, true},
		{"one more", func(_ *Keyspace, h *Hash) { fill(h, DefaultHashMaxListpackEntries+1) }, false},
		{"rewriting fields of a full one", func(_ *Keyspace, h *Hash) {
			fill(h, DefaultHashMaxListpackEntries)
			fill(h, DefaultHashMaxListpackEntries)
		}, true},
		{"longest value", func(_ *Keyspace, h *Hash) { h.Set(field(0), long[:64]) }, true},
		{"too long a value", func(_ *Keyspace, h *Hash) { h.Set(field(0), long) }, false},
		{"too long a field", func(_ *Keyspace, h *Hash) { h.Set(long, nil) }, false},
		{"never back", func(_ *Keyspace, h *Hash) { h.Set(long, nil); h.Del(long); fill(h, 1) }, false},
		{"raised limit", func(ks *Keyspace, h *Hash) { ks.Config().HashMaxListpackEntries = 1000; fill(h, 1000) }, true},
		{"no compact form at all", func(ks *Keyspace, h *Hash) { ks.Config().HashMaxListpackEntries = 0; fill(h, 1) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ks := New(Config{})
			h, err := ks.DB(0).HashForWrite([]byte("h"))
			if err != nil {
				t.Fatal(err)
			}
			tt.do(ks, h)
			if got := h.Encoding() == "listpack"; got != tt.packed {
				t.Errorf("encoding %s", h.Encoding())
			}
			checkKeyspace(t, ks)
		})
	}
}

func TestHashScan(t *testing.T) {
	for _, n := range []int{1, 100, DefaultHashMaxListpackEntries, DefaultHashMaxListpackEntries + 1, 5000} {
		h := New(Config{}).NewHash()
		for i := range n {
			h.Set(fmt.Append(nil, i), fmt.Append(nil, i*i))
		}
		seen := make(map[string]string)
		steps := 0
		for cursor := uint64(0); ; {
			cursor = h.Scan(cursor, 10, func(f, v []byte) { seen[string(f)] = string(v) })
			steps++
			if cursor == 0 {
				break
			}
		}
		if len(seen) != n {
			t.Errorf("%d fields: scan saw %d", n, len(seen))
		}
		for i := range n {
			if seen[fmt.Sprint(i)] != fmt.Sprint(i*i) {
				t.Errorf("%d fields: field %d is %q", n, i, seen[fmt.Sprint(i)])
			}
		}
		if (n <= DefaultHashMaxListpackEntries) != (steps == 1) {
			t.Errorf("%d fields: %d steps", n, steps)
		}
	}
}

func TestHashRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 5, 128, 1000} {
		h := New(Config{}).NewHash()
		for i := range n {
			h.Set(fmt.Append(nil, i), fmt.Append(nil, -i))
		}
		note := func(counts map[string]int) func(f, v []byte) bool {
			return func(f, v []byte) bool {
				if string(f) != "0" && string(v) != "-"+string(f) {
					t.Errorf("field %q with value %q", f, v)
				}
				counts[string(f)]++
				return true
			}
		}
		repeat := make(map[string]int)
		h.RandomRepeat(rng, 400*n, note(repeat))
		checkUniform(t, fmt.Sprint("repeat of ", n), repeat, n, 400*n)

		single := make(map[string]int)
		for range 400 * n {
			f, v, ok := h.Random(rng)
			if !ok {
				t.Fatal("nothing drawn")
			}
			note(single)(f, v)
		}
		checkUniform(t, fmt.Sprint("single of ", n), single, n, 400*n)

		// Both ways of drawing distinct fields: few of many, and most of them.
		for _, k := range []int{1, (n + 4) / 5, n - 1} {
			if k == 0 {
				continue
			}
			counts := make(map[string]int)
			rounds := 400*n/k + 1
			for range rounds {
				one := make(map[string]int)
				h.RandomDistinct(rng, k, note(one))
				if len(one) != k {
					t.Fatalf("%d of %d distinct: drew %d", k, n, len(one))
				}
				for f, times := range one {
					if times != 1 {
						t.Fatalf("%d of %d distinct: %q drawn %d times", k, n, f, times)
					}
					counts[f]++
				}
			}
			checkUniform(t, fmt.Sprintf("%d distinct of %d", k, n), counts, n, rounds*k)
		}
		for _, k := range []int{n, n + 10} {
			all := make(map[string]int)
			h.RandomDistinct(rng, k, note(all))
			if len(all) != n {
				t.Errorf("%d of %d distinct: %d", k, n, len(all))
			}
		}
	}
}

func TestHashRandomStopsAndEmpty(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	ks := New(Config{})
	empty := ks.NewHash()
	if _, _, ok := empty.Random(rng); ok {
		t.Error("an empty hash has a random field")
	}
	never := func([]byte, []byte) bool { t.Error("called"); return true }
	empty.RandomRepeat(rng, 5, never)
	empty.RandomDistinct(rng, 5, never)
	for _, n := range []int{10, 300} {
		h := ks.NewHash()
		for i := range n {
			h.Set(fmt.Append(nil, i), nil)
		}
		h.RandomRepeat(rng, -1, never)
		h.RandomDistinct(rng, 0, never)
		h.RandomDistinct(rng, -1, never)
		for _, k := range []int{3, n - 1} {
			calls := 0
			once := func([]byte, []byte) bool { calls++; return false }
			h.RandomRepeat(rng, k, once)
			h.RandomDistinct(rng, k, once)
			h.Each(once)
			if calls != 3 {
				t.Errorf("%d calls after false", calls)
			}
		}
	}
}

// TestHashFieldsOutliveDeletes is the promise of the package comment that handlers
// rely on which collect fields first and delete them then.
func TestHashFieldsOutliveDeletes(t *testing.T) {
	h := New(Config{HashMaxListpackEntries: 1}).NewHash()
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("field:%03d", i))
		h.Set([]byte(want[i]), bytes.Repeat([]byte("v"), i))
	}
	var kept [][]byte
	h.Each(func(f, _ []byte) bool {
		kept = append(kept, f)
		return true
	})
	for i, f := range kept {
		if i%2 == 0 {
			h.Del(f)
		} else {
			h.Set(f, []byte("another value"))
		}
	}
	for i := range 1000 {
		h.Set(fmt.Append(nil, "new", i), make([]byte, i%300))
	}
	var got []string
	for _, f := range kept {
		got = append(got, string(f))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Error("fields changed under their holder")
	}
}

// TestHashGivesMemoryBack: a packed hash that shrinks does not keep its largest size.
func TestHashGivesMemoryBack(t *testing.T) {
	ks := New(Config{HashMaxListpackValue: 10_000})
	h := ks.NewHash()
	small := h.MemoryUsed()
	fill := func(n int) {
		for i := range 10 {
			h.Set(fmt.Append(nil, i), make([]byte, n))
		}
	}
	fill(5000)
	if h.MemoryUsed() < 50_000 {
		t.Errorf("50 kB of values take %d bytes", h.MemoryUsed())
	}
	fill(10)
	if h.MemoryUsed() > small+512 {
		t.Errorf("100 bytes of values take %d bytes", h.MemoryUsed())
	}
	fill(5000)
	for i := range 10 {
		h.Del(fmt.Append(nil, i))
	}
	if h.MemoryUsed() != small {
		t.Errorf("nothing takes %d bytes", h.MemoryUsed())
	}
}

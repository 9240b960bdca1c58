package keyspace

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkOrdered verifies what the code of ordered relies on, and its memory.
func checkOrdered[K, V any](t failer, o *ordered[K, V]) {
	t.Helper()
	n, mem := 0, 0
	var prev *K
	for _, chunk := range o.chunks {
		if len(chunk) == 0 || len(chunk) > orderedChunk || cap(chunk) > orderedChunk {
			t.Fatalf("chunk of %d elements with room for %d", len(chunk), cap(chunk))
		}
		n += len(chunk)
		mem += chunkMem[K, V](cap(chunk))
		for i := range chunk {
			if prev != nil && o.cmp(*prev, chunk[i].key) >= 0 {
				t.Fatalf("keys out of order")
			}
			prev = &chunk[i].key
		}
	}
	mem += listMem(cap(o.chunks))
	if n != o.n || int64(mem) != o.mem {
		t.Fatalf("%d elements in %d bytes, counts say %d and %d", n, mem, o.n, o.mem)
	}
}

func TestOrderedAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var total int64
		o := newOrdered[int, int](cmp.Compare[int], &total)
		m := map[int]int{}
		key := rapid.IntRange(0, 2000)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				checkOrdered(t, &o)
				if total != o.mem || o.n != len(m) {
					t.Fatalf("%d elements, want %d; sum %d, map %d", o.n, len(m), total, o.mem)
				}
			},
			"append": func(t *rapid.T) {
				last, _, _ := o.last()
				for i := range rapid.IntRange(1, 300).Draw(t, "n") {
					o.set(last+i+1, i)
					m[last+i+1] = i
				}
			},
			"set": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "n") {
					k, v := key.Draw(t, "key"), rapid.Int().Draw(t, "val")
					_, there := m[k]
					if o.set(k, v) == there {
						t.Fatalf("set of %d: new %v", k, !there)
					}
					m[k] = v
				}
			},
			"del": func(t *rapid.T) {
				k := key.Draw(t, "key")
				for i := range rapid.IntRange(1, 300).Draw(t, "n") {
					_, there := m[k+i]
					if o.del(k+i) != there {
						t.Fatalf("del of %d: there %v", k+i, there)
					}
					delete(m, k+i)
				}
			},
			"look": func(t *rapid.T) {
				want := slices.Sorted(maps.Keys(m))
				k := key.Draw(t, "key")
				at, found := slices.BinarySearch(want, k)
				if got := o.get(k); (got != nil) != found || found && *got != m[k] {
					t.Fatalf("get of %d", k)
				}
				collect := func(walk func(fn func(k int, v *int) bool)) (got []int) {
					walk(func(k int, v *int) bool {
						if *v != m[k] {
							t.Fatalf("value of %d", k)
						}
						got = append(got, k)
						return true
					})
					return got
				}
				up := collect(func(fn func(int, *int) bool) { o.from(k, fn) })
				down := collect(func(fn func(int, *int) bool) { o.downFrom(k, fn) })
				slices.Reverse(down)
				if found {
					at++
				}
				if !slices.Equal(down, want[:at]) || !slices.Equal(collect(o.each), want) {
					t.Fatalf("downwards from %d: %v", k, down)
				}
				if found {
					at--
				}
				if !slices.Equal(up, want[at:]) {
					t.Fatalf("upwards from %d: %v", k, up)
				}
				first, _, ok := o.first()
				last, _, _ := o.last()
				if ok != (len(want) > 0) || ok && (first != want[0] || last != want[len(want)-1]) {
					t.Fatalf("ends %d and %d", first, last)
				}
			},
			"clone": func(t *rapid.T) {
				var other int64
				c := o.clone(&other, func(v int) int { return v })
				checkOrdered(t, &c)
				o.release()
				if total != 0 {
					t.Fatalf("%d bytes after release", total)
				}
				total, c.total = other, &total
				o = c
			},
		})
	})
}

// TestOrderedGivesMemoryBack: deleting nearly everything, in any pattern, leaves
// little behind.
func TestOrderedGivesMemoryBack(t *testing.T) {
	for name, keep := range map[string]func(i int) bool{
		"the first": func(i int) bool { return i < 10 }, "the last": func(i int) bool { return i >= 99_990 },
		"each 10,000th": func(i int) bool { return i%10_000 == 0 }, "none": func(int) bool { return false },
	} {
		var total int64
		o := newOrdered[int, [2]int](cmp.Compare[int], &total)
		for i := range 100_000 {
			o.set(i, [2]int{})
		}
		for i := range 100_000 {
			if !keep(i) {
				o.del(i)
			}
		}
		checkOrdered(t, &o)
		if most := int64(1000 + 200*o.n); total > most {
			t.Errorf("%s: %d elements take %d bytes", name, o.n, total)
		}
	}
}

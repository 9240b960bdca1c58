package keyspace

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// TestMemoryUsedIsTheHeap compares the account with what the Go heap and the arenas say.
func TestMemoryUsedIsTheHeap(t *testing.T) {
	fills := map[string]func(db *DB, rng *rand.Rand, key []byte, i int){
		"strings": func(db *DB, rng *rand.Rand, key []byte, i int) {
			db.SetString(key, make([]byte, rng.IntN(300)))
		},
		"long strings": func(db *DB, rng *rand.Rand, key []byte, i int) {
			if i%20 == 0 {
				db.SetString(key, make([]byte, rng.IntN(50_000)))
			}
		},
		"adopted": func(db *DB, rng *rand.Rand, key []byte, i int) {
			if i%20 == 0 {
				db.AdoptString(key, make([]byte, rng.IntN(50_000)), FormRaw)
			}
		},
		"expiring": func(db *DB, rng *rand.Rand, key []byte, i int) {
			db.SetStringExpireAt(key, make([]byte, rng.IntN(100)), int64(i), FormAuto)
		},
		"appended": func(db *DB, rng *rand.Rand, key []byte, i int) {
			if _, err := db.AppendString(key[:9+i%2], make([]byte, rng.IntN(100))); err != nil {
				t.Error(err)
			}
		},
		"hashes": func(db *DB, rng *rand.Rand, key []byte, i int) {
			h, err := db.HashForWrite(fmt.Append(nil, i%500))
			if err != nil {
				t.Error(err)
				return
			}
			h.Set(key, make([]byte, rng.IntN(70)))
		},
		"sets of words": func(db *DB, rng *rand.Rand, key []byte, i int) {
			s, err := db.SetForWrite(fmt.Append(nil, i%500))
			if err != nil {
				t.Error(err)
				return
			}
			s.Add(key[:8+rng.IntN(9)])
		},
		"sets of integers": func(db *DB, rng *rand.Rand, key []byte, i int) {
			s, err := db.SetForWrite(fmt.Append(nil, i%(1+i%500)))
			if err != nil {
				t.Error(err)
				return
			}
			s.Add(fmt.Append(nil, rng.Int64()>>rng.IntN(60)))
		},
		"lists": func(db *DB, rng *rand.Rand, key []byte, i int) {
			l, err := db.ListForWrite(fmt.Append(nil, i%2000))
			if err != nil {
				t.Error(err)
				return
			}
			l.Push(i%3 == 0, make([]byte, rng.IntN(70)))
		},
		"long lists": func(db *DB, rng *rand.Rand, key []byte, i int) {
			l, err := db.ListForWrite(fmt.Append(nil, i%3))
			if err != nil {
				t.Error(err)
				return
			}
			l.Push(i%2 == 0, make([]byte, rng.IntN(400)), key)
			if i%5 == 0 {
				l.Drop(true, 1)
			}
		},
		"sorted sets": func(db *DB, rng *rand.Rand, key []byte, i int) {
			z, err := db.ZSetForWrite(fmt.Append(nil, i%200))
			if err != nil {
				t.Error(err)
				return
			}
			z.Set(key, rng.Float64())
		},
		"large sorted set": func(db *DB, rng *rand.Rand, key []byte, i int) {
			z, err := db.ZSetForWrite([]byte("z"))
			if err != nil {
				t.Error(err)
				return
			}
			z.Set(key, float64(i))
			if i%3 != 0 {
				z.DelRange(rng.IntN(z.Len()), 1)
			}
		},
		"streams": func(db *DB, rng *rand.Rand, key []byte, i int) {
			s, err := db.StreamForWrite(fmt.Append(nil, i%50))
			if err == nil {
				err = s.Add(StreamID{uint64(i + 1), 0}, [][]byte{[]byte("field"), make([]byte, rng.IntN(200))})
			}
			if err != nil {
				t.Error(err)
			}
		},
		"stream groups": func(db *DB, rng *rand.Rand, key []byte, i int) {
			s, err := db.StreamForWrite(fmt.Append(nil, i%20))
			if err != nil {
				t.Error(err)
				return
			}
			g, _ := s.CreateGroup(fmt.Append(nil, "group", i%60), StreamID{}, 0)
			c, _ := g.CreateConsumer(fmt.Append(nil, "consumer", i%600), 0)
			g.Assign(StreamID{rng.Uint64N(1 << 20), 0}, c, 0, 1)
			g.Ack(StreamID{rng.Uint64N(1 << 20), 0})
		},
		"deleted": func(db *DB, rng *rand.Rand, key []byte, i int) {
			db.SetString(key, make([]byte, 100))
			if i%4 != 0 {
				db.Delete(key)
			}
		},
	}
	for name, fill := range fills {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			before, _ := heap()
			ks := New(Config{})
			buf := make([]byte, 0, 16)
			for i := range 30_000 {
				fill(ks.DB(0), rng, key16(buf, i), i)
				ks.Reclaim()
			}
			after, _ := heap()
			real, believed := float64(int64(after-before)+ks.ArenaStats().Allocated), float64(ks.MemoryUsed())
			if math.Abs(real-believed) > 0.02*real+64<<10 {
				t.Errorf("memory grew by %.0f bytes, MemoryUsed says %.0f", real, believed)
			}
			ks.FlushAll()
			if ks.MemoryUsed() != 0 {
				t.Errorf("%d bytes after FlushAll", ks.MemoryUsed())
			}
			runtime.KeepAlive(ks)
		})
	}
}

func TestAllocSize(t *testing.T) {
	for n := range 70_000 {
		if n > 40_000 && n%100 != 0 {
			continue
		}
		got := allocSize(n)
		if got < n || allocSize(got) != got {
			t.Fatalf("allocSize(%d) = %d, which is not a class", n, got)
		}
		if n > 0 && cap(append([]byte(nil), make([]byte, n)...)) != got {
			t.Fatalf("allocSize(%d) = %d, the runtime says %d", n, got, cap(append([]byte(nil), make([]byte, n)...)))
		}
	}
}

// TestTracedAllocSize asks the runtime as TestAllocSize does; a slice of pointers
// has as much capacity as the header leaves.
func TestTracedAllocSize(t *testing.T) {
	const word = 8
	for n := 1; n < 9000; n++ {
		got := tracedAllocSize(n * word)
		room := cap(append([]*byte(nil), make([]*byte, n)...)) * word
		if header := got - room; header != 0 && header != word || got < n*word {
			t.Fatalf("tracedAllocSize(%d) = %d, the runtime gives %d", n*word, got, room)
		}
	}
}

func TestRefMemoryUsed(t *testing.T) {
	db := New(Config{}).DB(0)
	for _, n := range []int{0, 100, 4096, 4097, 1 << 20} {
		db.SetString([]byte("k"), bytes.Repeat([]byte("v"), n))
		ref, _ := db.Lookup([]byte("k"))
		if m := ref.MemoryUsed(); m < int64(n) || m > int64(n+n/5+128) {
			t.Errorf("%d bytes take %d", n, m)
		}
		if m := ref.MemoryUsed(); m != db.mem {
			t.Errorf("%d bytes: key takes %d, database %d", n, m, db.mem)
		}
	}
}

func TestCanonicalInt(t *testing.T) {
	check := func(t failer, s string) {
		t.Helper()
		n, err := strconv.ParseInt(s, 10, 64)
		if want := err == nil && strconv.FormatInt(n, 10) == s; canonicalInt([]byte(s)) != want {
			t.Fatalf("canonicalInt(%q) = %v", s, !want)
		}
	}
	for _, s := range []string{"", "-", "0", "-0", "00", "01", "+1", " 1", "1 ", "-1", "10", "9223372036854775807",
		"9223372036854775808", "-9223372036854775808", "-9223372036854775809", "99999999999999999999", "1_0", "0x1"} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`[-+ ]?[0-9]{0,21}a?`).Draw(t, "s"))
	})
}

// TestEmptyValuesStayInside: an empty slice at the end of a record points into the
// record and not behind it, where another object or a freed one lies.
func TestEmptyValuesStayInside(t *testing.T) {
	for n := range 300 {
		h := newInline(0, make([]byte, n), 0, NoExpire)
		v := h.str()
		d := uintptr(unsafe.Pointer(unsafe.SliceData(v))) - uintptr(unsafe.Pointer(h))
		if len(v) != 0 || d >= uintptr(h.memory()) {
			t.Errorf("key of %d bytes: empty value at offset %d of a record of %d", n, d, h.memory())
		}
	}
}

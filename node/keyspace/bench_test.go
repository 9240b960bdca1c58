package keyspace

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
)

// key16 writes key number i, 16 bytes, into buf.
func key16(buf []byte, i int) []byte {
	buf = append(buf[:0], "key:0000"...)
	return binary.BigEndian.AppendUint64(buf, uint64(i)*0x9E3779B97F4A7C15)
}

func heap() (bytes, objects uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.HeapObjects
}

// benchBytesPerKey reports what n keys take in arenas and on the heap, and what
// MemoryUsed believes.
func benchBytesPerKey(b *testing.B, n int, set func(db *DB, key []byte, i int)) {
	for range b.N {
		bytes0, objects0 := heap()
		ks := New(Config{})
		buf := make([]byte, 0, 64)
		for i := range n {
			set(ks.DB(0), key16(buf, i), i)
			ks.Reclaim()
		}
		bytes1, objects1 := heap()
		b.ReportMetric(float64(int64(bytes1-bytes0)+ks.ArenaStats().Resident)/float64(n), "bytes/key")
		b.ReportMetric(float64(ks.MemoryUsed())/float64(n), "accounted/key")
		b.ReportMetric(float64(objects1-objects0)/float64(n), "objects/key")
		runtime.KeepAlive(ks)
	}
}

func BenchmarkMemory1MKeys64B(b *testing.B) {
	val := make([]byte, 64)
	benchBytesPerKey(b, 1_000_000, func(db *DB, key []byte, _ int) { db.SetString(key, val) })
}

func BenchmarkMemory1MKeys64BExpiring(b *testing.B) {
	val := make([]byte, 64)
	benchBytesPerKey(b, 1_000_000, func(db *DB, key []byte, i int) {
		db.SetStringExpireAt(key, val, int64(i), FormAuto)
	})
}

func BenchmarkMemory100KHashes10Fields(b *testing.B) {
	val := make([]byte, 16)
	benchBytesPerKey(b, 100_000, func(db *DB, key []byte, _ int) {
		h, err := db.HashForWrite(key)
		if err != nil {
			b.Fatal(err)
		}
		for f := range 10 {
			h.Set([]byte{'f', byte('0' + f)}, val)
		}
	})
}

func BenchmarkMemoryOneHash1MFields64B(b *testing.B) {
	val := make([]byte, 64)
	benchBytesPerKey(b, 1_000_000, func(db *DB, key []byte, _ int) {
		h, err := db.HashForWrite([]byte("h"))
		if err != nil {
			b.Fatal(err)
		}
		h.Set(key, val)
	})
}

func BenchmarkMemory1MSets5Integers(b *testing.B) {
	benchBytesPerKey(b, 1_000_000, func(db *DB, key []byte, i int) {
		addAll(b, db, key, 5, func(m int) []byte { return strconv.AppendInt(nil, int64(i%100*m), 10) })
	})
}

func BenchmarkMemory1MSets5Words(b *testing.B) {
	benchBytesPerKey(b, 1_000_000, func(db *DB, key []byte, _ int) {
		addAll(b, db, key, 5, func(m int) []byte { return append([]byte("member:"), byte('0'+m)) })
	})
}

func BenchmarkMemoryOneSet1MMembers16B(b *testing.B) {
	benchBytesPerKey(b, 1_000_000, func(db *DB, key []byte, _ int) {
		addAll(b, db, []byte("s"), 1, func(int) []byte { return key })
	})
}

func addAll(b *testing.B, db *DB, key []byte, n int, member func(m int) []byte) {
	s, err := db.SetForWrite(key)
	if err != nil {
		b.Fatal(err)
	}
	for m := range n {
		s.Add(member(m))
	}
}

func filled(n int) *DB {
	db := New(Config{}).DB(0)
	buf := make([]byte, 0, 16)
	val := make([]byte, 64)
	for i := range n {
		db.SetString(key16(buf, i), val)
	}
	return db
}

func BenchmarkLookup(b *testing.B) {
	const n = 1_000_000
	db := filled(n)
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 0, 16)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, ok := db.Lookup(key16(buf, rng.IntN(n))); !ok {
			b.Fatal("missing")
		}
	}
}

// BenchmarkLookupCached is the work of a look-up without the cache misses.
func BenchmarkLookupCached(b *testing.B) {
	db := filled(1000)
	buf := make([]byte, 0, 16)
	for i := range b.N {
		if _, ok := db.Lookup(key16(buf, i%1000)); !ok {
			b.Fatal("missing")
		}
	}
}

func BenchmarkLookupGoMap(b *testing.B) {
	const n = 1_000_000
	m := make(map[string][]byte)
	buf := make([]byte, 0, 16)
	for i := range n {
		m[string(key16(buf, i))] = make([]byte, 64)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b.ResetTimer()
	for range b.N {
		if _, ok := m[string(key16(buf, rng.IntN(n)))]; !ok {
			b.Fatal("missing")
		}
	}
}

func BenchmarkSetOverwrite(b *testing.B) {
	const n = 1_000_000
	db := filled(n)
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 0, 16)
	val := make([]byte, 64)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		db.SetString(key16(buf, rng.IntN(n)), val)
	}
}

func BenchmarkSetNew(b *testing.B) {
	db := New(Config{}).DB(0)
	buf := make([]byte, 0, 16)
	val := make([]byte, 64)
	b.ReportAllocs()
	for i := range b.N {
		db.SetString(key16(buf, i), val)
	}
}

// BenchmarkSetResize gives a key a value of another size each time, so that its record is
// replaced.
func BenchmarkSetResize(b *testing.B) {
	const n = 1_000_000
	db := filled(n)
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 0, 16)
	val := make([]byte, 200)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		db.SetString(key16(buf, rng.IntN(n)), val[:rng.IntN(len(val))])
		db.ks.Reclaim()
	}
}

// BenchmarkGC5MKeys is how long a collection takes beside five million keys.
func BenchmarkGC5MKeys(b *testing.B) {
	db := filled(5_000_000)
	for b.Loop() {
		runtime.GC()
	}
	runtime.KeepAlive(db)
}

// BenchmarkGC1MHashes is the same beside a million hashes of ten fields, of which each is
// three objects in Go's heap.
func BenchmarkGC1MHashes(b *testing.B) {
	db := New(Config{}).DB(0)
	key, val := make([]byte, 0, 16), make([]byte, 16)
	for i := range 1_000_000 {
		h, err := db.HashForWrite(key16(key, i))
		if err != nil {
			b.Fatal(err)
		}
		for f := range 10 {
			h.Set([]byte{byte('a' + f)}, val)
		}
	}
	for b.Loop() {
		runtime.GC()
	}
	runtime.KeepAlive(db)
}

func BenchmarkDigest1MKeys(b *testing.B) {
	db := filled(1_000_000)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		db.ks.Digest()
	}
}

func BenchmarkRandomKey(b *testing.B) {
	db := filled(1_000_000)
	rng := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		db.RandomKey(rng)
	}
}

func BenchmarkList(b *testing.B) {
	element := []byte("an element of 24 bytes..")
	fill := func(n int) *List {
		l := New(Config{}).NewList()
		for range n {
			l.Push(false, element)
		}
		return l
	}
	b.Run("push", func(b *testing.B) {
		l := fill(0)
		for i := range b.N {
			l.Push(i&1 == 0, element)
		}
	})
	b.Run("queue", func(b *testing.B) {
		l := fill(10_000)
		for b.Loop() {
			l.Push(false, element)
			l.Drop(true, 1)
		}
	})
	b.Run("index in 1M", func(b *testing.B) {
		l := fill(1_000_000)
		for i := 0; b.Loop(); i++ {
			it := l.From(i * 7919 % 1_000_000)
			it.Next()
		}
	})
	b.Run("range of 100", func(b *testing.B) {
		l := fill(10_000)
		for b.Loop() {
			it := l.From(5000)
			for range 100 {
				it.Next()
			}
		}
	})
}

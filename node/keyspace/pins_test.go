package keyspace

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestPins: whatever comes and goes, each box is in its place and the memory follows
// their number.
func TestPins(t *testing.T) {
	var p pins
	var in []*box
	rng := rand.New(rand.NewPCG(1, 2))
	for step := range 60_000 {
		if growing := step/10_000%2 == 0; len(in) == 0 || growing == (rng.IntN(4) > 0) {
			b := new(box)
			p.add(b)
			in = append(in, b)
		} else {
			i := rng.IntN(len(in))
			p.remove(in[i])
			in[i] = in[len(in)-1]
			in = in[:len(in)-1]
		}
		if step%500 != 0 {
			continue
		}
		for _, b := range in {
			if *p.at(int(b.pin)) != b {
				t.Fatal("a box is not in its place")
			}
		}
		if most := int64(len(in))*9*2 + 9*pinChunk; p.n != len(in) || p.memory() > most {
			t.Fatalf("%d boxes: %d pins of %d bytes", len(in), p.n, p.memory())
		}
	}
	for _, b := range in {
		p.remove(b)
	}
	if p.n != 0 || p.memory() > 512 {
		t.Errorf("empty: %d pins of %d bytes", p.n, p.memory())
	}
}

// collected counts the objects of a database that the garbage collector has freed.
type collected struct{ atomic.Int64 }

func (c *collected) watch(b *box) {
	runtime.AddCleanup(b, func(*collected) { c.Add(1) }, c)
}

// wait collects until n objects are gone, or many rounds have not found so many.
func (c *collected) wait(n int64) int64 {
	for deadline := time.Now().Add(20 * time.Second); c.Load() < n && time.Now().Before(deadline); {
		runtime.GC()
	}
	return c.Load()
}

// TestObjectsLiveAsLongAsTheirKeys: the garbage collector does not read the tables of a
// database, and frees no object of a key, but all others.
func TestObjectsLiveAsLongAsTheirKeys(t *testing.T) {
	const n = 2000
	var gone collected
	ks := New(Config{})
	db := ks.DB(0)
	key := func(i int) []byte { return fmt.Append(nil, "key:", i) }
	for i := range n {
		set, err := db.SetForWrite(key(i))
		if err != nil {
			t.Fatal(err)
		}
		set.Add(key(i))
		if i%2 == 0 {
			db.SetExpire(key(i), 1e15)
		}
		gone.watch(&set.box)
		long := fmt.Append(nil, "long:", i)
		db.SetString(long, make([]byte, inlineMax+1))
		ref, _ := db.Lookup(long)
		gone.watch(&ref.h.bigString().box)
	}
	for range 5 {
		runtime.GC()
	}
	if lost := gone.Load(); lost > 0 {
		t.Fatalf("%d objects of keys were freed", lost)
	}
	checkKeyspace(t, ks)

	db.AppendString(key(n), make([]byte, inlineMax)) // inline, then not
	db.AppendString(key(n), make([]byte, inlineMax))
	for i := range n / 4 {
		db.Delete(key(i))
		db.SetString(key(i+n/4), nil)
		db.Rename(key(i+n/2), key(i+3*n/4))
	}
	checkKeyspace(t, ks)
	if left := gone.wait(3 * n / 4); left != 3*n/4 {
		t.Errorf("%d objects of %d that have no key were freed", left, 3*n/4)
	}
	checkKeyspace(t, ks)
	for i := 3 * n / 4; i < n; i++ {
		ref, ok := db.Lookup(key(i))
		if !ok || ref.Set() == nil || !ref.Set().Contains(key(i-n/4)) {
			t.Fatalf("%q lost its value", key(i))
		}
	}
	ks.Swap(0, 1)
	ks.DB(1).Flush()
	if left := gone.wait(2 * n); left != 2*n {
		t.Errorf("after FLUSHDB %d objects of %d were freed", left, 2*n)
	}
	runtime.KeepAlive(ks)
}

// TestLongKey: a record that is too long for the arena with its key is a box, however
// short its value, and back again.
func TestLongKey(t *testing.T) {
	ks := New(Config{})
	db := ks.DB(0)
	key := make([]byte, 10_000)
	db.SetString(key, []byte("12"))
	checkKeyspace(t, ks)
	ref, _ := db.Lookup(key)
	if ref.Encoding() != "int" || string(ref.Str()) != "12" {
		t.Errorf("value %q is %s", ref.Str(), ref.Encoding())
	}
	db.SetExpire(key, 1e15)
	if n, err := db.AppendString(key, []byte("3")); n != 3 || err != nil {
		t.Errorf("append: %d, %v", n, err)
	}
	ref, _ = db.Lookup(key)
	if ref.Encoding() != "raw" || string(ref.Str()) != "123" || ref.ExpireAt() != 1e15 {
		t.Errorf("value %q is %s, expires %d", ref.Str(), ref.Encoding(), ref.ExpireAt())
	}
	checkKeyspace(t, ks)

	edge := make([]byte, 560) // with an expiry, or a longer value, it does not fit
	db.SetString(edge, make([]byte, 4105))
	db.SetString(edge, make([]byte, 4096))
	checkKeyspace(t, ks)
	db.SetExpire(edge, 1e15)
	checkKeyspace(t, ks)
	db.Persist(edge)
	db.SetString(edge, make([]byte, 4000))
	db.AppendString(edge, make([]byte, 96))
	db.SetExpire(edge, 1e15)
	checkKeyspace(t, ks)
	if ref, _ := db.Lookup(edge); len(ref.Str()) != 4096 || ref.ExpireAt() != 1e15 {
		t.Errorf("value of %d bytes, expires %d", len(ref.Str()), ref.ExpireAt())
	}
}

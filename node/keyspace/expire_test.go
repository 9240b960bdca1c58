package keyspace

import (
	"fmt"
	"testing"
)

// TestExpireCycle drives the index as an active expire cycle does: it finds all
// keys that are due, and no others, in a number of steps bounded by the index's size.
func TestExpireCycle(t *testing.T) {
	const n, now = 3000, 1_000_000
	db := New(Config{}).DB(0)
	for i := range n {
		key := fmt.Appendf(nil, "key:%d", i)
		switch i % 3 {
		case 0:
			db.SetStringExpireAt(key, nil, now-1, FormAuto)
		case 1:
			db.SetStringExpireAt(key, nil, now+5000, FormAuto)
		case 2:
			db.SetString(key, nil)
		}
	}
	sampled := 0
	for round := 0; ; round++ {
		s := db.ExpireSample(now, 20)
		sampled += s.Sampled
		if s.Sampled > 20+50 {
			t.Errorf("%d keys in a step of 20", s.Sampled)
		}
		for _, key := range s.Due {
			ref, ok := db.Lookup(key)
			if !ok || ref.ExpireAt() >= now {
				t.Errorf("%q is not due", key)
			}
			db.Delete(key)
		}
		if db.expireCursor == 0 {
			break
		}
		if round > n {
			t.Fatal("the cycle does not come round")
		}
	}
	if db.Expires() != n/3 || db.Len() != 2*n/3 {
		t.Errorf("%d keys left, %d expiring", db.Len(), db.Expires())
	}
	if sampled > n {
		t.Errorf("%d samples to see %d keys", sampled, 2*n/3)
	}
	if ttl := db.AvgTTL(); ttl != 5000 {
		t.Errorf("AvgTTL %d, want 5000", ttl)
	}
	checkKeyspace(t, db.ks)
}

func TestExpireSampleStale(t *testing.T) {
	db := New(Config{}).DB(0)
	if s := db.ExpireSample(1, 20); s.Sampled != 0 || s.Stale() != 0 || db.AvgTTL() != 0 {
		t.Errorf("empty index: %+v", s)
	}
	for i := range 4000 {
		at := int64(100)
		if i%4 == 0 {
			at = 300
		}
		db.SetStringExpireAt(fmt.Append(nil, i), nil, at, FormAuto)
	}
	for now, want := range map[int64]float64{99: 0, 100: 0, 101: 0.75, 300: 0.75, 301: 1} {
		db.expireCursor = 0
		if got := db.ExpireSample(now, 4000).Stale(); got != want {
			t.Errorf("at %d: stale %.2f, want %.2f", now, got, want)
		}
	}
	db.Flush()
	if db.AvgTTL() != 0 {
		t.Error("AvgTTL survives a flush")
	}
}

// TestAvgTTLFollows: the estimate moves towards what samples show.
func TestAvgTTLFollows(t *testing.T) {
	db := New(Config{}).DB(0)
	db.SetStringExpireAt([]byte("k"), nil, 100_000, FormAuto)
	db.ExpireSample(0, 20)
	if db.AvgTTL() != 100_000 {
		t.Fatalf("first estimate %d", db.AvgTTL())
	}
	for range 500 {
		db.ExpireSample(90_000, 20)
	}
	if ttl := db.AvgTTL(); ttl < 10_000 || ttl > 11_000 {
		t.Errorf("estimate %d after 500 samples of 10000", ttl)
	}
}

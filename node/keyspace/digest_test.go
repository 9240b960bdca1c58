package keyspace

import (
	"bytes"
	"fmt"
	"testing"
)

// TestDigestTellsStatesApart: every part of the logical state counts, and neighbouring
// strings cannot be exchanged for each other.
func TestDigestTellsStatesApart(t *testing.T) {
	hash := func(db *DB, key string, fields ...string) {
		h := db.ks.NewHash()
		for i := 0; i < len(fields); i += 2 {
			h.Set([]byte(fields[i]), []byte(fields[i+1]))
		}
		db.SetObject([]byte(key), h)
	}
	set := func(db *DB, key string, members ...string) {
		s := db.ks.NewSet()
		for _, m := range members {
			s.Add([]byte(m))
		}
		db.SetObject([]byte(key), s)
	}
	zset := func(db *DB, key string, members string, score float64) {
		z := db.ks.NewZSet()
		for i := range members {
			z.Set([]byte(members[i:i+1]), score+float64(i))
		}
		db.SetObject([]byte(key), z)
	}
	states := map[string]func(ks *Keyspace){
		"empty":             func(*Keyspace) {},
		"one key":           func(ks *Keyspace) { ks.DB(0).SetString([]byte("ab"), []byte("c")) },
		"key/value border":  func(ks *Keyspace) { ks.DB(0).SetString([]byte("a"), []byte("bc")) },
		"other database":    func(ks *Keyspace) { ks.DB(1).SetString([]byte("ab"), []byte("c")) },
		"expiry":            func(ks *Keyspace) { ks.DB(0).SetStringExpireAt([]byte("ab"), []byte("c"), 1, FormAuto) },
		"other expiry":      func(ks *Keyspace) { ks.DB(0).SetStringExpireAt([]byte("ab"), []byte("c"), 2, FormAuto) },
		"empty value":       func(ks *Keyspace) { ks.DB(0).SetString([]byte("abc"), nil) },
		"empty key":         func(ks *Keyspace) { ks.DB(0).SetString(nil, []byte("abc")) },
		"two keys":          func(ks *Keyspace) { ks.DB(0).SetString([]byte("ab"), []byte("c")); ks.DB(0).SetString(nil, nil) },
		"long":              func(ks *Keyspace) { ks.DB(0).SetString([]byte("ab"), bytes.Repeat([]byte("c"), 5000)) },
		"long, one shorter": func(ks *Keyspace) { ks.DB(0).SetString([]byte("ab"), bytes.Repeat([]byte("c"), 4999)) },
		"hash":              func(ks *Keyspace) { hash(ks.DB(0), "ab", "c", "d") },
		"field border":      func(ks *Keyspace) { hash(ks.DB(0), "ab", "cd", "") },
		"values exchanged":  func(ks *Keyspace) { hash(ks.DB(0), "ab", "c", "d", "e", "f") },
		"values exchanged 2": func(ks *Keyspace) {
			hash(ks.DB(0), "ab", "c", "f", "e", "d")
		},
		"set":               func(ks *Keyspace) { set(ks.DB(0), "ab", "c") },
		"set of empty":      func(ks *Keyspace) { set(ks.DB(0), "ab", "") },
		"set of two":        func(ks *Keyspace) { set(ks.DB(0), "ab", "c", "") },
		"set of integer":    func(ks *Keyspace) { set(ks.DB(0), "ab", "12") },
		"set of digits":     func(ks *Keyspace) { set(ks.DB(0), "ab", "1", "2") },
		"hash like a set":   func(ks *Keyspace) { hash(ks.DB(0), "ab", "c", "") },
		"same value twice":  func(ks *Keyspace) { hash(ks.DB(0), "ab", "c", "x", "d", "x") },
		"same value thrice": func(ks *Keyspace) { hash(ks.DB(0), "ab", "c", "x", "d", "x", "e", "x") },
		"sorted set":        func(ks *Keyspace) { zset(ks.DB(0), "ab", "cd", 1) },
		"other score":       func(ks *Keyspace) { zset(ks.DB(0), "ab", "cd", 2) },
		"scores exchanged":  func(ks *Keyspace) { zset(ks.DB(0), "ab", "dc", 1) },
		"one member":        func(ks *Keyspace) { zset(ks.DB(0), "ab", "c", 1) },
		"expiring hash":     func(ks *Keyspace) { hash(ks.DB(0), "ab", "c", "d"); ks.DB(0).SetExpire([]byte("ab"), 1) },
	}
	seen := make(map[Digest]string)
	for name, build := range states {
		ks := New(Config{})
		build(ks)
		d := ks.Digest()
		if other, dup := seen[d]; dup {
			t.Errorf("%q and %q have the same digest", name, other)
		}
		seen[d] = name
	}
}

// TestDigestIsStable pins the digest, which nodes and snapshots of different processes
// compare. If it must change, so must the format version of whatever stores it.
func TestDigestIsStable(t *testing.T) {
	ks := New(Config{})
	if d := ks.Digest(); d != (Digest{}) {
		t.Errorf("digest of nothing is %s", d)
	}
	for i := range 100 {
		ks.DB(i%3).SetStringExpireAt(fmt.Appendf(nil, "key:%d", i), bytes.Repeat([]byte("v"), 100*i), int64(i)-1, FormAuto)
		h, err := ks.DB(3).HashForWrite([]byte("hash"))
		if err != nil {
			t.Fatal(err)
		}
		h.Set(fmt.Append(nil, i), fmt.Append(nil, i*i))
	}
	const want = "b882cd5376e0c3f5a946734a8610315b6f30ccbe0dbbf2b7302d3f76fdde951c"
	if got := ks.Digest().String(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// TestKeyDigest: the digest of a keyspace is the sum of its keys'.
func TestKeyDigest(t *testing.T) {
	ks := New(Config{})
	var s sum
	for i := range 50 {
		key := fmt.Append(nil, i)
		ks.DB(2).SetString(key, key)
		d, ok := ks.DB(2).KeyDigest(key)
		if !ok {
			t.Fatal("no digest of a key that is there")
		}
		s.add(d)
	}
	if ks.Digest() != s.digest() {
		t.Error("the keyspace's digest is not the sum of its keys'")
	}
	if _, ok := ks.DB(2).KeyDigest([]byte("none")); ok {
		t.Error("digest of a missing key")
	}
}

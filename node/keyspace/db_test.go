package keyspace

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestSetInPlace: writes that stay in the allocation class allocate nothing.
func TestSetInPlace(t *testing.T) {
	db := New(Config{}).DB(0)
	key, val := []byte("key:000000000001"), bytes.Repeat([]byte("v"), 64)
	db.SetString(key, val)
	writes := map[string]func(){
		"SetString":           func() { db.SetString(key, val) },
		"SetStringExpireAt":   func() { db.SetStringExpireAt(key, val, 77, FormAuto) },
		"SetStringKeepExpire": func() { db.SetStringKeepExpire(key, val[:60], FormAuto) },
		"SetExpire":           func() { db.SetExpire(key, 99) },
		"SetRange": func() {
			if _, err := db.SetRange(key, 10, []byte("other")); err != nil {
				t.Error(err)
			}
		},
		"Lookup": func() { db.Lookup(key) },
	}
	for name, write := range writes {
		if n := testing.AllocsPerRun(100, write); n != 0 {
			t.Errorf("%s: %.1f allocations", name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { db.Delete(key); db.SetString(key, val) }); n > 1 {
		t.Errorf("a new small key takes %.1f allocations", n)
	}
}

// TestKeysOutliveMutations is the promise of the package comment that handlers rely on
// which collect keys first and change them then.
func TestKeysOutliveMutations(t *testing.T) {
	db := New(Config{}).DB(0)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("key:%03d", i))
		db.SetStringExpireAt([]byte(want[i]), bytes.Repeat([]byte("v"), 20*i), int64(i), FormAuto)
	}
	var kept [][]byte
	db.Each(func(key []byte, _ Ref) bool {
		kept = append(kept, key)
		return true
	})
	for i, key := range kept {
		switch i % 5 {
		case 0:
			db.Delete(key)
		case 1:
			db.SetString(key, bytes.Repeat([]byte("w"), 10*i))
		case 2:
			db.Rename(key, fmt.Append(nil, "renamed", i))
		case 3:
			if _, err := db.AppendString(key, []byte("more")); err != nil {
				t.Fatal(err)
			}
		case 4:
			db.Persist(key)
		}
	}
	var got []string
	for _, key := range kept {
		got = append(got, string(key))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Error("keys changed under their holder")
	}
}

// TestAppendIsAmortised: building a long string by appending copies it a bounded number
// of times.
func TestAppendIsAmortised(t *testing.T) {
	db := New(Config{}).DB(0)
	key, tail := []byte("log"), bytes.Repeat([]byte("x"), 100)
	var buffers int
	var last *byte
	for range 20_000 { // 2 MB
		if _, err := db.AppendString(key, tail); err != nil {
			t.Fatal(err)
		}
		ref, _ := db.Lookup(key)
		if p := &ref.Str()[0]; p != last {
			buffers, last = buffers+1, p
		}
	}
	// One a class while it is inline, then one a doubling.
	if buffers > 60 {
		t.Errorf("%d buffers for 20000 appends", buffers)
	}
}

func TestStringForWrite(t *testing.T) {
	db := New(Config{}).DB(0)
	key := []byte("bits")
	for _, size := range []int{0, 3, 50, 127, 128, 2000, inlineMax, inlineMax + 1, 100_000} {
		v, err := db.StringForWrite(key, size)
		if err != nil || len(v) != size {
			t.Fatalf("size %d: %d bytes, %v", size, len(v), err)
		}
		if i := bytes.IndexByte(v, 0xff); i >= 0 && i != 0 && i != 2 {
			t.Fatalf("size %d: byte %d is not zero", size, i)
		}
		for _, i := range []int{0, 2} {
			if size > i {
				v[i] = 0xff
			}
		}
	}
	if v, err := db.StringForWrite(key, 1); err != nil || len(v) != 100_000 || v[2] != 0xff {
		t.Errorf("asked for less than there is: %d bytes, %v", len(v), err)
	}
	if _, err := db.HashForWrite(key); !errors.Is(err, ErrWrongType) {
		t.Errorf("HashForWrite of a string: %v", err)
	}
	if _, err := db.HashForWrite([]byte("hash")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StringForWrite([]byte("hash"), 1); !errors.Is(err, ErrWrongType) {
		t.Errorf("StringForWrite of a hash: %v", err)
	}
	if _, err := db.SetRange([]byte("hash"), 0, nil); !errors.Is(err, ErrWrongType) {
		t.Errorf("SetRange of nothing in a hash: %v", err)
	}
	checkKeyspace(t, db.ks)
}

// TestResizeClearsOldBytes: bytes of an earlier, longer value do not come back.
func TestResizeClearsOldBytes(t *testing.T) {
	for _, n := range []int{30, 300, 4000, 5000} {
		db := New(Config{}).DB(0)
		key := []byte("k")
		db.SetString(key, bytes.Repeat([]byte("x"), n))
		db.SetStringKeepExpire(key, bytes.Repeat([]byte("x"), n-5), FormAuto)
		v, err := db.StringForWrite(key, n+3)
		if err != nil || !bytes.Equal(v[n-5:], make([]byte, 8)) {
			t.Errorf("%d bytes: tail %q, %v", n, v[n-5:], err)
		}
	}
}

func TestSetObject(t *testing.T) {
	ks := New(Config{})
	db := ks.DB(0)
	h := ks.NewHash()
	h.Set([]byte("f"), []byte("v"))
	db.SetStringExpireAt([]byte("k"), []byte("old"), 5, FormAuto)
	db.SetObject([]byte("k"), h)
	ref, _ := db.Lookup([]byte("k"))
	if o := ref.Object(); ref.Hash() != h || ref.ExpireAt() != NoExpire || o != Object(h) ||
		o.Type() != TypeHash || o.MemoryUsed() != ref.MemoryUsed() {
		t.Error("the hash is not what the key holds")
	}
	checkKeyspace(t, ks)
	for what, misuse := range map[string]func(){
		"one object under two keys": func() { db.SetObject([]byte("other"), h) },
		"Str of a hash":             func() { ref.Str() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(what, "was accepted")
				}
			}()
			misuse()
		}()
	}
	db.Delete([]byte("k"))
	db.SetObject([]byte("other"), h)
	if ref, _ := db.Lookup([]byte("other")); ref.Hash() != h || string(ref.Key()) != "other" {
		t.Error("a deleted object cannot be stored again")
	}
	checkKeyspace(t, ks)
}

func TestMissingKeys(t *testing.T) {
	db := New(Config{}).DB(0)
	none := []byte("none")
	if ref, ok := db.Lookup(none); ok || ref.Hash() != nil || ref.Object() != nil {
		t.Error("Lookup found a key in an empty database")
	}
	for name, found := range map[string]bool{
		"Delete":        db.Delete(none),
		"DeleteIfEmpty": db.DeleteIfEmpty(none),
		"SetExpire":     db.SetExpire(none, 1),
		"Persist":       db.Persist(none),
		"Rename":        db.Rename(none, []byte("x")),
		"CopyTo":        db.CopyTo(db, none, []byte("x")),
		"Move":          db.Move(db.ks.DB(1), none),
	} {
		if found {
			t.Errorf("%s found a key in an empty database", name)
		}
	}
	if n, err := db.SetRange(none, 5, nil); n != 0 || err != nil || db.Len() != 0 {
		t.Errorf("SetRange of nothing made a key: %d, %v", n, err)
	}
}

func TestFlushAllAndSwap(t *testing.T) {
	ks := New(Config{Databases: 2})
	ks.DB(0).SetStringExpireAt([]byte("a"), []byte("1"), 5, FormAuto)
	kept := ks.DB(0)
	ks.Swap(0, 1)
	if kept.Len() != 0 || ks.DB(1).Len() != 1 || ks.DB(1).Expires() != 1 || kept.Index() != 0 {
		t.Error("Swap did not exchange the contents")
	}
	ks.Swap(1, 1)
	h, err := ks.DB(1).HashForWrite([]byte("h"))
	if err != nil {
		t.Fatal(err)
	}
	ks.FlushAll()
	h.Set([]byte("late"), []byte("write"))
	if ks.Len() != 0 || ks.MemoryUsed() != 0 || ks.Digest() != (Digest{}) || ks.NumDBs() != 2 {
		t.Errorf("after FlushAll: %d keys, %d bytes", ks.Len(), ks.MemoryUsed())
	}
}

func TestTypeNames(t *testing.T) {
	for typ, want := range map[Type]string{
		TypeString: "string", TypeList: "list", TypeSet: "set", TypeZSet: "zset",
		TypeHash: "hash", TypeStream: "stream", 5: "unknown",
	} {
		if typ.String() != want {
			t.Errorf("type %d is %q, want %q", typ, typ, want)
		}
	}
}

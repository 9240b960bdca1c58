package rdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// dump is AppendDump of a value that has a form.
func dump(t testing.TB, ref keyspace.Ref) []byte {
	t.Helper()
	b, err := AppendDump(nil, ref, 0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// footed is a dump with the given body and version, and the right checksum.
func footed(version uint16, body string) []byte {
	b := binary.LittleEndian.AppendUint16([]byte(body), version)
	return binary.LittleEndian.AppendUint64(b, updateCRC(0, b))
}

func TestDumpRestore(t *testing.T) {
	ks, back := keyspace.New(keyspace.Config{}), keyspace.New(keyspace.Config{})
	fillMixed(ks, 3)
	for i := range ks.NumDBs() {
		ks.DB(i).Each(func(key []byte, ref keyspace.Ref) bool {
			if err := Restore(dump(t, ref), back, back.DB(i), key, ref.ExpireAt()); err != nil {
				t.Fatalf("key %.50q: %v", key, err)
			}
			return true
		})
	}
	if !sameContent(ks, back) {
		t.Error("restored dumps are not what was dumped")
	}
}

func TestDumpAppends(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	ks.DB(0).SetString([]byte("k"), []byte("v"))
	ref, _ := ks.DB(0).Lookup([]byte("k"))
	b, err := AppendDump([]byte("before"), ref, 0)
	if want := "before" + string(footed(Version, "\x00\x01v")); err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
}

func TestDumpLimit(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	fillMixed(ks, 3)
	ks.DB(0).Each(func(key []byte, ref keyspace.Ref) bool {
		n := len(dump(t, ref))
		if b, err := AppendDump(nil, ref, n); err != nil || len(b) != n {
			t.Errorf("key %.50q: dump of %d bytes with that limit: %d, %v", key, n, len(b), err)
		}
		if _, err := AppendDump(nil, ref, n-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("key %.50q: dump of %d bytes with a lower limit: %v", key, n, err)
		}
		return !t.Failed()
	})
}

// TestDumpsAndRedis: a redis-server restores what was dumped here, and the other way
// round.
func TestDumpsAndRedis(t *testing.T) {
	ctx := context.Background()
	c := redisOn(t, nil)
	ks := keyspace.New(keyspace.Config{})
	fillMixed(ks, 4)
	db, same, n := ks.DB(0), 0, 0
	db.Each(func(key []byte, ref keyspace.Ref) bool {
		ours := dump(t, ref)
		if err := c.Do(ctx, "RESTORE", string(key), max(0, ref.ExpireAt()), string(ours), "ABSTTL").Err(); err != nil {
			t.Fatalf("redis does not restore key %.50q, a %s: %v", key, ref.Type(), err)
		}
		want := fmt.Sprintf("%x", db.KeyRedisDigest(key))
		if got, err := c.Do(ctx, "DEBUG", "DIGEST-VALUE", string(key)).StringSlice(); err != nil || got[0] != want {
			t.Fatalf("key %.50q, a %s: redis restored %s, not %s (%v)", key, ref.Type(), got, want, err)
		}
		theirs, err := c.Dump(ctx, string(key)).Result()
		if err != nil {
			t.Fatal(err)
		}
		aside := ks.NewDB()
		if err := Restore([]byte(theirs), ks, aside, key, ref.ExpireAt()); err != nil {
			t.Fatalf("key %.50q, a %s, as redis dumps it: %v", key, ref.Type(), err)
		}
		if got := fmt.Sprintf("%x", aside.KeyRedisDigest(key)); got != want {
			t.Fatalf("key %.50q, a %s: restored %s, not %s", key, ref.Type(), got, want)
		}
		n++
		switch {
		case theirs == string(ours):
			same++
		case sameForm(ours, []byte(theirs)):
			t.Errorf("key %.50q, a %s: redis dumps\n%x\nand not\n%x", key, ref.Type(), theirs, ours)
		}
		return !t.Failed()
	})
	if n < 200 || same < n/2 {
		t.Errorf("%d of %d dumps are the same in redis", same, n)
	}
}

// sameForm reports whether two dumps of one value should be equal: they have the same
// type, which gives an order, and nothing in them is compressed, which leaves the
// choice of matches.
func sameForm(a, b []byte) bool {
	ordered := bytes.IndexByte([]byte{typeString, typeSetIntset, typeHashListpack, typeZSetListpack}, a[0]) >= 0
	return a[0] == b[0] && ordered &&
		a[1] != encoded+encLZF && b[1] != encoded+encLZF
}

func TestBadDumps(t *testing.T) {
	good := footed(Version, "\x00\x05value")
	for name, c := range map[string]struct {
		dump []byte
		want error
	}{
		"nothing":            {nil, ErrBadDump},
		"only a footer":      {footed(Version, ""), ErrBadDump},
		"cut footer":         {good[:len(good)-1], ErrBadDump},
		"newer version":      {footed(MaxVersion+1, "\x00\x05value"), ErrBadDump},
		"no checksum":        {append(good[:len(good)-8:len(good)-8], make([]byte, 8)...), ErrBadDump},
		"only a type":        {footed(Version, "\x00"), ErrCorrupt},
		"cut value":          {footed(Version, "\x00\x05valu"), ErrCorrupt},
		"bytes after":        {footed(Version, "\x00\x05values"), ErrCorrupt},
		"unknown type":       {footed(Version, "\x7f\x05value"), ErrCorrupt},
		"module":             {footed(Version, "\x07\x05value"), ErrUnsupported},
		"hash of nothing":    {footed(Version, "\x04\x00"), ErrCorrupt},
		"packed nothing":     {footed(Version, "\x10\x07\x07\x00\x00\x00\x00\x00\xff"), ErrCorrupt},
		"huge length":        {footed(Version, "\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), ErrTooLarge},
		"long length":        {footed(Version, "\x00\x80\x10\x00\x00\x00"), ErrCorrupt},
		"file's end":         {footed(Version, "\xff"), ErrCorrupt},
		"expiry like a file": {footed(Version, "\xfc\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05value"), ErrCorrupt},
	} {
		ks := keyspace.New(keyspace.Config{})
		if err := Restore(c.dump, ks, ks.DB(0), []byte("k"), keyspace.NoExpire); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for i := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		ks := keyspace.New(keyspace.Config{})
		if err := Restore(bad, ks, ks.DB(0), []byte("k"), keyspace.NoExpire); !errors.Is(err, ErrBadDump) {
			t.Errorf("bit %d flipped: %v", i, err)
		}
	}
}

func TestDumpsOfOtherVersions(t *testing.T) {
	for _, version := range []uint16{1, 9, 11, MaxVersion} {
		ks := keyspace.New(keyspace.Config{})
		if err := Restore(footed(version, "\x00\x05value"), ks, ks.DB(0), []byte("k"), 7); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		if ref, ok := ks.DB(0).Lookup([]byte("k")); !ok || string(ref.Str()) != "value" || ref.ExpireAt() != 7 {
			t.Errorf("version %d: not restored", version)
		}
	}
}

func BenchmarkDump(b *testing.B) {
	ks := keyspace.New(keyspace.Config{})
	for _, n := range []int{10, 1000, 100_000} {
		ks.DB(0).SetString([]byte("k"), []byte(strings.Repeat("value ", n/6)))
		ref, _ := ks.DB(0).Lookup([]byte("k"))
		var buf []byte
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				buf, _ = AppendDump(buf[:0], ref, 0)
			}
		})
		b.Run(fmt.Sprint("restore_", n), func(b *testing.B) {
			db := ks.NewDB()
			for b.Loop() {
				if err := Restore(buf, ks, db, []byte("k"), keyspace.NoExpire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

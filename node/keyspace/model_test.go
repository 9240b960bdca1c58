package keyspace

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// modelValue and model are the specification: plain maps.
type modelValue struct {
	typ  Type
	str  string
	hash map[string]string
	set  map[string]bool
	list []string
	zset map[string]float64
	at   int64
}

type model []map[string]modelValue

// rebuild makes a keyspace of the same logical state in another order and, where
// it can, other encodings.
func (m model) rebuild() *Keyspace {
	ks := New(Config{Databases: len(m)})
	ks.Config().HashMaxListpackEntries = 0
	ks.Config().SetMaxIntsetEntries, ks.Config().SetMaxListpackEntries = 0, 0
	ks.Config().ZSetMaxListpackEntries = 0
	for i, db := range m {
		for k, v := range db {
			if v.typ == TypeString {
				ks.DB(i).SetStringExpireAt([]byte(k), []byte(v.str), v.at, FormRaw)
				continue
			}
			ks.DB(i).SetObject([]byte(k), v.object(ks))
			ks.DB(i).SetExpire([]byte(k), v.at)
		}
	}
	return ks
}

// object is a value of any type but string.
func (v modelValue) object(ks *Keyspace) Object {
	switch v.typ {
	case TypeSet:
		s := ks.NewSet()
		for member := range v.set {
			s.Add([]byte(member))
		}
		return s
	case TypeZSet:
		z := ks.NewZSet()
		for m, score := range v.zset {
			z.Set([]byte(m), score)
		}
		return z
	case TypeList:
		l := ks.NewList()
		for _, e := range v.list {
			l.Push(false, []byte(e))
		}
		return l
	}
	h := ks.NewHash()
	for f, fv := range v.hash {
		h.Set([]byte(f), []byte(fv))
	}
	return h
}

func (m model) check(t failer, ks *Keyspace) {
	t.Helper()
	total := 0
	for i, want := range m {
		db := ks.DB(i)
		total += len(want)
		if db.Len() != len(want) {
			t.Fatalf("db %d: Len %d, want %d", i, db.Len(), len(want))
		}
		for k, v := range want {
			ref, ok := db.Lookup([]byte(k))
			if !ok || ref.Type() != v.typ || ref.ExpireAt() != v.at || string(ref.Key()) != k {
				t.Fatalf("db %d: key %q: found %v, want %v", i, k, ok, v)
			}
			if v.typ == TypeString {
				if string(ref.Str()) != v.str || ref.Hash() != nil || ref.Set() != nil || ref.Object() != nil {
					t.Fatalf("db %d: key %q: value of %d bytes, want %d", i, k, len(ref.Str()), len(v.str))
				}
				continue
			}
			switch v.typ {
			case TypeZSet:
				checkZSet(t, ref.ZSet(), v.zset)
			case TypeSet:
				checkSet(t, ref.Set(), v.set)
			case TypeList:
				compareList(t, ref.List(), v.list)
			default:
				checkHash(t, ref.Hash(), v.hash)
			}
		}
		db.Each(func(key []byte, _ Ref) bool {
			if _, ok := want[string(key)]; !ok {
				t.Fatalf("db %d: Each met %q, which is not there", i, key)
			}
			return true
		})
	}
	if ks.Len() != total {
		t.Fatalf("Len %d, want %d", ks.Len(), total)
	}
	checkKeyspace(t, ks)
}

func checkHash(t failer, h *Hash, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	h.Each(func(f, v []byte) bool {
		got[string(f)] = string(v)
		return true
	})
	if !maps.Equal(got, want) || h.Len() != len(want) {
		t.Fatalf("hash of %d fields, want %d", h.Len(), len(want))
	}
	for f, v := range want {
		if got, ok := h.Get([]byte(f)); !ok || string(got) != v || h.StrLen([]byte(f)) != len(v) || !h.Exists([]byte(f)) {
			t.Fatalf("field %q is %q, want %q", f, got, v)
		}
	}
}

var (
	// Lengths around those where a record changes its shape.
	genLen   = rapid.OneOf(rapid.IntRange(0, 90), rapid.SampledFrom([]int{126, 127, 128, 1000, inlineMax - 1, inlineMax, inlineMax + 1, 16383, 40000}))
	genShort = rapid.SliceOfN(rapid.Byte(), 0, 12)
	genKey   = rapid.Custom(func(t *rapid.T) []byte {
		n := rapid.IntRange(0, 15).Draw(t, "key")
		switch n {
		case 0:
			return []byte{}
		case 1:
			return bytes.Repeat([]byte{'k'}, 200)
		}
		return fmt.Appendf(nil, "key:%d", n)
	})
	genVal = rapid.Custom(func(t *rapid.T) []byte {
		n := genLen.Draw(t, "len")
		if n > 90 {
			return bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, n)
		}
		return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "value")
	})
	genAt   = rapid.OneOf(rapid.Just(NoExpire), rapid.Int64Range(0, 1<<45))
	genForm = rapid.SampledFrom([]StringForm{FormAuto, FormText, FormRaw})
)

// machine runs the same commands on a Keyspace and on the model.
type machine struct {
	ks *Keyspace
	m  model
}

func (s *machine) db(t *rapid.T) (*DB, map[string]modelValue, int) {
	i := rapid.IntRange(0, len(s.m)-1).Draw(t, "db")
	return s.ks.DB(i), s.m[i], i
}

func TestKeyspaceAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		longest := rapid.SampledFrom([]int{10, 300, 50_000}).Draw(t, "listpack value")
		s := &machine{ks: New(Config{
			Databases: 3, HashMaxListpackEntries: 6, HashMaxListpackValue: longest,
			SetMaxIntsetEntries: 9, SetMaxListpackEntries: 6, SetMaxListpackValue: longest,
			ZSetMaxListpackEntries: 6, ZSetMaxListpackValue: longest,
		})}
		s.m = model{{}, {}, {}}
		t.Repeat(map[string]func(*rapid.T){
			"":        func(t *rapid.T) { s.m.check(t, s.ks) },
			"set":     s.set,
			"append":  s.appendString,
			"range":   s.setRange,
			"expire":  s.expire,
			"delete":  s.delete,
			"rename":  s.rename,
			"copy":    s.copyTo,
			"move":    s.move,
			"swap":    s.swap,
			"hashset": s.hashSet,
			"hashdel": s.hashDel,
			"setadd":  s.setAdd,
			"setdel":  s.setRemove,
			"setpop":  s.setPop,
			"push":    s.push,
			"zsetset": s.zsetSet,
			"zsetdel": s.zsetDel,
			"digest":  s.digest,
		})
	})
}

func (s *machine) set(t *rapid.T) {
	db, m, _ := s.db(t)
	k, v, form := genKey.Draw(t, "key"), genVal.Draw(t, "val"), genForm.Draw(t, "form")
	at := NoExpire
	switch rapid.IntRange(0, 3).Draw(t, "expiry") {
	case 0:
		db.SetString(k, v)
	case 1:
		at = genAt.Draw(t, "at")
		db.SetStringExpireAt(k, v, at, form)
	case 2:
		if old, ok := m[string(k)]; ok {
			at = old.at
		}
		db.SetStringKeepExpire(k, v, form)
	case 3:
		db.AdoptString(k, bytes.Clone(v), form)
	}
	m[string(k)] = modelValue{typ: TypeString, str: string(v), at: at}
}

func (s *machine) appendString(t *rapid.T) {
	db, m, _ := s.db(t)
	k, v := genKey.Draw(t, "key"), genVal.Draw(t, "val")
	old, ok := m[string(k)]
	n, err := db.AppendString(k, v)
	if ok && old.typ != TypeString {
		if !errors.Is(err, ErrWrongType) {
			t.Fatalf("append to a %s: %v", old.typ, err)
		}
		return
	}
	if !ok {
		old.at = NoExpire
	}
	old.str += string(v)
	if err != nil || n != len(old.str) {
		t.Fatalf("append: %d, %v; want %d", n, err, len(old.str))
	}
	m[string(k)] = old
}

func (s *machine) setRange(t *rapid.T) {
	db, m, _ := s.db(t)
	k, v, off := genKey.Draw(t, "key"), genShort.Draw(t, "val"), genLen.Draw(t, "off")
	old, ok := m[string(k)]
	n, err := db.SetRange(k, off, v)
	switch {
	case ok && old.typ != TypeString:
		if !errors.Is(err, ErrWrongType) {
			t.Fatalf("setrange of a %s: %v", old.typ, err)
		}
		return
	case len(v) > 0:
		b := append([]byte(old.str), make([]byte, max(0, off+len(v)-len(old.str)))...)
		copy(b[off:], v)
		if !ok {
			old.at = NoExpire
		}
		old.str = string(b)
		m[string(k)] = old
	}
	if err != nil || n != len(old.str) {
		t.Fatalf("setrange: %d, %v; want %d", n, err, len(old.str))
	}
}

func (s *machine) expire(t *rapid.T) {
	db, m, _ := s.db(t)
	k, at := genKey.Draw(t, "key"), genAt.Draw(t, "at")
	old, ok := m[string(k)]
	if at == NoExpire {
		if got := db.Persist(k); got != (ok && old.at != NoExpire) {
			t.Fatalf("persist: %v", got)
		}
	} else if got := db.SetExpire(k, at); got != ok {
		t.Fatalf("expire: %v, want %v", got, ok)
	}
	if ok {
		old.at = at
		m[string(k)] = old
	}
}

func (s *machine) delete(t *rapid.T) {
	db, m, _ := s.db(t)
	k := genKey.Draw(t, "key")
	_, ok := m[string(k)]
	if got := db.Delete(k); got != ok {
		t.Fatalf("delete: %v, want %v", got, ok)
	}
	delete(m, string(k))
}

func (v modelValue) clone() modelValue {
	v.hash, v.set, v.zset = maps.Clone(v.hash), maps.Clone(v.set), maps.Clone(v.zset)
	v.list = slices.Clone(v.list)
	return v
}

func (s *machine) rename(t *rapid.T) {
	db, m, _ := s.db(t)
	src, dst := genKey.Draw(t, "src"), genKey.Draw(t, "dst")
	v, ok := m[string(src)]
	if got := db.Rename(src, dst); got != ok {
		t.Fatalf("rename: %v, want %v", got, ok)
	}
	if ok {
		delete(m, string(src))
		m[string(dst)] = v
	}
}

func (s *machine) copyTo(t *rapid.T) {
	db, m, _ := s.db(t)
	to, toM, _ := s.db(t)
	src, dst := genKey.Draw(t, "src"), genKey.Draw(t, "dst")
	v, ok := m[string(src)]
	if got := db.CopyTo(to, src, dst); got != ok {
		t.Fatalf("copy: %v, want %v", got, ok)
	}
	if ok {
		toM[string(dst)] = v.clone()
	}
}

func (s *machine) move(t *rapid.T) {
	db, m, _ := s.db(t)
	to, toM, _ := s.db(t)
	k := genKey.Draw(t, "key")
	v, ok := m[string(k)]
	_, there := toM[string(k)]
	if got := db.Move(to, k); got != (ok && !there) {
		t.Fatalf("move: %v", got)
	}
	if ok && !there {
		delete(m, string(k))
		toM[string(k)] = v
	}
}

func (s *machine) swap(t *rapid.T) {
	_, _, i := s.db(t)
	_, _, j := s.db(t)
	s.ks.Swap(i, j)
	s.m[i], s.m[j] = s.m[j], s.m[i]
	if rapid.IntRange(0, 9).Draw(t, "flush") == 0 {
		s.ks.DB(i).Flush()
		s.m[i] = map[string]modelValue{}
	}
}

func (s *machine) hashSet(t *rapid.T) {
	db, m, _ := s.db(t)
	k, n := genKey.Draw(t, "key"), rapid.IntRange(1, 5).Draw(t, "fields")
	old, ok := m[string(k)]
	h, err := db.HashForWrite(k)
	if ok && old.typ != TypeHash {
		if !errors.Is(err, ErrWrongType) {
			t.Fatalf("hash of a %s: %v", old.typ, err)
		}
		return
	}
	if !ok {
		old = modelValue{typ: TypeHash, hash: map[string]string{}, at: NoExpire}
	}
	for range n {
		f := rapid.SliceOfN(rapid.ByteRange('a', 'e'), 0, 2).Draw(t, "field")
		v := genShort.Draw(t, "val")
		if rapid.IntRange(0, 9).Draw(t, "long") == 9 {
			v = genVal.Draw(t, "longval")
		}
		_, exists := old.hash[string(f)]
		if added := h.Set(f, v); added == exists {
			t.Fatalf("hset: new %v, but there %v", added, exists)
		}
		old.hash[string(f)] = string(v)
	}
	m[string(k)] = old
}

func (s *machine) hashDel(t *rapid.T) {
	db, m, _ := s.db(t)
	k := genKey.Draw(t, "key")
	old, ok := m[string(k)]
	ref, found := db.Lookup(k)
	if h := ref.Hash(); ok != found || (h != nil) != (ok && old.typ == TypeHash) {
		t.Fatalf("look-up: %v, hash %v, want %v", found, h != nil, old)
	}
	if !ok || old.typ != TypeHash {
		return
	}
	h := ref.Hash()
	for range rapid.IntRange(1, 5).Draw(t, "fields") {
		f := rapid.SliceOfN(rapid.ByteRange('a', 'e'), 0, 2).Draw(t, "field")
		want, exists := old.hash[string(f)]
		if v, ok := h.Get(f); ok != exists || string(v) != want {
			t.Fatalf("hget: %q, %v, want %q, %v", v, ok, want, exists)
		}
		if got := h.Del(f); got != exists {
			t.Fatalf("hdel: %v, want %v", got, exists)
		}
		delete(old.hash, string(f))
	}
	if gone := db.DeleteIfEmpty(k); gone != (len(old.hash) == 0) {
		t.Fatalf("hash of %d fields deleted: %v", len(old.hash), gone)
	}
	if len(old.hash) == 0 {
		delete(m, string(k))
		h.Set([]byte("late"), []byte("write")) // must not touch the database any more
	}
}

// push adds to a list, or takes from it.
func (s *machine) push(t *rapid.T) {
	db, m, _ := s.db(t)
	k := genKey.Draw(t, "key")
	old, ok := m[string(k)]
	l, err := db.ListForWrite(k)
	if ok && old.typ != TypeList {
		if !errors.Is(err, ErrWrongType) {
			t.Fatalf("list of another type: %v", err)
		}
		return
	}
	if !ok {
		old = modelValue{typ: TypeList, at: NoExpire}
	}
	if n := rapid.IntRange(-5, 5).Draw(t, "n"); n < 0 {
		n = min(-n, len(old.list))
		l.Drop(true, n)
		old.list = old.list[n:]
	} else {
		for range n {
			e := genVal.Draw(t, "element")
			l.Push(false, e)
			old.list = append(old.list, string(e))
		}
	}
	m[string(k)] = old
	if db.DeleteIfEmpty(k) != (len(old.list) == 0) {
		t.Fatalf("list of %d elements", len(old.list))
	}
	if len(old.list) == 0 {
		delete(m, string(k))
		l.Push(true, []byte("late")) // must not touch the database any more
	}
}

func (s *machine) digest(t *rapid.T) {
	other := s.m.rebuild()
	if s.ks.Digest() != other.Digest() {
		t.Fatalf("digest %s, of the same data %s", s.ks.Digest(), other.Digest())
	}
	if s.ks.RedisDigest() != other.RedisDigest() {
		t.Fatalf("Redis digest %x, of the same data %x", s.ks.RedisDigest(), other.RedisDigest())
	}
}

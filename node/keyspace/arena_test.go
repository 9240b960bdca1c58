package keyspace

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// idleRegion is what an empty keyspace keeps mapped at most.
const idleRegion = 1 << 20

// releaseAll gives back what can be, as a node does.
func releaseAll(ks *Keyspace) {
	ks.Reclaim()
	for {
		s := ks.Surplus(8 << 20)
		if len(s) == 0 {
			return
		}
		s.Release()
	}
}

func TestMemoryGoesBackToTheSystem(t *testing.T) {
	const n = 100_000
	empty := map[string]func(ks *Keyspace){
		"delete": func(ks *Keyspace) {
			for i := range n {
				ks.DB(i & 1).Delete(key16(nil, i))
				if i%100 == 0 {
					ks.Reclaim()
				}
			}
		},
		"replace by objects": func(ks *Keyspace) {
			for i := range n {
				ks.DB(i&1).SetObject(key16(nil, i), ks.NewSet())
			}
		},
		"flush": func(ks *Keyspace) { ks.FlushAll() },
		"swap and flush": func(ks *Keyspace) {
			ks.Swap(0, 5)
			ks.DB(5).Flush()
			ks.Swap(1, 5)
			ks.FlushAll()
		},
		"close": func(ks *Keyspace) { ks.Close() },
	}
	for name, empty := range empty {
		t.Run(name, func(t *testing.T) {
			ks := New(Config{})
			for range 2 { // a keyspace that was emptied is as good as new
				for i := range n {
					ks.DB(i&1).SetString(key16(nil, i), make([]byte, 200))
				}
				if s := ks.ArenaStats(); s.Mapped < n*200 {
					t.Fatalf("%d keys, arenas say %+v", n, s)
				}
				checkKeyspace(t, ks)
				empty(ks)
				releaseAll(ks)
				chains := int64(0) // of tables
				for i := range 2 {
					chains += int64(ks.DB(i).keys.overflows) * int64(arena.Size(bucketSize))
				}
				most := int64(idleRegion)
				if chains > 0 {
					most += 2 * idleRegion // of the tables, one a database
				}
				if s := ks.ArenaStats(); s.Mapped > most || s.Allocated != chains {
					t.Errorf("nothing is left but %d bytes of tables, arenas say %+v", chains, s)
				}
				ks.FlushAll()
			}
		})
	}
}

// TestUnreachableKeyspaceGivesItsMemoryBack: who forgets to close one does not leak.
func TestUnreachableKeyspaceGivesItsMemoryBack(t *testing.T) {
	before := arena.Mapped()
	func() {
		for range 20 {
			ks := New(Config{})
			for i := range 5_000 {
				ks.DB(i&3).SetString(key16(nil, i), make([]byte, 1000))
			}
		}
	}()
	deadline := time.Now().Add(time.Minute)
	for arena.Mapped() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes were mapped before, %d are now", before, arena.Mapped())
		}
		runtime.GC()
		runtime.Gosched()
	}
}

// TestSmallKeyspaceStaysSmall: a key in each of 16 databases takes some pages, an
// empty keyspace nothing.
func TestSmallKeyspaceStaysSmall(t *testing.T) {
	ks := New(Config{})
	if s := ks.ArenaStats(); s != (arena.Stats{}) {
		t.Errorf("empty: %+v", s)
	}
	for i := range ks.NumDBs() {
		ks.DB(i).SetString([]byte("key"), []byte("value"))
	}
	if s := ks.ArenaStats(); s.Resident > 4096 {
		t.Errorf("16 keys: %+v", s)
	}
}

// TestRecordsAreKeptUntilReclaim: every way in which a record leaves its database
// leaves its bytes alone until Reclaim, and ends with it.
func TestRecordsAreKeptUntilReclaim(t *testing.T) {
	key, value := []byte("a key"), bytes.Repeat([]byte("value"), 20)
	ways := map[string]func(db *DB){
		"delete":        func(db *DB) { db.Delete(key) },
		"flush":         func(db *DB) { db.Flush() },
		"flush all":     func(db *DB) { db.ks.FlushAll() },
		"longer":        func(db *DB) { db.SetString(key, make([]byte, 1000)) },
		"long":          func(db *DB) { db.SetString(key, make([]byte, 10_000)) },
		"shorter":       func(db *DB) { db.SetString(key, nil) },
		"with expiry":   func(db *DB) { db.SetExpire(key, 1) },
		"adopted":       func(db *DB) { db.AdoptString(key, make([]byte, 10_000), FormRaw) },
		"object":        func(db *DB) { db.SetObject(key, db.ks.NewHash()) },
		"renamed":       func(db *DB) { db.Rename(key, []byte("another")) },
		"renamed over":  func(db *DB) { db.SetString([]byte("k"), []byte("v")); db.Rename([]byte("k"), key) },
		"moved":         func(db *DB) { db.Move(db.ks.DB(1), key) },
		"copied over":   func(db *DB) { db.SetString([]byte("k"), []byte("v")); db.CopyTo(db, []byte("k"), key) },
		"append":        func(db *DB) { db.AppendString(key, make([]byte, 500)) },
		"append much":   func(db *DB) { db.AppendString(key, make([]byte, 5000)) },
		"set range":     func(db *DB) { db.SetRange(key, 500, []byte("x")) },
		"swap, delete":  func(db *DB) { db.ks.Swap(0, 1); db.ks.DB(1).Delete(key) },
		"delete, close": func(db *DB) { db.Delete(key) },
	}
	for name, leave := range ways {
		t.Run(name, func(t *testing.T) {
			ks := New(Config{})
			db := ks.DB(0)
			db.SetString(key, value)
			ref, _ := db.Lookup(key)
			k, v := ref.Key(), ref.Str()
			leave(db)
			for i := range 1000 { // of the sizes of what was freed
				db.SetString(fmt.Append(nil, "other", i), make([]byte, 2*len(value)*i/1000))
			}
			if !bytes.Equal(k, key) || !bytes.Equal(v, value) {
				t.Fatalf("before Reclaim key and value are %q and %q", k, v)
			}
			checkKeyspace(t, ks) // reclaims
			if poisoned := k[0] != key[0] || v[len(v)-1] != value[len(v)-1]; poisoned != raceEnabled {
				t.Errorf("after Reclaim the record is overwritten: %v, want %v", poisoned, raceEnabled)
			}
			runtime.KeepAlive(ks)
		})
	}
}

// TestRecordsBelongToTheirDatabase: what came from another database outlives that one's
// flush.
func TestRecordsBelongToTheirDatabase(t *testing.T) {
	key, value := []byte("a key"), bytes.Repeat([]byte("value"), 20)
	for name, come := range map[string]func(ks *Keyspace, from *DB) bool{
		"move": func(ks *Keyspace, from *DB) bool { return from.Move(ks.DB(1), key) },
		"copy": func(ks *Keyspace, from *DB) bool { return from.CopyTo(ks.DB(1), key, key) },
		"move with expiry": func(ks *Keyspace, from *DB) bool {
			return from.SetExpire(key, 9) && from.Move(ks.DB(1), key)
		},
		"move from outside": func(ks *Keyspace, _ *DB) bool {
			outside := ks.NewDB()
			outside.SetString(key, value)
			return outside.Move(ks.DB(1), key)
		},
	} {
		ks := New(Config{})
		from := ks.DB(0)
		from.SetString(key, value)
		if !come(ks, from) {
			t.Fatalf("%s: nothing came", name)
		}
		for range 2 {
			from.Flush()
			checkKeyspace(t, ks)
			for i := range 1000 {
				from.SetString(fmt.Append(nil, i), value)
			}
		}
		if ref, ok := ks.DB(1).Lookup(key); !ok || !bytes.Equal(ref.Str(), value) {
			t.Errorf("%s: the value is gone or overwritten", name)
		}
	}
}

// TestNewDBTakesNoRegion: restoring a value must not map memory for it.
func TestNewDBTakesNoRegion(t *testing.T) {
	ks := New(Config{})
	db := ks.NewDB()
	db.SetString([]byte("key"), []byte("value"))
	db.Delete([]byte("key"))
	db.Flush()
	db.SetString([]byte("key"), []byte("value"))
	if s := ks.ArenaStats(); s != (arena.Stats{}) {
		t.Errorf("%+v", s)
	}
}

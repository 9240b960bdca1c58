package keyspace

import (
	"bytes"
	"math/rand/v2"
	"runtime"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// store is the content of a database, apart from its number so that SWAPDB and
// FLUSHDB are an exchange of pointers.
type store struct {
	account
	// arena holds the inline records; nil: they are in Go's heap.
	arena *arena.Arena
	// chains holds the overflow buckets of the tables, apart so that few of them do not
	// keep the regions of many records that are gone.
	chains *arena.Arena
	keys   table
	// pins keep all other records alive if there is an arena.
	pins pins
	// expires holds the very records of keys that have an expiry.
	expires      table
	expireCursor uint64
	avgTTL       int64
}

// newStore makes an empty store whose records and tables are nothing to the garbage
// collector.
func (ks *Keyspace) newStore() *store {
	s := &store{account: account{cfg: &ks.cfg}, arena: ks.pool.NewArena(), chains: ks.pool.NewArena()}
	s.keys.arena, s.expires.arena = s.chains, s.chains
	return s
}

// newHeapStore makes an empty store in Go's heap.
func (ks *Keyspace) newHeapStore() *store { return &store{account: account{cfg: &ks.cfg}} }

// own makes the store the owner of a record that has just come into its tables.
func (s *store) own(h *header) {
	if !h.boxed() {
		s.mem += int64(h.memory())
		return
	}
	h.box().moveTo(&s.account)
	if s.arena != nil {
		s.pins.add(h.box())
	}
}

// disown is the opposite, of a record that the table of keys does not hold any more.
func (s *store) disown(h *header, to *account) {
	if !h.boxed() {
		s.mem -= int64(h.memory())
		h.free(s.arena)
		return
	}
	h.box().moveTo(to)
	if s.arena != nil {
		s.pins.remove(h.box())
	}
}

// DB is one numbered database.
type DB struct {
	id int
	ks *Keyspace
	*store
}

// Index is the database's number.
func (db *DB) Index() int { return db.id }

// Len is the number of keys, expired ones included.
func (db *DB) Len() int { return db.keys.count }

// Expires is the number of keys that have an expiry.
func (db *DB) Expires() int { return db.expires.count }

// MemoryUsed is the database's part of Keyspace.MemoryUsed.
func (db *DB) MemoryUsed() int64 {
	keys, expires := db.Overhead()
	return db.mem + keys + expires
}

// Overhead is the part of MemoryUsed that finds keys and those of them that expire,
// rather than holding anything.
func (db *DB) Overhead() (keys, expires int64) {
	return db.keys.memory() + db.pins.memory(), db.expires.memory()
}

// Lookup finds key, without judging its expiry.
func (db *DB) Lookup(key []byte) (Ref, bool) {
	slot := db.keys.find(hashOf(key), key)
	if slot == nil {
		return Ref{}, false
	}
	return Ref{*slot}, true
}

// Delete removes key in constant time whatever its value, and reports whether it
// was there.
func (db *DB) Delete(key []byte) bool {
	hash := hashOf(key)
	slot := db.keys.find(hash, key)
	if slot == nil {
		return false
	}
	db.take(hash, *slot)
	return true
}

// DeleteIfEmpty removes key if it holds an aggregate without elements, as a
// command must that removed elements or made the key for nothing.
func (db *DB) DeleteIfEmpty(key []byte) bool {
	ref, ok := db.Lookup(key)
	if o := ref.Object(); !ok || o == nil || o.Len() > 0 {
		return false
	}
	return db.Delete(key)
}

// Flush empties the database in constant time.
func (db *DB) Flush() {
	if db.arena == nil {
		db.store = db.ks.newHeapStore()
		return
	}
	db.arena.Drop()
	db.chains.Drop()
	db.store = db.ks.newStore()
}

// SetObject stores obj under key in the place of any value and removes the
// expiry. The database owns obj from now on; obj must not be in a database.
func (db *DB) SetObject(key []byte, obj Object) {
	b := obj.base()
	if b.home != &db.ks.detached {
		panic("keyspace: SetObject of an object that is in a database")
	}
	b.setKey(key)
	b.setExpire(NoExpire)
	db.put(hashOf(key), &b.header)
}

// HashForWrite returns the hash at key, which it makes when key is absent. The caller
// sees to it that no empty hash stays behind (DeleteIfEmpty). ErrWrongType when
// key holds another type.
func (db *DB) HashForWrite(key []byte) (*Hash, error) { return forWrite(db, key, newHash) }

// SetForWrite is HashForWrite of a set.
func (db *DB) SetForWrite(key []byte) (*Set, error) { return forWrite(db, key, newSet) }

// ListForWrite is HashForWrite of a list.
func (db *DB) ListForWrite(key []byte) (*List, error) { return forWrite(db, key, newList) }

// ZSetForWrite is HashForWrite of a sorted set.
func (db *DB) ZSetForWrite(key []byte) (*ZSet, error) { return forWrite(db, key, newZSet) }

// StreamForWrite is HashForWrite for streams, which may stay behind empty.
func (db *DB) StreamForWrite(key []byte) (*Stream, error) { return forWrite(db, key, newStream) }

// forWrite is HashForWrite for any type.
func forWrite[T Object](db *DB, key []byte, empty func(home *account) T) (T, error) {
	if ref, ok := db.Lookup(key); ok {
		obj, ok := ref.Object().(T)
		if !ok {
			return obj, ErrWrongType
		}
		return obj, nil
	}
	obj := empty(&db.ks.detached)
	db.SetObject(key, obj)
	return obj, nil
}

// Rename moves the value and expiry of src to dst, replacing what dst held. It
// reports whether src was there.
func (db *DB) Rename(src, dst []byte) bool {
	hash := hashOf(src)
	slot := db.keys.find(hash, src)
	if slot == nil {
		return false
	}
	if bytes.Equal(src, dst) {
		return true
	}
	h := *slot
	db.take(hash, h)
	if h.boxed() {
		h.box().setKey(dst)
	} else {
		h = db.newString(h.flags, dst, h.str(), h.expireAt())
	}
	db.put(hashOf(dst), h)
	return true
}

// CopyTo copies the value and expiry of src to dst in database to, replacing what
// dst held there. It reports whether src was there.
func (db *DB) CopyTo(to *DB, src, dst []byte) bool {
	slot := db.keys.find(hashOf(src), src)
	if slot == nil {
		return false
	}
	h := *slot
	if h.typ() == TypeString {
		to.put(hashOf(dst), to.newString(h.flags, dst, h.str(), h.expireAt()))
		return true
	}
	c := h.object().clone(&to.ks.detached).base()
	c.setKey(dst)
	c.setExpire(h.expireAt())
	to.put(hashOf(dst), &c.header)
	return true
}

// Move takes key from db to database to with its expiry. It changes nothing and
// returns false when db has no such key or the other database has one.
func (db *DB) Move(to *DB, key []byte) bool {
	hash := hashOf(key)
	slot := db.keys.find(hash, key)
	if slot == nil || to.keys.find(hash, key) != nil {
		return false
	}
	h := *slot
	db.take(hash, h)
	if !h.boxed() { // it is in the memory of db
		h = to.newString(h.flags, key, h.str(), h.expireAt())
	}
	to.put(hash, h)
	return true
}

// Each calls fn with every key, in no order, until it returns false.
func (db *DB) Each(fn func(key []byte, ref Ref) bool) {
	db.keys.each(func(h *header) bool { return fn(h.keyBytes(), Ref{h}) })
	runtime.KeepAlive(db)
}

// Scan visits about count keys from cursor on and returns the next cursor, zero
// when the round is complete. A round begun with zero visits every key that is
// there from its first to its last call at least once, however the database changes
// between calls. Any cursor is valid.
func (db *DB) Scan(cursor uint64, count int, fn func(key []byte, ref Ref)) (next uint64) {
	next = db.keys.scan(cursor, count, func(h *header) { fn(h.keyBytes(), Ref{h}) })
	runtime.KeepAlive(db)
	return next
}

// RandomKey picks a key, each with the same probability; false when there is none.
func (db *DB) RandomKey(rng *rand.Rand) ([]byte, Ref, bool) {
	if db.keys.count == 0 {
		return nil, Ref{}, false
	}
	h := db.keys.random(rng)
	return h.keyBytes(), Ref{h}, true
}

// put stores a complete record that is in no table, in the place of any of the same
// key.
func (db *DB) put(hash uint64, h *header) {
	db.putAt(hash, db.keys.find(hash, h.keyBytes()), h)
}

// putAt is put with the slot of the key at hand, nil when it is absent.
func (db *DB) putAt(hash uint64, slot **header, h *header) {
	if slot == nil {
		db.keys.insert(hash, h)
	} else {
		old := *slot
		*slot = h
		db.forget(hash, old)
	}
	if h.hasExpire() {
		db.expires.insert(hash, h)
	}
	db.own(h)
}

// take removes a record from the database. An object of it lives on, owned by nobody; an
// inline record can be read until the next Reclaim.
func (db *DB) take(hash uint64, h *header) {
	db.keys.remove(hash, h)
	db.forget(hash, h)
}

// forget undoes what put did beside the table of keys, which must not hold the record
// any more.
func (db *DB) forget(hash uint64, h *header) {
	if h.hasExpire() {
		db.expires.remove(hash, h)
	}
	db.disown(h, &db.ks.detached)
}

// swapRecord puts h in the place of the inline record in slot in the tables, same key,
// same expiry or none of both, and settles the account.
func (db *DB) swapRecord(hash uint64, slot **header, h *header) {
	old := *slot
	*slot = h
	if old.hasExpire() {
		db.expires.replace(hash, old, h)
	}
	db.disown(old, &db.ks.detached)
	db.own(h)
}

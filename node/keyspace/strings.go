package keyspace

import "github.com/redoubtdb/redoubt/internal/arena"

// StringForm is what a new string pretends to be when asked for its encoding.
type StringForm uint8

const (
	// FormAuto is a value as SET stores it: int, embstr or raw by content and length.
	FormAuto StringForm = iota
	// FormText is never int, as the result of INCRBYFLOAT.
	FormText
	// FormRaw is raw at any length, as the result of BITOP or PFADD.
	FormRaw
)

func (f StringForm) flags() uint8 {
	switch f {
	case FormText:
		return flagText
	case FormRaw:
		return flagRaw
	}
	return 0
}

// SetString stores a string in the place of any value and removes the expiry.
func (db *DB) SetString(key, val []byte) {
	hash := hashOf(key)
	db.setString(hash, db.keys.find(hash, key), key, val, NoExpire, 0)
}

// SetStringKeepExpire is SetString, but keeps the expiry that key has.
func (db *DB) SetStringKeepExpire(key, val []byte, form StringForm) {
	hash, at := hashOf(key), NoExpire
	slot := db.keys.find(hash, key)
	if slot != nil {
		at = (*slot).expireAt()
	}
	db.setString(hash, slot, key, val, at, form.flags())
}

// SetStringExpireAt is SetString with a new expiry in unix milliseconds (or
// NoExpire) and a form.
func (db *DB) SetStringExpireAt(key, val []byte, atMs int64, form StringForm) {
	hash := hashOf(key)
	db.setString(hash, db.keys.find(hash, key), key, val, atMs, form.flags())
}

// AdoptString is SetString with a form for a value that was made for this: it may
// become part of the database, and the caller must not use it any more.
func (db *DB) AdoptString(key, val []byte, form StringForm) {
	if len(val) <= inlineMax {
		db.SetStringExpireAt(key, val, NoExpire, form)
		return
	}
	s := newBigString(&db.ks.detached, form.flags(), 0)
	s.b = val
	s.setKey(key)
	s.settle(s.weigh())
	db.put(hashOf(key), &s.header)
}

func (db *DB) setString(hash uint64, slot **header, key, val []byte, at int64, flags uint8) {
	if slot != nil && len(val) <= inlineMax {
		if h := *slot; !h.boxed() && h.fitsInPlace(len(val), at) {
			db.indexExpire(hash, h, at)
			copy(h.setTail(flags, h.keyEnd(), len(val), at), val)
			return
		}
	}
	db.putAt(hash, slot, db.newString(flags, key, val, at))
}

// newString makes a record of a string for the database, in the form its length asks for.
func (db *DB) newString(flags uint8, key, val []byte, at int64) *header {
	return newString(db.arena, &db.ks.detached, flags, key, val, at)
}

// newString makes a record of a string in the form its length asks for. A short one is in
// the arena, if there is one, unless its key is too long for that.
func newString(a *arena.Arena, home *account, flags uint8, key, val []byte, at int64) *header {
	if inlineFits(a, key, len(val), at) {
		h := newInlineIn(a, flags, key, len(val), at)
		copy(h.str(), val)
		return h
	}
	s := newBigString(home, flags, 0)
	s.b = append(make([]byte, 0, allocSize(len(val))), val...)
	s.setKey(key)
	s.settle(s.weigh())
	s.setExpire(at)
	return &s.header
}

// indexExpire puts a record that is about to be given the expiry at into the
// index of expiries, or out of it.
func (db *DB) indexExpire(hash uint64, h *header, at int64) {
	switch had := h.hasExpire(); {
	case had && at == NoExpire:
		db.expires.remove(hash, h)
	case !had && at != NoExpire:
		db.expires.insert(hash, h)
	}
}

// AppendString adds tail to the string at key, or stores it as a new one, and
// returns the new length in bytes. The caller has checked the limit of a string's
// length. ErrWrongType when key holds another type.
func (db *DB) AppendString(key, tail []byte) (int, error) {
	hash := hashOf(key)
	slot := db.keys.find(hash, key)
	if slot == nil {
		db.setString(hash, nil, key, tail, NoExpire, 0)
		return len(tail), nil
	}
	if (*slot).typ() != TypeString {
		return 0, ErrWrongType
	}
	old := len((*slot).str())
	v := db.growString(hash, slot, old+len(tail))
	copy(v[old:], tail)
	return len(v), nil
}

// SetRange overwrites the string at key from off on, which grows with zero bytes
// as needed, and returns the new length. An empty val changes nothing. The caller has
// checked off and the limit of a string's length. ErrWrongType as AppendString.
func (db *DB) SetRange(key []byte, off int, val []byte) (int, error) {
	if len(val) == 0 {
		ref, ok := db.Lookup(key)
		switch {
		case !ok:
			return 0, nil
		case ref.Type() != TypeString:
			return 0, ErrWrongType
		}
		return len(ref.Str()), nil
	}
	v, err := db.StringForWrite(key, off+len(val))
	if err != nil {
		return 0, err
	}
	copy(v[off:], val)
	return len(v), nil
}

// StringForWrite returns the string at key to be changed in place, made when absent
// and grown with zero bytes to at least size bytes. The slice is good until the next
// mutation. The string is raw from now on, its expiry stays. ErrWrongType as
// AppendString.
func (db *DB) StringForWrite(key []byte, size int) ([]byte, error) {
	hash := hashOf(key)
	slot := db.keys.find(hash, key)
	if slot == nil {
		db.setString(hash, nil, key, nil, NoExpire, flagRaw)
		slot = db.keys.find(hash, key)
	}
	if (*slot).typ() != TypeString {
		return nil, ErrWrongType
	}
	return db.growString(hash, slot, max(size, len((*slot).str()))), nil
}

// growString sets the length of the string in slot to n, which is not shorter, and
// marks it raw. New bytes are zero.
func (db *DB) growString(hash uint64, slot **header, n int) []byte {
	h := *slot
	at := h.expireAt()
	if h.boxed() {
		s := h.bigString()
		s.flags = s.flags&^flagText | flagRaw
		s.grow(n)
		return s.b
	}
	if n <= inlineMax && h.fitsInPlace(n, at) {
		return h.resize(flagRaw, n, at)
	}
	if inlineFits(db.arena, h.keyBytes(), n, at) {
		c := newInlineIn(db.arena, flagRaw, h.keyBytes(), n, at)
		v := c.str()
		clear(v[copy(v, h.str()):])
		db.swapRecord(hash, slot, c)
		return v
	}
	s := newBigString(&db.ks.detached, flagRaw, 0)
	s.b = h.str()
	s.grow(n)
	s.setKey(h.keyBytes())
	s.setExpire(at)
	db.swapRecord(hash, slot, &s.header)
	return s.b
}

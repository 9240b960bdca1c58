package keyspace

import "unsafe"

// Hash is a value of type hash. A small one is packed into one byte slice in
// insertion order (packed.go); beyond the limits of Config it becomes a table of
// one record a field, for good.
type Hash struct {
	box
	packed []byte
	n      int // fields of the packed form
	fields *fields
}

// fields is the hash-table form.
type fields struct {
	account
	table
}

func newHash(home *account) *Hash {
	h := &Hash{box: box{header: header{flags: flagBoxed}, typ: TypeHash, home: home}}
	h.reckon()
	return h
}

// reckon brings the accounts up to date with the hash's size.
func (h *Hash) reckon() {
	size := int64(allocSize(int(unsafe.Sizeof(*h))) + allocSize(len(h.key)) + allocSize(cap(h.packed)))
	if f := h.fields; f != nil {
		size += int64(allocSize(int(unsafe.Sizeof(*f)))) + f.mem + f.memory()
	}
	h.settle(size)
}

// Len is the number of fields.
func (h *Hash) Len() int {
	if h.fields != nil {
		return h.fields.count
	}
	return h.n
}

// Encoding is listpack or hashtable.
func (h *Hash) Encoding() string {
	if h.fields != nil {
		return "hashtable"
	}
	return "listpack"
}

// Get returns the value of field.
func (h *Hash) Get(field []byte) ([]byte, bool) {
	if h.fields == nil {
		e, ok := packedFind(h.packed, field)
		if !ok {
			return nil, false
		}
		return h.packed[e.value:e.end:e.end], true
	}
	slot := h.fields.find(hashOf(field), field)
	if slot == nil {
		return nil, false
	}
	return (*slot).str(), true
}

// Exists reports whether the hash has field.
func (h *Hash) Exists(field []byte) bool {
	_, ok := h.Get(field)
	return ok
}

// StrLen is the length of the value of field, zero when there is none.
func (h *Hash) StrLen(field []byte) int {
	v, _ := h.Get(field)
	return len(v)
}

// Set gives field a value and reports whether the field is new.
func (h *Hash) Set(field, value []byte) (added bool) {
	cfg := h.home.cfg
	if h.fields == nil && max(len(field), len(value)) > cfg.HashMaxListpackValue {
		h.convert()
	}
	if h.fields == nil {
		e, found := packedFind(h.packed, field)
		switch {
		case found:
			h.packed = packedReplace(h.packed, e, field, value)
			h.reckon()
			return false
		case h.n < cfg.HashMaxListpackEntries && len(h.packed) < packedMax:
			h.packed = packedAppend(h.packed, field, value)
			h.n++
			h.reckon()
			return true
		}
		h.convert()
	}
	added = h.fields.set(field, value)
	h.reckon()
	return added
}

// Del removes field and reports whether it was there.
func (h *Hash) Del(field []byte) bool {
	if h.fields != nil {
		found := h.fields.del(field)
		h.reckon()
		return found
	}
	e, found := packedFind(h.packed, field)
	if found {
		h.packed = packedDelete(h.packed, e)
		h.n--
		h.reckon()
	}
	return found
}

// Each calls fn with every field until it returns false: in insertion order in
// listpack form, else in no order.
func (h *Hash) Each(fn func(field, value []byte) bool) {
	if h.fields != nil {
		h.fields.each(func(r *header) bool { return fn(r.keyBytes(), r.str()) })
		return
	}
	packedEach(h.packed, fn)
}

// Scan is DB.Scan over fields. In listpack form one step returns them all, as in
// Redis.
func (h *Hash) Scan(cursor uint64, count int, fn func(field, value []byte)) (next uint64) {
	if h.fields != nil {
		return h.fields.scan(cursor, count, func(r *header) { fn(r.keyBytes(), r.str()) })
	}
	packedEach(h.packed, func(field, value []byte) bool {
		fn(field, value)
		return true
	})
	return 0
}

// convert changes the form from listpack to hash table.
func (h *Hash) convert() {
	f := &fields{account: account{cfg: h.home.cfg}}
	packedEach(h.packed, func(field, value []byte) bool {
		f.set(field, value)
		return true
	})
	h.fields, h.packed, h.n = f, nil, 0
	h.reckon()
}

func (h *Hash) clone(home *account) Object {
	c := newHash(home)
	if h.fields == nil {
		c.packed = append(make([]byte, 0, allocSize(len(h.packed))), h.packed...)
		c.n = h.n
	} else {
		c.convert()
		h.fields.each(func(r *header) bool {
			c.fields.set(r.keyBytes(), r.str())
			return true
		})
	}
	c.reckon()
	return c
}

func (f *fields) set(field, value []byte) (added bool) {
	hash := hashOf(field)
	slot := f.find(hash, field)
	if slot == nil {
		r := newString(nil, &f.account, 0, field, value, NoExpire)
		f.mem += inlineWeight(r)
		f.insert(hash, r)
		return true
	}
	old := *slot
	if !old.boxed() && len(value) <= inlineMax && old.fitsInPlace(len(value), NoExpire) {
		copy(old.setTail(0, old.keyEnd(), len(value), NoExpire), value)
		return false
	}
	*slot = newString(nil, &f.account, 0, field, value, NoExpire)
	f.mem += inlineWeight(*slot)
	f.drop(old)
	return false
}

func (f *fields) del(field []byte) bool {
	hash := hashOf(field)
	slot := f.find(hash, field)
	if slot == nil {
		return false
	}
	r := *slot
	f.remove(hash, r)
	f.drop(r)
	return true
}

// drop takes a record that left the table off the account.
func (f *fields) drop(r *header) { f.mem -= r.weight() }

// inlineWeight is what an inline record adds to its owner's account; a box does
// that by itself.
func inlineWeight(r *header) int64 {
	if r.boxed() {
		return 0
	}
	return r.weight()
}

package keyspace

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// This file has the package's unsafe code but for that of table_memory.go. What
// makes it sound:
//
//   - A *header points to the first byte of a whole allocation: either bytes in the
//     layout of the package comment, or a struct whose first field is a box. Which one,
//     and whether the bytes are in an arena or in Go's heap, is in the flags and
//     never changes for the life of the allocation.
//   - The garbage collector takes an object's pointer map from its allocation, not
//     from the type of the pointer to it, so a slot of type *header keeps boxes
//     and all they point to alive where slots are read (table_memory.go), and is free to
//     skip what is inside a byte slice.
//     A pointer into an arena is none of its own, so it does not follow it: such a record
//     is there until its database frees it and the Keyspace reclaims it.
//   - No pointer behind the end of an allocation is ever formed, not even for an
//     empty slice (header.slice).
//   - Inline records are written by this file only, so their lengths can be trusted.

// inlineMax is the longest string value kept inside its record, in bytes.
// Above it the cost of a box is small beside the value, and APPEND must not copy.
const inlineMax = 4096

const (
	flagBoxed  = 1 << 0 // the record is a struct that begins with box
	flagExpire = 1 << 1 // the key has an expiry
	flagRaw    = 1 << 2 // OBJECT ENCODING is raw however short: modified in place once
	flagText   = 1 << 3 // never reported as int, though it may look like one
	flagArena  = 1 << 4 // the record is in its database's arena
)

// header is the first byte of every record.
type header struct{ flags uint8 }

// box is what all records begin with that are not inline.
type box struct {
	header
	typ    Type
	pin    uint32 // place in the pins of its database
	expire int64
	key    []byte
	home   *account
	size   int64 // bytes this object added to home
}

// bigString is a string too long for an inline record.
type bigString struct {
	box
	b []byte
}

func (h *header) boxed() bool     { return h.flags&flagBoxed != 0 }
func (h *header) inArena() bool   { return h.flags&flagArena != 0 }
func (h *header) hasExpire() bool { return h.flags&flagExpire != 0 }

func (h *header) box() *box { return (*box)(unsafe.Pointer(h)) }

// bigString is the record as the long string that it is.
func (h *header) bigString() *bigString { return (*bigString)(unsafe.Pointer(h)) }

// object is the value of a record of any type but string. A new data type gets a
// case here.
func (h *header) object() Object {
	switch h.box().typ {
	case TypeHash:
		return (*Hash)(unsafe.Pointer(h))
	case TypeSet:
		return (*Set)(unsafe.Pointer(h))
	case TypeList:
		return (*List)(unsafe.Pointer(h))
	case TypeZSet:
		return (*ZSet)(unsafe.Pointer(h))
	case TypeStream:
		return (*Stream)(unsafe.Pointer(h))
	}
	panic("keyspace: box of unknown type " + h.box().typ.String())
}

func (h *header) typ() Type {
	if h.boxed() {
		return h.box().typ
	}
	return TypeString
}

// slice is n bytes of an inline record from off on. It is cut from a slice that begins
// with the record: an empty value at the very end must not become a pointer behind
// the allocation, which would keep a foreign object alive or point to a freed one.
func (h *header) slice(off, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(h)), off+n)[off:]
}

// lenAt reads the uvarint at off and returns it with the offset behind it.
func (h *header) lenAt(off int) (n, end int) {
	c := *(*byte)(unsafe.Add(unsafe.Pointer(h), off))
	if c < 0x80 {
		return int(c), off + 1
	}
	return h.longLenAt(off)
}

func (h *header) longLenAt(off int) (n, end int) {
	for shift := 0; ; shift += 7 {
		c := *(*byte)(unsafe.Add(unsafe.Pointer(h), off))
		off++
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n, off
		}
	}
}

func (h *header) keyBytes() []byte {
	if h.boxed() {
		return h.box().key
	}
	n, off := h.lenAt(1)
	return h.slice(off, n)
}

// keyEnd is where the value length of an inline record begins.
func (h *header) keyEnd() int {
	n, off := h.lenAt(1)
	return off + n
}

// inlineValue is the place of an inline record's value.
func (h *header) inlineValue() (off, n int) {
	n, off = h.lenAt(h.keyEnd())
	return off, n
}

// str is the value of a record of type string.
func (h *header) str() []byte {
	if h.boxed() {
		return h.bigString().b
	}
	off, n := h.inlineValue()
	return h.slice(off, n)
}

func (h *header) expireAt() int64 {
	switch {
	case !h.hasExpire():
		return NoExpire
	case h.boxed():
		return h.box().expire
	}
	off, n := h.inlineValue()
	return int64(binary.LittleEndian.Uint64(h.slice(off+n, 8)))
}

// inlineLen is the number of bytes in use of an inline record.
func (h *header) inlineLen() int {
	off, n := h.inlineValue()
	if h.hasExpire() {
		n += 8
	}
	return off + n
}

// memory is the allocation of an inline record, in bytes.
func (h *header) memory() int { return h.roomFor(h.inlineLen()) }

// roomFor is the allocation that n bytes would take where the record is.
func (h *header) roomFor(n int) int {
	if h.inArena() && n <= arena.MaxSize {
		return arena.Size(n)
	}
	return allocSize(n)
}

func uvarintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// inlineTail is the number of bytes behind the key for a value of n bytes.
func inlineTail(n int, at int64) int {
	if at != NoExpire {
		return uvarintLen(n) + n + 8
	}
	return uvarintLen(n) + n
}

// formFlags are the flags that outlive a copy; the others follow from the shape.
const formFlags = flagRaw | flagText

// inlineSize is the number of bytes of an inline record.
func inlineSize(key []byte, n int, at int64) int {
	return 1 + uvarintLen(len(key)) + len(key) + inlineTail(n, at)
}

// newInline makes an inline record in Go's heap whose value is n bytes, for the caller to
// fill.
func newInline(flags uint8, key []byte, n int, at int64) *header {
	b := make([]byte, allocSize(inlineSize(key, n, at)))
	h := (*header)(unsafe.Pointer(unsafe.SliceData(b)))
	h.write(flags, key, n, at)
	return h
}

// inlineFits reports whether a string of n bytes is in an inline record, in an arena if
// there is one.
func inlineFits(a *arena.Arena, key []byte, n int, at int64) bool {
	return n <= inlineMax && (a == nil || inlineSize(key, n, at) <= arena.MaxSize)
}

// newInlineIn is newInline in an arena, if there is one. The record must fit (inlineFits).
func newInlineIn(a *arena.Arena, flags uint8, key []byte, n int, at int64) *header {
	if a == nil {
		return newInline(flags, key, n, at)
	}
	h := (*header)(a.Alloc(inlineSize(key, n, at)))
	h.flags = flagArena
	h.write(flags, key, n, at)
	return h
}

// write makes an inline record of memory of which only flagArena is set. The bytes of the
// value are left as they are.
func (h *header) write(flags uint8, key []byte, n int, at int64) {
	w := uvarintLen(len(key))
	binary.PutUvarint(h.slice(1, w), uint64(len(key)))
	copy(h.slice(1+w, len(key)), key)
	h.setTail(flags&formFlags, 1+w+len(key), n, at)
}

// free gives an inline record's memory back to the arena of the database that it was made
// in. It can be read until the Keyspace reclaims it.
func (h *header) free(a *arena.Arena) {
	if h.inArena() {
		a.Free(unsafe.Pointer(h))
	}
}

// fitsInPlace reports whether a value of n bytes and an expiry of at can take
// the place of an inline record's present ones: the size must stay in its class,
// so that the allocation's size is always known from the content.
func (h *header) fitsInPlace(n int, at int64) bool {
	return h.roomFor(h.keyEnd()+inlineTail(n, at)) == h.memory()
}

// setTail writes flags, value length and expiry of an inline record whose key ends
// at keyEnd, and returns the n bytes of the value for the caller to fill.
// It may overwrite the present value: who keeps that uses resize.
func (h *header) setTail(flags uint8, keyEnd, n int, at int64) []byte {
	w := uvarintLen(n)
	binary.PutUvarint(h.slice(keyEnd, w), uint64(n))
	if at != NoExpire {
		flags |= flagExpire
		binary.LittleEndian.PutUint64(h.slice(keyEnd+w+n, 8), uint64(at))
	}
	h.flags = h.flags&flagArena | flags
	return h.slice(keyEnd+w, n)
}

// resize changes expiry, flags and length, which must not become shorter, of an inline
// record in place, which fitsInPlace must have allowed. The value stays, new bytes
// of it are zero.
func (h *header) resize(flags uint8, n int, at int64) []byte {
	keyEnd := h.keyEnd()
	off, old := h.inlineValue()
	if newOff := keyEnd + uvarintLen(n); newOff != off {
		copy(h.slice(newOff, old), h.slice(off, old))
	}
	v := h.setTail(flags, keyEnd, n, at)
	clear(v[old:])
	return v
}

// matches reports whether the record's key is key.
func (h *header) matches(key []byte) bool { return string(h.keyBytes()) == string(key) }

// Address is where the record is in memory, to tell whether it was changed in place
// (DEBUG OBJECT).
func (r Ref) Address() uintptr { return uintptr(unsafe.Pointer(r.h)) }

package keyspace

import "unsafe"

// Object is a value that is not a string. Every implementation lives in this
// package and begins with a box, because records, accounting and digests must
// know it. An object is in at most one database, under one key.
type Object interface {
	// Type is the value's type.
	Type() Type
	// Encoding is what OBJECT ENCODING says for such a value: of redis-server 7.0,
	// for sets of 7.2, which has a compact form for small ones.
	Encoding() string
	// Len is the number of elements.
	Len() int
	// MemoryUsed estimates the bytes the value occupies.
	MemoryUsed() int64

	base() *box
	// clone is a deep copy that is in no database, with no key and no expiry.
	clone(home *account) Object
	// content digests the logical value, whatever its encoding.
	content(d *digester) [digestSize]byte
	// redisContent mixes the value into d as DEBUG DIGEST does.
	redisContent(d *redisDigest)
}

func (b *box) base() *box { return b }

// Type is the type of the value.
func (b *box) Type() Type { return b.typ }

// MemoryUsed estimates the bytes the value occupies, its key included.
func (b *box) MemoryUsed() int64 { return b.size }

// settle makes the owner's account agree with a new size of the object.
func (b *box) settle(size int64) {
	b.home.mem += size - b.size
	b.size = size
}

// moveTo hands the object over to another owner's account.
func (b *box) moveTo(home *account) {
	b.home.mem -= b.size
	b.home = home
	b.home.mem += b.size
}

// setKey names the object. Slices of the old key stay intact.
func (b *box) setKey(key []byte) {
	size := b.size - int64(allocSize(len(b.key)))
	b.key = append(make([]byte, 0, len(key)), key...)
	b.settle(size + int64(allocSize(len(b.key))))
}

func (b *box) setExpire(at int64) {
	if at == NoExpire {
		b.flags &^= flagExpire
		return
	}
	b.flags |= flagExpire
	b.expire = at
}

func newBigString(home *account, flags uint8, size int) *bigString {
	s := &bigString{box: box{header: header{flags: flagBoxed | flags&formFlags}, typ: TypeString, home: home}}
	s.b = make([]byte, size)
	s.settle(s.weigh())
	return s
}

func (s *bigString) weigh() int64 {
	return int64(allocSize(int(unsafe.Sizeof(*s))) + allocSize(cap(s.b)) + allocSize(len(s.key)))
}

// growStep is where doubling a string that is appended to ends; Redis's limit too.
const growStep = 1 << 20

// grow sets the length to n, which is not shorter, and new bytes are zero: a string
// is never cut in place, so unused capacity still is. It leaves room to grow further,
// so that a run of appends costs a constant time a byte.
func (s *bigString) grow(n int) {
	if n <= cap(s.b) {
		s.b = s.b[:n]
		return
	}
	b := make([]byte, n, allocSize(n+min(n, growStep)))
	copy(b, s.b)
	s.b = b
	s.settle(s.weigh())
}

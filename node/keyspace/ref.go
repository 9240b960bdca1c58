package keyspace

import "strconv"

// maxEmbstr is the longest string Redis 7.0 allocates together with its object.
const maxEmbstr = 44

// Ref is a key's record as found by a look-up. It is valid until the next mutation
// of its database. The zero Ref refers to nothing; only its Object and the accessors of
// one type of object may be called.
type Ref struct{ h *header }

// Key is the key itself.
func (r Ref) Key() []byte { return r.h.keyBytes() }

// Type is the type of the value.
func (r Ref) Type() Type { return r.h.typ() }

// ExpireAt is the absolute expiry in unix milliseconds, or NoExpire.
func (r Ref) ExpireAt() int64 { return r.h.expireAt() }

// Str is the value of a string. Only a Ref of TypeString has one.
func (r Ref) Str() []byte {
	if r.Type() != TypeString {
		panic("keyspace: Str of a " + r.Type().String())
	}
	return r.h.str()
}

// Hash is the value if it is a hash, else nil.
func (r Ref) Hash() *Hash {
	h, _ := r.Object().(*Hash)
	return h
}

// Set is the value if it is a set, else nil.
func (r Ref) Set() *Set {
	s, _ := r.Object().(*Set)
	return s
}

// List is the value if it is a list, else nil.
func (r Ref) List() *List {
	l, _ := r.Object().(*List)
	return l
}

// ZSet is the value if it is a sorted set, else nil.
func (r Ref) ZSet() *ZSet {
	z, _ := r.Object().(*ZSet)
	return z
}

// Stream is the value if it is a stream, else nil.
func (r Ref) Stream() *Stream {
	s, _ := r.Object().(*Stream)
	return s
}

// Object is the value of any type but string, for which it is nil.
func (r Ref) Object() Object {
	if r.h == nil || r.h.typ() == TypeString {
		return nil
	}
	return r.h.object()
}

// Encoding is what OBJECT ENCODING of redis-server answers; see Object.
func (r Ref) Encoding() string {
	if r.Type() != TypeString {
		return r.h.object().Encoding()
	}
	s := r.h.str()
	switch {
	case r.h.flags&flagRaw != 0 || len(s) > maxEmbstr:
		return "raw"
	case r.h.flags&flagText == 0 && canonicalInt(s):
		return "int"
	}
	return "embstr"
}

// MemoryUsed estimates the bytes of key and value, without the tables that point to
// them (MEMORY USAGE).
func (r Ref) MemoryUsed() int64 { return r.h.weight() }

func (h *header) weight() int64 {
	if h.boxed() {
		return h.box().size
	}
	return int64(h.memory())
}

// canonicalInt reports whether s is the one decimal form of an int64.
func canonicalInt(s []byte) bool {
	const longest = len("-9223372036854775808")
	if len(s) == 0 || len(s) > longest {
		return false
	}
	digits := s
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(s) > 1 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	if len(digits) < longest-1 {
		return true
	}
	_, err := strconv.ParseInt(string(s), 10, 64)
	return err == nil
}

package keyspace

import (
	"strconv"
	"unsafe"
)

// Set is a value of type set. Integers only are kept as a sorted array (intset.go),
// few short members as a run in insertion order (set_listpack.go); beyond the limits
// of Config a set becomes a table of one record a member. It becomes compact again
// only when it is made anew: by the commands that store a result, by SPOP that leaves
// little.
type Set struct {
	box
	packed  []byte // the compact forms
	n       uint32 // members of the compact forms
	width   uint8  // of an integer in intset form; 0 in the other two
	members *fields
}

func newSet(home *account) *Set {
	s := &Set{box: box{header: header{flags: flagBoxed}, typ: TypeSet, home: home}, width: 2}
	s.reckon()
	return s
}

// reckon brings the accounts up to date with the set's size.
func (s *Set) reckon() {
	size := int64(allocSize(int(unsafe.Sizeof(*s))) + allocSize(len(s.key)) + allocSize(cap(s.packed)))
	if m := s.members; m != nil {
		size += int64(allocSize(int(unsafe.Sizeof(*m)))) + m.mem + m.memory()
	}
	s.settle(size)
}

// Len is the number of members.
func (s *Set) Len() int {
	if s.members != nil {
		return s.members.count
	}
	return int(s.n)
}

// Encoding is intset, listpack or hashtable, by the rules of Redis 7.2.
func (s *Set) Encoding() string {
	switch {
	case s.members != nil:
		return "hashtable"
	case s.width > 0:
		return "intset"
	}
	return "listpack"
}

// Contains reports whether member is in the set.
func (s *Set) Contains(member []byte) bool {
	if s.members != nil {
		return s.members.find(hashOf(member), member) != nil
	}
	if s.width == 0 {
		_, found := memberFind(s.packed, member)
		return found
	}
	v, ok := parseInt(member)
	if ok {
		_, ok = intSearch(s.packed, int(s.width), v)
	}
	return ok
}

// Each calls fn with every member until it returns false: in ascending order in
// intset form, in insertion order in listpack form, else in no order. In intset
// form a member is valid during the call only.
func (s *Set) Each(fn func(member []byte) bool) {
	switch {
	case s.members != nil:
		s.members.each(func(r *header) bool { return fn(r.keyBytes()) })
	case s.width > 0:
		digits := make([]byte, 0, len("-9223372036854775808"))
		for i := range int(s.n) {
			if !fn(strconv.AppendInt(digits, intAt(s.packed, int(s.width), i), 10)) {
				return
			}
		}
	default:
		memberEach(s.packed, fn)
	}
}

// Ints is the content of a set in intset form: ascending integers, little-endian, of
// width bytes each. It is valid until the next mutation, not to be changed, and ok
// is false in the other forms.
func (s *Set) Ints() (p []byte, width int, ok bool) {
	if s.members != nil || s.width == 0 {
		return nil, 0, false
	}
	return s.packed, int(s.width), true
}

// Scan is DB.Scan over members, which are valid as in Each. In the compact forms one
// step returns them all, as in Redis.
func (s *Set) Scan(cursor uint64, count int, fn func(member []byte)) (next uint64) {
	if s.members != nil {
		return s.members.scan(cursor, count, func(r *header) { fn(r.keyBytes()) })
	}
	s.Each(func(member []byte) bool {
		fn(member)
		return true
	})
	return 0
}

// Remove takes member out and reports whether it was there.
func (s *Set) Remove(member []byte) bool {
	if s.members != nil {
		found := s.members.del(member)
		s.reckon()
		return found
	}
	if s.width == 0 {
		e, found := memberFind(s.packed, member)
		if found {
			s.packed = memberDelete(s.packed, e)
			s.n--
			s.reckon()
		}
		return found
	}
	v, ok := parseInt(member)
	if !ok {
		return false
	}
	i, found := intSearch(s.packed, int(s.width), v)
	if found {
		s.packed = intDelete(s.packed, int(s.width), i)
		s.n--
		s.reckon()
	}
	return found
}

func (s *Set) clone(home *account) Object {
	c := newSet(home)
	c.n, c.width = s.n, s.width
	if s.members == nil {
		c.packed = append(make([]byte, 0, allocSize(len(s.packed))), s.packed...)
	} else {
		c.members = &fields{account: account{cfg: home.cfg}}
		s.members.each(func(r *header) bool {
			c.members.set(r.keyBytes(), nil)
			return true
		})
	}
	c.reckon()
	return c
}

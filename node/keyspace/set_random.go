package keyspace

import (
	"bytes"
	"math/rand/v2"
	"strconv"
)

// Random picks a member, each with the same probability; false when there is none. It is
// valid until the next mutation.
func (s *Set) Random(rng *rand.Rand) (member []byte, ok bool) {
	switch {
	case s.Len() == 0:
		return nil, false
	case s.members != nil:
		return s.members.random(rng).keyBytes(), true
	case s.width > 0:
		return strconv.AppendInt(nil, intAt(s.packed, int(s.width), rng.IntN(int(s.n))), 10), true
	}
	skip := rng.IntN(int(s.n))
	memberEach(s.packed, func(m []byte) bool {
		member = m
		skip--
		return skip >= 0
	})
	return member, true
}

// RandomRepeat calls fn with n members picked independently, until it returns false
// (SRANDMEMBER with a negative count). An empty set calls nothing. Members are valid
// as in Each.
func (s *Set) RandomRepeat(rng *rand.Rand, n int, fn func(member []byte) bool) {
	if s.Len() == 0 {
		return
	}
	pick := s.picker()
	for ; n > 0; n-- {
		if !fn(pick(rng)) {
			return
		}
	}
}

// picker returns a function that picks a member in constant time, as long as the set
// is not changed.
func (s *Set) picker() func(*rand.Rand) []byte {
	switch {
	case s.members != nil:
		return func(rng *rand.Rand) []byte { return s.members.random(rng).keyBytes() }
	case s.width > 0:
		var digits [len("-9223372036854775808")]byte
		return func(rng *rand.Rand) []byte {
			return strconv.AppendInt(digits[:0], intAt(s.packed, int(s.width), rng.IntN(int(s.n))), 10)
		}
	}
	all := make([][]byte, 0, s.n)
	memberEach(s.packed, func(m []byte) bool {
		all = append(all, m)
		return true
	})
	return func(rng *rand.Rand) []byte { return all[rng.IntN(len(all))] }
}

// RandomDistinct calls fn with n different members, every choice of n equally likely
// (all of them when there are fewer), until it returns false (SRANDMEMBER with a
// positive count). Members are valid as in Each.
func (s *Set) RandomDistinct(rng *rand.Rand, n int, fn func(member []byte) bool) {
	if s.members != nil && n <= s.Len()/sparseDraw {
		s.members.randomDistinct(rng, n, func(r *header) bool { return fn(r.keyBytes()) })
		return
	}
	draw := newSelection(rng, n, s.Len())
	if s.members == nil && s.width > 0 {
		var digits [len("-9223372036854775808")]byte
		for i := 0; draw.need > 0; i++ {
			if draw.take() && !fn(strconv.AppendInt(digits[:0], intAt(s.packed, int(s.width), i), 10)) {
				return
			}
		}
		return
	}
	s.Each(func(member []byte) bool {
		return (!draw.take() || fn(member)) && draw.need > 0
	})
}

// fewLeft is how many times more members than it leaves SPOP must take for what it
// leaves to become a compact set again; the factor is Redis's.
const fewLeft = 5

// PopRandom takes n members out, more than none and fewer than there are, every choice
// equally likely, and returns them. The caller may keep them.
func (s *Set) PopRandom(rng *rand.Rand, n int) [][]byte {
	size := s.Len()
	switch {
	case s.members == nil:
		return s.popCompact(newSelection(rng, n, size))
	case n <= size/sparseDraw:
		return s.popSparse(rng, n)
	}
	popped, kept := make([][]byte, 0, n), make([][]byte, 0, size-n)
	draw := newSelection(rng, n, size)
	s.Each(func(member []byte) bool {
		if draw.take() {
			popped = append(popped, member)
		} else {
			kept = append(kept, member)
		}
		return true
	})
	if fewLeft*len(kept) <= len(popped) {
		s.keepOnly(kept)
		return popped
	}
	for _, m := range popped {
		s.members.del(m)
	}
	s.reckon()
	return popped
}

// popSparse takes out a small part of a table.
func (s *Set) popSparse(rng *rand.Rand, n int) [][]byte {
	popped := make([][]byte, 0, n)
	for range n {
		r := s.members.random(rng)
		popped = append(popped, r.keyBytes())
		s.members.remove(hashOf(r.keyBytes()), r)
		s.members.drop(r)
	}
	s.reckon()
	return popped
}

// keepOnly makes the set anew, of the members given.
func (s *Set) keepOnly(kept [][]byte) {
	c := newSet(&account{cfg: s.home.cfg})
	c.width = 0
	for _, m := range kept {
		c.Add(m)
	}
	s.become(c)
}

// popCompact takes what is drawn out of a compact form.
func (s *Set) popCompact(draw selection) [][]byte {
	popped := make([][]byte, 0, draw.need)
	kept := make([]byte, 0, len(s.packed))
	if width := int(s.width); width > 0 {
		for i := range int(s.n) {
			if draw.take() {
				popped = append(popped, strconv.AppendInt(nil, intAt(s.packed, width, i), 10))
			} else {
				kept = append(kept, s.packed[i*width:(i+1)*width]...)
			}
		}
	} else {
		memberEach(s.packed, func(m []byte) bool {
			if draw.take() {
				popped = append(popped, bytes.Clone(m))
			} else {
				kept = memberAppend(kept, m)
			}
			return true
		})
	}
	s.packed = append(make([]byte, 0, allocSize(len(kept))), kept...)
	s.n -= uint32(len(popped))
	s.reckon()
	return popped
}

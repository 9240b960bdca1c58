package keyspace

import "slices"

// Add puts member into the set and reports whether it is new.
func (s *Set) Add(member []byte) (added bool) {
	cfg := s.home.cfg
	if s.members == nil && s.width > 0 {
		if v, ok := parseInt(member); ok {
			return s.addInt(v)
		}
		s.leaveIntset(len(member))
	}
	if s.members == nil {
		if _, found := memberFind(s.packed, member); found {
			return false
		}
		if s.fewerThan(cfg.SetMaxListpackEntries) && len(member) <= cfg.SetMaxListpackValue && len(s.packed) < packedMax {
			s.packed = memberAppend(s.packed, member)
			s.n++
			s.reckon()
			return true
		}
		s.toTable()
	}
	added = s.members.set(member, nil)
	s.reckon()
	return added
}

// AddAll puts members, at least one, into the set and returns how many are new. As in
// Redis 7.2 their number alone may decide the form, however many are there already.
func (s *Set) AddAll(members [][]byte) (added int) {
	s.expect(members[0], len(members))
	for _, m := range members {
		if s.Add(m) {
			added++
		}
	}
	return added
}

// expect chooses the form for n members to come, of which first is one: any form for
// an empty set, else a table in the place of a form that they exceed.
func (s *Set) expect(first []byte, n int) {
	cfg := s.home.cfg
	switch {
	case s.members != nil:
	case s.n > 0:
		if s.width == 0 && n > cfg.SetMaxListpackEntries || s.width > 0 && n > cfg.SetMaxIntsetEntries {
			s.toTable()
		}
	case canonicalInt(first) && n <= cfg.SetMaxIntsetEntries:
		s.width = 2
	case n <= cfg.SetMaxListpackEntries:
		s.width = 0
	default:
		s.toTable()
	}
}

func (s *Set) addInt(v int64) (added bool) {
	if width := intWidth(v); width > int(s.width) {
		s.packed = intWiden(s.packed, int(s.width), width)
		s.width = uint8(width)
	}
	i, found := intSearch(s.packed, int(s.width), v)
	if found {
		return false
	}
	s.packed = intInsert(s.packed, int(s.width), i, v)
	s.n++
	if int(s.n) > min(s.home.cfg.SetMaxIntsetEntries, intsetMost) {
		s.toTable()
	}
	s.reckon()
	return true
}

// leaveIntset changes the form for a member of n bytes that is no integer: to
// listpack if its limits allow all members and this one, else to a table.
func (s *Set) leaveIntset(n int) {
	cfg := s.home.cfg
	longest := max(n, longestInt(s.packed, int(s.width)))
	if !s.fewerThan(cfg.SetMaxListpackEntries) || longest > cfg.SetMaxListpackValue {
		s.toTable()
		return
	}
	var p []byte
	s.Each(func(member []byte) bool {
		p = memberAppend(p, member)
		return true
	})
	s.packed, s.width = p, 0
	s.reckon()
}

// fewerThan reports whether a set of compact form has fewer members than most.
func (s *Set) fewerThan(most int) bool { return int(s.n) < most }

// toTable changes the form to a table.
func (s *Set) toTable() {
	m := &fields{account: account{cfg: s.home.cfg}}
	s.Each(func(member []byte) bool {
		m.set(member, nil)
		return true
	})
	s.members, s.packed, s.n, s.width = m, nil, 0, 0
	s.reckon()
}

// toIntset changes the form to intset, which the members must allow.
func (s *Set) toIntset() {
	all, width := make([]int64, 0, s.Len()), 2
	s.Each(func(member []byte) bool {
		v, _ := parseInt(member)
		all, width = append(all, v), max(width, intWidth(v))
		return true
	})
	slices.Sort(all)
	p := make([]byte, len(all)*width, allocSize(len(all)*width))
	for i, v := range all {
		putInt(p, width, i, v)
	}
	s.packed, s.n, s.width, s.members = p, uint32(len(all)), uint8(width), nil
	s.reckon()
}

// become takes over the content of c, which is in no database and of no use any more.
func (s *Set) become(c *Set) {
	s.packed, s.n, s.width, s.members = c.packed, c.n, c.width, c.members
	s.reckon()
}

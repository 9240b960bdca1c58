package keyspace

import (
	"cmp"
	"slices"
)

// The operations on several sets take them as they were looked up: nil is the set of
// a key that is absent, and one set may be there several times.

// Intersect calls fn with every member that all of sets, at least one, have, until it
// returns false. Members are valid as in Each.
func Intersect(sets []*Set, fn func(member []byte) bool) {
	if slices.Contains(sets, nil) {
		return
	}
	bySize := slices.Clone(sets)
	slices.SortStableFunc(bySize, func(a, b *Set) int { return cmp.Compare(a.Len(), b.Len()) })
	smallest := bySize[0]
	others := slices.DeleteFunc(bySize[1:], func(s *Set) bool { return s == smallest })
	smallest.Each(func(member []byte) bool {
		for _, s := range others {
			if !s.Contains(member) {
				return true
			}
		}
		return fn(member)
	})
}

// Intersection is a new set of what Intersect finds; it is in no database yet.
func (ks *Keyspace) Intersection(sets []*Set) *Set {
	out, onlyInts := ks.NewSet(), true
	if !slices.Contains(sets, nil) && slices.MinFunc(sets, bySize).Encoding() != "intset" {
		out.width = 0
	}
	Intersect(sets, func(member []byte) bool {
		onlyInts = onlyInts && canonicalInt(member)
		out.Add(member)
		return true
	})
	if onlyInts && out.Encoding() != "intset" && out.Len() <= ks.cfg.SetMaxIntsetEntries {
		out.toIntset()
	}
	return out
}

// Union is a new set of what any of sets has; it is in no database yet.
func (ks *Keyspace) Union(sets []*Set) *Set {
	out := ks.NewSet()
	for _, s := range sets {
		out.addEach(s)
	}
	return out
}

// Difference is a new set of what the first of sets, at least one, has and no other;
// it is in no database yet.
func (ks *Keyspace) Difference(sets []*Set) *Set {
	out := ks.NewSet()
	first, others := sets[0], withoutNil(sets[1:])
	switch {
	case first == nil || slices.Contains(others, first):
	case probeEach(first.Len(), others):
		slices.SortStableFunc(others, func(a, b *Set) int { return bySize(b, a) })
		first.Each(func(member []byte) bool {
			if !slices.ContainsFunc(others, func(s *Set) bool { return s.Contains(member) }) {
				out.Add(member)
			}
			return true
		})
	default:
		out.addEach(first)
		for _, s := range others {
			s.Each(func(member []byte) bool {
				out.Remove(member)
				return out.Len() > 0
			})
		}
	}
	return out
}

// probeEach decides how to subtract others from a set of n members: by looking each
// member up in all the others, or by taking the others' members out of a copy. It is
// Redis's decision, since the second way leaves a set of the form that the copy had.
func probeEach(n int, others []*Set) bool {
	probes, copies := n, n
	for _, s := range others {
		probes += n
		copies += s.Len()
	}
	return probes/2 <= copies
}

func bySize(a, b *Set) int { return cmp.Compare(a.Len(), b.Len()) }

func withoutNil(sets []*Set) []*Set {
	return slices.DeleteFunc(slices.Clone(sets), func(s *Set) bool { return s == nil })
}

// addEach adds the members of other, which may be nil.
func (s *Set) addEach(other *Set) {
	if other != nil {
		other.Each(func(member []byte) bool {
			s.Add(member)
			return true
		})
	}
}

package command

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

func sortRows() []*Command {
	const access = KeyRO | KeyAccess
	unknown := func(keyword, why string, f KeyFlags) KeySpec {
		return KeySpec{Notes: "For the optional " + keyword + " keyword. It is marked 'unknown' because " + why,
			Flags: f, Begin: BeginUnknown, Find: FindUnknown}
	}
	patterns := unknown("BY/GET", "the key names derive from the content of the key we sort", access)
	store := unknown("STORE", "the keyword can appear anywhere in the argument array", KeyOW|KeyUpdate)
	// Keyspace: the keys that patterns name are known only while it runs.
	return []*Command{
		{Name: "sort", Group: "generic", Summary: "Sorts the elements of a list, set or sorted set, and may store the result",
			Since: "1.0.0", Arity: -2, Flags: Write | DenyOOM, Categories: CatSet | CatSortedSet | CatList | CatDangerous,
			KeySpecs: []KeySpec{Key(1, access), patterns, store}, Keyspace: true, GetKeys: sortKeys, Handler: cmdSort},
		{Name: "sort_ro", Group: "generic", Summary: "Sorts the elements of a list, set or sorted set",
			Since: "7.0.0", Arity: -2, Flags: ReadOnly, Categories: CatSet | CatSortedSet | CatList | CatDangerous,
			KeySpecs: []KeySpec{Key(1, access), patterns}, Keyspace: true, GetKeys: sortROKeys, Handler: cmdSortRO},
	}
}

func sortROKeys(dst []KeyPos, _ [][]byte) ([]KeyPos, error) {
	return append(dst, KeyPos{1, KeyRO | KeyAccess}), nil
}

// sortKeys are the key that is sorted and the last one that is stored to; words that
// are values of other options are passed over.
func sortKeys(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
	dst = append(dst, KeyPos{1, KeyRO | KeyAccess})
	stored := 0
	for i := 2; i < len(args); i++ {
		switch {
		case EqualFold(args[i], "LIMIT"):
			i += 2
		case EqualFold(args[i], "GET"), EqualFold(args[i], "BY"):
			i++
		case EqualFold(args[i], "STORE") && i+1 < len(args):
			stored = i + 1
		}
	}
	if stored > 0 {
		dst = append(dst, KeyPos{stored, KeyOW | KeyUpdate})
	}
	return dst, nil
}

func cmdSort(c *Ctx) { sortCommand(c, true) }

func cmdSortRO(c *Ctx) { sortCommand(c, false) }

// sorting is a SORT: its options, and what it works on.
type sorting struct {
	by           []byte   // pattern of weights; nil: by the elements themselves
	get          [][]byte // patterns of what is returned; none: the elements
	store        []byte   // destination; nil: the result is the reply
	unsorted     bool     // the order of the key is kept
	desc, alpha  bool
	start, count int64 // LIMIT; a negative count is all
}

// sortee is an element with what it is compared by.
type sortee struct {
	element []byte
	weight  []byte // of alphabetical order; nil: the pattern named nothing
	score   float64
}

func (s *sorting) parse(c *Ctx, mayStore bool) bool {
	s.count = -1
	for o := c.Options(2); o.Next(); {
		switch {
		case o.Is("ASC"):
			s.desc = false
		case o.Is("DESC"):
			s.desc = true
		case o.Is("ALPHA"):
			s.alpha = true
		case o.Is("LIMIT") && o.Values(2):
			var ok, okToo bool
			if s.start, ok = c.Int(o.Pos - 1); !ok {
				return false
			}
			if s.count, okToo = c.Int(o.Pos); !okToo {
				return false
			}
		case mayStore && o.Is("STORE") && o.Value():
			s.store = c.Args[o.Pos]
		case o.Is("BY") && o.Value():
			s.by = c.Args[o.Pos]
			s.unsorted = s.unsorted || bytes.IndexByte(cString(s.by), '*') < 0
			if bytes.IndexByte(cString(s.by), '*') >= 0 && !c.mayReadAnyKey() {
				c.Error("ERR BY option of SORT denied due to insufficient ACL permissions.")
				return false
			}
		case o.Is("GET") && o.Value():
			if !c.mayReadAnyKey() {
				c.Error("ERR GET option of SORT denied due to insufficient ACL permissions.")
				return false
			}
			s.get = append(s.get, c.Args[o.Pos])
		default:
			c.SyntaxError()
			return false
		}
	}
	return true
}

// cString is b up to the first NUL, where C's string functions stop.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

func sortCommand(c *Ctx, mayStore bool) {
	var s sorting
	if !s.parse(c, mayStore) {
		return
	}
	ref, found := c.LookupRead(c.Args[1])
	if found && !sortable(ref.Type()) {
		c.WrongType()
		return
	}
	if found && s.unsorted && ref.Type() == keyspace.TypeSet && s.store != nil {
		// A set has no order that a replica would share.
		s.unsorted, s.alpha, s.by = false, true, nil
	}
	var all []sortee
	if found {
		if z := ref.ZSet(); z != nil {
			z.Unpack() // as in Redis, SORT leaves it behind so
		}
		all = s.elements(ref)
	}
	if !s.unsorted {
		if !s.weigh(c, all) {
			c.Error("ERR One or more scores can't be converted into double")
			return
		}
		slices.SortStableFunc(all, s.compare)
	}
	all = s.limit(all)
	if s.store != nil {
		s.storeResult(c, all)
		return
	}
	c.Out.Array(len(all) * max(1, len(s.get)))
	s.each(c, all, func(value []byte, found bool) { c.bulkOrNull(value, found) })
}

func sortable(t keyspace.Type) bool {
	return t == keyspace.TypeList || t == keyspace.TypeSet || t == keyspace.TypeZSet
}

// elements are copies of what the key holds, in its order; in reverse with DESC, which
// is all that DESC means when nothing is sorted.
func (s *sorting) elements(ref keyspace.Ref) []sortee {
	object := ref.Object()
	all := make([]sortee, 0, object.Len())
	add := func(e []byte) bool {
		all = append(all, sortee{element: bytes.Clone(e)})
		return true
	}
	switch v := object.(type) {
	case *keyspace.List:
		it := v.Iterate(true)
		for e, ok := it.Next(); ok; e, ok = it.Next() {
			add(e)
		}
	case *keyspace.Set:
		v.Each(add)
	case *keyspace.ZSet:
		v.Each(func(member []byte, _ float64) bool { return add(member) })
	}
	if s.unsorted && s.desc && ref.Type() != keyspace.TypeSet {
		slices.Reverse(all)
	}
	return all
}

// weigh finds what the elements are compared by; false when a number is none.
func (s *sorting) weigh(c *Ctx, all []sortee) bool {
	good := true
	for i := range all {
		e := &all[i]
		weight, found := e.element, true
		if s.by != nil {
			weight, found = c.bySortPattern(s.by, e.element)
		}
		switch {
		case !found:
		case s.alpha:
			e.weight = weight
			if s.by != nil {
				e.weight = append(make([]byte, 0, len(weight)+1), weight...) // never nil
			}
		default:
			var ok bool
			e.score, ok = resp.ParseSortWeight(weight)
			good = good && ok
		}
	}
	return good
}

// compare orders two elements as Redis does: equal numbers by the elements' bytes;
// text by the C locale's order, which ends at a NUL, unless it is stored.
func (s *sorting) compare(a, b sortee) int {
	var n int
	switch {
	case !s.alpha:
		if n = cmp.Compare(a.score, b.score); n == 0 {
			n = bytes.Compare(a.element, b.element)
		}
	case s.by != nil && (a.weight == nil || b.weight == nil):
		n = cmp.Compare(presence(a.weight), presence(b.weight))
	case s.store != nil:
		n = bytes.Compare(a.weight, b.weight)
	default:
		n = bytes.Compare(cString(a.weight), cString(b.weight))
	}
	if s.desc {
		return -n
	}
	return n
}

func presence(weight []byte) int {
	if weight == nil {
		return 0
	}
	return 1
}

// limit cuts out what LIMIT asks for.
func (s *sorting) limit(all []sortee) []sortee {
	n := int64(len(all))
	start := min(max(s.start, 0), n)
	end := n
	if s.count >= 0 {
		end = min(start+min(s.count, n), n)
	}
	return all[start:end]
}

// each calls fn with the result, value by value.
func (s *sorting) each(c *Ctx, all []sortee, fn func(value []byte, found bool)) {
	for i := range all {
		if len(s.get) == 0 {
			fn(all[i].element, true)
		}
		for _, pattern := range s.get {
			fn(c.bySortPattern(pattern, all[i].element))
		}
	}
}

// storeChunk is how many elements one RPUSH of the effects has.
const storeChunk = 1024

// storeResult makes the result a list. Its effects name the elements: the order of
// equal ones need not be what another version would make of it.
func (s *sorting) storeResult(c *Ctx, all []sortee) {
	var values [][]byte
	s.each(c, all, func(value []byte, found bool) {
		if !found {
			value = nil
		}
		values = append(values, bytes.Clone(value))
	})
	_, existed := c.LookupWrite(s.store)
	if existed {
		c.db().Delete(s.store)
		c.Effect(wordDEL, s.store)
	}
	if len(values) == 0 {
		if existed {
			c.Changed(EventGeneric, "del", s.store)
		}
		c.Out.Int(0)
		return
	}
	l, _ := c.db().ListForWrite(s.store) // the key is absent
	l.Push(false, values...)
	for chunk := range slices.Chunk(values, storeChunk) {
		c.Effect(append([][]byte{wordRPUSH, s.store}, chunk...)...)
	}
	c.Changed(EventList, "sortstore", s.store)
	c.Out.Int(int64(len(values)))
}

// bySortPattern looks up what a pattern of BY or GET names for an element: the string
// at the key that the element makes of the pattern, or with "->" a field of the hash
// there; "#" is the element itself. The value is valid until the next change.
func (c *Ctx) bySortPattern(pattern, element []byte) ([]byte, bool) {
	if string(pattern) == "#" {
		return element, true
	}
	star := bytes.IndexByte(cString(pattern), '*')
	if star < 0 {
		return nil, false
	}
	name, field := pattern, []byte(nil)
	if i := bytes.Index(pattern[star+1:], []byte("->")); i >= 0 && star+1+i+2 < len(pattern) {
		name, field = pattern[:star+1+i], pattern[star+1+i+2:]
	}
	key := slices.Concat(name[:star], element, name[star+1:])
	ref, found := c.LookupRead(key)
	switch {
	case !found:
		return nil, false
	case field != nil:
		h := ref.Hash()
		if h == nil {
			return nil, false
		}
		return h.Get(field)
	case ref.Type() != keyspace.TypeString:
		return nil, false
	}
	return ref.Str(), true
}

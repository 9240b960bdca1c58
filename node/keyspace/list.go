package keyspace

import (
	"bytes"
	"unsafe"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// List is a value of type list. A small one is a single run of elements (a
// listpack); beyond the limit of Config it becomes a quicklist, a sequence of such
// runs. It follows redis-server 7.2 in how elements are spread over runs and when
// the form changes, both ways, so that OBJECT ENCODING says the same.
//
// Indices count from 0. Elements returned alias the list or the iterator that returned
// them.
type List struct {
	box
	one   listNode   // the listpack form
	quick *quicklist // the other, or nil
	// blobs is the memory of all nodes' elements.
	blobs int64
}

// quicklist is the form of a large list.
type quicklist struct {
	listNodes
	count int
}

func newList(home *account) *List {
	l := &List{box: box{header: header{flags: flagBoxed}, typ: TypeList, home: home}}
	l.reckon()
	return l
}

// reckon brings the accounts up to date with the list's size.
func (l *List) reckon() {
	size := int64(allocSize(int(unsafe.Sizeof(*l)))+allocSize(len(l.key))) + l.blobs
	if q := l.quick; q != nil {
		size += int64(allocSize(int(unsafe.Sizeof(*q)))) + q.memory()
	}
	l.settle(size)
}

// Len is the number of elements.
func (l *List) Len() int {
	if l.quick != nil {
		return l.quick.count
	}
	return l.one.n
}

// Encoding is listpack or quicklist, as in redis-server 7.2; 7.0 knows only
// quicklists.
func (l *List) Encoding() string {
	if l.quick != nil {
		return "quicklist"
	}
	return "listpack"
}

// nodes is the number of nodes.
func (l *List) nodes() int {
	if l.quick != nil {
		return l.quick.n
	}
	return 1
}

func (l *List) node(i int) *listNode {
	if l.quick != nil {
		return l.quick.at(i)
	}
	return &l.one
}

// set gives node i another content.
func (l *List) set(nd *listNode, b []byte, n int) {
	l.blobs += int64(allocSize(cap(b)) - allocSize(cap(nd.b)))
	if l.quick != nil {
		l.quick.count += n - nd.n
	}
	nd.b, nd.n = b, n
}

// splice replaces what node nd has at [from:to] by an entry, which may be empty, and
// changes its number of elements by more.
func (l *List) splice(nd *listNode, from, to int, entry []byte, more int) {
	l.set(nd, splice(nd.b, from, to, entry), nd.n+more)
}

// Push adds elements at the front or the back, one after the other.
func (l *List) Push(front bool, elements ...[]byte) {
	l.growing(elements...)
	for _, e := range elements {
		l.push(front, e)
	}
	l.reckon()
}

func (l *List) push(front bool, element []byte) {
	i := 0
	if !front {
		i = max(l.nodes()-1, 0)
	}
	if l.quick != nil && (l.quick.n == 0 || !l.allowsInsert(l.node(i), len(element))) {
		if !front && l.quick.n > 0 {
			i++
		}
		l.newNode(i)
		if l.quick.n > 1 { // the one that was at the end is full now
			last := l.node(1)
			if !front {
				last = l.node(i - 1)
			}
			l.set(last, exactly(last.b), last.n)
		}
	}
	nd := l.node(i)
	at := 0
	if !front {
		at = len(nd.b)
	}
	l.insertInto(nd, at, element)
}

// insertInto puts element into nd at offset at.
func (l *List) insertInto(nd *listNode, at int, element []byte) {
	var buf [64]byte
	l.splice(nd, at, at, listpack.Append(buf[:0], element), 1)
}

// newNode makes an empty node i of a quicklist.
func (l *List) newNode(i int) *listNode { return l.quick.insert(i) }

// Drop removes the n elements at the front or the back; there are so many.
func (l *List) Drop(front bool, n int) {
	for n > 0 {
		i := 0
		if !front {
			i = l.nodes() - 1
		}
		nd := l.node(i)
		if nd.n <= n {
			n -= nd.n
			l.removeNode(i)
			if l.quick == nil {
				break
			}
			continue
		}
		if front {
			l.splice(nd, 0, nd.offset(n), nil, -n)
		} else {
			l.splice(nd, nd.offset(nd.n-n), len(nd.b), nil, -n)
		}
		n = 0
	}
	l.shrunk()
	l.reckon()
}

// removeNode removes node i with its elements.
func (l *List) removeNode(i int) {
	nd := l.node(i)
	l.set(nd, nil, 0)
	if l.quick != nil {
		l.quick.remove(i)
	}
}

// Trim keeps n elements from start on.
func (l *List) Trim(start, n int) {
	l.Drop(false, l.Len()-start-n)
	l.Drop(true, start)
}

// Rotate moves an element from one end to the other, or back to where it was, as LMOVE
// does within one list, and returns it.
func (l *List) Rotate(fromFront, toFront bool) []byte {
	it := l.Iterate(fromFront)
	e, _ := it.Next()
	e = bytes.Clone(e)
	i := 0
	if !fromFront {
		i = l.nodes() - 1
	}
	nd := l.node(i)
	switch {
	case nd.n == 1:
		l.removeNode(i)
	case fromFront:
		l.splice(nd, 0, nd.offset(1), nil, -1)
	default:
		l.splice(nd, nd.offset(nd.n-1), len(nd.b), nil, -1)
	}
	l.growing(e)
	l.push(toFront, e)
	l.shrunk()
	l.reckon()
	return e
}

// Set replaces element i, which is there.
func (l *List) Set(i int, element []byte) {
	l.growing(element)
	p := l.locate(i)
	nd := l.node(p.node)
	var buf [64]byte
	l.splice(nd, p.at, listpack.Next(nd.b, p.at), listpack.Append(buf[:0], element), 0)
	l.shrunk()
	l.reckon()
}

// Insert puts element before or behind the first one that equals pivot; false when there
// is none.
func (l *List) Insert(before bool, pivot, element []byte) bool {
	p, found := l.find(pivot)
	if !found {
		return false
	}
	l.growing(element)
	if !before {
		p.at = listpack.Next(l.node(p.node).b, p.at)
	}
	if l.quick == nil || l.allowsInsert(l.node(p.node), len(element)) {
		l.insertInto(l.node(p.node), p.at, element)
	} else {
		l.insertFull(p, before, element)
	}
	l.reckon()
	return true
}

// Remove removes elements that equal element: the first count, the last -count, or all
// when count is 0. It returns how many.
func (l *List) Remove(count int, element []byte) int {
	entry := listpack.Append(nil, element)
	skip, left := 0, count
	switch {
	case count == 0:
		left = l.Len()
	case count < 0:
		found := 0
		for i := range l.nodes() {
			found += l.node(i).count(entry)
		}
		left = -count
		if left < 0 { // of the smallest int there is no positive one
			left = found
		}
		skip = max(0, found-left)
	}
	removed := 0
	for i := 0; i < l.nodes() && left > 0; {
		nd := l.node(i)
		n := l.removeFrom(nd, entry, &skip, left)
		removed += n
		left -= n
		if nd.n == 0 && l.quick != nil {
			l.quick.remove(i)
			continue
		}
		i++
	}
	l.shrunk()
	l.reckon()
	return removed
}

// removeFrom removes up to most of the entries of nd that equal entry, but for the
// first skip ones, which it counts down.
func (l *List) removeFrom(nd *listNode, entry []byte, skip *int, most int) (n int) {
	kept, from := 0, 0 // nd.b[:kept] stays, nd.b[from:at] is to follow it
	for at := 0; at < len(nd.b) && n < most; {
		next := listpack.Next(nd.b, at)
		if bytes.Equal(nd.b[at:next], entry) {
			if *skip > 0 {
				*skip--
			} else {
				kept += copy(nd.b[kept:], nd.b[from:at])
				from = next
				n++
			}
		}
		at = next
	}
	if n == 0 {
		return 0
	}
	kept += copy(nd.b[kept:], nd.b[from:])
	b := packedShrink(nd.b[:kept])
	if nd.n == n {
		b = nil
	}
	l.set(nd, b, nd.n-n)
	return n
}

func (l *List) clone(home *account) Object {
	c := newList(home)
	if l.quick != nil {
		c.quick = &quicklist{}
	}
	for i := range l.nodes() {
		nd := l.node(i)
		to := &c.one
		if c.quick != nil {
			to = c.newNode(i)
		}
		c.set(to, append(make([]byte, 0, allocSize(len(nd.b))), nd.b...), nd.n)
	}
	c.reckon()
	return c
}

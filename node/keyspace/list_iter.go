package keyspace

import (
	"bytes"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// listPos is the place of an element: offset at of a node.
type listPos struct{ node, at int }

// locate finds element i, which is there, from the nearer end.
func (l *List) locate(i int) listPos {
	if l.quick == nil {
		return listPos{0, l.one.offset(i)}
	}
	q := l.quick
	if i <= q.count/2 {
		for at := 0; ; at++ {
			if n := q.at(at).n; i >= n {
				i -= n
				continue
			}
			return listPos{at, q.at(at).offset(i)}
		}
	}
	i = q.count - 1 - i // counted from the end
	for at := q.n - 1; ; at-- {
		if n := q.at(at).n; i >= n {
			i -= n
			continue
		}
		return listPos{at, q.at(at).offset(q.at(at).n - 1 - i)}
	}
}

// find is the place of the first element that equals element.
func (l *List) find(element []byte) (listPos, bool) {
	entry := listpack.Append(nil, element)
	for i := range l.nodes() {
		nd := l.node(i)
		for at := 0; at < len(nd.b); {
			next := listpack.Next(nd.b, at)
			if bytes.Equal(nd.b[at:next], entry) {
				return listPos{i, at}, true
			}
			at = next
		}
	}
	return listPos{}, false
}

// ListIter goes through elements of a list, which must not change meanwhile.
type ListIter struct {
	l       *List
	forward bool
	pos     listPos // forward: of the next element; backward: behind it
	digits  [listpack.MaxDigits]byte
}

// Iterate goes through all elements from the front to the back, or the other way.
func (l *List) Iterate(forward bool) ListIter {
	if forward {
		return ListIter{l: l, forward: true}
	}
	last := l.nodes() - 1
	if last < 0 {
		return ListIter{l: l, pos: listPos{node: -1}}
	}
	return ListIter{l: l, pos: listPos{last, len(l.node(last).b)}}
}

// From goes from element i, which is there, to the back.
func (l *List) From(i int) ListIter { return ListIter{l: l, forward: true, pos: l.locate(i)} }

// Next returns the next element; false behind the last.
func (it *ListIter) Next() ([]byte, bool) {
	b, at, ok := it.step()
	if !ok {
		return nil, false
	}
	return listpack.Element(b, at, it.digits[:]), true
}

// step goes on by one element and returns where it is.
func (it *ListIter) step() (b []byte, at int, ok bool) {
	if it.forward {
		for ; it.pos.node < it.l.nodes(); it.pos = (listPos{it.pos.node + 1, 0}) {
			if nd := it.l.node(it.pos.node); it.pos.at < len(nd.b) {
				at := it.pos.at
				it.pos.at = listpack.Next(nd.b, at)
				return nd.b, at, true
			}
		}
		return nil, 0, false
	}
	for it.pos.node >= 0 {
		if it.pos.at > 0 {
			b := it.l.node(it.pos.node).b
			it.pos.at = listpack.Prev(b, it.pos.at)
			return b, it.pos.at, true
		}
		if it.pos.node--; it.pos.node >= 0 {
			it.pos.at = len(it.l.node(it.pos.node).b)
		}
	}
	return nil, 0, false
}

// Search calls fn with the index of each element that equals element, from the front or
// the back, until fn returns false or most elements were looked at; 0: all.
func (l *List) Search(element []byte, forward bool, most int, fn func(i int) bool) {
	entry := listpack.Append(nil, element)
	it := l.Iterate(forward)
	for seen := 0; most == 0 || seen < most; seen++ {
		b, at, ok := it.step()
		if !ok {
			return
		}
		if !bytes.HasPrefix(b[at:], entry) { // entries are prefix-free
			continue
		}
		i := seen
		if !forward {
			i = l.Len() - 1 - seen
		}
		if !fn(i) {
			return
		}
	}
}

// EachNode calls fn with the entries (see package listpack) and number of elements of
// every run, until it returns false.
func (l *List) EachNode(fn func(entries []byte, n int) bool) {
	for i := range l.nodes() {
		nd := l.node(i)
		if nd.n > 0 && !fn(nd.b[:len(nd.b):len(nd.b)], nd.n) {
			return
		}
	}
}

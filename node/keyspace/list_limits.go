package keyspace

import (
	"math"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// The rules by which redis-server 7.2 spreads a list over nodes. A node is bounded by
// list-max-listpack-size: a positive number of elements, which then may take
// listSafeSize bytes at most, or as a negative number the size of listSizes.

// listSizes are the bounds for -1 to -5, in bytes.
var listSizes = [...]int{4096, 8192, 16384, 32768, 65536}

const listSafeSize = 8192

// entryEstimate is what Redis takes an element to need beside its bytes, before it has
// encoded it.
const entryEstimate = 8

// listLimits are the bounds of a node in bytes and elements, one of which is none.
func listLimits(setting int) (size, count int) {
	if setting >= 0 {
		return math.MaxInt, max(setting, 1)
	}
	return listSizes[min(-(setting+1), len(listSizes)-1)], math.MaxInt
}

// beyondListLimit reports whether a node of so many bytes and elements is too large.
func beyondListLimit(setting, size, count int) bool {
	mostSize, mostCount := listLimits(setting)
	if setting >= 0 {
		return size > listSafeSize || count > mostCount
	}
	return size > mostSize
}

func (l *List) beyondLimit(size, count int) bool {
	return beyondListLimit(l.home.cfg.ListMaxListpackSize, size, count)
}

// allowsInsert reports whether a node of a quicklist takes an element of n bytes.
func (l *List) allowsInsert(nd *listNode, n int) bool {
	return !l.beyondLimit(nd.size()+n+entryEstimate, nd.n+1)
}

// growing makes the list a quicklist if elements that are about to be added would make
// its listpack too large.
func (l *List) growing(elements ...[]byte) {
	if l.quick != nil {
		return
	}
	size := l.one.size()
	for _, e := range elements {
		size += len(e)
	}
	if !l.beyondLimit(size, l.one.n+len(elements)) {
		return
	}
	one := l.one
	l.one = listNode{}
	l.quick = &quicklist{count: one.n}
	if one.n > 0 {
		*l.newNode(0) = one
		return
	}
	l.blobs -= int64(allocSize(cap(one.b)))
}

// shrunk makes a quicklist of one node a listpack again once that is half as large as
// it may be.
func (l *List) shrunk() { l.settleForm(2) }

// Settle chooses the form of a list that was put together from scratch.
func (l *List) Settle() {
	l.settleForm(1)
	l.reckon()
}

// settleForm makes a quicklist of one node a listpack if that keeps within a part of
// the limits.
func (l *List) settleForm(part int) {
	if l.quick == nil || l.quick.n != 1 {
		return
	}
	size, count := listLimits(l.home.cfg.ListMaxListpackSize)
	if nd := *l.node(0); nd.size() <= size/part && nd.n <= count/part {
		l.quick, l.one = nil, nd
	}
}

// insertFull puts element at p, which is in a node that has no room for it: before or
// behind the element that was found.
func (l *List) insertFull(p listPos, before bool, element []byte) {
	nd := l.node(p.node)
	switch atHead, atTail := before && p.at == 0, !before && p.at == len(nd.b); {
	case atTail && p.node+1 < l.quick.n && l.allowsInsert(l.node(p.node+1), len(element)):
		l.insertInto(l.node(p.node+1), 0, element)
	case atHead && p.node > 0 && l.allowsInsert(l.node(p.node-1), len(element)):
		prev := l.node(p.node - 1)
		l.insertInto(prev, len(prev.b), element)
	case atTail:
		l.insertInto(l.newNode(p.node+1), 0, element)
	case atHead:
		l.insertInto(l.newNode(p.node), 0, element)
	default:
		l.split(p, before, element)
	}
}

// split cuts a node in two at p and gives the new one, which is the part in front if
// before, the element.
func (l *List) split(p listPos, before bool, element []byte) {
	nd := l.node(p.node)
	head, tail := nd.b[:p.at], nd.b[p.at:]
	n := 0
	for at := 0; at < p.at; n++ {
		at = listpack.Next(nd.b, at)
	}
	headNode := listNode{b: append(make([]byte, 0, allocSize(len(head))), head...), n: n}
	tailNode := listNode{b: append(make([]byte, 0, allocSize(len(tail))), tail...), n: nd.n - n}
	l.set(nd, headNode.b, headNode.n)
	added := l.newNode(p.node + 1)
	l.set(added, tailNode.b, tailNode.n)
	center := p.node // the part that Redis leaves in the old node
	if before {
		center++
		first := l.node(p.node)
		l.insertInto(first, len(first.b), element)
	} else {
		l.insertInto(l.node(p.node+1), 0, element)
	}
	l.merge(center)
}

// merge joins nodes around the one numbered center where two fit into one.
func (l *List) merge(center int) {
	joined := l.join(center - 2)
	if joined {
		center--
	}
	l.join(center + 1)
	if l.join(center - 1) {
		center--
	}
	l.join(center)
}

// join makes nodes i and i+1 one if both are there and fit.
func (l *List) join(i int) bool {
	if i < 0 || i+1 >= l.quick.n {
		return false
	}
	a, b := l.node(i), l.node(i+1)
	if l.beyondLimit(a.size()+len(b.b), a.n+b.n) {
		return false
	}
	l.set(a, splice(a.b, len(a.b), len(a.b), b.b), a.n+b.n)
	l.removeNode(i + 1)
	return true
}

package keyspace

import (
	"bytes"
	"unsafe"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// listNode is a run of a list's elements: the entries of a listpack.
type listNode struct {
	b []byte
	n int
}

// size is that of the node as a listpack, by which Redis judges it.
func (nd *listNode) size() int { return listpack.Overhead + len(nd.b) }

// offset is where element i begins, or the end for i = n.
func (nd *listNode) offset(i int) int {
	if i <= nd.n/2 {
		at := 0
		for range i {
			at = listpack.Next(nd.b, at)
		}
		return at
	}
	at := len(nd.b)
	for range nd.n - i {
		at = listpack.Prev(nd.b, at)
	}
	return at
}

// count is how many of its entries equal entry.
func (nd *listNode) count(entry []byte) (n int) {
	for at := 0; at < len(nd.b); {
		next := listpack.Next(nd.b, at)
		if bytes.Equal(nd.b[at:next], entry) {
			n++
		}
		at = next
	}
	return n
}

// exactGrowth is the size up to which a node takes no more memory than it needs: most
// lists are short and stay so.
const exactGrowth = 512

// splice replaces b[from:to] by entry.
func splice(b []byte, from, to int, entry []byte) []byte {
	size := len(b) - (to - from) + len(entry)
	tail := b[to:]
	if size > cap(b) {
		room := size
		if size > exactGrowth {
			room += size / 8
		}
		grown := append(make([]byte, 0, allocSize(room)), b[:from]...)
		grown = append(grown, entry...)
		return append(grown, tail...)
	}
	b = b[:size]
	copy(b[from+len(entry):], tail)
	copy(b[from:], entry)
	return packedShrink(b)
}

// exactly is b without memory to grow into.
func exactly(b []byte) []byte {
	if size := allocSize(len(b)); size < cap(b) {
		return append(make([]byte, 0, size), b...)
	}
	return b
}

// Nodes is how many nodes a list has that is a quicklist, and their size as listpacks;
// 0 of another one, or of none.
func (l *List) Nodes() (n, bytes int) {
	if l == nil || l.quick == nil {
		return 0, 0
	}
	for i := range l.quick.n {
		bytes += l.quick.at(i).size()
	}
	return l.quick.n, bytes
}

// listNodes is a sequence of nodes with room at both ends.
type listNodes struct {
	buf   []listNode
	first int
	n     int
}

func (s *listNodes) at(i int) *listNode { return &s.buf[s.first+i] }

// memory is the allocation of the sequence, without the elements.
func (s *listNodes) memory() int64 {
	return int64(allocSize(len(s.buf) * int(unsafe.Sizeof(listNode{}))))
}

// insert makes room for node i and returns it, empty. The shorter side moves.
func (s *listNodes) insert(i int) *listNode {
	if i <= s.n/2 {
		if s.first == 0 {
			s.recentre()
		}
		s.first--
		copy(s.buf[s.first:], s.buf[s.first+1:s.first+1+i])
	} else {
		if s.first+s.n == len(s.buf) {
			s.recentre()
		}
		copy(s.buf[s.first+i+1:], s.buf[s.first+i:s.first+s.n])
	}
	s.n++
	nd := s.at(i)
	*nd = listNode{}
	return nd
}

// remove takes node i out.
func (s *listNodes) remove(i int) {
	if i < s.n/2 {
		copy(s.buf[s.first+1:], s.buf[s.first:s.first+i])
		s.buf[s.first] = listNode{}
		s.first++
	} else {
		copy(s.buf[s.first+i:], s.buf[s.first+i+1:s.first+s.n])
		s.buf[s.first+s.n-1] = listNode{}
	}
	s.n--
	if len(s.buf) > 16 && s.n < len(s.buf)/4 {
		s.recentre()
	}
}

// recentre moves the nodes to the middle of what they need, which leaves room for as
// many insertions at either end as they have moved in number, give or take.
func (s *listNodes) recentre() {
	need := 2*s.n + 4
	buf := s.buf
	if len(buf) < need || len(buf) > 2*need {
		buf = make([]listNode, need)
	}
	first := (len(buf) - s.n) / 2
	copy(buf[first:], s.buf[s.first:s.first+s.n])
	if len(s.buf) > 0 && &buf[0] == &s.buf[0] {
		clear(buf[:first])
		clear(buf[first+s.n:])
	}
	s.buf, s.first = buf, first
}

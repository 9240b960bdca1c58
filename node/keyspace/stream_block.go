package keyspace

import (
	"bytes"
	"slices"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// A block of a stream is a listpack as Redis lays it out, to the byte, so that blocks
// end where Redis's do and an RDB file takes them as they are. It begins with the
// names that its entries share and refers to the block's own ID:
//
//	live, deleted, number of names, name..., 0
//	entry = flags, ms, seq, value..., elements           with the block's names
//	      | flags, ms, seq, n, (name, value)..., elements
//
// ms and seq are differences to the block's ID. elements is how many elements of the
// listpack the entry has before that number, for walking backwards; the 0 is
// that number of the beginning. A deleted entry stays, marked by a flag, until the
// whole block goes.

// streamBlock is a block's listpack.
type streamBlock []byte

const (
	entryDeleted   = 1 << 0
	entrySameNames = 1 << 1
)

// maxStreamBlock is the most bytes that a block may have however the limits are
// set, and an entry's names and values together.
const maxStreamBlock = 1 << 30

// newStreamBlock begins a block whose names are every other of args.
func newStreamBlock(args [][]byte) streamBlock {
	const numbers, overhead = 32, 3
	room := listpack.HeaderSize + numbers
	for _, a := range args {
		room += len(a) + overhead
	}
	b := listpack.New(allocSize(room))[:listpack.HeaderSize]
	b = listpack.AppendInt(b, 0)
	b = listpack.AppendInt(b, 0)
	b = listpack.AppendInt(b, int64(len(args)/2))
	for i := 0; i < len(args); i += 2 {
		b = listpack.Append(b, args[i])
	}
	b = listpack.AppendInt(b, 0)
	b = append(b, listpack.End)
	listpack.SetHeader(b, 4+len(args)/2)
	return b
}

// counts are the numbers of live and deleted entries.
func (b streamBlock) counts() (live, deleted int64) {
	live, off := listpack.Int(b, listpack.HeaderSize)
	deleted, _ = listpack.Int(b, off)
	return live, deleted
}

// setCounts changes both numbers, which may make the block longer or shorter.
func (b streamBlock) setCounts(live, deleted int64) streamBlock {
	_, end := listpack.Int(b, listpack.HeaderSize)
	_, end = listpack.Int(b, end)
	var buf [32]byte
	head := listpack.AppendInt(listpack.AppendInt(buf[:0], live), deleted)
	start := listpack.HeaderSize
	if size := end - start; size == len(head) {
		copy(b[start:], head)
		return b
	}
	elements := listpack.Count(b)
	tail := b[end:]
	size := start + len(head) + len(tail)
	b = slices.Grow(b, max(0, size-len(b)))[:size]
	copy(b[start+len(head):], tail)
	copy(b[start:], head)
	listpack.SetHeader(b, elements)
	return b
}

// names is the number of shared names and where they begin.
func (b streamBlock) names() (n, off int) {
	off = listpack.Next(b, listpack.Next(b, listpack.HeaderSize))
	v, off := listpack.Int(b, off)
	return int(v), off
}

// body is where the first entry begins.
func (b streamBlock) body() int {
	n, off := b.names()
	for range n {
		off = listpack.Next(b, off)
	}
	return listpack.Next(b, off)
}

// hasNames reports whether every other of args are the block's names.
func (b streamBlock) hasNames(args [][]byte) bool {
	n, off := b.names()
	if n != len(args)/2 {
		return false
	}
	var scratch [listpack.MaxDigits]byte
	for i := 0; i < len(args); i += 2 {
		if !bytes.Equal(listpack.Element(b, off, scratch[:]), args[i]) {
			return false
		}
		off = listpack.Next(b, off)
	}
	return true
}

// add appends an entry of names and values in turns. The ID must be above all IDs in
// the block, whose own is master.
func (b streamBlock) add(master, id StreamID, args [][]byte) streamBlock {
	live, deleted := b.counts()
	same := b.hasNames(args)
	b = b.setCounts(live+1, deleted)
	elements := listpack.Count(b)
	b = b[:len(b)-1]

	flags, n := int64(0), 3+len(args)
	if same {
		flags, n = entrySameNames, 3+len(args)/2
	} else {
		n++
	}
	b = listpack.AppendInt(b, flags)
	b = listpack.AppendInt(b, int64(id.MS-master.MS))
	b = listpack.AppendInt(b, int64(id.Seq-master.Seq))
	if !same {
		b = listpack.AppendInt(b, int64(len(args)/2))
	}
	for i, a := range args {
		if i%2 == 1 || !same {
			b = listpack.Append(b, a)
		}
	}
	b = listpack.AppendInt(b, int64(n))
	b = append(b, listpack.End)
	if elements != listpack.UnknownCount {
		elements += n + 1
	}
	listpack.SetHeader(b, elements)
	return b
}

// shrunk is the block in an allocation of its size.
func (b streamBlock) shrunk() streamBlock {
	if size := allocSize(len(b)); size < cap(b) {
		return append(make(streamBlock, 0, size), b...)
	}
	return b
}

// StreamEntry is an entry of a stream, valid until the next change of the stream.
type StreamEntry struct {
	ID StreamID

	block   streamBlock
	start   int // offset of its flags
	deleted bool
	n       int // names
	names   int // offset of the block's names; 0 when they are between the values
	values  int // offset of the values, or of the first name
}

// Len is the number of fields.
func (e *StreamEntry) Len() int { return e.n }

// Each calls fn with every field in order. The slices are valid during the call.
func (e *StreamEntry) Each(fn func(field, value []byte)) {
	var fieldInt, valueInt [listpack.MaxDigits]byte
	names, off := e.names, e.values
	for range e.n {
		at := &names
		if e.names == 0 {
			at = &off
		}
		name := listpack.Element(e.block, *at, fieldInt[:])
		*at = listpack.Next(e.block, *at)
		value := listpack.Element(e.block, off, valueInt[:])
		off = listpack.Next(e.block, off)
		fn(name, value)
	}
}

// end is where the next entry begins.
func (e *StreamEntry) end() int {
	n := e.n
	if e.names == 0 {
		n *= 2
	}
	off := e.values
	for range n {
		off = listpack.Next(e.block, off)
	}
	return listpack.Next(e.block, off)
}

// blockReader knows what the entries of one block have in common.
type blockReader struct {
	b      streamBlock
	master StreamID
	n      int // shared names
	names  int // their offset
}

func (b streamBlock) reader(master StreamID) blockReader {
	n, names := b.names()
	return blockReader{b: b, master: master, n: n, names: names}
}

// entry reads the entry at off.
func (r *blockReader) entry(off int) StreamEntry {
	e := StreamEntry{block: r.b, start: off, n: r.n, names: r.names}
	flags, off := listpack.Int(r.b, off)
	ms, off := listpack.Int(r.b, off)
	seq, off := listpack.Int(r.b, off)
	e.ID = StreamID{r.master.MS + uint64(ms), r.master.Seq + uint64(seq)}
	e.deleted = flags&entryDeleted != 0
	if flags&entrySameNames == 0 {
		e.names = 0
		var n int64
		n, off = listpack.Int(r.b, off)
		e.n = int(n)
	}
	e.values = off
	return e
}

// each calls fn with every entry, deleted ones too, in order until it returns false.
func (r *blockReader) each(fn func(e *StreamEntry) bool) {
	for off := r.b.body(); off < len(r.b)-1; {
		e := r.entry(off)
		if !fn(&e) {
			return
		}
		off = e.end()
	}
}

// down is each from the last entry to the first.
func (r *blockReader) down(fn func(e *StreamEntry) bool) {
	for end := len(r.b) - 1; ; {
		off := listpack.Prev(r.b, end)
		n, _ := listpack.Int(r.b, off)
		if n == 0 {
			return
		}
		for range n {
			off = listpack.Prev(r.b, off)
		}
		e := r.entry(off)
		if !fn(&e) {
			return
		}
		end = off
	}
}

// markDeleted flags the entry that begins at start; the counts are the caller's. It
// stays in its place: when XSETID goes back behind it, lower IDs follow it.
func (b streamBlock) markDeleted(start int) { b[start] |= entryDeleted }

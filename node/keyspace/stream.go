package keyspace

import (
	"bytes"
	"errors"
	"unsafe"
)

// Stream is a value of type stream: entries in the order of their IDs, and groups of
// consumers that share the work of reading them. Entries are packed into blocks
// (stream_block.go); blocks, pending entries, groups and consumers are found in
// logarithmic time (ordered.go).
type Stream struct {
	box
	blocks ordered[StreamID, streamBlock] // by the ID of the first entry ever in it
	length uint64
	first  StreamID // of the first entry, 0-0 when there is none

	lastID     StreamID
	maxDeleted StreamID
	added      uint64

	groups ordered[[]byte, *StreamGroup]

	parts int64 // bytes of everything below this struct
}

// Errors of Stream.Add.
var (
	ErrStreamOrder = errors.New("keyspace: the ID is not above the stream's last")
	ErrStreamSize  = errors.New("keyspace: the entry is too large for a stream")
)

func newStream(home *account) *Stream {
	s := &Stream{box: box{header: header{flags: flagBoxed}, typ: TypeStream, home: home}}
	s.blocks = newOrdered[StreamID, streamBlock](StreamID.Compare, &s.parts)
	s.groups = newOrdered[[]byte, *StreamGroup](bytes.Compare, &s.parts)
	s.reckon()
	return s
}

// reckon brings the accounts up to date with the stream's size.
func (s *Stream) reckon() {
	s.settle(int64(allocSize(int(unsafe.Sizeof(*s)))+allocSize(len(s.key))) + s.parts)
}

// Len is the number of entries.
func (s *Stream) Len() int { return int(s.length) }

// Encoding is stream.
func (s *Stream) Encoding() string { return "stream" }

// FirstID is the ID of the first entry, 0-0 when there is none.
func (s *Stream) FirstID() StreamID { return s.first }

// LastID is the highest ID that an entry ever had, or what SetLastID set.
func (s *Stream) LastID() StreamID { return s.lastID }

// MaxDeletedID is the highest ID that Delete removed; 0-0 when it removed nothing.
func (s *Stream) MaxDeletedID() StreamID { return s.maxDeleted }

// EntriesAdded is the number of entries that were ever added, or what
// SetEntriesAdded set.
func (s *Stream) EntriesAdded() uint64 { return s.added }

// SetLastID, SetMaxDeletedID and SetEntriesAdded set what the stream remembers beside
// its entries (XSETID). The caller has compared them with those.
func (s *Stream) SetLastID(id StreamID) { s.lastID = id }

// SetMaxDeletedID sets MaxDeletedID; see SetLastID.
func (s *Stream) SetMaxDeletedID(id StreamID) { s.maxDeleted = id }

// SetEntriesAdded sets EntriesAdded; see SetLastID.
func (s *Stream) SetEntriesAdded(n uint64) { s.added = n }

// Blocks is the number of blocks, which is Redis's number of keys in the radix tree
// of a stream.
func (s *Stream) Blocks() int { return s.blocks.n }

// Add appends an entry of fields and values in turns. Errors: ErrStreamOrder,
// ErrStreamSize; nothing is changed then.
func (s *Stream) Add(id StreamID, args [][]byte) error {
	if !s.lastID.Less(id) {
		return ErrStreamOrder
	}
	size := 0
	for _, a := range args {
		size += len(a)
	}
	if size > maxStreamBlock {
		return ErrStreamSize
	}
	master, block, ok := s.blocks.last()
	if ok && s.full(*block, size) {
		s.replaceBlock(block, block.shrunk())
		ok = false
	}
	if !ok {
		master = id
		fresh := newStreamBlock(args)
		s.parts += int64(allocSize(cap(fresh)))
		s.blocks.set(master, fresh)
		_, block, _ = s.blocks.last()
	}
	s.replaceBlock(block, block.add(master, id, args))
	s.length++
	s.added++
	s.lastID = id
	if s.length == 1 {
		s.first = id
	}
	s.reckon()
	return nil
}

// full reports whether a block has no room for an entry of size bytes of names and
// values, as Redis judges it: by the bytes it has, and by its entries, deleted
// ones too.
func (s *Stream) full(b streamBlock, size int) bool {
	most, entries := s.home.cfg.StreamNodeMaxBytes, s.home.cfg.StreamNodeMaxEntries
	if most <= 0 || most > maxStreamBlock {
		most = maxStreamBlock
	}
	if len(b)+size >= most {
		return true
	}
	live, deleted := b.counts()
	return entries > 0 && live+deleted >= int64(entries)
}

// replaceBlock puts b in the place of a block.
func (s *Stream) replaceBlock(block *streamBlock, b streamBlock) {
	s.parts += int64(allocSize(cap(b)) - allocSize(cap(*block)))
	*block = b
}

func (s *Stream) removeBlock(master StreamID) {
	if block := s.blocks.get(master); block != nil {
		s.parts -= int64(allocSize(cap(*block)))
		s.blocks.del(master)
	}
}

func (s *Stream) clone(home *account) Object {
	c := newStream(home)
	c.blocks = s.blocks.clone(&c.parts, func(b streamBlock) streamBlock {
		b = append(make(streamBlock, 0, allocSize(len(b))), b...)
		c.parts += int64(allocSize(cap(b)))
		return b
	})
	c.length, c.first, c.lastID, c.maxDeleted, c.added = s.length, s.first, s.lastID, s.maxDeleted, s.added
	s.groups.each(func(_ []byte, g **StreamGroup) bool {
		(*g).cloneTo(c)
		return true
	})
	c.reckon()
	return c
}

package keyspace

import (
	"errors"
	"fmt"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// ErrStreamBlock says that a listpack is no block of a stream.
var ErrStreamBlock = errors.New("keyspace: bad stream block")

// EachBlock calls fn with every block's ID and listpack, in order until it returns
// false. An RDB file has them as they are.
func (s *Stream) EachBlock(fn func(id StreamID, listpack []byte) bool) {
	s.blocks.each(func(id StreamID, b *streamBlock) bool { return fn(id, *b) })
}

// AddBlock appends a block that comes from outside, and moves LastID on to its
// last entry, deleted or not. What else the stream remembers is the caller's to
// set. Error: ErrStreamBlock.
func (s *Stream) AddBlock(id StreamID, list []byte) error {
	b := append(make(streamBlock, 0, allocSize(len(list))), list...)
	check := blockCheck{b: b, off: listpack.HeaderSize, last: s.lastID, some: s.length > 0}
	if !listpack.Framed(b) {
		return fmt.Errorf("%w: a listpack of %d bytes has a bad frame", ErrStreamBlock, len(b))
	}
	if before := s.lastMaster(); s.blocks.n > 0 && (!s.lastID.Less(id) || !before.Less(id)) {
		return fmt.Errorf("%w: block %v is not behind block %v and entry %v", ErrStreamBlock, id, before, s.lastID)
	}
	if err := check.block(id); err != nil {
		return fmt.Errorf("%w: block %v: %w", ErrStreamBlock, id, err)
	}
	s.parts += int64(allocSize(cap(b)))
	s.blocks.set(id, b)
	s.lastID = check.last
	live, _ := b.counts()
	s.length += uint64(live)
	if s.first.IsZero() {
		s.findFirst()
	}
	s.reckon()
	return nil
}

// lastMaster is where the last block begins.
func (s *Stream) lastMaster() (last StreamID) {
	s.blocks.downFrom(MaxStreamID, func(master StreamID, _ *streamBlock) bool {
		last = master
		return false
	})
	return last
}

// blockCheck walks a block that may hold anything.
type blockCheck struct {
	b    streamBlock
	off  int
	seen int      // elements
	last StreamID // of the last entry that is live, if there is some
	some bool
}

// block checks everything that the readers of blocks rely on.
func (c *blockCheck) block(master StreamID) error {
	live, err := c.number("number of entries")
	if err != nil {
		return err
	}
	deleted, err := c.number("number of deleted entries")
	if err != nil {
		return err
	}
	names, err := c.number("number of names")
	if err != nil {
		return err
	}
	if err := c.skip(names); err != nil {
		return err
	}
	if end, err := c.any("end of the names"); err != nil || end != 0 {
		return errors.New("the names have no end")
	}
	var found [2]int64
	for i := 0; c.off < len(c.b)-1; i++ {
		gone, err := c.entry(master, names)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		found[gone]++
	}
	switch n := listpack.Count(c.b); {
	case found != [2]int64{live, deleted}:
		return fmt.Errorf("%d entries and %d deleted, it says %d and %d", found[0], found[1], live, deleted)
	case live+deleted == 0:
		return errors.New("no entry")
	case n != listpack.UnknownCount && n != c.seen:
		return fmt.Errorf("%d elements, it says %d", c.seen, n)
	}
	return nil
}

// entry checks one entry and reports whether it is live (0) or deleted (1).
func (c *blockCheck) entry(master StreamID, names int64) (gone int, err error) {
	start, before := c.off, c.seen
	flags, err := c.number("flags")
	if err != nil {
		return 0, err
	}
	// markDeleted writes to the one byte of small numbers.
	if flags > entryDeleted|entrySameNames || c.b[start] != byte(flags) {
		return 0, errors.New("unknown flags")
	}
	ms, err := c.any("difference of milliseconds")
	if err != nil {
		return 0, err
	}
	seq, err := c.any("difference of numbers")
	if err != nil {
		return 0, err
	}
	id := StreamID{master.MS + uint64(ms), master.Seq + uint64(seq)}
	// XSETID may go back behind what was deleted at the end.
	live := flags&entryDeleted == 0
	if id.Less(master) || live && c.some && !c.last.Less(id) {
		return 0, fmt.Errorf("%v is out of order", id)
	}
	if live {
		c.last, c.some = id, true
	}
	rest := names
	if flags&entrySameNames == 0 {
		if rest, err = c.number("number of fields"); err != nil {
			return 0, err
		}
		if rest > int64(len(c.b)) {
			return 0, errElementMissing
		}
		rest *= 2
	}
	if err := c.skip(rest); err != nil {
		return 0, err
	}
	size := c.seen - before
	if n, err := c.any("number of elements"); err != nil || n != int64(size) {
		return 0, fmt.Errorf("%d elements, it says %d", size, n)
	}
	return int(flags & entryDeleted), nil
}

var errElementMissing = errors.New("a broken element, or none where one belongs")

func (c *blockCheck) skip(n int64) error {
	for ; n > 0; n-- {
		_, _, next, ok := listpack.Checked(c.b[:len(c.b)-1], c.off)
		if !ok {
			return errElementMissing
		}
		c.off = next
		c.seen++
	}
	return nil
}

// number reads an integer that counts something.
func (c *blockCheck) number(what string) (int64, error) {
	n, err := c.any(what)
	if err == nil && n < 0 {
		err = fmt.Errorf("%s is %d", what, n)
	}
	return n, err
}

func (c *blockCheck) any(what string) (int64, error) {
	n, isInt, next, ok := listpack.Checked(c.b[:len(c.b)-1], c.off)
	if !ok || !isInt {
		return 0, fmt.Errorf("%s: no integer", what)
	}
	c.off = next
	c.seen++
	return n, nil
}

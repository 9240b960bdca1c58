package keyspace

// Range calls fn with the entries from from to to, both included, in order until it
// returns false. The entry is valid during the call.
func (s *Stream) Range(from, to StreamID, fn func(e *StreamEntry) bool) {
	// The block that from would be in begins at or below it.
	start := StreamID{}
	s.blocks.downFrom(from, func(master StreamID, _ *streamBlock) bool {
		start = master
		return false
	})
	more := true
	s.blocks.from(start, func(master StreamID, b *streamBlock) bool {
		if to.Less(master) {
			return false
		}
		r := b.reader(master)
		r.each(func(e *StreamEntry) bool {
			switch {
			case e.deleted: // may be out of order, see markDeleted
			case to.Less(e.ID):
				more = false
			case !e.ID.Less(from):
				more = fn(e)
			}
			return more
		})
		return more
	})
}

// RangeDown is Range from to down to from.
func (s *Stream) RangeDown(to, from StreamID, fn func(e *StreamEntry) bool) {
	more := true
	s.blocks.downFrom(to, func(master StreamID, b *streamBlock) bool {
		r := b.reader(master)
		r.down(func(e *StreamEntry) bool {
			switch {
			case e.deleted:
			case e.ID.Less(from):
				more = false
			case !to.Less(e.ID):
				more = fn(e)
			}
			return more
		})
		return more
	})
}

// Has reports whether there is an entry of that ID.
func (s *Stream) Has(id StreamID) bool {
	found := false
	s.Range(id, id, func(*StreamEntry) bool {
		found = true
		return false
	})
	return found
}

// LastEntryID is the ID of the last entry, false when there is none. Unlike LastID
// it goes back when that entry is deleted.
func (s *Stream) LastEntryID() (id StreamID, ok bool) {
	s.RangeDown(MaxStreamID, StreamID{}, func(e *StreamEntry) bool {
		id, ok = e.ID, true
		return false
	})
	return id, ok
}

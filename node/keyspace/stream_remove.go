package keyspace

// Delete removes the entry of that ID and reports whether it was there. Its block
// stays until its last entry goes.
func (s *Stream) Delete(id StreamID) bool {
	var master StreamID
	var block *streamBlock
	s.blocks.downFrom(id, func(m StreamID, b *streamBlock) bool {
		master, block = m, b
		return false
	})
	if block == nil {
		return false
	}
	start := -1
	r := block.reader(master)
	r.each(func(e *StreamEntry) bool {
		if e.deleted {
			return true
		}
		if e.ID == id {
			start = e.start
		}
		return e.ID.Less(id)
	})
	if start < 0 {
		return false
	}
	if live, deleted := block.counts(); live == 1 {
		s.removeBlock(master)
	} else {
		block.markDeleted(start)
		s.replaceBlock(block, block.setCounts(live-1, deleted+1))
	}
	s.length--
	if s.maxDeleted.Less(id) {
		s.maxDeleted = id
	}
	if id == s.first || s.length == 0 {
		s.findFirst()
	}
	s.reckon()
	return true
}

// findFirst sets first anew.
func (s *Stream) findFirst() {
	s.first = StreamID{}
	if s.length == 0 {
		return
	}
	s.Range(StreamID{}, MaxStreamID, func(e *StreamEntry) bool {
		s.first = e.ID
		return false
	})
}

// StreamTrim says how far to trim a stream.
type StreamTrim struct {
	ByID   bool
	MaxLen uint64   // entries that may stay, unless ByID
	MinID  StreamID // the lowest ID that may stay, if ByID
	// Approximate removes whole blocks only, and stops before more than Limit
	// entries are removed; a Limit of 0 is none.
	Approximate bool
	Limit       int64
}

// Trim removes entries from the beginning and returns how many. Which blocks it
// removes, and which entries by Limit, is as in Redis.
func (s *Stream) Trim(t StreamTrim) (removed int64) {
	for {
		master, block, ok := s.blocks.first()
		if !ok || !t.ByID && s.length <= t.MaxLen {
			break
		}
		live, _ := block.counts()
		if t.Limit > 0 && removed+live > t.Limit {
			break
		}
		if !s.wholeBlockGoes(t, master, *block, live) {
			if !t.Approximate {
				removed += s.trimBlock(t, master, block)
			}
			break
		}
		s.removeBlock(master)
		s.length -= uint64(live)
		removed += live
	}
	if removed > 0 {
		s.findFirst()
		s.reckon()
	}
	return removed
}

func (s *Stream) wholeBlockGoes(t StreamTrim, master StreamID, b streamBlock, live int64) bool {
	if !t.ByID {
		return s.length-uint64(live) >= t.MaxLen
	}
	last := StreamID{}
	r := b.reader(master)
	r.down(func(e *StreamEntry) bool {
		last = e.ID
		return false
	})
	return last.Less(t.MinID)
}

// trimBlock marks the entries at the beginning of a block that have to go.
func (s *Stream) trimBlock(t StreamTrim, master StreamID, block *streamBlock) (removed int64) {
	r := block.reader(master)
	r.each(func(e *StreamEntry) bool {
		if t.ByID && !e.ID.Less(t.MinID) || !t.ByID && s.length <= t.MaxLen {
			return false
		}
		if !e.deleted {
			block.markDeleted(e.start)
			s.length--
			removed++
		}
		return true
	})
	live, deleted := block.counts()
	s.replaceBlock(block, block.setCounts(live-removed, deleted+removed))
	return removed
}

package keyspace

// Delivered moves the group's place in the stream on to the entry id, if that is
// further, and keeps EntriesRead right where that can be told.
func (g *StreamGroup) Delivered(id StreamID) {
	if !g.lastID.Less(id) {
		return
	}
	s := g.stream
	switch {
	case g.read != UnknownEntriesRead && !s.deletedFrom(id):
		g.read++
	case s.added > 0:
		g.read = s.EntriesUpTo(id)
	}
	g.lastID = id
}

// Lag is how many entries the group has yet to read; false when that cannot be
// told because entries were deleted from the middle of the stream.
func (g *StreamGroup) Lag() (int64, bool) {
	s := g.stream
	if s.added == 0 {
		return 0, true
	}
	read := g.read
	if read == UnknownEntriesRead || s.deletedFrom(g.lastID) {
		read = s.EntriesUpTo(g.lastID)
	}
	return int64(s.added) - read, read != UnknownEntriesRead
}

// deletedFrom reports whether an entry may have been deleted at id or after it,
// among those that are left. Only the highest deleted ID is known.
func (s *Stream) deletedFrom(id StreamID) bool {
	if s.length == 0 || s.maxDeleted.IsZero() || s.maxDeleted.Less(s.first) {
		return false
	}
	return !s.maxDeleted.Less(id)
}

// EntriesUpTo is how many entries were ever added up to id, or UnknownEntriesRead
// when that cannot be told: it can be told of the ends of the stream only, and only
// while nothing was deleted but from its beginning.
func (s *Stream) EntriesUpTo(id StreamID) int64 {
	switch toLast := id.Compare(s.lastID); {
	case s.added == 0:
		return 0
	case s.length == 0 && toLast <= 0, toLast == 0:
		return int64(s.added)
	case toLast > 0:
		return UnknownEntriesRead
	}
	if s.maxDeleted.IsZero() || s.maxDeleted.Less(s.first) {
		switch toFirst := id.Compare(s.first); {
		case toFirst < 0:
			return int64(s.added - s.length)
		case toFirst == 0:
			return int64(s.added - s.length + 1)
		}
	}
	return UnknownEntriesRead
}

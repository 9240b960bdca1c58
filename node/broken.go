package node

import "github.com/redoubtdb/redoubt/wal"

// skipTo is broken.UnreadTail: everything up to p counts as applied.
func (e *engine) skipTo(p wal.Position) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.applied = p
}

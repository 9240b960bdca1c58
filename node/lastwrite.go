package node

import (
	"hash/maphash"
)

// lastWrite knows, for every key, a seq that is not below that of the key's
// last write: a fixed table by key hash. Two keys that share a slot only make
// a read wait longer than it must; no read waits less. It needs no clean-up
// and no tombstones. The engine's lock guards it.
type lastWrite struct {
	seed  maphash.Seed
	slots [1 << 16]uint64
	floor uint64 // seq of the last write that concerned every key
}

func newLastWrite() *lastWrite { return &lastWrite{seed: maphash.MakeSeed()} }

func (l *lastWrite) slot(key []byte) uint16 {
	return uint16(maphash.Bytes(l.seed, key))
}

// of is the seq that a reply which depends on key has to wait for.
func (l *lastWrite) of(key []byte) uint64 {
	return max(l.floor, l.slots[l.slot(key)])
}

// reset forgets everything: all that was written is committed or lost.
func (l *lastWrite) reset() {
	clear(l.slots[:])
	l.floor = 0
}

package wal

import "errors"

var (
	// ErrFenced: the epoch no longer owns the shard. What had been executed
	// under it and not committed must be dropped.
	ErrFenced = errors.New("wal: fenced")
	// ErrHeadFull: the entry would take the head past its limit in bytes. The
	// append can be tried again once segments were sealed and the head trimmed.
	ErrHeadFull = errors.New("wal: head is full")
	// ErrCorrupt: stored bytes are not what was written.
	ErrCorrupt = errors.New("wal: corrupt entry")
	// ErrNewerFormat: written by a newer Redoubt in a format this one does not
	// know. Nothing was changed; upgrade this node.
	ErrNewerFormat = errors.New("wal: newer format than this version of redoubt reads")
	// ErrGap: an entry does not follow the position it was checked against.
	ErrGap = errors.New("wal: gap in the log")
	// ErrChain: the running checksum does not match; the entry belongs to
	// another history or was damaged.
	ErrChain = errors.New("wal: running checksum does not match")
	// ErrEpoch: an entry's epoch is older than that of the entry before it.
	ErrEpoch = errors.New("wal: epoch went back")
	// ErrClosed: the Appender was closed.
	ErrClosed = errors.New("wal: closed")
	// ErrTooLarge: a unit is larger than MaxPayload.
	ErrTooLarge = errors.New("wal: unit is too large for one entry")
)

package etcdfence

import (
	"errors"

	"github.com/redoubtdb/redoubt/internal/etcderr"
)

var (
	// ErrNotInitialized: the shard has no sealed pointer; Initialize makes it.
	ErrNotInitialized = errors.New("etcdfence: shard is not initialized")
	// ErrInitialized: the shard already exists.
	ErrInitialized = errors.New("etcdfence: shard is initialized already")
	// ErrLeaderExists: a leader key is there; its lease has not ended.
	ErrLeaderExists = errors.New("etcdfence: shard has a leader")
	// ErrNoLeader: nobody leads the shard.
	ErrNoLeader = errors.New("etcdfence: shard has no leader")
	// ErrNotCaughtUp: the log holds entries that the candidate has not applied.
	ErrNotCaughtUp = errors.New("etcdfence: not caught up")
	// ErrDiverged: what was applied is not a prefix of this shard's log. It must
	// be dropped and loaded again.
	ErrDiverged = errors.New("etcdfence: applied state is not of this log")
	// ErrTrimmed: the entry asked for has left the head; read it from segments.
	ErrTrimmed = errors.New("etcdfence: entry was trimmed from the head")
	// ErrLeaseLost: the lease ended or its local deadline passed.
	ErrLeaseLost = errors.New("etcdfence: lease lost")
	// ErrResigned: the term was given up by its owner.
	ErrResigned = errors.New("etcdfence: resigned")
	// ErrReplaced: another process registered under the same node id.
	ErrReplaced = errors.New("etcdfence: another process registered as this node")
)

func permanent(err error) bool { return etcderr.Permanent(err) }

func leaseGone(err error) bool { return etcderr.LeaseGone(err) }

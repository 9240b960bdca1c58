package snapshot

import "errors"

var (
	// ErrBadName: a snapshot cannot be called that; see CheckName.
	ErrBadName = errors.New("snapshot: bad name")
	// ErrNameTaken: there is a snapshot of that name, or one being made.
	ErrNameTaken = errors.New("snapshot: name is taken")
	// ErrNotFound: there is no snapshot of that name, or it lacks the shard.
	ErrNotFound = errors.New("snapshot: not found")
	// ErrDamaged: what is stored is not what was published. Nothing of it was used.
	ErrDamaged = errors.New("snapshot: damaged")
	// ErrNewerFormat: the snapshot was made by a newer Redoubt than this one.
	// It also matches wal.ErrNewerFormat.
	ErrNewerFormat = errors.New("snapshot: newer format than this version of redoubt reads")
	// ErrNotRestorable: the file that was written does not load back as the data it
	// was written from. It was not published.
	ErrNotRestorable = errors.New("snapshot: what was written does not restore to the same data")
	// ErrOtherHistory: segments, head and snapshots do not belong to one log.
	ErrOtherHistory = errors.New("snapshot: not of this log")
	// ErrBeyondLog: the log does not reach as far as was asked.
	ErrBeyondLog = errors.New("snapshot: beyond the end of the log")
	// ErrNoVerified: there is no snapshot that is known to be good, so nothing
	// may be deleted.
	ErrNoVerified = errors.New("snapshot: no verified snapshot")
	// ErrPlan: a clean-up plan does not fit what is there (any more). Nothing, or
	// nothing more, was deleted.
	ErrPlan = errors.New("snapshot: clean-up plan cannot be carried out")
	// ErrDataLeft: object storage holds data of a shard that etcd does not know.
	// Beginning a second history would bury the first.
	ErrDataLeft = errors.New("snapshot: object storage holds data of a shard that etcd does not know")
)

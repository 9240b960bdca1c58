package s3segments

import (
	"errors"
	"fmt"
)

var (
	// ErrExists: a Put with IfNoneMatch found another object under its key.
	ErrExists = errors.New("s3segments: object exists already")
	// ErrNotFound: there is no object under the key.
	ErrNotFound = errors.New("s3segments: no such object")
	// ErrDamaged: what S3 serves does not have the checksum that S3 keeps of the
	// object, however often it is asked. It also matches wal.ErrCorrupt.
	ErrDamaged = errors.New("s3segments: object is damaged")
	// ErrMissing: entries are in no segment. A *MissingError names them.
	ErrMissing = errors.New("s3segments: entries are in no segment")
	// ErrStopped: the Sealer does not run any more.
	ErrStopped = errors.New("s3segments: sealer is stopped")
	// ErrConfig: a Config cannot be used.
	ErrConfig = errors.New("s3segments: bad configuration")
)

// MissingError names the entries that no segment holds. It is an ErrMissing.
type MissingError struct {
	From, To      uint64 // the missing entries, both included
	Before, After string // keys of the segments around them, "" for none
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%v: %d to %d are missing; before them: %s, after them: %s",
		ErrMissing, e.From, e.To, orNone(e.Before), orNone(e.After))
}

// Is makes errors.Is(e, ErrMissing) true.
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

func orNone(key string) string {
	if key == "" {
		return "nothing"
	}
	return key
}

// DamagedError names an object that is not what was written and says why. The
// cause is a wal.ErrCorrupt, wal.ErrChain, wal.ErrGap, wal.ErrEpoch or
// ErrNotFound.
type DamagedError struct {
	Key string // relative to the cluster's prefix
	Err error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("segment %s is damaged: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

// Package flock takes locks on files that end with the process that has them, or
// with the last one that has inherited them.
package flock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrHeld: somebody has the lock.
var ErrHeld = errors.New("flock: lock is held")

// Try takes the lock on a file, which it makes if need be. The lock is held until
// the file is closed by all processes that have it: a child that is given the file
// keeps the lock when its parent is gone.
func Try(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrHeld
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

package store

import (
	"errors"
	"fmt"
	"strings"
)

// Why something is refused.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrBuiltIn  = errors.New("is there always, as it is, and cannot be changed or deleted")
	// ErrFenced: another process has been elected meanwhile.
	ErrFenced = errors.New("another control plane has been elected")
	// ErrBusy: others changed the same thing each time that it was tried.
	ErrBusy = errors.New("others are changing the same thing, try again")
)

// VersionError says that a resource has been changed since it was read.
type VersionError struct {
	Resource string
	Version  int64 // that it has now
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has been changed meanwhile: it is at version %d", e.Resource, e.Version)
}

// InUseError says who refers to what should be deleted.
type InUseError struct {
	Resource string
	By       []string
}

func (e *InUseError) Error() string {
	by := e.By
	more := ""
	if len(by) > 10 {
		by, more = by[:10], fmt.Sprintf(" and %d more", len(e.By)-10)
	}
	return fmt.Sprintf("%s is in use by %s%s: change or delete those first", e.Resource, strings.Join(by, ", "), more)
}

// DeletingError says that a resource is on its way out.
type DeletingError struct {
	Resource  string
	Operation string
}

func (e *DeletingError) Error() string {
	return fmt.Sprintf("%s is being deleted: wait for operation %s", e.Resource, e.Operation)
}

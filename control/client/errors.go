package client

import (
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Error is an answer that says what is wrong.
type Error struct {
	wire.Problem
	Request    string        // method and path
	RetryAfter time.Duration // 0: not said
}

func (e *Error) Error() string { return e.Detail }

// NotFoundError: what was named is not there.
type NotFoundError struct{ Err *Error }

func (e *NotFoundError) Error() string { return e.Err.Error() }
func (e *NotFoundError) Unwrap() error { return e.Err }

// ConflictError: somebody else has changed it; Version is that which it has now.
type ConflictError struct {
	Err     *Error
	Version int64
}

func (e *ConflictError) Error() string { return e.Err.Error() }
func (e *ConflictError) Unwrap() error { return e.Err }

// InvalidError: fields have values that cannot be.
type InvalidError struct {
	Err    *Error
	Fields []spec.Problem
}

func (e *InvalidError) Error() string { return spec.Problems(e.Fields).Error() }
func (e *InvalidError) Unwrap() error { return e.Err }

// OperationError: an operation that was waited for has failed.
type OperationError struct{ Operation wire.Operation }

func (e *OperationError) Error() string {
	return fmt.Sprintf("%s of %s failed: %s", e.Operation.Kind, e.Operation.Resource, e.Operation.Error)
}

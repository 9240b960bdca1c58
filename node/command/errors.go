package command

import "fmt"

// Error is an error reply: code and text, without the leading "-".
type Error string

func (e Error) Error() string { return string(e) }

func errorf(format string, args ...any) Error { return Error(fmt.Sprintf(format, args...)) }

// Redis's error replies that many commands share.
const (
	ErrWrongType   Error = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrSyntax      Error = "ERR syntax error"
	ErrNoKey       Error = "ERR no such key"
	ErrNotInteger  Error = "ERR value is not an integer or out of range"
	ErrNotFloat    Error = "ERR value is not a valid float"
	ErrNotPositive Error = "ERR value is out of range, must be positive"
	ErrOutOfRange  Error = "ERR value is out of range"
	ErrDBRange     Error = "ERR DB index is out of range"
	ErrSameObject  Error = "ERR source and destination objects are the same"
	ErrOverflow    Error = "ERR increment or decrement would overflow"
	ErrNaN         Error = "ERR increment would produce NaN or Infinity"
	ErrTooBig      Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	ErrOffset      Error = "ERR offset is out of range"
	ErrCursor      Error = "ERR invalid cursor"
	// ErrReplyTooBig is Redoubt's own: Redis would try.
	ErrReplyTooBig Error = "ERR reply exceeds maximum allowed size (proto-max-bulk-len)"
)

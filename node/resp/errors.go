package resp

import (
	"errors"
	"math"
)

// ProtocolError says why a client's bytes are no command. The stream cannot be
// read on: the server replies "ERR " and the text, and closes the connection.
type ProtocolError struct{ reason string }

// Error returns Redis's text, which begins with "Protocol error: ".
func (e *ProtocolError) Error() string { return "Protocol error: " + e.reason }

// The protocol errors. There is one more, without a sentinel because it names
// the byte it found: "Protocol error: expected '$', got 'x'".
var (
	// ErrMultibulkLength: the count of a multibulk is no number, or above
	// Limits.Multibulk.
	ErrMultibulkLength = &ProtocolError{"invalid multibulk length"}
	// ErrBulkLength: the length of an argument is no number, negative, or above
	// Limits.Bulk.
	ErrBulkLength = &ProtocolError{"invalid bulk length"}
	// ErrMultibulkHeader: the line with the count is longer than Limits.Inline.
	ErrMultibulkHeader = &ProtocolError{"too big mbulk count string"}
	// ErrBulkHeader: the line with a length is longer than Limits.Inline.
	ErrBulkHeader = &ProtocolError{"too big bulk count string"}
	// ErrInlineTooBig: an inline command is longer than Limits.Inline.
	ErrInlineTooBig = &ProtocolError{"too big inline request"}
	// ErrUnbalancedQuotes: an inline command has a quoted argument that does not
	// end, or that goes on after its closing quote.
	ErrUnbalancedQuotes = &ProtocolError{"unbalanced quotes in request"}
	// ErrUnauthenticatedMultibulk: more than UnauthenticatedMultibulk arguments
	// from a client that has yet to authenticate.
	ErrUnauthenticatedMultibulk = &ProtocolError{"unauthenticated multibulk length"}
	// ErrUnauthenticatedBulk: an argument of more than UnauthenticatedBulk bytes
	// from a client that has yet to authenticate.
	ErrUnauthenticatedBulk = &ProtocolError{"unauthenticated bulk length"}
)

// ErrQueryBufferLimit is returned by Fill when more bytes wait to be parsed than
// Limits.QueryBuffer. As Redis does, the server closes the connection without a
// reply.
var ErrQueryBufferLimit = errors.New("resp: client query buffer limit reached")

// Limits on what a client may send. A field that is not positive means its
// default.
type Limits struct {
	// Multibulk is the largest number of arguments of a command; 1,048,576 by
	// default.
	Multibulk int
	// Bulk is the largest argument in bytes (proto-max-bulk-len); 512 MiB by
	// default.
	Bulk int
	// Inline is the largest inline command, and the longest line with a count
	// or length, in bytes without the byte that ends the line; 64 KiB by default.
	Inline int
	// QueryBuffer is how many bytes may wait to be parsed
	// (client-query-buffer-limit); 1 GiB by default. A command is parsed when
	// all of it is there, so this is also the largest command.
	QueryBuffer int
}

// What a client may send before it has authenticated; see
// Reader.SetAuthenticated.
const (
	UnauthenticatedMultibulk = 10
	UnauthenticatedBulk      = 16 << 10
)

// maxLimit keeps sums of a limit and a position from overflowing.
const maxLimit = math.MaxInt / 4

func (l Limits) withDefaults() Limits {
	limit := func(n, byDefault int) int {
		if n <= 0 {
			return byDefault
		}
		return min(n, maxLimit)
	}
	return Limits{
		Multibulk:   limit(l.Multibulk, 1<<20),
		Bulk:        limit(l.Bulk, 512<<20),
		Inline:      limit(l.Inline, 64<<10),
		QueryBuffer: limit(l.QueryBuffer, 1<<30),
	}
}

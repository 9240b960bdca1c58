package wire

import (
	"fmt"
	"log/slog"

	"github.com/redoubtdb/redoubt/control/spec"
)

// Problem is an error of the API, as RFC 9457 has it (application/problem+json).
type Problem struct {
	Type   string `json:"type"` // one of the Problem... constants
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Instance is the request, as the server's log names it.
	Instance string `json:"instance"`
	// Errors are all that is wrong, by field, of ProblemInvalid.
	Errors []spec.Problem `json:"errors,omitempty"`
	// Version that the resource has, of ProblemVersion.
	Version int64 `json:"version,omitempty"`
	// Operation that has to end first, of ProblemDeleting.
	Operation string `json:"operation,omitempty"`
}

// Types of problems.
const (
	ProblemInvalid         = "/problems/invalid"          // 422: fields have values that cannot be
	ProblemMalformed       = "/problems/malformed"        // 400: not what the API reads
	ProblemUnauthenticated = "/problems/unauthenticated"  // 401
	ProblemForbidden       = "/problems/forbidden"        // 403: the token's role is too weak
	ProblemNotFound        = "/problems/not-found"        // 404
	ProblemMethod          = "/problems/method"           // 405
	ProblemExists          = "/problems/exists"           // 409: the name is taken
	ProblemVersion         = "/problems/version"          // 409: changed meanwhile
	ProblemInUse           = "/problems/in-use"           // 409: others refer to it
	ProblemDeleting        = "/problems/deleting"         // 409: it is being deleted
	ProblemBuiltIn         = "/problems/built-in"         // 409: it is there always and as it is
	ProblemTooLarge        = "/problems/too-large"        // 413
	ProblemMediaType       = "/problems/media-type"       // 415
	ProblemVersionRequired = "/problems/version-required" // 428
	ProblemTooMany         = "/problems/too-many"         // 429: failed logins
	ProblemInternal        = "/problems/internal"         // 500
	ProblemBusy            = "/problems/busy"             // 503: nothing was done, try again
	ProblemUnavailable     = "/problems/unavailable"      // 503: whether it was done is not known
)

// Secret is a text that is in JSON and in nothing else: not in logs, not in what fmt
// prints.
type Secret string

const hidden = "(secret)"

// Format implements fmt.Formatter.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

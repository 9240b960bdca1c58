package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
)

// refusal is an error that is the answer as it is.
type refusal struct {
	status      int
	kind, title string
	detail      string
	retryAfter  int // seconds; 0: not said
}

func (e *refusal) Error() string { return e.detail }

var (
	errUnauthenticated = &refusal{status: http.StatusUnauthorized, kind: wire.ProblemUnauthenticated, title: "No valid token",
		detail: "send a token of this control plane, as Authorization: Bearer rdt_..."}
	errTooMany = &refusal{status: http.StatusTooManyRequests, kind: wire.ProblemTooMany, title: "Too many failed logins",
		detail: "there were too many requests without a valid token from this address: wait and try again", retryAfter: 5}
	errBusy = &refusal{status: http.StatusServiceUnavailable, kind: wire.ProblemBusy, title: "Busy",
		detail: "too many requests are being worked on: try again", retryAfter: 1}
	errNoRoute = &refusal{status: http.StatusNotFound, kind: wire.ProblemNotFound, title: "Not found",
		detail: "there is nothing at this path: /v1/openapi.json lists what there is"}
	errMethod = &refusal{status: http.StatusMethodNotAllowed, kind: wire.ProblemMethod, title: "Method not allowed",
		detail: "this path does not have this method: the header Allow lists those it has"}
	errTooLarge = &refusal{status: http.StatusRequestEntityTooLarge, kind: wire.ProblemTooLarge, title: "Too large",
		detail: fmt.Sprintf("the body may have at most %d bytes", maxBody)}
	errMediaType = &refusal{status: http.StatusUnsupportedMediaType, kind: wire.ProblemMediaType, title: "Not JSON",
		detail: "the body must be JSON, with Content-Type: application/json"}
	errVersionRequired = &refusal{status: http.StatusPreconditionRequired, kind: wire.ProblemVersionRequired, title: "Version required",
		detail: "say which version this change was made from, as the field version or as If-Match"}
	errPlain = &refusal{status: http.StatusForbidden, kind: wire.ProblemForbidden, title: "Not over TLS",
		detail: "passwords are taken over TLS only"}
)

func malformed(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, kind: wire.ProblemMalformed, title: "Malformed request", detail: fmt.Sprintf(format, args...)}
}

func tooWeak(has, needs wire.Role) error {
	return &refusal{status: http.StatusForbidden, kind: wire.ProblemForbidden, title: "Role too weak",
		detail: fmt.Sprintf("the token's role is %s, this needs %s", has, needs)}
}

// problemOf is the answer to an error; known is false for those that nobody has
// thought of, whose text is not for clients.
func problemOf(err error) (p wire.Problem, retryAfter int, known bool) {
	set := func(code int, kind, title string) {
		p = wire.Problem{Type: kind, Title: title, Status: code, Detail: err.Error()}
	}
	var (
		refused  *refusal
		problems spec.Problems
		version  *store.VersionError
		inUse    *store.InUseError
		deleting *store.DeletingError
	)
	switch {
	case errors.As(err, &refused):
		set(refused.status, refused.kind, refused.title)
		retryAfter = refused.retryAfter
	case errors.As(err, &problems):
		set(http.StatusUnprocessableEntity, wire.ProblemInvalid, "Invalid fields")
		p.Errors = problems
	case errors.As(err, &version):
		set(http.StatusConflict, wire.ProblemVersion, "Changed meanwhile")
		p.Version = version.Version
	case errors.As(err, &inUse):
		set(http.StatusConflict, wire.ProblemInUse, "In use")
	case errors.As(err, &deleting):
		set(http.StatusConflict, wire.ProblemDeleting, "Being deleted")
		p.Operation = deleting.Operation
	case errors.Is(err, store.ErrExists):
		set(http.StatusConflict, wire.ProblemExists, "Exists already")
	case errors.Is(err, store.ErrBuiltIn):
		set(http.StatusConflict, wire.ProblemBuiltIn, "Built in")
	case errors.Is(err, store.ErrNotFound), errors.Is(err, token.ErrNotFound), errors.Is(err, errNoHost):
		set(http.StatusNotFound, wire.ProblemNotFound, "Not found")
	case errors.Is(err, store.ErrBusy):
		set(http.StatusServiceUnavailable, wire.ProblemBusy, "Busy")
		retryAfter = 1
	case fromEtcd(err):
		set(http.StatusServiceUnavailable, wire.ProblemUnavailable, "etcd is unavailable")
		p.Detail = "etcd does not answer now: the change may have been made or not; look and try again"
		return p, 1, false
	default:
		set(http.StatusInternalServerError, wire.ProblemInternal, "Internal error")
		p.Detail = "this is a fault of the control plane: its log has more at this request's instance"
		return p, 0, false
	}
	return p, retryAfter, true
}

// fromEtcd tells errors that say that etcd cannot do it now.
func fromEtcd(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return true
	}
	s, ok := status.FromError(err)
	return ok && s.Code() != codes.OK && s.Code() != codes.Unknown
}

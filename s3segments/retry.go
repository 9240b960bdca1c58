package s3segments

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// backoff is how long to wait between attempts. The zero value has defaults.
type backoff struct {
	first, max time.Duration // default 100 ms and 5 s
}

// after is the pause after the n-th failure in a row, from 1: doubled each
// time up to max, and then between half and all of that by chance.
func (b backoff) after(n int) time.Duration {
	first, limit := b.first, b.max
	if first <= 0 {
		first = 100 * time.Millisecond
	}
	if limit <= 0 {
		limit = 5 * time.Second
	}
	d := limit
	if n < 30 {
		d = min(limit, first<<(n-1))
	}
	return d/2 + rand.N(d/2+1)
}

// sleep waits, or returns ctx's cause when it ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errNoAnswer ends an attempt that took too long.
var errNoAnswer = errors.New("no answer in time")

// attempt is one try of an operation, under its own time limit.
type attempt struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func newAttempt(ctx context.Context, limit time.Duration) (context.Context, *attempt) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &attempt{cancel: cancel, timer: time.AfterFunc(limit, func() { cancel(errNoAnswer) })}
}

// allow gives the attempt so much time from now on.
func (a *attempt) allow(d time.Duration) { a.timer.Reset(d) }

func (a *attempt) end() {
	a.timer.Stop()
	a.cancel(nil)
}

// do runs f until it succeeds, fails for good, or has used up its attempts.
// size is how many bytes an attempt sends. The error says what was being done,
// and wraps the last attempt's.
func (s *Store) do(ctx context.Context, op, what string, size int64, f func(context.Context, *attempt) error) error {
	for n := 1; ; n++ {
		actx, a := newAttempt(ctx, s.timeout+transferTime(size))
		start := time.Now()
		err := f(actx, a)
		timedOut := context.Cause(actx) == errNoAnswer
		a.end()
		if sdk, ok := err.(*smithy.OperationError); ok {
			err = sdk.Err // the operation is named below
		}
		if timedOut && err != nil {
			err = fmt.Errorf("%w (%v): %w", errNoAnswer, time.Since(start).Round(time.Millisecond), err)
		}
		if errors.Is(err, errHeldBack) {
			return fmt.Errorf("%s %s: %w", op, what, err)
		}
		if err == nil || isAnswer(err) {
			var fault error
			if errors.Is(err, ErrDamaged) {
				fault = err
			}
			s.metrics.Request(op, time.Since(start), fault)
			s.outageEnds()
			if err != nil {
				return fmt.Errorf("%s %s: %w", op, what, err)
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", op, what, errors.Join(context.Cause(ctx), err))
		}
		s.metrics.Request(op, time.Since(start), err)
		last := n == s.attempts || !retryable(err)
		s.outageGoesOn(err, last)
		if last {
			return fmt.Errorf("%s %s (attempt %d): %w", op, what, n, err)
		}
		s.log.Debug("s3 request failed, trying again", "op", op, "object", what, "attempt", n, "err", err)
		if cause := sleep(ctx, s.backoff.after(n)); cause != nil {
			return fmt.Errorf("%s %s: %w", op, what, errors.Join(cause, err))
		}
	}
}

// isAnswer reports an error that is the answer to the request: S3 is there, and
// asking again gives the same.
func isAnswer(err error) bool {
	return errors.Is(err, ErrExists) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) || errors.Is(err, errNoUpload) || errors.Is(err, errRange)
}

// passing are S3's error codes beyond those of status 5xx that may pass.
var passing = []string{
	"SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded",
	"RequestTimeout", "InternalError", "ServiceUnavailable",
	"OperationAborted", "ConditionalRequestConflict", // another request is at the same key
	"IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", // damaged on the way
	"RequestTimeTooSkewed", "RequestExpired", // the SDK has adjusted to the server's clock
	"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", // credentials are read anew
}

// retryable reports whether trying the same request again may help.
func retryable(err error) bool {
	if errors.Is(err, errNoAnswer) || errors.Is(err, errBody) || errors.Is(err, errChecksum) {
		return true
	}
	var api smithy.APIError
	if errors.As(err, &api) && slices.Contains(passing, api.ErrorCode()) {
		return true
	}
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil && resp.HTTPStatusCode() != 0 {
		code := resp.HTTPStatusCode()
		return code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout ||
			code/100 == 2 // an answer that could not be read to its end
	}
	// No response: the network, or a connection cut in the middle of it.
	var send *smithyhttp.RequestSendError
	var decode *smithy.DeserializationError
	return errors.As(err, &send) || errors.As(err, &decode)
}

// Outage is a time in which object storage could not be used.
type Outage struct {
	Since time.Time // the first failure after the last success
	Err   error     // the last failure
}

// Reason is the last failure in short, for people: what S3 answered, or what
// kept it from answering.
func (o Outage) Reason() string {
	var api smithy.APIError
	var op *net.OpError
	switch {
	case errors.As(o.Err, &op):
		return op.Error()
	case errors.Is(o.Err, errNoAnswer), errors.Is(o.Err, context.DeadlineExceeded):
		return errNoAnswer.Error()
	case errors.As(o.Err, &api):
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return o.Err.Error()
}

type outage struct {
	mu     sync.Mutex
	now    *Outage
	warned bool // a first retry is not worth a warning, a failed request is
}

// Outage returns the outage that goes on; false when the last request
// succeeded. It ends with the first request that succeeds: a Store that makes
// none does not notice.
func (s *Store) Outage() (Outage, bool) {
	s.outage.mu.Lock()
	defer s.outage.mu.Unlock()
	if s.outage.now == nil {
		return Outage{}, false
	}
	return *s.outage.now, true
}

func (s *Store) outageGoesOn(err error, failed bool) {
	o := &s.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = &Outage{Since: time.Now()}
	}
	o.now.Err = err
	if failed && !o.warned {
		o.warned = true
		s.log.Warn("object storage is away", "bucket", s.bucket, "since", o.now.Since, "err", err)
	}
}

func (s *Store) outageEnds() {
	o := &s.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now != nil && o.warned {
		s.log.Info("object storage is back", "bucket", s.bucket, "away", time.Since(o.now.Since).Round(time.Millisecond))
	}
	o.now, o.warned = nil, false
}

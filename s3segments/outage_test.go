package s3segments

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/aws/smithy-go"
)

func TestOutageReason(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("https response error StatusCode: 0: %w", refused), "dial tcp: connection refused"},
		{fmt.Errorf("attempt 3: %w", context.DeadlineExceeded), "no answer in time"},
		{fmt.Errorf("attempt 3: %w", errNoAnswer), "no answer in time"},
		{fmt.Errorf("RequestID: x: %w", &smithy.GenericAPIError{Code: "SlowDown", Message: "reduce your rate"}), "SlowDown: reduce your rate"},
		{errors.New("odd"), "odd"},
	} {
		if got := (Outage{Err: c.err}).Reason(); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

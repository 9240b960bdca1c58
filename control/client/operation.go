package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/redoubtdb/redoubt/control/wire"
)

// Operation reads one.
func (c *Client) Operation(ctx context.Context, id string) (*wire.Operation, error) {
	op := new(wire.Operation)
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"operations", id}}, op)
	return op, err
}

// Operations are the newest of a resource (kind/name), of all when that is "", the
// newest first.
func (c *Client) Operations(ctx context.Context, resource string, most int) ([]wire.Operation, error) {
	return pages[wire.Operation](ctx, c, "operations", about(resource), most)
}

const (
	firstPoll = 100 * time.Millisecond
	maxPoll   = 2 * time.Second
)

// Wait waits until an operation has ended, and tells tell, which may be nil, each time
// that it is further. An operation that has failed is an OperationError. "" is the
// operation of a change that changed nothing, and has ended.
func (c *Client) Wait(ctx context.Context, id string, tell func(wire.Operation)) error {
	if id == "" {
		return nil
	}
	var last wire.Operation
	poll := firstPoll
	for {
		op, err := c.Operation(ctx, id)
		if err != nil {
			return fmt.Errorf("wait for operation %s: %w", id, err)
		}
		if tell != nil && (op.State != last.State || op.Progress != last.Progress) {
			tell(*op)
			poll = firstPoll
		}
		last = *op
		switch op.State {
		case wire.Done:
			return nil
		case wire.Failed:
			return &OperationError{Operation: *op}
		}
		if err := c.pause(ctx, poll); err != nil {
			return fmt.Errorf("wait for operation %s, which is %s: %w", id, op.State, err)
		}
		poll = min(2*poll, maxPoll)
	}
}

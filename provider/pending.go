package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/wire"
)

// pendingKey is where the operation is noted that an apply did not wait for to its end.
const pendingKey = "pending"

// private is what Terraform keeps beside a resource's state.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// pendingOperation is the operation that is noted, "" when there is none.
func pendingOperation(ctx context.Context, p interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}, diags *diag.Diagnostics) string {
	raw, d := p.GetKey(ctx, pendingKey)
	diags.Append(d...)
	var operation string
	if len(raw) > 0 && json.Unmarshal(raw, &operation) != nil {
		return "" // an older provider's; what is there is read anyway
	}
	return operation
}

// notePending notes an operation; "" takes the note away.
func notePending(ctx context.Context, p private, operation string, diags *diag.Diagnostics) {
	var raw []byte
	if operation != "" {
		raw, _ = json.Marshal(operation) // a string can be
	}
	diags.Append(p.SetKey(ctx, pendingKey, raw)...)
}

// settle takes the note of an operation away when that is done meanwhile.
func settle(ctx context.Context, c *client.Client, p private, resp *resource.ReadResponse) {
	operation := pendingOperation(ctx, p, &resp.Diagnostics)
	if operation == "" {
		return
	}
	op, err := c.Operation(ctx, operation)
	if isGone(err) || err == nil && op.State == wire.Done {
		notePending(ctx, resp.Private, "", &resp.Diagnostics)
	}
}

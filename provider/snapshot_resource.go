package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// snapshotResource is redoubt_snapshot.
type snapshotResource struct{ connection }

// Metadata implements resource.Resource.
func (r *snapshotResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "redoubt_snapshot"
}

func (r *snapshotResource) remote() *remote[spec.Snapshot, spec.Snapshot] {
	return &remote[spec.Snapshot, spec.Snapshot]{c: r.Client, kind: wire.Snapshots, what: "Snapshot", all: r.Snapshots, input: func(s spec.Snapshot) spec.Snapshot { return s }}
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *snapshotResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m snapshotModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := m.spec()
	at.problems(&resp.Diagnostics, "Invalid snapshot", problems)
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *snapshotResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var state, plan, config snapshotModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.RequiresReplace = append(resp.RequiresReplace, renamedBy(state.names, plan.names, config.names)...)
		resp.RequiresReplace = append(resp.RequiresReplace, planSnapshot(&state, &plan, pendingOperation(ctx, req.Private, &resp.Diagnostics) != "")...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := plan.spec()
	at.problems(&resp.Diagnostics, "Invalid snapshot", problems)
	plan.ID = plan.Name
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// Create implements resource.Resource.
func (r *snapshotResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan snapshotModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	timeout, d := plan.Timeouts.Create(ctx, clusterTimeout)
	resp.Diagnostics.Append(d...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := plan.generate()
	asked, _, at := plan.spec()
	made, _, err := r.remote().create(ctx, name, asked)
	if err != nil {
		at.errored(&resp.Diagnostics, "Snapshot "+name+" was not created", err)
		return
	}
	// From here on it is in the state, whatever happens.
	plan.keep(ctx, made, &resp.State, &resp.Diagnostics)
	if now := r.remote().finish(ctx, name, made.Operation, resp.Private, &resp.Diagnostics, creation); now != nil {
		plan.keep(ctx, now, &resp.State, &resp.Diagnostics)
	}
}

// Read implements resource.Resource.
func (r *snapshotResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state snapshotModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	now, err := r.Snapshots.Get(ctx, state.ID.ValueString())
	switch {
	case isGone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		attributes{}.errored(&resp.Diagnostics, "Snapshot "+state.ID.ValueString()+" could not be read", err)
	default:
		settle(ctx, r.Client, req.Private, resp)
		state.fill(ctx, now, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update implements resource.Resource.
func (r *snapshotResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan snapshotModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	timeout, d := plan.Timeouts.Create(ctx, clusterTimeout)
	resp.Diagnostics.Append(d...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	base, _, _ := state.spec()
	mine, _, at := plan.spec()
	changed, err := r.remote().change(ctx, base.Name, base, mine)
	if err != nil {
		at.errored(&resp.Diagnostics, "Snapshot "+base.Name+" was not changed", err)
		return
	}
	operation := changed.Operation
	if operation == "" {
		operation = pendingOperation(ctx, req.Private, &resp.Diagnostics)
	}
	if now := r.remote().finish(ctx, base.Name, operation, resp.Private, &resp.Diagnostics, modification); now != nil {
		plan.keep(ctx, now, &resp.State, &resp.Diagnostics)
	}
}

// Delete implements resource.Resource.
func (r *snapshotResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state snapshotModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	timeout, d := state.Timeouts.Delete(ctx, clusterTimeout)
	resp.Diagnostics.Append(d...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := state.ID.ValueString()
	err := r.remote().remove(ctx, name, func(ctx context.Context) (*wire.Resource[spec.Snapshot], error) { return r.Snapshots.Delete(ctx, name) })
	attributes{}.errored(&resp.Diagnostics, "Snapshot "+name+" was not deleted", err)
}

// ImportState implements resource.ResourceWithImportState.
func (r *snapshotResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

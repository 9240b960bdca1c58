package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// clusterResource is redoubt_cluster.
type clusterResource struct{ connection }

// Metadata implements resource.Resource.
func (r *clusterResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "redoubt_cluster"
}

func (r *clusterResource) remote() *remote[spec.Cluster, spec.Cluster] {
	return &remote[spec.Cluster, spec.Cluster]{
		c: r.Client, kind: wire.Clusters, what: "Cluster", all: &r.Clusters.Resources,
		input: func(c spec.Cluster) spec.Cluster { return c },
	}
}

// Create implements resource.Resource.
func (r *clusterResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config clusterModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, d := plan.Timeouts.Create(ctx, clusterTimeout)
	resp.Diagnostics.Append(d...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	plan.Name = types.StringValue(nameFor(plan.Name, plan.NamePrefix))
	asked, problems, at := plan.spec(&config)
	if len(problems) > 0 {
		at.problems(&resp.Diagnostics, "Invalid cluster", problems)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	remote := r.remote()
	if asked.EngineVersion == "" {
		remote.incomparable = []string{"engine_version"}
	}
	made, _, err := remote.create(ctx, asked.Name, asked)
	if err != nil {
		at.errored(&resp.Diagnostics, "Cluster "+asked.Name+" was not created", err)
		return
	}
	// From here on it is in the state, whatever happens.
	plan.keep(ctx, made, &resp.State, &resp.Diagnostics)
	if now := remote.finish(ctx, asked.Name, made.Operation, resp.Private, &resp.Diagnostics, creation); now != nil {
		plan.keep(ctx, now, &resp.State, &resp.Diagnostics)
	}
}

// keep writes what a plan has become of into the state. What the plan had said stays.
func (m *clusterModel) keep(ctx context.Context, now *wire.Resource[spec.Cluster], state *tfsdk.State, diags *diag.Diagnostics) {
	planned := *m
	next := *m
	next.fill(ctx, now, diags)
	next.NamePrefix = known(planned.NamePrefix, next.NamePrefix)
	next.Port = known(planned.Port, next.Port)
	next.Status = known(planned.Status, next.Status)
	next.EnginePatchVersion = known(planned.EnginePatchVersion, next.EnginePatchVersion)
	next.CACertificate = known(planned.CACertificate, next.CACertificate)
	next.ClusterEndpoint = known(planned.ClusterEndpoint, next.ClusterEndpoint)
	next.Shards = known(planned.Shards, next.Shards)
	diags.Append(state.Set(ctx, &next)...)
}

// known is what was planned, if that was known.
func known[V interface{ IsUnknown() bool }](planned, now V) V {
	if planned.IsUnknown() {
		return now
	}
	return planned
}

// Read implements resource.Resource.
func (r *clusterResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state clusterModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	now, err := r.Clusters.Get(ctx, state.ID.ValueString())
	if isGone(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		attributes{}.errored(&resp.Diagnostics, "Cluster "+state.ID.ValueString()+" could not be read", err)
		return
	}
	settle(ctx, r.Client, req.Private, resp)
	state.fill(ctx, now, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// Update implements resource.Resource.
func (r *clusterResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan, config clusterModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, d := plan.Timeouts.Update(ctx, clusterTimeout)
	resp.Diagnostics.Append(d...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := state.Name.ValueString()
	base, _, _ := state.spec(&config)
	mine, problems, at := plan.spec(&config)
	if len(problems) > 0 {
		at.problems(&resp.Diagnostics, "Invalid cluster", problems)
		return
	}
	// What a cluster began with is no part of a change.
	base.Name, mine.Name = name, name
	mine.SnapshotName, mine.SnapshotURIs = base.SnapshotName, base.SnapshotURIs
	if plan.EngineVersion.IsUnknown() {
		mine.EngineVersion = base.EngineVersion
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	changed, err := r.remote().change(ctx, name, base, mine)
	if err != nil {
		at.errored(&resp.Diagnostics, "Cluster "+name+" was not changed", err)
		return
	}
	operation := changed.Operation
	if operation == "" {
		operation = pendingOperation(ctx, req.Private, &resp.Diagnostics)
	}
	if now := r.remote().finish(ctx, name, operation, resp.Private, &resp.Diagnostics, modification); now != nil {
		plan.keep(ctx, now, &resp.State, &resp.Diagnostics)
	}
}

// Delete implements resource.Resource.
func (r *clusterResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state clusterModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, d := state.Timeouts.Delete(ctx, clusterTimeout)
	resp.Diagnostics.Append(d...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := state.ID.ValueString()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	final := wire.DeleteCluster{FinalSnapshotName: state.FinalSnapshotName.ValueString()}
	err := r.remote().remove(ctx, name, func(ctx context.Context) (*wire.Resource[spec.Cluster], error) {
		return r.Clusters.DeleteWith(ctx, name, final)
	})
	attributes{}.errored(&resp.Diagnostics, "Cluster "+name+" was not deleted", err)
}

// ImportState implements resource.ResourceWithImportState.
func (r *clusterResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
)

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *clusterResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m clusterModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := m.spec(&m)
	at.problems(&resp.Diagnostics, "Invalid cluster", problems)
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *clusterResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state, plan, config clusterModel
	exists, stays := !req.State.Raw.IsNull(), !req.Plan.Raw.IsNull()
	if exists {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if stays {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
		resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	switch {
	case !stays:
		r.planDelete(ctx, &state, &resp.Diagnostics)
		return
	case !exists:
		planNew(&plan, &config)
	default:
		pending := pendingOperation(ctx, req.Private, &resp.Diagnostics) != ""
		replaced := planChange(&state, &plan, &config, pending)
		resp.RequiresReplace = append(resp.RequiresReplace, replaced...)
		r.planReplace(ctx, &state, &plan, replaced, &resp.Diagnostics)
	}
	if asked, problems, at := plan.spec(&config); len(problems) > 0 {
		at.problems(&resp.Diagnostics, "Invalid cluster", problems)
	} else if exists && len(resp.RequiresReplace) == 0 {
		at.problems(&resp.Diagnostics, "Invalid change", r.goesBack(ctx, &state, asked.EngineVersion))
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// planNew completes the plan of a new cluster by what follows from what is known. Its id
// is not part of that, though it is the name: what refers to it waits for the cluster.
func planNew(plan, config *clusterModel) {
	if config.SnapshotName.IsNull() {
		plan.SnapshotName = types.StringNull()
	}
	if config.SnapshotURIs.IsNull() {
		plan.SnapshotURIs = types.ListNull(types.StringType)
	}
	if plan.Name.IsUnknown() {
		return
	}
	if config.NamePrefix.IsNull() {
		plan.NamePrefix = prefixOf(plan.Name.ValueString())
	}
	if config.MaintenanceWindow.IsUnknown() || config.SnapshotWindow.IsUnknown() {
		return
	}
	with := spec.NewCluster(plan.Name.ValueString())
	with.MaintenanceWindow, with.SnapshotWindow = config.MaintenanceWindow.ValueString(), config.SnapshotWindow.ValueString()
	with.Default()
	plan.MaintenanceWindow, plan.SnapshotWindow = types.StringValue(with.MaintenanceWindow), types.StringValue(with.SnapshotWindow)
}

// goesBack reports an engine that the cluster cannot go back to; "" is one that is not
// known yet. How far it was begun with the newer one, the control plane knows; if that
// cannot be asked now, an apply reports it.
func (r *clusterResource) goesBack(ctx context.Context, state *clusterModel, engine string) spec.Problems {
	was := state.EngineVersion.ValueString()
	if engine == "" || r.session == nil || spec.CheckEngineVersion(engine) != nil || spec.CompareEngines(engine, was) >= 0 {
		return nil
	}
	now, err := r.Clusters.Get(ctx, state.ID.ValueString())
	if err != nil {
		return nil
	}
	var status spec.ClusterStatus
	if len(now.Status) > 0 && json.Unmarshal(now.Status, &status) != nil {
		return nil
	}
	return spec.CheckEngineFloor(status.EngineVersion, engine)
}

// planDelete tells what a deletion does.
func (r *clusterResource) planDelete(ctx context.Context, state *clusterModel, diags *diag.Diagnostics) {
	final := state.FinalSnapshotName.ValueString()
	switch {
	case state.Status.ValueString() == string(spec.Deleting):
	case final == "":
		diags.AddAttributeWarning(path.Root("final_snapshot_name"), "The data will be deleted",
			fmt.Sprintf("Cluster %s is deleted without a final snapshot: its state has no final_snapshot_name. Snapshots that were made of it stay.", state.Name.ValueString()))
	default:
		r.checkFinal(ctx, final, diags)
	}
}

// checkFinal reports a final snapshot that cannot be made since there is one of the name.
func (r *clusterResource) checkFinal(ctx context.Context, final string, diags *diag.Diagnostics) {
	if r.session == nil {
		return // the provider's configuration is not known yet
	}
	_, err := r.Snapshots.Get(ctx, final)
	var gone *client.NotFoundError
	switch {
	case err == nil:
		diags.AddAttributeError(path.Root("final_snapshot_name"), "The final snapshot exists already",
			fmt.Sprintf("There is a snapshot %s, and it is not replaced. Give another final_snapshot_name and apply that first, or delete the snapshot.", final))
	case !errors.As(err, &gone):
		attributes{}.errored(diags, "The final snapshot could not be checked", err)
	}
}

// planReplace refuses a replacement that loses data.
func (r *clusterResource) planReplace(ctx context.Context, state, plan *clusterModel, replaced path.Paths, diags *diag.Diagnostics) {
	if len(replaced) == 0 || !hasData(state) {
		return
	}
	if final := state.FinalSnapshotName.ValueString(); final != "" {
		r.checkFinal(ctx, final, diags)
		return
	}
	if !plan.PreventDataLoss.IsUnknown() && !plan.PreventDataLoss.ValueBool() {
		return
	}
	var what []string
	for _, p := range replaced {
		what = append(what, p.String())
	}
	for _, p := range replaced {
		diags.AddAttributeError(p, "The cluster's data would be lost", lossText(what, !plan.FinalSnapshotName.IsNull()))
	}
}

// hasData reports whether there is something to lose that is not lost anyway.
func hasData(state *clusterModel) bool {
	switch spec.Phase(state.Status.ValueString()) {
	case spec.Deleting, spec.CreateFailed:
		return false
	}
	return true
}

// planChange completes the plan of a change by what it cannot move, and returns the
// attributes for which the cluster must be replaced. pending: there is an operation
// that an earlier apply did not wait for.
func planChange(state, plan, config *clusterModel, pending bool) path.Paths {
	if !plan.NodeMemory.Equal(state.NodeMemory) && plan.NodeMemory.sameAs(state.NodeMemory) {
		plan.NodeMemory = state.NodeMemory
	}
	replaced := replacedBy(state, plan, config)
	moves := pending || len(replaced) > 0
	for _, v := range [][2]attr.Value{
		{state.NumReplicasPerShard, plan.NumReplicasPerShard},
		{state.NodeMemory, plan.NodeMemory},
		{state.ParameterGroupName, plan.ParameterGroupName},
		{state.EngineVersion, plan.EngineVersion},
		{state.AvailabilityZones, plan.AvailabilityZones},
	} {
		moves = moves || !v[0].Equal(v[1])
	}
	if pending || !hasData(state) {
		plan.Status = types.StringUnknown()
		plan.ClusterEndpoint = types.ListUnknown(types.ObjectType{AttrTypes: endpointObject})
		plan.Shards = types.ListUnknown(types.ObjectType{AttrTypes: shardObject})
		plan.EnginePatchVersion = types.StringUnknown()
		plan.CACertificate = types.StringUnknown()
		if config.Port.IsNull() {
			plan.Port = types.Int64Unknown()
		}
	}
	if !moves {
		plan.ClusterEndpoint, plan.Shards, plan.EnginePatchVersion = state.ClusterEndpoint, state.Shards, state.EnginePatchVersion
		if config.Port.IsNull() {
			plan.Port = state.Port
		}
	}
	freshWindow(state, plan, config)
	if same := *plan; !moves {
		same.Status = state.Status
		if reflect.DeepEqual(same, *state) {
			*plan = same // nothing but the way in which an amount is written
		}
	}
	return replaced
}

// freshWindow lets the control plane choose another snapshot window when the one that
// it had chosen overlaps a new maintenance window.
func freshWindow(state, plan, config *clusterModel) {
	if !config.SnapshotWindow.IsNull() || plan.MaintenanceWindow.Equal(state.MaintenanceWindow) {
		return
	}
	if plan.MaintenanceWindow.IsUnknown() {
		plan.SnapshotWindow = types.StringUnknown()
		return
	}
	weekly, err1 := spec.ParseWeeklyWindow(plan.MaintenanceWindow.ValueString())
	daily, err2 := spec.ParseDailyWindow(state.SnapshotWindow.ValueString())
	if err1 == nil && err2 == nil && weekly.Overlaps(daily) {
		plan.SnapshotWindow = types.StringUnknown()
	}
}

// replacedBy are the attributes that only a new cluster can have as planned.
func replacedBy(state, plan, config *clusterModel) path.Paths {
	var paths path.Paths
	for _, a := range []struct {
		name           string
		was, is, given attr.Value
	}{
		{"name", state.Name, plan.Name, config.Name},
		{"name_prefix", state.NamePrefix, plan.NamePrefix, config.NamePrefix},
		{"num_shards", state.NumShards, plan.NumShards, config.NumShards},
		{"cluster_mode", state.ClusterMode, plan.ClusterMode, config.ClusterMode},
		{"port", state.Port, plan.Port, config.Port},
		{"tls_enabled", state.TLSEnabled, plan.TLSEnabled, config.TLSEnabled},
		{"snapshot_name", state.SnapshotName, plan.SnapshotName, config.SnapshotName},
		{"snapshot_uris", state.SnapshotURIs, plan.SnapshotURIs, config.SnapshotURIs},
	} {
		chosen := a.given.IsNull() && a.is.IsUnknown() // not asked for: it is as it is
		if !chosen && !a.is.Equal(a.was) {
			paths = append(paths, path.Root(a.name))
		}
	}
	switch spec.Phase(state.Status.ValueString()) {
	case spec.Deleting, spec.CreateFailed:
		paths = append(paths, path.Root("status"))
	}
	return paths
}

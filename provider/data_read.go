package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Read implements datasource.DataSource.
func (d *clusterData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m clusterFacts
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.there(&resp.Diagnostics) {
		return
	}
	now, err := d.Clusters.Get(ctx, m.Name.ValueString())
	if !found(&resp.Diagnostics, "Cluster", m.Name.ValueString(), err) {
		return
	}
	m.fill(ctx, now, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Read implements datasource.DataSource.
func (d *userData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m userDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.there(&resp.Diagnostics) {
		return
	}
	now, err := d.Users.Get(ctx, m.UserName.ValueString())
	if !found(&resp.Diagnostics, "User", m.UserName.ValueString(), err) {
		return
	}
	u := &now.Spec
	m.ID, m.AccessString = types.StringValue(u.Name), types.StringValue(u.AccessString)
	m.AuthenticationMode = listOf(ctx, modeFactsObject, []modeFacts{{types.StringValue(u.Authentication), types.Int64Value(int64(u.PasswordCount))}}, &resp.Diagnostics)
	m.Status = phaseOf(now.Status, &resp.Diagnostics)
	m.Tags = tagsValue(ctx, u.Tags, m.Tags, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Read implements datasource.DataSource.
func (d *aclData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m aclDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.there(&resp.Diagnostics) {
		return
	}
	now, err := d.ACLs.Get(ctx, m.Name.ValueString())
	if !found(&resp.Diagnostics, "ACL", m.Name.ValueString(), err) {
		return
	}
	m.ID = m.Name
	m.UserNames = setValue(ctx, now.Spec.UserNames, m.UserNames, &resp.Diagnostics)
	m.Status = phaseOf(now.Status, &resp.Diagnostics)
	m.Tags = tagsValue(ctx, now.Spec.Tags, m.Tags, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Read implements datasource.DataSource.
func (d *groupData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m groupDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.there(&resp.Diagnostics) {
		return
	}
	now, err := d.ParameterGroups.Get(ctx, m.Name.ValueString())
	if !found(&resp.Diagnostics, "Parameter group", m.Name.ValueString(), err) {
		return
	}
	g := &now.Spec
	m.ID, m.Description, m.Family = m.Name, types.StringValue(g.Description), types.StringValue(g.Family)
	m.Parameter = parametersValue(ctx, g.Parameters, &resp.Diagnostics)
	m.Status = phaseOf(now.Status, &resp.Diagnostics)
	m.Tags = tagsValue(ctx, g.Tags, m.Tags, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Read implements datasource.DataSource.
func (d *snapshotData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m snapshotDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.there(&resp.Diagnostics) {
		return
	}
	now, err := d.Snapshots.Get(ctx, m.Name.ValueString())
	if !found(&resp.Diagnostics, "Snapshot", m.Name.ValueString(), err) {
		return
	}
	m.ID = m.Name
	m.fill(ctx, now, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// phaseOf is what a status says in a word; null when there is none.
func phaseOf(status json.RawMessage, diags *diag.Diagnostics) types.String {
	var s struct {
		Status string `json:"status"`
	}
	if len(status) > 0 {
		if err := json.Unmarshal(status, &s); err != nil {
			diags.AddError("The status cannot be read", sentence(err.Error()))
		}
	}
	return textOrNull(s.Status)
}

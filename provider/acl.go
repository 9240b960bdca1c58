package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// aclResource is redoubt_acl.
type aclResource struct{ connection }

type aclModel struct {
	names
	UserNames types.Set `tfsdk:"user_names"`
	Tags      types.Map `tfsdk:"tags"`
}

// Metadata implements resource.Resource.
func (r *aclResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "redoubt_acl"
}

// Schema implements resource.Resource.
func (r *aclResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attributes := nameAttributes("ACL")
	attributes["user_names"] = schema.SetAttribute{Optional: true, ElementType: types.StringType,
		MarkdownDescription: "Users that it has. Without the user `default`, nobody gets in without logging in."}
	attributes["tags"] = schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Tags."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "An ACL: the users who may log in to the clusters that name it. A change reaches every node of them within a second.",
		Attributes:          attributes,
	}
}

func (m *aclModel) spec() (spec.ACL, spec.Problems, attributes) {
	r := newReader()
	name, field := plannedName(r, m.Name, m.NamePrefix)
	a := spec.ACL{Name: name, UserNames: r.texts("user_names", m.UserNames), Tags: r.mapping("tags", m.Tags)}
	a.Default()
	return a, r.judge(a.Validate()), attributes{
		renamed: map[string]path.Path{"name": path.Root(field)},
		sets:    map[string][]string{"user_names": a.UserNames},
		maps:    map[string]bool{"tags": true},
	}
}

func (m *aclModel) fill(ctx context.Context, r *wire.Resource[spec.ACL], diags *diag.Diagnostics) {
	m.names.fill(r.Spec.Name)
	m.UserNames = setValue(ctx, r.Spec.UserNames, m.UserNames, diags)
	m.Tags = tagsValue(ctx, r.Spec.Tags, m.Tags, diags)
}

func (r *aclResource) remote() *remote[spec.ACL, spec.ACL] {
	return &remote[spec.ACL, spec.ACL]{c: r.Client, kind: wire.ACLs, what: "ACL", all: r.ACLs, input: func(a spec.ACL) spec.ACL { return a }}
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *aclResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m aclModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := m.spec()
	at.problems(&resp.Diagnostics, "Invalid ACL", problems)
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *aclResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var state, plan, config aclModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.RequiresReplace = append(resp.RequiresReplace, renamedBy(state.names, plan.names, config.names)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := plan.spec()
	at.problems(&resp.Diagnostics, "Invalid ACL", problems)
	plan.ID = plan.Name
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// Create implements resource.Resource.
func (r *aclResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan aclModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := plan.generate()
	asked, _, at := plan.spec()
	made, _, err := r.remote().create(ctx, name, asked)
	if err != nil {
		at.errored(&resp.Diagnostics, "ACL "+name+" was not created", err)
		return
	}
	plan.fill(ctx, made, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Read implements resource.Resource.
func (r *aclResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state aclModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	now, err := r.ACLs.Get(ctx, state.ID.ValueString())
	switch {
	case isGone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		attributes{}.errored(&resp.Diagnostics, "ACL "+state.ID.ValueString()+" could not be read", err)
	default:
		state.fill(ctx, now, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update implements resource.Resource.
func (r *aclResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan aclModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	base, _, _ := state.spec()
	mine, _, at := plan.spec()
	if _, err := r.remote().change(ctx, base.Name, base, mine); err != nil {
		at.errored(&resp.Diagnostics, "ACL "+base.Name+" was not changed", err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete implements resource.Resource.
func (r *aclResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state aclModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := state.ID.ValueString()
	err := r.remote().remove(ctx, name, func(ctx context.Context) (*wire.Resource[spec.ACL], error) { return r.ACLs.Delete(ctx, name) })
	attributes{}.errored(&resp.Diagnostics, "ACL "+name+" was not deleted", err)
}

// ImportState implements resource.ResourceWithImportState.
func (r *aclResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// groupResource is redoubt_parameter_group.
type groupResource struct{ connection }

type groupModel struct {
	names
	Description types.String `tfsdk:"description"`
	Family      types.String `tfsdk:"family"`
	Parameter   types.Set    `tfsdk:"parameter"`
	Tags        types.Map    `tfsdk:"tags"`
}

type parameterModel struct {
	Name  types.String `tfsdk:"name"`
	Value types.String `tfsdk:"value"`
}

var parameterObject = map[string]attr.Type{"name": types.StringType, "value": types.StringType}

// Metadata implements resource.Resource.
func (r *groupResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "redoubt_parameter_group"
}

// Schema implements resource.Resource.
func (r *groupResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attributes := nameAttributes("parameter group")
	attributes["description"] = schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString(defaultDescription),
		MarkdownDescription: "Text for people."}
	attributes["family"] = schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true, Default: stringdefault.StaticString(spec.Family),
		MarkdownDescription: "`" + spec.Family + "`, until there is another. Cannot be changed in place."}
	attributes["tags"] = schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Tags."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A parameter group: settings of nodes, by their names in redis.conf, for any number of clusters. " +
			"Nodes take changes while they run; those that need a restart are restarted one by one, primaries after a hand-over.",
		Attributes: attributes,
		Blocks: map[string]schema.Block{"parameter": schema.SetNestedBlock{
			MarkdownDescription: "A setting. Those that are not given are as nodes have them by themselves.",
			NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"name":  schema.StringAttribute{Required: true, MarkdownDescription: "One of " + quoted(spec.ParameterNames()) + "."},
				"value": schema.StringAttribute{Required: true, MarkdownDescription: "Its value."},
			}},
		}},
	}
}

func (m *groupModel) spec() (spec.ParameterGroup, spec.Problems, attributes) {
	r := newReader()
	name, field := plannedName(r, m.Name, m.NamePrefix)
	g := spec.ParameterGroup{
		Name: name, Description: r.text("description", m.Description), Family: r.text("family", m.Family),
		Tags: r.mapping("tags", m.Tags),
	}
	var problems spec.Problems
	g.Parameters, problems = r.parameters(m.Parameter)
	g.Default()
	return g, append(problems, r.judge(g.Validate())...), attributes{
		renamed: map[string]path.Path{"name": path.Root(field), "parameters": path.Root("parameter")},
		maps:    map[string]bool{"tags": true},
	}
}

// parameters reads blocks; those of which something is not known yet are left out.
func (r *reader) parameters(v types.Set) (map[string]string, spec.Problems) {
	all := map[string]string{}
	var problems spec.Problems
	if v.IsNull() || v.IsUnknown() {
		return all, nil
	}
	for _, e := range v.Elements() {
		o, ok := e.(types.Object)
		if !ok || o.IsUnknown() {
			continue
		}
		name, ok1 := o.Attributes()["name"].(types.String)
		value, ok2 := o.Attributes()["value"].(types.String)
		if !ok1 || !ok2 || name.IsUnknown() {
			continue
		}
		if _, twice := all[name.ValueString()]; twice {
			problems = append(problems, spec.Problem{Path: "parameters." + name.ValueString(), Message: "is given twice"})
		}
		if value.IsUnknown() {
			r.unknown["parameters."+name.ValueString()] = true
		}
		all[name.ValueString()] = value.ValueString()
	}
	return all, problems
}

func (m *groupModel) fill(ctx context.Context, r *wire.Resource[spec.ParameterGroup], diags *diag.Diagnostics) {
	m.names.fill(r.Spec.Name)
	m.Description, m.Family = types.StringValue(r.Spec.Description), types.StringValue(r.Spec.Family)
	m.Parameter = parametersValue(ctx, r.Spec.Parameters, diags)
	m.Tags = tagsValue(ctx, r.Spec.Tags, m.Tags, diags)
}

func parametersValue(ctx context.Context, all map[string]string, diags *diag.Diagnostics) types.Set {
	blocks := []parameterModel{}
	for name, value := range all {
		blocks = append(blocks, parameterModel{types.StringValue(name), types.StringValue(value)})
	}
	v, d := types.SetValueFrom(ctx, types.ObjectType{AttrTypes: parameterObject}, blocks)
	diags.Append(d...)
	return v
}

func (r *groupResource) remote() *remote[spec.ParameterGroup, spec.ParameterGroup] {
	return &remote[spec.ParameterGroup, spec.ParameterGroup]{c: r.Client, kind: wire.ParameterGroups, what: "Parameter group", all: r.ParameterGroups, input: func(g spec.ParameterGroup) spec.ParameterGroup { return g }}
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *groupResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m groupModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := m.spec()
	at.problems(&resp.Diagnostics, "Invalid parameter group", problems)
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *groupResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var state, plan, config groupModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.RequiresReplace = append(resp.RequiresReplace, renamedBy(state.names, plan.names, config.names)...)
		if !plan.Family.Equal(state.Family) {
			resp.RequiresReplace = append(resp.RequiresReplace, path.Root("family"))
		}
	}
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems, at := plan.spec()
	at.problems(&resp.Diagnostics, "Invalid parameter group", problems)
	plan.ID = plan.Name
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// Create implements resource.Resource.
func (r *groupResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan groupModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := plan.generate()
	asked, _, at := plan.spec()
	made, _, err := r.remote().create(ctx, name, asked)
	if err != nil {
		at.errored(&resp.Diagnostics, "Parameter group "+name+" was not created", err)
		return
	}
	plan.fill(ctx, made, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Read implements resource.Resource.
func (r *groupResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state groupModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	now, err := r.ParameterGroups.Get(ctx, state.ID.ValueString())
	switch {
	case isGone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		attributes{}.errored(&resp.Diagnostics, "Parameter group "+state.ID.ValueString()+" could not be read", err)
	default:
		state.fill(ctx, now, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update implements resource.Resource.
func (r *groupResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan groupModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	base, _, _ := state.spec()
	mine, _, at := plan.spec()
	if _, err := r.remote().change(ctx, base.Name, base, mine); err != nil {
		at.errored(&resp.Diagnostics, "Parameter group "+base.Name+" was not changed", err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete implements resource.Resource.
func (r *groupResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state groupModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := state.ID.ValueString()
	err := r.remote().remove(ctx, name, func(ctx context.Context) (*wire.Resource[spec.ParameterGroup], error) {
		return r.ParameterGroups.Delete(ctx, name)
	})
	attributes{}.errored(&resp.Diagnostics, "Parameter group "+name+" was not deleted", err)
}

// ImportState implements resource.ResourceWithImportState.
func (r *groupResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// The data sources have the attributes of the resources of the same name, with the
// same descriptions, but for those that only say how to make or to delete one.
type (
	clusterData  struct{ dataConnection }
	userData     struct{ dataConnection }
	aclData      struct{ dataConnection }
	groupData    struct{ dataConnection }
	snapshotData struct{ dataConnection }
)

// Metadata implements datasource.DataSource.
func (d *clusterData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "redoubt_cluster"
}

// Metadata implements datasource.DataSource.
func (d *userData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "redoubt_user"
}

// Metadata implements datasource.DataSource.
func (d *aclData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "redoubt_acl"
}

// Metadata implements datasource.DataSource.
func (d *groupData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "redoubt_parameter_group"
}

// Metadata implements datasource.DataSource.
func (d *snapshotData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "redoubt_snapshot"
}

// Schema implements datasource.DataSource.
func (d *clusterData) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = looking(ctx, &clusterResource{}, "A cluster that exists.", "name",
		"name_prefix", "snapshot_name", "snapshot_uris", "final_snapshot_name", "prevent_data_loss")
}

// Schema implements datasource.DataSource.
func (d *userData) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = looking(ctx, &userResource{}, "A user that exists.", "user_name")
	resp.Schema.Attributes["status"] = accessStatus
	resp.Schema.Attributes["authentication_mode"] = schema.ListNestedAttribute{Computed: true, MarkdownDescription: "How he logs in: a list of one.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"type":           schema.StringAttribute{Computed: true, MarkdownDescription: "`password` or `no-password-required`."},
			"password_count": schema.Int64Attribute{Computed: true, MarkdownDescription: "How many passwords he has."},
		}}}
}

// Schema implements datasource.DataSource.
func (d *aclData) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = looking(ctx, &aclResource{}, "An ACL that exists.", "name", "name_prefix")
	resp.Schema.Attributes["status"] = accessStatus
}

// Schema implements datasource.DataSource.
func (d *groupData) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = looking(ctx, &groupResource{}, "A parameter group that exists.", "name", "name_prefix")
	resp.Schema.Attributes["status"] = accessStatus
	resp.Schema.Attributes["parameter"] = schema.SetNestedAttribute{Computed: true, MarkdownDescription: "The settings that it has.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"name":  schema.StringAttribute{Computed: true, MarkdownDescription: "Name, as in redis.conf."},
			"value": schema.StringAttribute{Computed: true, MarkdownDescription: "Value."},
		}}}
}

// Schema implements datasource.DataSource.
func (d *snapshotData) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = looking(ctx, &snapshotResource{}, "A snapshot that exists, also one that was made by schedule.", "name", "name_prefix")
}

// accessStatus is of what takes effect without an operation that could be waited for.
var accessStatus = schema.StringAttribute{Computed: true,
	MarkdownDescription: "`modifying` until its last change was written for the nodes of all clusters that have it, which take it within a second; else `active`."}

// looking is the schema of a data source that is looked up by one of a resource's
// attributes and has all others but some.
func looking(ctx context.Context, r resource.Resource, text, by string, without ...string) schema.Schema {
	var from resource.SchemaResponse
	r.Schema(ctx, resource.SchemaRequest{}, &from)
	for _, name := range without {
		delete(from.Schema.Attributes, name)
	}
	out := schema.Schema{MarkdownDescription: text, Attributes: map[string]schema.Attribute{}}
	for name, a := range from.Schema.Attributes {
		out.Attributes[name] = computed(a)
	}
	out.Attributes[by] = schema.StringAttribute{Required: true, MarkdownDescription: "Name of it."}
	return out
}

// computed is a resource's attribute as one of a data source.
func computed(from resourceschema.Attribute) schema.Attribute {
	text := from.GetMarkdownDescription()
	switch a := from.(type) {
	case resourceschema.StringAttribute:
		return schema.StringAttribute{Computed: true, CustomType: a.CustomType, MarkdownDescription: text}
	case resourceschema.Int64Attribute:
		return schema.Int64Attribute{Computed: true, MarkdownDescription: text}
	case resourceschema.BoolAttribute:
		return schema.BoolAttribute{Computed: true, MarkdownDescription: text}
	case resourceschema.SetAttribute:
		return schema.SetAttribute{Computed: true, ElementType: a.ElementType, MarkdownDescription: text}
	case resourceschema.ListAttribute:
		return schema.ListAttribute{Computed: true, ElementType: a.ElementType, MarkdownDescription: text}
	case resourceschema.MapAttribute:
		return schema.MapAttribute{Computed: true, ElementType: a.ElementType, MarkdownDescription: text}
	case resourceschema.ListNestedAttribute:
		nested := map[string]schema.Attribute{}
		for name, one := range a.NestedObject.Attributes {
			nested[name] = computed(one)
		}
		return schema.ListNestedAttribute{Computed: true, MarkdownDescription: text, NestedObject: schema.NestedAttributeObject{Attributes: nested}}
	}
	panic(fmt.Sprintf("provider: a data source with a %T", from)) // every test that starts the provider meets it
}

// Models of the data sources whose resource has more.
type (
	userDataModel struct {
		ID                 types.String `tfsdk:"id"`
		UserName           types.String `tfsdk:"user_name"`
		AccessString       types.String `tfsdk:"access_string"`
		AuthenticationMode types.List   `tfsdk:"authentication_mode"`
		Status             types.String `tfsdk:"status"`
		Tags               types.Map    `tfsdk:"tags"`
	}
	modeFacts struct {
		Type          types.String `tfsdk:"type"`
		PasswordCount types.Int64  `tfsdk:"password_count"`
	}
	aclDataModel struct {
		ID        types.String `tfsdk:"id"`
		Name      types.String `tfsdk:"name"`
		UserNames types.Set    `tfsdk:"user_names"`
		Status    types.String `tfsdk:"status"`
		Tags      types.Map    `tfsdk:"tags"`
	}
	groupDataModel struct {
		ID          types.String `tfsdk:"id"`
		Name        types.String `tfsdk:"name"`
		Description types.String `tfsdk:"description"`
		Family      types.String `tfsdk:"family"`
		Parameter   types.Set    `tfsdk:"parameter"`
		Status      types.String `tfsdk:"status"`
		Tags        types.Map    `tfsdk:"tags"`
	}
	snapshotDataModel struct {
		ID   types.String `tfsdk:"id"`
		Name types.String `tfsdk:"name"`
		snapshotFacts
	}
)

var modeFactsObject = map[string]attr.Type{"type": types.StringType, "password_count": types.Int64Type}

// found reports whether what a data source looks up is there.
func found(diags *diag.Diagnostics, what, name string, err error) bool {
	attributes{}.errored(diags, what+" "+name+" could not be read", err)
	return err == nil
}

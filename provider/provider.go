package provider

import (
	"context"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/client"
)

// Address is where Terraform looks for the provider: required_providers has it as
// source. No registry serves it; provider/docs/index.md says how it is installed.
const Address = "terraform.local/redoubtdb/redoubt"

type redoubt struct{ version string }

// New returns what makes the provider; version is its own.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &redoubt{version} }
}

// Metadata implements provider.Provider.
func (p *redoubt) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "redoubt", p.version
}

// Schema implements provider.Provider.
func (p *redoubt) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Clusters of Redoubt, a Redis-compatible in-memory database whose writes are durable when they are " +
			"acknowledged, and what belongs to them, by a control plane (`redoubt control`, or `redoubt dev` on a laptop). " +
			"Resources are named and shaped after the AWS provider's `aws_memorydb_*`.",
		Attributes: map[string]schema.Attribute{
			"endpoint": schema.StringAttribute{Optional: true,
				MarkdownDescription: "The control plane's URL, such as `https://10.0.0.1:8443`. Else the variable `" + envEndpoint + "`."},
			"token": schema.StringAttribute{Optional: true, Sensitive: true,
				MarkdownDescription: "A token of role operate (`redoubt token create`). Else the variable `" + envToken + "`, which keeps it out of the configuration."},
			"ca_certificate": schema.StringAttribute{Optional: true,
				MarkdownDescription: "Certificates in PEM that the control plane's is checked against, beside the system's. Not together with `ca_file`."},
			"ca_file": schema.StringAttribute{Optional: true,
				MarkdownDescription: "A file with what `ca_certificate` would have. Else the variable `" + envCAFile + "`."},
			"insecure": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Take any certificate. Only for a control plane on this machine: with an `endpoint` elsewhere it is refused."},
		},
	}
}

type providerModel struct {
	Endpoint      types.String `tfsdk:"endpoint"`
	Token         types.String `tfsdk:"token"`
	CACertificate types.String `tfsdk:"ca_certificate"`
	CAFile        types.String `tfsdk:"ca_file"`
	Insecure      types.Bool   `tfsdk:"insecure"`
}

// Configure implements provider.Provider.
func (p *redoubt) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var m providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if m.Endpoint.IsUnknown() || m.Token.IsUnknown() || m.CACertificate.IsUnknown() || m.CAFile.IsUnknown() || m.Insecure.IsUnknown() {
		// The control plane is made by the same apply. What is new can be planned without it.
		return
	}
	s := settings{
		endpoint: m.Endpoint.ValueString(), token: m.Token.ValueString(),
		ca: m.CACertificate.ValueString(), caFile: m.CAFile.ValueString(), insecure: m.Insecure.ValueBool(),
	}
	s.fill(os.Getenv)
	config, wrong := s.config(os.ReadFile)
	for _, w := range wrong {
		resp.Diagnostics.AddAttributeError(path.Root(w.Path), "The provider is not configured", w.Message)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	config.UserAgent = "terraform-provider-redoubt/" + p.version + " terraform/" + req.TerraformVersion
	c, err := client.New(config)
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("endpoint"), "The provider is not configured", err.Error())
		return
	}
	shared := &session{Client: c, left: map[string][]string{}}
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData = shared, shared, shared
}

// Resources implements provider.Provider.
func (p *redoubt) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &clusterResource{} },
		func() resource.Resource { return &userResource{} },
		func() resource.Resource { return &aclResource{} },
		func() resource.Resource { return &groupResource{} },
		func() resource.Resource { return &snapshotResource{} },
	}
}

// EphemeralResources implements provider.ProviderWithEphemeralResources.
func (p *redoubt) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		func() ephemeral.EphemeralResource { return &connectionResource{} },
	}
}

// DataSources implements provider.Provider.
func (p *redoubt) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		func() datasource.DataSource { return &clusterData{} },
		func() datasource.DataSource { return &userData{} },
		func() datasource.DataSource { return &aclData{} },
		func() datasource.DataSource { return &groupData{} },
		func() datasource.DataSource { return &snapshotData{} },
	}
}

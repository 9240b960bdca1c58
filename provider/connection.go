package provider

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// connectionResource is the ephemeral redoubt_connection. Its password comes from the
// configuration: the control plane has none that it could tell.
type connectionResource struct{ connection }

type connectionModel struct {
	ClusterName   types.String `tfsdk:"cluster_name"`
	UserName      types.String `tfsdk:"user_name"`
	Password      types.String `tfsdk:"password"`
	Address       types.String `tfsdk:"address"`
	Port          types.Int64  `tfsdk:"port"`
	TLSEnabled    types.Bool   `tfsdk:"tls_enabled"`
	CACertificate types.String `tfsdk:"ca_certificate"`
	URI           types.String `tfsdk:"uri"`
}

// Metadata implements ephemeral.EphemeralResource.
func (r *connectionResource) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = "redoubt_connection"
}

// Configure implements ephemeral.EphemeralResourceWithConfigure.
func (r *connectionResource) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	r.take(req.ProviderData, &resp.Diagnostics)
}

// Schema implements ephemeral.EphemeralResource.
func (r *connectionResource) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "How a client connects to a cluster as a user, for what takes ephemeral values: write-only arguments, " +
			"provider blocks, provisioners. Nothing of it is in a plan or in the state. The password is yours to give: the control plane keeps none. " +
			"Whether the user exists and the password is right is not tried.",
		Attributes: map[string]schema.Attribute{
			"cluster_name": schema.StringAttribute{Required: true,
				MarkdownDescription: "Name of the cluster. In the configuration that makes it, write `redoubt_cluster.….id`, which is not known before the cluster is there."},
			"user_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Who logs in. Default: the user `default`, as in Redis."},
			"password":  schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "His password."},
			"address":   schema.StringAttribute{Computed: true, MarkdownDescription: "Host name or IP address of the primary."},
			"port":      schema.Int64Attribute{Computed: true, MarkdownDescription: "Port."},
			"tls_enabled": schema.BoolAttribute{Computed: true,
				MarkdownDescription: "Whether clients connect over TLS."},
			"ca_certificate": schema.StringAttribute{Computed: true, MarkdownDescription: authorityText},
			"uri": schema.StringAttribute{Computed: true, Sensitive: true,
				MarkdownDescription: "All but the certificate as clients read it: `rediss://user:password@address:port`, `redis://` without TLS."},
		},
	}
}

// Open implements ephemeral.EphemeralResource.
func (r *connectionResource) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m connectionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := m.ClusterName.ValueString()
	now, err := r.Clusters.Get(ctx, name)
	if isGone(err) {
		resp.Diagnostics.AddAttributeError(path.Root("cluster_name"), "There is no cluster "+name,
			"If the same configuration makes it, write the resource's id here, redoubt_cluster.….id: then this waits for it.")
		return
	}
	if !found(&resp.Diagnostics, "Cluster", name, err) {
		return
	}
	status := clusterStatus(now, &resp.Diagnostics)
	e := status.ClusterEndpoint
	if e.Address == "" {
		resp.Diagnostics.AddAttributeError(path.Root("cluster_name"), "Cluster "+name+" has no endpoint yet",
			fmt.Sprintf("It is %s, and nothing serves its clients.", status.Status))
		return
	}
	m.Address, m.Port = types.StringValue(e.Address), types.Int64Value(int64(e.Port))
	m.TLSEnabled, m.CACertificate = types.BoolValue(now.Spec.TLSEnabled), types.StringValue(status.CACertificate)
	m.URI = types.StringValue(m.uri())
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// uri is where and as whom a client connects. A name always has a colon behind it:
// redis-cli takes a single word for a password.
func (m *connectionModel) uri() string {
	u := url.URL{Scheme: "redis", Host: net.JoinHostPort(m.Address.ValueString(), strconv.FormatInt(m.Port.ValueInt64(), 10))}
	if m.TLSEnabled.ValueBool() {
		u.Scheme = "rediss"
	}
	if !m.UserName.IsNull() || !m.Password.IsNull() {
		u.User = url.UserPassword(m.UserName.ValueString(), m.Password.ValueString())
	}
	return u.String()
}

package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// snapshotFacts are what the resource and the data source of snapshots have in common,
// beside names.
type snapshotFacts struct {
	ClusterName          types.String `tfsdk:"cluster_name"`
	Source               types.String `tfsdk:"source"`
	Status               types.String `tfsdk:"status"`
	CreatedAt            types.String `tfsdk:"created_at"`
	URIs                 types.List   `tfsdk:"uris"`
	Size                 types.Int64  `tfsdk:"size"`
	ClusterConfiguration types.List   `tfsdk:"cluster_configuration"`
	Tags                 types.Map    `tfsdk:"tags"`
}

type snapshotModel struct {
	names
	snapshotFacts
	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

// configurationModel is the cluster that a snapshot was made of.
type configurationModel struct {
	Name                   string `tfsdk:"name"`
	Description            string `tfsdk:"description"`
	EngineVersion          string `tfsdk:"engine_version"`
	MaintenanceWindow      string `tfsdk:"maintenance_window"`
	NodeMemory             string `tfsdk:"node_memory"`
	NumShards              int64  `tfsdk:"num_shards"`
	ParameterGroupName     string `tfsdk:"parameter_group_name"`
	Port                   int64  `tfsdk:"port"`
	SnapshotRetentionLimit int64  `tfsdk:"snapshot_retention_limit"`
	SnapshotWindow         string `tfsdk:"snapshot_window"`
}

var configurationObject = map[string]attr.Type{
	"name": types.StringType, "description": types.StringType, "engine_version": types.StringType,
	"maintenance_window": types.StringType, "node_memory": types.StringType, "num_shards": types.Int64Type,
	"parameter_group_name": types.StringType, "port": types.Int64Type,
	"snapshot_retention_limit": types.Int64Type, "snapshot_window": types.StringType,
}

// What the attributes of snapshots are, for the resource and the data source.
const (
	sourceText        = "`manual`, `automated` (by a cluster's snapshot_window) or `system` (for nodes to start from)."
	snapshotStateText = "`creating`, `available`, `deleting` or `failed`."
	createdText       = "When it was made."
	urisText          = "Its files, one for each shard."
	sizeText          = "Size of the files in bytes."
	configurationText = "The cluster as it was when the snapshot was made: a list of one, or of none while that is not known."
)

// Schema implements resource.Resource.
func (r *snapshotResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attributes := nameAttributes("snapshot")
	for name, a := range map[string]schema.Attribute{
		"cluster_name": schema.StringAttribute{Required: true, MarkdownDescription: "The cluster that it is made of. Another one is another snapshot."},
		"source":       schema.StringAttribute{Computed: true, MarkdownDescription: sourceText},
		"status":       schema.StringAttribute{Computed: true, MarkdownDescription: snapshotStateText},
		"created_at":   schema.StringAttribute{Computed: true, MarkdownDescription: createdText},
		"uris":         schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: urisText},
		"size":         schema.Int64Attribute{Computed: true, MarkdownDescription: sizeText},
		"cluster_configuration": schema.ListNestedAttribute{Computed: true, MarkdownDescription: configurationText,
			NestedObject: schema.NestedAttributeObject{Attributes: configurationAttributes()}},
		"tags": schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Tags."},
	} {
		attributes[name] = a
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A snapshot of a cluster, in S3 in the format of Redis (RDB). It stays when the cluster goes, and a cluster can begin with it. Only its tags can be changed.",
		Attributes:          attributes,
		Blocks: map[string]schema.Block{"timeouts": timeouts.Block(ctx, timeouts.Opts{
			Create: true, Delete: true, CreateDescription: timeoutText("the snapshot"),
			DeleteDescription: "How long to wait for the end of a deletion. Default `" + shortDuration(clusterTimeout) + "`.",
		})},
	}
}

func configurationAttributes() map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, t := range configurationObject {
		text := "The cluster's " + name + "."
		if t == types.Int64Type {
			out[name] = schema.Int64Attribute{Computed: true, MarkdownDescription: text}
		} else {
			out[name] = schema.StringAttribute{Computed: true, MarkdownDescription: text}
		}
	}
	return out
}

func (m *snapshotModel) spec() (spec.Snapshot, spec.Problems, attributes) {
	r := newReader()
	name, field := plannedName(r, m.Name, m.NamePrefix)
	s := spec.Snapshot{Name: name, ClusterName: r.text("cluster_name", m.ClusterName), Tags: r.mapping("tags", m.Tags)}
	s.Default()
	return s, r.judge(s.Validate()), attributes{
		renamed: map[string]path.Path{"name": path.Root(field)},
		maps:    map[string]bool{"tags": true},
	}
}

// fill sets what the control plane says of a snapshot.
func (m *snapshotFacts) fill(ctx context.Context, r *wire.Resource[spec.Snapshot], diags *diag.Diagnostics) {
	status := spec.SnapshotStatus{Status: spec.Creating, Source: spec.Manual}
	if len(r.Status) > 0 {
		if err := json.Unmarshal(r.Status, &status); err != nil {
			diags.AddError("The status of snapshot "+r.Spec.Name+" cannot be read", sentence(err.Error()))
		}
	}
	if r.Deleting != nil {
		status.Status = spec.Deleting
	}
	m.ClusterName = types.StringValue(cmp.Or(r.Spec.ClusterName, status.ClusterName))
	m.Source, m.Status = types.StringValue(status.Source), types.StringValue(string(status.Status))
	if m.CreatedAt = types.StringNull(); !status.CreatedAt.IsZero() {
		m.CreatedAt = types.StringValue(status.CreatedAt.UTC().Format(time.RFC3339))
	}
	uris, d := types.ListValueFrom(ctx, types.StringType, append([]string{}, status.URIs...))
	diags.Append(d...)
	m.URIs, m.Size = uris, types.Int64Value(int64(status.Size))
	of := []configurationModel{}
	if c := status.ClusterConfiguration; c != nil {
		of = append(of, configurationModel{
			Name: c.Name, Description: c.Description, EngineVersion: c.EngineVersion, MaintenanceWindow: c.MaintenanceWindow,
			NodeMemory: c.NodeMemory.String(), NumShards: int64(c.NumShards), ParameterGroupName: c.ParameterGroupName,
			Port: int64(c.Port), SnapshotRetentionLimit: int64(c.SnapshotRetentionLimit), SnapshotWindow: c.SnapshotWindow,
		})
	}
	m.ClusterConfiguration = listOf(ctx, configurationObject, of, diags)
	m.Tags = tagsValue(ctx, r.Spec.Tags, m.Tags, diags)
}

func (m *snapshotModel) fill(ctx context.Context, r *wire.Resource[spec.Snapshot], diags *diag.Diagnostics) {
	m.names.fill(r.Spec.Name)
	m.snapshotFacts.fill(ctx, r, diags)
}

// keep writes what a plan has become of into the state. What the plan had said stays.
func (m *snapshotModel) keep(ctx context.Context, now *wire.Resource[spec.Snapshot], state *tfsdk.State, diags *diag.Diagnostics) {
	next := *m
	next.fill(ctx, now, diags)
	next.Source, next.Status = known(m.Source, next.Source), known(m.Status, next.Status)
	next.CreatedAt, next.URIs, next.Size = known(m.CreatedAt, next.CreatedAt), known(m.URIs, next.URIs), known(m.Size, next.Size)
	next.ClusterConfiguration = known(m.ClusterConfiguration, next.ClusterConfiguration)
	diags.Append(state.Set(ctx, &next)...)
}

// planSnapshot completes the plan of a change, which moves nothing but the tags, and
// returns the attributes for which another snapshot must be made.
func planSnapshot(state, plan *snapshotModel, pending bool) path.Paths {
	if !pending {
		plan.Source, plan.Status, plan.CreatedAt = state.Source, state.Status, state.CreatedAt
		plan.URIs, plan.Size, plan.ClusterConfiguration = state.URIs, state.Size, state.ClusterConfiguration
	} else {
		plan.Status, plan.CreatedAt = types.StringUnknown(), types.StringUnknown()
		plan.URIs, plan.Size = types.ListUnknown(types.StringType), types.Int64Unknown()
		plan.ClusterConfiguration = types.ListUnknown(types.ObjectType{AttrTypes: configurationObject})
	}
	var paths path.Paths
	if !plan.ClusterName.Equal(state.ClusterName) {
		paths = append(paths, path.Root("cluster_name"))
	}
	switch spec.Phase(state.Status.ValueString()) {
	case spec.Failed, spec.Deleting:
		plan.Status = types.StringUnknown()
		paths = append(paths, path.Root("status"))
	}
	return paths
}

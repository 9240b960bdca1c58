package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// clusterFacts are what the resource and the data source of clusters have in common.
type clusterFacts struct {
	ID                     types.String `tfsdk:"id"`
	Name                   types.String `tfsdk:"name"`
	Description            types.String `tfsdk:"description"`
	NumShards              types.Int64  `tfsdk:"num_shards"`
	NumReplicasPerShard    types.Int64  `tfsdk:"num_replicas_per_shard"`
	NodeMemory             sizeValue    `tfsdk:"node_memory"`
	Port                   types.Int64  `tfsdk:"port"`
	ACLName                types.String `tfsdk:"acl_name"`
	ParameterGroupName     types.String `tfsdk:"parameter_group_name"`
	EngineVersion          types.String `tfsdk:"engine_version"`
	EnginePatchVersion     types.String `tfsdk:"engine_patch_version"`
	TLSEnabled             types.Bool   `tfsdk:"tls_enabled"`
	ClusterMode            types.String `tfsdk:"cluster_mode"`
	SnapshotRetentionLimit types.Int64  `tfsdk:"snapshot_retention_limit"`
	SnapshotWindow         types.String `tfsdk:"snapshot_window"`
	MaintenanceWindow      types.String `tfsdk:"maintenance_window"`
	AvailabilityZones      types.Set    `tfsdk:"availability_zones"`
	Tags                   types.Map    `tfsdk:"tags"`
	Status                 types.String `tfsdk:"status"`
	ClusterEndpoint        types.List   `tfsdk:"cluster_endpoint"`
	CACertificate          types.String `tfsdk:"ca_certificate"`
	Shards                 types.List   `tfsdk:"shards"`
}

// clusterModel is the resource.
type clusterModel struct {
	clusterFacts
	NamePrefix        types.String   `tfsdk:"name_prefix"`
	SnapshotName      types.String   `tfsdk:"snapshot_name"`
	SnapshotURIs      types.List     `tfsdk:"snapshot_uris"`
	FinalSnapshotName types.String   `tfsdk:"final_snapshot_name"`
	PreventDataLoss   types.Bool     `tfsdk:"prevent_data_loss"`
	Timeouts          timeouts.Value `tfsdk:"timeouts"`
}

type endpointModel struct {
	Address string `tfsdk:"address"`
	Port    int64  `tfsdk:"port"`
}

type nodeModel struct {
	Name             string          `tfsdk:"name"`
	AvailabilityZone string          `tfsdk:"availability_zone"`
	Role             string          `tfsdk:"role"`
	CreateTime       types.String    `tfsdk:"create_time"`
	Endpoint         []endpointModel `tfsdk:"endpoint"`
}

type shardModel struct {
	Name     string      `tfsdk:"name"`
	Slots    string      `tfsdk:"slots"`
	NumNodes int64       `tfsdk:"num_nodes"`
	Nodes    []nodeModel `tfsdk:"nodes"`
}

// fill sets what the control plane says of a cluster.
func (m *clusterFacts) fill(ctx context.Context, r *wire.Resource[spec.Cluster], diags *diag.Diagnostics) {
	c, status := &r.Spec, clusterStatus(r, diags)
	m.ID, m.Name = types.StringValue(c.Name), types.StringValue(c.Name)
	m.Description = types.StringValue(c.Description)
	m.NumShards, m.NumReplicasPerShard = types.Int64Value(int64(c.NumShards)), types.Int64Value(int64(c.NumReplicasPerShard))
	m.NodeMemory = newSize(c.NodeMemory) // the same amount stays as it is written: sizeValue
	m.Port = types.Int64Value(int64(cmp.Or(c.Port, status.ClusterEndpoint.Port)))
	m.ACLName, m.ParameterGroupName = types.StringValue(c.ACLName), types.StringValue(c.ParameterGroupName)
	m.EngineVersion = types.StringValue(c.EngineVersion)
	m.EnginePatchVersion = types.StringValue(status.EnginePatchVersion)
	m.TLSEnabled, m.ClusterMode = types.BoolValue(c.TLSEnabled), types.StringValue(c.ClusterMode)
	m.SnapshotRetentionLimit = types.Int64Value(int64(c.SnapshotRetentionLimit))
	m.SnapshotWindow, m.MaintenanceWindow = types.StringValue(c.SnapshotWindow), types.StringValue(c.MaintenanceWindow)
	m.AvailabilityZones = setValue(ctx, c.AvailabilityZones, m.AvailabilityZones, diags)
	m.Tags = tagsValue(ctx, c.Tags, m.Tags, diags)
	m.Status = types.StringValue(string(status.Status))
	m.CACertificate = types.StringValue(status.CACertificate)
	m.ClusterEndpoint = listOf(ctx, endpointObject, endpoints(status.ClusterEndpoint), diags)
	m.Shards = listOf(ctx, shardObject, shards(status.Shards), diags)
}

// clusterStatus is what the reconciler says, or what follows when it says nothing.
func clusterStatus(r *wire.Resource[spec.Cluster], diags *diag.Diagnostics) spec.ClusterStatus {
	status := spec.ClusterStatus{Status: spec.Creating}
	if len(r.Status) > 0 {
		if err := json.Unmarshal(r.Status, &status); err != nil {
			diags.AddError("The status of cluster "+r.Spec.Name+" cannot be read", sentence(err.Error()))
		}
	}
	if r.Deleting != nil {
		status.Status = spec.Deleting
	}
	return status
}

func endpoints(e spec.Endpoint) []endpointModel {
	if e.Address == "" {
		return []endpointModel{}
	}
	return []endpointModel{{e.Address, int64(e.Port)}}
}

func shards(all []spec.ShardStatus) []shardModel {
	out := []shardModel{}
	for _, s := range all {
		one := shardModel{Name: s.Name, Slots: s.Slots, NumNodes: int64(s.NumNodes), Nodes: []nodeModel{}}
		for _, n := range s.Nodes {
			node := nodeModel{Name: n.Name, AvailabilityZone: n.AvailabilityZone, Role: n.Role, Endpoint: endpoints(n.Endpoint)}
			if !n.CreateTime.IsZero() {
				node.CreateTime = types.StringValue(n.CreateTime.UTC().Format(time.RFC3339))
			}
			one.Nodes = append(one.Nodes, node)
		}
		out = append(out, one)
	}
	return out
}

// fill sets what the control plane says, and keeps what only the state knows.
func (m *clusterModel) fill(ctx context.Context, r *wire.Resource[spec.Cluster], diags *diag.Diagnostics) {
	m.clusterFacts.fill(ctx, r, diags)
	m.NamePrefix = prefixOf(r.Spec.Name)
	m.SnapshotName = textOrNull(r.Spec.SnapshotName)
	switch uris := r.Spec.SnapshotURIs; {
	case len(uris) > 0:
		v, d := types.ListValueFrom(ctx, types.StringType, uris)
		diags.Append(d...)
		m.SnapshotURIs = v
	case m.SnapshotURIs.IsUnknown() || len(m.SnapshotURIs.Elements()) > 0:
		m.SnapshotURIs = types.ListNull(types.StringType)
	}
	if m.PreventDataLoss.IsNull() {
		m.PreventDataLoss = types.BoolValue(true) // imported
	}
}

// spec is the cluster that is asked for, with defaults, and what is wrong with it as
// far as that is known.
func (m *clusterModel) spec(config *clusterModel) (spec.Cluster, spec.Problems, attributes) {
	r := newReader()
	name, nameField := plannedName(r, m.Name, m.NamePrefix)
	c := spec.NewCluster(name)
	c.Description = r.text("description", m.Description)
	c.EngineVersion = r.text("engine_version", m.EngineVersion)
	c.NumShards = r.number("num_shards", m.NumShards, c.NumShards)
	c.NumReplicasPerShard = r.number("num_replicas_per_shard", m.NumReplicasPerShard, c.NumReplicasPerShard)
	var problems spec.Problems
	if text := r.text("node_memory", m.NodeMemory.StringValue); text != "" {
		var err error
		if c.NodeMemory, err = bytesize.Parse(text); err != nil {
			problems = append(problems, spec.Problem{Path: "node_memory", Message: err.Error()})
			c.NodeMemory = spec.MinNodeMemory
		}
	}
	if !config.Port.IsNull() {
		c.Port = r.number("port", m.Port, 0)
	}
	c.ACLName = r.text("acl_name", m.ACLName)
	c.ParameterGroupName = r.text("parameter_group_name", m.ParameterGroupName)
	c.TLSEnabled = r.truth("tls_enabled", m.TLSEnabled, c.TLSEnabled)
	c.ClusterMode = r.text("cluster_mode", m.ClusterMode)
	c.SnapshotRetentionLimit = r.number("snapshot_retention_limit", m.SnapshotRetentionLimit, 0)
	c.SnapshotWindow = r.text("snapshot_window", m.SnapshotWindow)
	c.MaintenanceWindow = r.text("maintenance_window", m.MaintenanceWindow)
	c.AvailabilityZones = r.texts("availability_zones", m.AvailabilityZones)
	c.Tags = r.mapping("tags", m.Tags)
	c.SnapshotName = r.text("snapshot_name", m.SnapshotName)
	c.SnapshotURIs = r.texts("snapshot_uris", m.SnapshotURIs)
	if len(c.SnapshotURIs) == 0 {
		c.SnapshotURIs = nil
	}
	c.Default()
	problems = append(problems, m.judge(r, &c)...)
	if final := r.text("final_snapshot_name", m.FinalSnapshotName); !m.FinalSnapshotName.IsNull() && !r.unknown["final_snapshot_name"] {
		if err := spec.CheckName(final); err != nil {
			problems = append(problems, spec.Problem{Path: "final_snapshot_name", Message: err.Error()})
		}
	}
	return c, problems, clusterAttributes(nameField, c.AvailabilityZones)
}

// judge are the problems of a cluster that are about what is known.
func (m *clusterModel) judge(r *reader, c *spec.Cluster) spec.Problems {
	problems := r.judge(c.Validate())
	// The windows' defaults follow from the name, and one from the other.
	if r.unknown["maintenance_window"] || r.unknown["name"] || r.unknown["name_prefix"] || m.Name.IsNull() || m.Name.IsUnknown() {
		kept := problems[:0]
		for _, p := range problems {
			if _, err := spec.ParseDailyWindow(c.SnapshotWindow); p.Path == "snapshot_window" && err == nil && m.MaintenanceWindow.ValueString() == "" {
				continue
			}
			kept = append(kept, p)
		}
		problems = kept
	}
	return problems
}

func clusterAttributes(nameField string, zones []string) attributes {
	return attributes{
		renamed: map[string]path.Path{"name": path.Root(nameField)},
		sets:    map[string][]string{"availability_zones": zones},
		maps:    map[string]bool{"tags": true},
	}
}

// lossText is why a replacement is refused.
func lossText(what []string, configured bool) string {
	text := fmt.Sprintf("A change of %s takes another cluster: this one would be deleted with all its data. ", quoted(what))
	if configured {
		return text + "Its final_snapshot_name is in the configuration and not in the state yet, by which Terraform deletes: apply that first, then make this change."
	}
	return text + "Name a final_snapshot_name and apply that, then make this change, with snapshot_name if the new cluster is to begin with the data; " +
		"or set prevent_data_loss = false if it may be lost."
}

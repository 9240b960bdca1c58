package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/listplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
)

// defaultDescription is what resources of the AWS provider have.
const defaultDescription = "Managed by Terraform"

// notEmpty refuses "", which would be another way to leave a value out.
var notEmpty = []validator.String{stringvalidator.LengthAtLeast(1)}

// clusterTimeout bounds the waiting for a change of a cluster: a restore takes as long
// as its data is large.
const clusterTimeout = 2 * time.Hour

// Schema implements resource.Resource.
func (r *clusterResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attributes := nameAttributes("cluster")
	for _, more := range []map[string]schema.Attribute{clusterArguments(), clusterSource(), clusterComputed()} {
		for name, a := range more {
			attributes[name] = a
		}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A cluster: a primary and its replicas, which the control plane places on hosts in different availability zones " +
			"and replaces when they fail. All arguments change in place but these: " + quoted(spec.Replaces) + ".",
		Attributes: attributes,
		Blocks: map[string]schema.Block{"timeouts": timeouts.Block(ctx, timeouts.Opts{
			Create: true, Update: true, Delete: true,
			CreateDescription: timeoutText("creation or a restore") + " The apply ends with a warning then, since an error would taint; a postcondition on `status` makes it one that does not.",
			UpdateDescription: timeoutText("a change"),
			DeleteDescription: "How long to wait for the end of a deletion, its final snapshot included. Default `" + shortDuration(clusterTimeout) + "`.",
		})},
	}
}

func timeoutText(what string) string {
	return "How long to wait for the end of " + what + ". Default `" + shortDuration(clusterTimeout) + "`. What takes longer goes on, and the next apply waits for the rest."
}

// shortDuration is a duration of whole minutes as people write it.
func shortDuration(d time.Duration) string { return fmt.Sprintf("%dm", int(d.Minutes())) }

func quoted(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

// clusterArguments are those that change in place, and those that a cluster has once
// and for all.
func clusterArguments() map[string]schema.Attribute {
	keep := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	return map[string]schema.Attribute{
		"description": schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString(defaultDescription),
			MarkdownDescription: "Text for people."},
		"num_shards": schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(1),
			MarkdownDescription: "Number of shards. 1 is all there can be without cluster mode, which does not exist yet."},
		"num_replicas_per_shard": schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(1),
			MarkdownDescription: fmt.Sprintf("Replicas of each shard beside its primary, 0 to %d. Default 1.", spec.MaxReplicas)},
		"node_memory": schema.StringAttribute{Required: true, CustomType: sizeType{},
			MarkdownDescription: "What each node may use in all, such as `2GiB`; it stands where MemoryDB has `node_type`."},
		"port": schema.Int64Attribute{Optional: true, Computed: true,
			MarkdownDescription: "Port that clients connect to. Default: any that the hosts have free. Cannot be changed in place."},
		"acl_name": schema.StringAttribute{Required: true,
			MarkdownDescription: "ACL whose users may log in; `open-access` lets everybody in without a password."},
		"parameter_group_name": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true, Default: stringdefault.StaticString(spec.DefaultParameterGroup),
			MarkdownDescription: "Parameter group whose settings the nodes have. Default `default`."},
		"engine_version": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true, PlanModifiers: keep,
			MarkdownDescription: "Version of the engine, one that a host has. A newer one is rolled out node by node; once a node was given it, there is no way back. Default: the newest that enough hosts for its nodes have when the cluster is created."},
		"tls_enabled": schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether clients connect over TLS. Default true. Cannot be changed in place."},
		"cluster_mode": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true, Default: stringdefault.StaticString(spec.ModeDisabled),
			MarkdownDescription: "`disabled`, until there is another."},
		"snapshot_retention_limit": schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(0),
			MarkdownDescription: "Days that automatic snapshots are kept, at most 35; 0, the default, is none."},
		"snapshot_window": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true, PlanModifiers: keep,
			MarkdownDescription: "When automatic snapshots are made, in UTC, such as `05:00-09:00`. Must not overlap `maintenance_window`. Default: an hour of the night."},
		"maintenance_window": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true, PlanModifiers: keep,
			MarkdownDescription: "Kept for the move from `aws_memorydb_cluster`, in UTC, such as `sun:23:00-mon:01:30`: what is asked for, and what a failure makes necessary, is done at once and not only then. Default: an hour of a night."},
		"availability_zones": schema.SetAttribute{Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Availability zones that the nodes may be in. Default: all that have hosts."},
		"tags": schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Tags."},
		"final_snapshot_name": schema.StringAttribute{Validators: notEmpty, Optional: true,
			MarkdownDescription: "Snapshot that is made when the cluster is deleted. It must be applied before the deletion is planned: Terraform deletes by what is in the state."},
		"prevent_data_loss": schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Refuse plans that replace the cluster without a `final_snapshot_name`. Default true. " +
				"Replacements that Terraform does not tell the provider of (`-replace`, `replace_triggered_by`) cannot be refused; `lifecycle.prevent_destroy` does."},
	}
}

// clusterSource are the arguments that only say how a cluster begins.
func clusterSource() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"snapshot_name": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true,
			MarkdownDescription: "Snapshot that a new cluster begins with. Taking it away later changes nothing; another one is another cluster.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"snapshot_uris": schema.ListAttribute{Optional: true, Computed: true, ElementType: types.StringType,
			MarkdownDescription: "RDB files that a new cluster begins with, such as `s3://bucket/dump.rdb`, in the store that the hosts use. Not together with `snapshot_name`.",
			PlanModifiers:       []planmodifier.List{listplanmodifier.UseStateForUnknown()}},
	}
}

func clusterComputed() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"status":               schema.StringAttribute{Computed: true, MarkdownDescription: statusText},
		"engine_patch_version": schema.StringAttribute{Computed: true, MarkdownDescription: patchText},
		"ca_certificate": schema.StringAttribute{Computed: true, MarkdownDescription: authorityText,
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"cluster_endpoint": schema.ListNestedAttribute{Computed: true, MarkdownDescription: endpointText,
			NestedObject: schema.NestedAttributeObject{Attributes: endpointAttributes()}},
		"shards": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The shards.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"name":      schema.StringAttribute{Computed: true, MarkdownDescription: "Name, such as `0001`."},
				"slots":     schema.StringAttribute{Computed: true, MarkdownDescription: "Slots, such as `0-16383`."},
				"num_nodes": schema.Int64Attribute{Computed: true, MarkdownDescription: "How many nodes it has."},
				"nodes": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The nodes.",
					NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
						"name":              schema.StringAttribute{Computed: true, MarkdownDescription: "Name, such as `shop-0001-001`."},
						"availability_zone": schema.StringAttribute{Computed: true, MarkdownDescription: "Availability zone of its host."},
						"role":              schema.StringAttribute{Computed: true, MarkdownDescription: "`primary`, `replica` or `loading`."},
						"create_time":       schema.StringAttribute{Computed: true, MarkdownDescription: "When it was made."},
						"endpoint": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "Where it serves, a list of one.",
							NestedObject: schema.NestedAttributeObject{Attributes: endpointAttributes()}},
					}}},
			}}},
	}
}

const (
	statusText    = "What is being done with it: `creating`, `available`, `modifying`, `snapshotting`, `deleting` or `create-failed`."
	authorityText = "Certificate of the cluster's authority, PEM, by which clients verify the nodes; empty without TLS."
	patchText     = "The oldest engine that one of its nodes runs."
	endpointText  = "Where clients connect to, the primary: a list of one, or of none while there is no primary."
)

func endpointAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"address": schema.StringAttribute{Computed: true, MarkdownDescription: "Host name or IP address."},
		"port":    schema.Int64Attribute{Computed: true, MarkdownDescription: "Port."},
	}
}

// The types of what is computed.
var (
	endpointObject = map[string]attr.Type{"address": types.StringType, "port": types.Int64Type}
	nodeObject     = map[string]attr.Type{
		"name": types.StringType, "availability_zone": types.StringType, "role": types.StringType, "create_time": types.StringType,
		"endpoint": types.ListType{ElemType: types.ObjectType{AttrTypes: endpointObject}},
	}
	shardObject = map[string]attr.Type{
		"name": types.StringType, "slots": types.StringType, "num_nodes": types.Int64Type,
		"nodes": types.ListType{ElemType: types.ObjectType{AttrTypes: nodeObject}},
	}
)

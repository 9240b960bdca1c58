package provider

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const main = "redoubt_cluster.main"

func cluster(arguments string) string {
	return `resource "redoubt_cluster" "main" {
		name        = "main"
		node_memory = "1GiB"
		acl_name    = "open-access"
		` + arguments + `
	}`
}

func action(address string, a plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, a)}}
}

func value(address, attribute string, want knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), want)
}

func TestClusterLifecycle(t *testing.T) {
	c := startControl(t)
	steps(t,
		resource.TestStep{Config: cluster(""), ConfigStateChecks: []statecheck.StateCheck{
			value(main, "id", knownvalue.StringExact("main")),
			value(main, "description", knownvalue.StringExact("Managed by Terraform")),
			value(main, "status", knownvalue.StringExact("available")),
			value(main, "engine_version", knownvalue.StringExact("1.2.0")),
			value(main, "port", knownvalue.Int64Exact(6379)),
			value(main, "tls_enabled", knownvalue.Bool(true)),
			value(main, "prevent_data_loss", knownvalue.Bool(true)),
			value(main, "tags", knownvalue.Null()),
			value(main, "cluster_endpoint", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
				"address": knownvalue.StringExact("127.0.0.1"), "port": knownvalue.Int64Exact(6379),
			})})),
			statecheck.ExpectKnownValue(main, tfjsonpath.New("shards").AtSliceIndex(0).AtMapKey("nodes").AtSliceIndex(1).AtMapKey("role"), knownvalue.StringExact("replica")),
		}},
		resource.TestStep{ResourceName: main, ImportState: true, ImportStateId: "main", ImportStateVerify: true},
		// What moves no node leaves the endpoint known.
		resource.TestStep{
			Config: cluster("description = \"the shop's\"\ntags = { team = \"shop\" }\nsnapshot_retention_limit = 3"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(main, plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(main, tfjsonpath.New("cluster_endpoint").AtSliceIndex(0).AtMapKey("port"), knownvalue.Int64Exact(6379)),
			}},
		},
		// What moves nodes does not.
		resource.TestStep{
			Config: cluster("num_replicas_per_shard = 2\nparameter_group_name = \"default\"\navailability_zones = [\"b\", \"a\", \"c\"]"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(main, plancheck.ResourceActionUpdate),
				plancheck.ExpectUnknownValue(main, tfjsonpath.New("cluster_endpoint")),
			}},
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(main, tfjsonpath.New("shards").AtSliceIndex(0).AtMapKey("num_nodes"), knownvalue.Int64Exact(3)),
				value(main, "tags", knownvalue.Null()),
			},
		},
		// The same amount, written otherwise, is no change.
		resource.TestStep{
			Config:           cluster("num_replicas_per_shard = 2\navailability_zones = [\"b\", \"a\", \"c\"]\ntimeouts {\n create = \"5m\" \n}"),
			ConfigPlanChecks: action(main, plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			Config:           regexp.MustCompile("1GiB").ReplaceAllString(cluster("num_replicas_per_shard = 2\navailability_zones = [\"b\", \"a\", \"c\"]\ntimeouts {\n create = \"5m\" \n}"), "1024mb"),
			ConfigPlanChecks: action(main, plancheck.ResourceActionNoop),
		},
		resource.TestStep{Config: cluster("num_replicas_per_shard = 0\nfinal_snapshot_name = \"last\"\ntags = {}\navailability_zones = []")},
		resource.TestStep{Config: cluster("num_replicas_per_shard = 0\nfinal_snapshot_name = \"last\"") + `
			data "redoubt_cluster" "main" {
				name = redoubt_cluster.main.name
			}`,
			ConfigStateChecks: []statecheck.StateCheck{
				value("data.redoubt_cluster.main", "status", knownvalue.StringExact("available")),
				value("data.redoubt_cluster.main", "node_memory", knownvalue.StringExact("1GiB")),
			}},
	)
	snap, err := c.client.Snapshots.Get(t.Context(), "last")
	if err != nil || snap.Spec.ClusterName != "main" {
		t.Errorf("the final snapshot: %+v, %v", snap, err)
	}
	if _, err := c.client.Clusters.Get(t.Context(), "main"); err == nil {
		t.Error("the cluster is still there")
	}
}

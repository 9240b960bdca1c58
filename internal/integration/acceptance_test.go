package integration

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	tfstate "github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/provider"
)

// acceptanceCluster is a cluster that needs no password, on hosts that serve this
// machine alone.
func acceptanceCluster(arguments string) string {
	return `resource "redoubt_cluster" "main" {
		name        = "accepted"
		node_memory = "256MiB"
		acl_name    = "open-access"
		tls_enabled = false
		` + arguments + `
	}`
}

// passesAcceptance runs the provider as Terraform's own acceptance tests do, which also
// look after each step whether the next plan is empty, on a control plane with real hosts.
func passesAcceptance(t *testing.T, platform *terraform) {
	const main = "redoubt_cluster.main"
	for _, v := range platform.env {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "REDOUBT_") {
			t.Setenv(name, value)
		}
	}
	program, err := exec.LookPath("terraform")
	must(t, err)
	t.Setenv("TF_ACC_TERRAFORM_PATH", program)
	t.Setenv("TF_ACC_TEMP_DIR", t.TempDir())
	update := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(main, plancheck.ResourceActionUpdate)}}
	nodes := func(n int64) []statecheck.StateCheck {
		return []statecheck.StateCheck{
			statecheck.ExpectKnownValue(main, tfjsonpath.New("status"), knownvalue.StringExact("available")),
			statecheck.ExpectKnownValue(main, tfjsonpath.New("shards").AtSliceIndex(0).AtMapKey("num_nodes"), knownvalue.Int64Exact(n)),
		}
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
			"redoubt": providerserver.NewProtocol6WithError(provider.New("test")()),
		},
		Steps: []resource.TestStep{
			{Config: acceptanceCluster(""), ConfigStateChecks: nodes(2), Check: atEndpoint(t, main, func(ctx context.Context, db *redis.Client) error {
				return db.Set(ctx, "k", "v", 0).Err()
			})},
			{ResourceName: main, ImportState: true, ImportStateId: "accepted", ImportStateVerify: true},
			{Config: acceptanceCluster("num_replicas_per_shard = 2"), ConfigPlanChecks: update, ConfigStateChecks: nodes(3)},
			{Config: acceptanceCluster("num_replicas_per_shard = 0\nfinal_snapshot_name = \"accepted-last\""), ConfigPlanChecks: update, ConfigStateChecks: nodes(1)},
			{Config: acceptanceCluster("num_replicas_per_shard = 0\nfinal_snapshot_name = \"accepted-last\""), Destroy: true},
			{Config: acceptanceCluster("snapshot_name = \"accepted-last\"\nprevent_data_loss = false"), ConfigStateChecks: nodes(2),
				Check: atEndpoint(t, main, func(ctx context.Context, db *redis.Client) error {
					if v, err := db.Get(ctx, "k").Result(); err != nil || v != "v" {
						return fmt.Errorf("after the restore: %q, %v", v, err)
					}
					return nil
				})},
		},
	})
	_, err = platform.api.Snapshots.Delete(t.Context(), "accepted-last")
	must(t, err)
}

// atEndpoint has a client do something at the endpoint that Terraform knows of.
func atEndpoint(t *testing.T, address string, do func(ctx context.Context, db *redis.Client) error) resource.TestCheckFunc {
	return func(s *tfstate.State) error {
		at := s.RootModule().Resources[address].Primary.Attributes
		db := redis.NewClient(&redis.Options{Addr: at["cluster_endpoint.0.address"] + ":" + at["cluster_endpoint.0.port"]})
		defer db.Close()
		testenv.Eventually(t, soon, "an answer at the endpoint", func(ctx context.Context) error { return do(ctx, db) })
		return nil
	}
}

package provider

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/redoubtdb/redoubt/control/wire"
)

func stamped(prefix string) *regexp.Regexp {
	return regexp.MustCompile("^" + prefix + `\d{18}[0-9a-f]{8}$`)
}

// words matches a text however Terraform has broken its lines.
func words(text string) *regexp.Regexp {
	return regexp.MustCompile(regexp.MustCompile(`\s+`).ReplaceAllString(regexp.QuoteMeta(text), `[\s│]+`))
}

func TestRefusedWhenPlanned(t *testing.T) {
	startControl(t)
	var all []resource.TestStep
	for _, k := range []struct{ config, want string }{
		{cluster("num_shards = 2"), "num_shards = 2"},
		{cluster("num_shards = 2"), "Cluster mode does not exist yet: it must be 1, not 2."},
		{cluster(`cluster_mode = "enabled"`), `it must be "disabled", not "enabled".`},
		{cluster("num_replicas_per_shard = 9"), "Must be between 0 and 5, not 9."},
		{cluster("port = 80"), "Must be between 1024 and 65535"},
		{cluster(`snapshot_window = "late"`), "Must be two times of the day in UTC"},
		{cluster("maintenance_window = \"mon:05:00-mon:06:00\"\nsnapshot_window = \"05:30-06:30\""), "Must not overlap the maintenance window"},
		{cluster(`engine_version = "newest"`), `Must be a version such as 1.4.0, not "newest".`},
		{cluster(`engine_version = ""`), "string length must be at least 1"},
		{cluster(`name_prefix = "x-"`), `"name_prefix" cannot be specified when "name" is specified`},
		{cluster(`final_snapshot_name = "Last"`), "Must begin with a lowercase letter"},
		{cluster("snapshot_name = \"s\"\nsnapshot_uris = [\"s3://b/x.rdb\"]"), "not with both"},
		{cluster(`snapshot_uris = ["s3://b/x.rdb", "http://b/x"]`), "Must be an RDB file such as"},
		{cluster(`availability_zones = ["a", "b c"]`), `not "b c".`},
		{cluster(`tags = { "" = "x" }`), "the key must have 1 to 128 characters"},
		{words("1GiB").ReplaceAllString(cluster(""), "plenty"), `is not a size such as 8MiB or 256mb.`},
		{user("app", "on +@reed", passwords(1, "a long password 1")), "there is no such category"},
		{user("app", "on >secret", passwords(1, "a long password 1")), "Must not have passwords"},
		{user("app", "on +@read", passwords(1, "short")), "Must have 16 to 128 bytes, not 5."},
		{user("app", "on +@read", passwords(1, "a long password 1", "a long password 1")), "Is the same as the first."},
		{user("app", "on +@read", `type = "password"`), `One or two passwords must be given, or type "no-password-required".`},
		{user("app", "on +@read", `type = "iam"`), `Must be "password" or "no-password-required", not "iam".`},
		{user("app", "on +@read", "type = \"no-password-required\"\npasswords_wo_version = 1\npasswords_wo = [\"a long password 1\"]"), "Must not be given when authentication is"},
		{user("app", "on +@read", "type = \"password\"\npasswords_wo = [\"a long password 1\"]"), "passwords_wo_version"},
		{`resource "redoubt_parameter_group" "g" {
			name = "g"
			parameter {
				name  = "timeout"
				value = "soon"
			}
		}`, `timeout: must be a whole number between 0 and 2147483647, not "soon".`},
		{`resource "redoubt_parameter_group" "g" {
			name = "g"
			parameter {
				name  = "maxmemory"
				value = "1gb"
			}
		}`, "it follows from the cluster's node_memory"},
		{`resource "redoubt_acl" "a" { name = "-a" }`, "Must begin with a lowercase letter"},
		{`resource "redoubt_acl" "a" { name_prefix = "much-too-long-to-begin-a-name" }`, "Must have at most 40 characters"},
		{`resource "redoubt_acl" "a" {
			name       = "a"
			user_names = ["Ada"]
		}`, "Must begin with a lowercase letter"},
	} {
		all = append(all, resource.TestStep{Config: k.config, PlanOnly: true, ExpectError: words(k.want)})
	}
	steps(t, all...)
}

func TestRefusedByTheControlPlane(t *testing.T) {
	startControl(t)
	steps(t,
		resource.TestStep{Config: regexp.MustCompile("open-access").ReplaceAllString(cluster(""), "nobody"), ExpectError: words("There is no acls/nobody: make it first.")},
		resource.TestStep{Config: regexp.MustCompile("open-access").ReplaceAllString(cluster(""), "nobody"), ExpectError: regexp.MustCompile(`acl_name += "nobody"`)},
		resource.TestStep{Config: `data "redoubt_cluster" "x" { name = "nowhere" }`, ExpectError: words("Cluster nowhere could not be read")},
	)
}

// TestEngines: one that no host has is refused; one that was asked for and not begun is
// taken back.
func TestEngines(t *testing.T) {
	c := startControl(t)
	engine := func(v string) string { return cluster(`engine_version = "` + v + `"`) }
	const unknown = "No host has engine 9.9.9: there is 1.0.0, 1.2.0, 1.3.0."
	steps(t,
		resource.TestStep{Config: engine("9.9.9"), ExpectError: words(unknown)},
		resource.TestStep{Config: engine("9.9.9"), ExpectError: regexp.MustCompile(`engine_version += "9.9.9"`)},
		resource.TestStep{Config: cluster(""), ConfigStateChecks: []statecheck.StateCheck{value(main, "engine_version", knownvalue.StringExact("1.2.0"))}},
		resource.TestStep{Config: engine("9.9.9"), ExpectError: words(unknown)},
		resource.TestStep{PreConfig: func() { c.failing("clusters/main", "there is no room") }, Config: engine("1.3.0"), ExpectError: words("failed: there is no room")},
		resource.TestStep{PreConfig: func() { c.failing("clusters/main", "") }, Config: engine("1.2.0"),
			ConfigStateChecks: []statecheck.StateCheck{value(main, "engine_version", knownvalue.StringExact("1.2.0"))}},
		resource.TestStep{Config: engine("1.3.0")},
		resource.TestStep{Config: engine("1.2.0"), PlanOnly: true, ExpectError: words("Cannot go back from 1.3.0 to 1.2.0")},
	)
}

func TestReplacementIsRefused(t *testing.T) {
	c := startControl(t)
	steps(t,
		resource.TestStep{Config: cluster("")},
		resource.TestStep{Config: cluster("tls_enabled = false"), PlanOnly: true, ExpectError: words("The cluster's data would be lost")},
		resource.TestStep{Config: cluster("port = 7000"), PlanOnly: true, ExpectError: words("Name a final_snapshot_name and apply that")},
		resource.TestStep{Config: cluster("port = 7000\nfinal_snapshot_name = \"last\""), PlanOnly: true, ExpectError: words("not in the state yet")},
		resource.TestStep{Config: cluster(`engine_version = "1.0.0"`), PlanOnly: true, ExpectError: words("Cannot go back from 1.2.0 to 1.0.0")},
		resource.TestStep{Config: cluster(`final_snapshot_name = "last"`)},
		resource.TestStep{Config: cluster("port = 7000\nfinal_snapshot_name = \"last\""), ConfigPlanChecks: action(main, plancheck.ResourceActionReplace)},
		// The name is taken now, by the snapshot of the cluster before.
		resource.TestStep{Config: cluster("port = 7001\nfinal_snapshot_name = \"last\""), PlanOnly: true, ExpectError: words("The final snapshot exists already")},
		resource.TestStep{Config: cluster("port = 7001\nprevent_data_loss = false\nfinal_snapshot_name = \"later\""), PlanOnly: true, ExpectError: words("The final snapshot exists already")},
		resource.TestStep{Config: cluster("port = 7000\nprevent_data_loss = false")},
		resource.TestStep{Config: cluster("port = 7001\nprevent_data_loss = false"), ConfigPlanChecks: action(main, plancheck.ResourceActionReplace)},
	)
	if _, err := c.client.Snapshots.Get(t.Context(), "last"); err != nil {
		t.Error(err)
	}
}

func TestGeneratedNames(t *testing.T) {
	startControl(t)
	const all = `
		resource "redoubt_acl" "prefixed" { name_prefix = "a-" }
		resource "redoubt_acl" "nameless" {}
		resource "redoubt_cluster" "prefixed" {
			name_prefix       = "c-"
			node_memory       = "64MiB"
			acl_name          = redoubt_acl.prefixed.name
			prevent_data_loss = false
		}`
	steps(t,
		resource.TestStep{Config: all, Check: resource.ComposeTestCheckFunc(
			resource.TestMatchResourceAttr("redoubt_acl.prefixed", "name", stamped("a-")),
			resource.TestMatchResourceAttr("redoubt_acl.nameless", "name", stamped("terraform-")),
			resource.TestMatchResourceAttr("redoubt_cluster.prefixed", "name", stamped("c-")),
		)},
		resource.TestStep{ResourceName: "redoubt_acl.prefixed", ImportState: true, ImportStateVerify: true},
		resource.TestStep{ResourceName: "redoubt_cluster.prefixed", ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"prevent_data_loss"}},
	)
}

func TestValuesThatAreNotKnownYet(t *testing.T) {
	startControl(t)
	config := func(n string) string {
		return `
		resource "terraform_data" "v" {
			triggers_replace = "` + n + `"
			input = { name = "main", memory = "1GiB", acl = "open-access", window = "05:00-06:00", zone = "a", replicas = "` + n + `", value = "` + n + `0", type = "no-password-required" }
		}
		resource "redoubt_cluster" "main" {
			name                   = terraform_data.v.output.name
			node_memory            = terraform_data.v.output.memory
			acl_name               = terraform_data.v.output.acl
			num_replicas_per_shard = terraform_data.v.output.replicas
			snapshot_window        = terraform_data.v.output.window
			maintenance_window     = "mon:01:00-mon:02:00"
			availability_zones     = [terraform_data.v.output.zone, "b", "c"]
			tags                   = { zone = terraform_data.v.output.zone }
			prevent_data_loss      = false
		}
		resource "redoubt_user" "app" {
			user_name     = terraform_data.v.output.name
			access_string = "on ~${terraform_data.v.output.zone}:* +@read"
			authentication_mode {
				type = terraform_data.v.output.type
			}
		}
		resource "redoubt_acl" "app" {
			name       = "app"
			user_names = [redoubt_user.app.user_name]
		}
		resource "redoubt_parameter_group" "g" {
			name = "g"
			parameter {
				name  = "timeout"
				value = terraform_data.v.output.value
			}
		}`
	}
	steps(t,
		resource.TestStep{Config: config("1"), ConfigStateChecks: []statecheck.StateCheck{value(main, "num_replicas_per_shard", knownvalue.Int64Exact(1))}},
		resource.TestStep{Config: config("2"), ConfigStateChecks: []statecheck.StateCheck{value(main, "num_replicas_per_shard", knownvalue.Int64Exact(2))}},
	)
}

func TestGoneAndFound(t *testing.T) {
	c := startControl(t)
	steps(t,
		resource.TestStep{Config: cluster("")},
		resource.TestStep{
			PreConfig: func() {
				gone, err := c.client.Clusters.Delete(t.Context(), "main")
				if err == nil {
					err = c.client.Wait(t.Context(), gone.Operation, nil)
				}
				if err != nil {
					t.Error(err)
				}
			},
			Config: cluster(""), ConfigPlanChecks: action(main, plancheck.ResourceActionCreate),
		},
		// One that is being deleted is waited for, then made again.
		resource.TestStep{
			PreConfig: func() {
				c.hold("clusters/main")
				if _, err := c.client.Clusters.Delete(t.Context(), "main"); err != nil {
					t.Error(err)
				}
			},
			Config: cluster(""), PlanOnly: true, ExpectNonEmptyPlan: true,
		},
		resource.TestStep{PreConfig: func() { c.release("clusters/main") }, Config: cluster("")},
		// What others change is shown, and put right.
		resource.TestStep{
			PreConfig: func() {
				now, err := c.client.Clusters.Get(t.Context(), "main")
				if err == nil {
					now, err = c.client.Clusters.Patch(t.Context(), "main", now.Version, map[string]any{"num_replicas_per_shard": 3})
				}
				if err == nil {
					err = c.client.Wait(t.Context(), now.Operation, nil)
				}
				if err != nil {
					t.Error(err)
				}
			},
			Config: cluster(""), ConfigPlanChecks: action(main, plancheck.ResourceActionUpdate),
		},
	)
}

func TestSomebodyElsesIsNotTakenOver(t *testing.T) {
	c := startControl(t)
	in := wire.UserInput{Name: "app", AccessString: "on ~* +@write", Authentication: "no-password-required"}
	if _, err := c.client.Users.Create(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	steps(t, resource.TestStep{Config: user("app", "on ~* +@read", `type = "no-password-required"`), ExpectError: words("If it is to be Terraform's from now on, import it")})
}

package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

func user(name, access, mode string) string {
	return fmt.Sprintf(`resource "redoubt_user" %[1]q {
		user_name     = %[1]q
		access_string = %[2]q
		authentication_mode {
			%[3]s
		}
	}
	`, name, access, mode)
}

func passwords(version int, all ...string) string {
	text := "type = \"password\"\npasswords_wo_version = " + fmt.Sprint(version) + "\npasswords_wo = ["
	for _, p := range all {
		text += fmt.Sprintf("%q,", p)
	}
	return text + "]"
}

func TestUsersAndACLs(t *testing.T) {
	startControl(t)
	app, acl, mode := "redoubt_user.app", "redoubt_acl.main", tfjsonpath.New("authentication_mode").AtSliceIndex(0)
	members := func(names string) string {
		return `resource "redoubt_acl" "main" {
			name       = "main"
			user_names = [` + names + `]
		}
		`
	}
	guest := user("guest", "on ~* +@read", `type = "no-password-required"`)
	steps(t,
		resource.TestStep{
			Config: user("app", "on ~app:* +@all", passwords(1, "a long password 1")) + guest + members("redoubt_user.app.user_name"),
			ConfigStateChecks: []statecheck.StateCheck{
				value(app, "id", knownvalue.StringExact("app")),
				statecheck.ExpectKnownValue(app, mode.AtMapKey("password_count"), knownvalue.Int64Exact(1)),
				statecheck.ExpectKnownValue(app, mode.AtMapKey("passwords_wo"), knownvalue.Null()),
				value(acl, "user_names", knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("app")})),
			},
		},
		resource.TestStep{ResourceName: app, ImportState: true, ImportStateId: "app", ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"authentication_mode.0.passwords_wo_version"}},
		resource.TestStep{ResourceName: acl, ImportState: true, ImportStateId: "main", ImportStateVerify: true},
		resource.TestStep{
			Config: user("app", "on ~app:* +@read", passwords(1, "a long password 1")) + guest + members("redoubt_user.app.user_name, redoubt_user.guest.user_name") + `
				data "redoubt_user" "app" { user_name = redoubt_user.app.user_name }
				data "redoubt_acl" "main" { name = redoubt_acl.main.name }`,
			ConfigPlanChecks: action(app, plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{
				value("data.redoubt_user.app", "access_string", knownvalue.StringExact("on ~app:* +@read")),
				statecheck.ExpectKnownValue("data.redoubt_user.app", mode.AtMapKey("type"), knownvalue.StringExact("password")),
				value("data.redoubt_acl.main", "user_names", knownvalue.SetSizeExact(2)),
				value("data.redoubt_acl.main", "status", knownvalue.StringExact("active")),
				value("data.redoubt_user.app", "status", knownvalue.StringExact("active")),
			},
		},
		// A user leaves his ACL and goes, in one apply.
		resource.TestStep{Config: user("app", "on ~app:* +@read", passwords(1, "a long password 1")) + members("redoubt_user.app.user_name")},
		resource.TestStep{
			Config:           user("app", "on ~app:* +@read", `type = "no-password-required"`) + members(""),
			ConfigPlanChecks: action(app, plancheck.ResourceActionUpdate),
		},
	)
}

func TestPasswordsAreSentWhenTheirVersionChanges(t *testing.T) {
	c := startControl(t)
	const first, second, third = "the first password", "the second password", "the third password"
	has := func(all ...string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			u, err := c.store.Users.Get(t.Context(), "app")
			if err != nil {
				return err
			}
			var want []string
			for _, p := range all {
				sum := sha256.Sum256([]byte(p))
				want = append(want, hex.EncodeToString(sum[:]))
			}
			if !slices.Equal(u.Spec.PasswordHashes, want) {
				return fmt.Errorf("the user has other passwords than %q", all)
			}
			return nil
		}
	}
	app := "redoubt_user.app"
	steps(t,
		resource.TestStep{Config: user("app", "on ~* +@all", passwords(1, first)), Check: has(first)},
		// Without another version nothing is sent: Terraform cannot see a change.
		resource.TestStep{Config: user("app", "on ~* +@all", passwords(1, second)), Check: has(first), ConfigPlanChecks: action(app, plancheck.ResourceActionNoop)},
		resource.TestStep{Config: user("app", "on ~* +@read", passwords(1, second)), Check: has(first), ConfigPlanChecks: action(app, plancheck.ResourceActionUpdate)},
		resource.TestStep{Config: user("app", "on ~* +@read", passwords(2, first, second)), Check: has(first, second), ConfigPlanChecks: resource.ConfigPlanChecks{
			PreApply: []plancheck.PlanCheck{plancheck.ExpectKnownValue(app, tfjsonpath.New("authentication_mode").AtSliceIndex(0).AtMapKey("password_count"), knownvalue.Int64Exact(2))},
		}},
		resource.TestStep{Config: user("app", "on ~* +@read", passwords(3, third)), Check: has(third)},
	)
}

func TestParameterGroups(t *testing.T) {
	c := startControl(t)
	group := func(prefix, blocks string) string {
		return `resource "redoubt_parameter_group" "g" {
			` + prefix + `
			` + blocks + `
		}
		`
	}
	const g = "redoubt_parameter_group.g"
	timeout := `parameter {
		name  = "timeout"
		value = "300"
	}
	`
	steps(t,
		resource.TestStep{Config: group(`name = "g"`, timeout), ConfigStateChecks: []statecheck.StateCheck{
			value(g, "family", knownvalue.StringExact(spec.Family)), value(g, "parameter", knownvalue.SetSizeExact(1)),
		}},
		resource.TestStep{ResourceName: g, ImportState: true, ImportStateId: "g", ImportStateVerify: true},
		resource.TestStep{
			Config: group(`name = "g"`+"\ndescription = \"slow\"", timeout+`parameter {
				name  = "slowlog-max-len"
				value = "256"
			}`) + `data "redoubt_parameter_group" "g" { name = redoubt_parameter_group.g.name }`,
			ConfigPlanChecks:  action(g, plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value("data.redoubt_parameter_group.g", "parameter", knownvalue.SetSizeExact(2))},
		},
		resource.TestStep{Config: group(`name = "g"`, ""), ConfigPlanChecks: action(g, plancheck.ResourceActionUpdate)},
		resource.TestStep{Config: group(`name_prefix = "g-"`, ""), ConfigPlanChecks: action(g, plancheck.ResourceActionReplace),
			Check: resource.TestMatchResourceAttr(g, "name", stamped("g-"))},
	)
	all, err := c.client.ParameterGroups.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("left behind: %+v, %v", all, err)
	}
}

func TestSnapshots(t *testing.T) {
	c := startControl(t)
	const s = "redoubt_snapshot.s"
	snapshot := func(more string) string {
		return cluster("final_snapshot_name = \"last\"") + `
		resource "redoubt_snapshot" "s" {
			name         = "s"
			cluster_name = redoubt_cluster.main.name
			` + more + `
		}
		`
	}
	steps(t,
		resource.TestStep{Config: snapshot(""), ConfigStateChecks: []statecheck.StateCheck{
			value(s, "status", knownvalue.StringExact("available")), value(s, "source", knownvalue.StringExact("manual")),
			statecheck.ExpectKnownValue(s, tfjsonpath.New("cluster_configuration").AtSliceIndex(0).AtMapKey("name"), knownvalue.StringExact("main")),
			statecheck.ExpectKnownValue(s, tfjsonpath.New("uris").AtSliceIndex(0), knownvalue.StringExact("s3://redoubt/main/s.rdb")),
		}},
		resource.TestStep{ResourceName: s, ImportState: true, ImportStateId: "s", ImportStateVerify: true},
		resource.TestStep{Config: snapshot(`tags = { keep = "yes" }`) + `data "redoubt_snapshot" "s" { name = redoubt_snapshot.s.name }`,
			ConfigPlanChecks:  action(s, plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value("data.redoubt_snapshot.s", "size", knownvalue.Int64Exact(4096))}},
		// A cluster that begins with it, and no longer says so.
		resource.TestStep{Config: snapshot(`tags = { keep = "yes" }`) + restored("snapshot_name = redoubt_snapshot.s.name"),
			ConfigStateChecks: []statecheck.StateCheck{value("redoubt_cluster.second", "snapshot_name", knownvalue.StringExact("s"))}},
		resource.TestStep{Config: snapshot(`tags = { keep = "yes" }`) + restored(""), ConfigPlanChecks: action("redoubt_cluster.second", plancheck.ResourceActionNoop)},
	)
	ops, err := c.client.Operations(t.Context(), "clusters/second", 10)
	if err != nil || !slices.ContainsFunc(ops, func(o wire.Operation) bool { return o.Kind == wire.OpRestore }) {
		t.Errorf("no restore among %+v, %v", ops, err)
	}
}

func restored(more string) string {
	return `resource "redoubt_cluster" "second" {
		name                = "second"
		node_memory         = "1GiB"
		acl_name            = "open-access"
		` + more + `
	}
	`
}

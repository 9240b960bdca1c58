package integration

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// terraform runs the real terraform in a directory.
type terraform struct {
	t   *testing.T
	dir string
	env []string
	api *client.Client
}

// run runs a command of terraform, which may end with one of these exit codes.
func (tf *terraform) run(codes []int, args ...string) string {
	tf.t.Helper()
	program, err := exec.LookPath("terraform")
	if err != nil {
		tf.t.Fatal("terraform is missing: install Terraform 1.11 or later, https://developer.hashicorp.com/terraform/install, and put it on the PATH")
	}
	ctx, cancel := context.WithTimeout(tf.t.Context(), 5*time.Minute)
	defer cancel()
	out, code, err := testenv.Run(ctx, testenv.Command{Name: "terraform", Path: program, Args: args, Dir: tf.dir, Env: tf.env})
	for _, c := range codes {
		if err == nil && code == c {
			return out
		}
	}
	tf.t.Fatalf("terraform %s: exit code %d, %v\n%s", strings.Join(args, " "), code, err, out)
	return ""
}

// start starts a command of terraform.
func (tf *terraform) start(args ...string) *testenv.Process {
	tf.t.Helper()
	program, err := exec.LookPath("terraform")
	must(tf.t, err)
	return testenv.Start(tf.t, testenv.Command{Name: "terraform", Path: program, Args: args, Dir: tf.dir, Env: tf.env})
}

// empty fails the test when there is something left to do.
func (tf *terraform) empty() {
	tf.t.Helper()
	if out := tf.run([]int{0, 2}, "plan", "-detailed-exitcode", "-no-color"); !strings.Contains(out, "No changes.") {
		tf.t.Errorf("the plan is not empty:\n%s", out)
	}
}

func (tf *terraform) output(name string) (value string) {
	tf.t.Helper()
	must(tf.t, json.Unmarshal([]byte(tf.run([]int{0}, "output", "-json", name)), &value))
	return value
}

// startTerraform has terraform init a configuration for a control plane.
func startTerraform(h *hosts, p *controlPlane, config string, env ...string) *terraform {
	t := h.t
	root, mirror := testenv.Root(t), filepath.Join(t.TempDir(), "mirror")
	install := exec.Command(filepath.Join(root, "scripts", "install-provider"), mirror)
	out, err := install.CombinedOutput()
	if err != nil {
		t.Fatalf("scripts/install-provider: %v\n%s", err, out)
	}
	tf := &terraform{t: t, dir: t.TempDir(), env: env}
	must(t, os.WriteFile(filepath.Join(tf.dir, "main.tf"), []byte(config), 0o600))
	rc := filepath.Join(tf.dir, "terraform.rc")
	must(t, os.WriteFile(rc, []byte("provider_installation {\n  filesystem_mirror {\n    path = \""+mirror+"\"\n  }\n}\n"), 0o600))
	tf.env = append(tf.env, "TF_CLI_CONFIG_FILE="+rc, "CHECKPOINT_DISABLE=1")
	tf.asks(h, p)
	tf.run([]int{0}, "init", "-no-color")
	return tf
}

// asks has the provider turn to a control plane.
func (tf *terraform) asks(h *hosts, p *controlPlane) {
	api, secret := h.client(p, wire.Operate)
	tf.api = api
	tf.env = append(tf.env, "REDOUBT_API="+p.url, "REDOUBT_TOKEN="+string(secret), "REDOUBT_API_CA="+p.ca)
}

// The laptop example makes a cluster that a user of it can use; another number of
// replicas is applied in place; its end leaves a snapshot.
func TestTerraformRunsClusters(t *testing.T) {
	const password = "only for this test"
	h := startHosts(t, 3, nil)
	example, err := os.ReadFile(filepath.Join(testenv.Root(t), "terraform", "examples", "laptop", "main.tf"))
	must(t, err)
	tf := startTerraform(h, h.control("control"), string(example), "TF_VAR_password="+password)
	tf.run([]int{0}, "apply", "-auto-approve", "-no-color")
	tf.empty()
	rdb := redis.NewClient(&redis.Options{Addr: tf.output("endpoint"), Username: "app", Password: password})
	defer rdb.Close()
	testenv.Eventually(t, 20*time.Second, "a write of the user", func(ctx context.Context) error { return rdb.Set(ctx, "k", "v", 0).Err() })
	if err := rdb.FlushAll(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
		t.Errorf("what the user may not do: %v", err)
	}
	stranger := redis.NewClient(&redis.Options{Addr: tf.output("endpoint")})
	defer stranger.Close()
	if err := stranger.Get(t.Context(), "k").Err(); err == nil || err == redis.Nil {
		t.Errorf("somebody without a password reads: %v", err)
	}
	for _, replicas := range []string{"2", "0"} {
		if out := tf.run([]int{0}, "apply", "-auto-approve", "-no-color", "-var", "replicas="+replicas); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
			t.Errorf("%s replicas:\n%s", replicas, out)
		}
	}
	tf.run([]int{0}, "apply", "-auto-approve", "-no-color")
	tf.empty()
	testenv.Eventually(t, 20*time.Second, "a read of the user", func(ctx context.Context) error {
		now := redis.NewClient(&redis.Options{Addr: tf.output("endpoint"), Username: "app", Password: password})
		defer now.Close()
		return now.Get(ctx, "k").Err()
	})
	tf.run([]int{0}, "destroy", "-auto-approve", "-no-color")
	snap, err := tf.api.Snapshots.Get(t.Context(), "laptop-final")
	must(t, err)
	var status spec.SnapshotStatus
	must(t, json.Unmarshal(snap.Status, &status))
	if status.Status != spec.Available || status.Keys != 1 || len(status.URIs) != 1 {
		t.Fatalf("the final snapshot: %+v", status)
	}
	if out := testenv.AWS(t, h.s3.S3Access, "s3", "ls", status.URIs[0]); !strings.Contains(out, path.Base(status.URIs[0])) {
		t.Errorf("%s is not in S3:\n%s", status.URIs[0], out)
	}
	t.Run("every resource and data source", func(t *testing.T) { runsEveryResource(t, tf) })
	t.Run("acceptance", func(t *testing.T) { passesAcceptance(t, tf) })
	t.Run("a dump of a redis-server", func(t *testing.T) { importsADump(t, tf, h.s3) })
}

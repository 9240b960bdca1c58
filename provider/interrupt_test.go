package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// workspace is a directory that the real terraform works in, with the provider as it is
// installed: a program in a mirror.
type workspace struct {
	t   *testing.T
	dir string
	env []string
}

var plugin = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "mirror")
	path := filepath.Join(dir, filepath.FromSlash(Address), "0.0.1", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-redoubt_v0.0.1")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "../cmd/terraform-provider-redoubt")
	build.Stderr = os.Stderr
	return dir, build.Run()
})

// newWorkspace makes one with a configuration, and has terraform init it.
func newWorkspace(t *testing.T, config string) *workspace {
	t.Helper()
	mirror, err := plugin()
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{t: t, dir: t.TempDir()}
	cli := filepath.Join(w.dir, "terraform.rc")
	w.write("terraform.rc", `provider_installation {
		filesystem_mirror {
			path = "`+mirror+`"
		}
	}`)
	if config != "" {
		w.write("main.tf", `terraform {
			required_providers {
				redoubt = { source = "`+Address+`" }
			}
		}
		`+config)
	}
	w.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+cli, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	if config != "" {
		w.must("init", "-no-color")
	}
	return w
}

func (w *workspace) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workspace) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// running is a terraform that runs.
type running struct {
	*exec.Cmd
	out *bytes.Buffer
}

func (w *workspace) start(args ...string) *running {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	w.t.Cleanup(cancel)
	r := &running{exec.CommandContext(ctx, terraformPath(w.t), args...), &bytes.Buffer{}}
	r.Dir, r.Env, r.Stdout, r.Stderr = w.dir, w.env, r.out, r.out
	// A group of its own, so that what it started can be ended with it.
	r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = syscall.Kill(-r.Process.Pid, syscall.SIGKILL) })
	return r
}

// end waits for a terraform and returns what it printed, in one line, and its exit code.
func (r *running) end() (string, int) {
	_ = r.Wait()
	return strings.Join(strings.Fields(r.out.String()), " "), r.ProcessState.ExitCode()
}

func (w *workspace) must(args ...string) string {
	w.t.Helper()
	out, code := w.start(args...).end()
	if code != 0 {
		w.t.Fatalf("terraform %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (w *workspace) apply() string {
	w.t.Helper()
	return w.must("apply", "-auto-approve", "-no-color")
}

// empty fails the test if there is something left to do.
func (w *workspace) empty() {
	w.t.Helper()
	if out, code := w.start("plan", "-detailed-exitcode", "-no-color").end(); code != 0 {
		w.t.Errorf("the plan is not empty: exit code %d\n%s", code, out)
	}
}

// state counts the resources in the state, and says whether one is tainted.
func (w *workspace) state() (resources int, tainted bool) {
	w.t.Helper()
	var s struct {
		Resources []struct {
			Instances []struct {
				Status string `json:"status"`
			} `json:"instances"`
		} `json:"resources"`
	}
	b, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
	if os.IsNotExist(err) {
		return 0, false
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			tainted = tainted || i.Status == "tainted"
		}
	}
	return len(s.Resources), tainted
}

// begun waits until an operation of a resource is being carried out.
func (c *control) begun(t *testing.T, resource string, kind wire.OpKind) {
	t.Helper()
	testenv.Eventually(t, time.Minute, string(kind)+" of "+resource, func(ctx context.Context) error {
		ops, err := c.client.Operations(ctx, resource, 10)
		if err != nil {
			return err
		}
		for _, op := range ops {
			if op.Kind == kind && op.State == wire.Running {
				return nil
			}
		}
		return os.ErrNotExist
	})
}

func (c *control) created(t *testing.T) time.Time {
	t.Helper()
	now, err := c.client.Clusters.Get(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	return now.Created
}

func TestInterruptedCreationIsFinished(t *testing.T) {
	for _, how := range []struct {
		name   string
		stop   func(*running)
		inside int // resources in the state then
	}{
		{"interrupted", func(r *running) { _ = syscall.Kill(r.Process.Pid, syscall.SIGINT) }, 1},
		{"killed", func(r *running) { _ = syscall.Kill(-r.Process.Pid, syscall.SIGKILL) }, 0},
	} {
		t.Run(how.name, func(t *testing.T) {
			c := startControl(t)
			w := newWorkspace(t, cluster(""))
			c.hold("clusters/main")
			apply := w.start("apply", "-auto-approve", "-no-color", "-lock=false")
			c.begun(t, "clusters/main", wire.OpCreate)
			how.stop(apply)
			out, code := apply.end()
			if code == 0 {
				t.Errorf("an apply that was %s succeeded:\n%s", how.name, out)
			}
			if n, tainted := w.state(); n != how.inside || tainted {
				t.Fatalf("in the state: %d, tainted: %v, want %d, false\n%s", n, tainted, how.inside, out)
			}
			made := c.created(t)
			if out, code := w.start("plan", "-detailed-exitcode", "-no-color", "-lock=false").end(); code != 2 {
				t.Errorf("there is nothing to wait for: exit code %d\n%s", code, out)
			}
			c.release("clusters/main")
			if out := w.apply(); strings.Contains(out, "destroyed, then") || strings.Contains(out, "1 destroyed") {
				t.Errorf("it was made anew:\n%s", out)
			}
			if !c.created(t).Equal(made) {
				t.Error("it is another cluster now")
			}
			w.empty()
			if !strings.Contains(w.read("terraform.tfstate"), `"available"`) {
				t.Error("the state does not say that it is available")
			}
		})
	}
}

func TestTimeoutsAreNoFailures(t *testing.T) {
	c := startControl(t)
	short := "timeouts {\n create = \"300ms\"\n update = \"300ms\"\n delete = \"300ms\"\n}"
	w := newWorkspace(t, cluster(short))
	c.hold("clusters/main")
	out := w.apply()
	if !strings.Contains(out, "Cluster main is not created yet") || !strings.Contains(out, "at step 1 of 3: waiting for a host") {
		t.Errorf("the warning of a creation that takes longer:\n%s", out)
	}
	if n, tainted := w.state(); n != 1 || tainted {
		t.Errorf("in the state: %d, tainted: %v", n, tainted)
	}
	// A change does not stumble over the state that the cluster is in.
	w.write("main.tf", strings.Replace(w.read("main.tf"), short, short+"\nnum_replicas_per_shard = 2", 1))
	if out, code := w.start("apply", "-auto-approve", "-no-color").end(); code != 1 || !strings.Contains(out, "Cluster main is not changed yet") {
		t.Errorf("a change that takes longer: exit code %d\n%s", code, out)
	}
	c.release("clusters/main")
	w.apply()
	w.empty()
	now, err := c.client.Clusters.Get(t.Context(), "main")
	if err != nil || now.Spec.NumReplicasPerShard != 2 || now.Version != 2 {
		t.Errorf("the cluster: %+v, %v", now, err)
	}
	c.hold("clusters/main")
	if out, code := w.start("destroy", "-auto-approve", "-no-color").end(); code != 1 || !strings.Contains(out, "the next apply waits for the rest") {
		t.Errorf("a deletion that takes longer: exit code %d\n%s", code, out)
	}
	c.release("clusters/main")
	w.must("destroy", "-auto-approve", "-no-color")
	if n, _ := w.state(); n != 0 {
		t.Error("something is left in the state")
	}
}

// A postcondition makes an error of a creation that takes longer, and taints nothing:
// the next apply waits for the rest, and judges again.
func TestTimeoutsAreErrorsByAPostcondition(t *testing.T) {
	c := startControl(t)
	w := newWorkspace(t, cluster(`
		timeouts {
			create = "300ms"
		}
		lifecycle {
			postcondition {
				condition     = self.status == "available"
				error_message = "The cluster is ${self.status}."
			}
		}`))
	c.hold("clusters/main")
	if out, code := w.start("apply", "-auto-approve", "-no-color").end(); code != 1 || !strings.Contains(out, "The cluster is creating.") {
		t.Errorf("a creation that takes longer: exit code %d\n%s", code, out)
	}
	if n, tainted := w.state(); n != 1 || tainted {
		t.Errorf("in the state: %d, tainted: %v, want 1, false", n, tainted)
	}
	made := c.created(t)
	c.release("clusters/main")
	if out := w.apply(); strings.Contains(out, "1 destroyed") || !c.created(t).Equal(made) {
		t.Errorf("it was made anew:\n%s", out)
	}
	w.empty()
}

func TestFailures(t *testing.T) {
	c := startControl(t)
	w := newWorkspace(t, cluster(""))
	c.failing("clusters/main", "no host has a gigabyte left")
	if out, code := w.start("apply", "-auto-approve", "-no-color").end(); code != 1 || !strings.Contains(out, "no host has a gigabyte left") {
		t.Errorf("a creation that fails: exit code %d\n%s", code, out)
	}
	if n, tainted := w.state(); n != 1 || !tainted {
		t.Errorf("in the state: %d, tainted: %v, want 1, true", n, tainted)
	}
	c.failing("clusters/main", "")
	w.apply()
	w.empty()
}

func TestSecretsAreNowhere(t *testing.T) {
	c := startControl(t)
	const password = "never to be seen again"
	w := newWorkspace(t, `
		variable "password" {
			type      = string
			ephemeral = true
		}
		`+user("app", "on ~* +@all", "type = \"password\"\npasswords_wo = [var.password]\npasswords_wo_version = 1"))
	w.env = append(w.env, "TF_VAR_password="+password, "TF_LOG=TRACE", "TF_LOG_PATH="+filepath.Join(w.dir, "log"), "TF_LOG_SDK_PROTO_DATA_DIR=")
	out := w.must("plan", "-no-color", "-out=plan") + w.must("apply", "-no-color", "plan") + w.must("show", "-no-color", "-json")
	secret := strings.TrimPrefix(c.token, "rdt_")
	secret = secret[strings.Index(secret, "_")+1:]
	for name, text := range map[string]string{
		"the output": out, "the state": w.read("terraform.tfstate"), "the plan": w.read("plan"), "Terraform's log": w.read("log"), "the control plane's log": c.log.String(),
	} {
		if strings.Contains(text, password) {
			t.Errorf("the password is in %s", name)
		}
		if strings.Contains(text, secret) {
			t.Errorf("the token is in %s", name)
		}
	}
	if u, err := c.client.Users.Get(t.Context(), "app"); err != nil || u.Spec.PasswordCount != 1 {
		t.Errorf("the user: %+v, %v", u, err)
	}
	if log := w.read("log"); !strings.Contains(log, "redoubt_user") {
		t.Error("nothing of the provider is in the log, so this proves nothing")
	}
}

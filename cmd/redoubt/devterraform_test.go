package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// paste is a shell in a copy of terraform/examples/laptop, for what dev prints to copy.
type paste struct {
	t   *testing.T
	dir string
	env []string
	// before is what was pasted into the shell first.
	before string
}

const laptopPassword = "only for this test"

// pasted is what dev printed last between two texts.
func (l *laptop) pasted(after, upTo string) string {
	l.t.Helper()
	log := l.proc.Log()
	at := strings.LastIndex(log, after)
	if at < 0 {
		l.t.Fatalf("dev does not print %q:\n%s", after, log)
	}
	text, _, found := strings.Cut(log[at+len(after):], upTo)
	if !found {
		l.t.Fatalf("dev prints no %q after %q:\n%s", upTo, after, log)
	}
	return text + upTo
}

func (l *laptop) shell() *paste {
	l.t.Helper()
	root, mirror := testenv.Root(l.t), filepath.Join(l.t.TempDir(), "mirror")
	if out, err := exec.Command(filepath.Join(root, "scripts", "install-provider"), mirror).CombinedOutput(); err != nil {
		l.t.Fatalf("scripts/install-provider: %v\n%s", err, out)
	}
	p := &paste{t: l.t, dir: l.t.TempDir()}
	example, err := os.ReadFile(filepath.Join(root, "terraform", "examples", "laptop", "main.tf"))
	if err != nil {
		l.t.Fatal(err)
	}
	p.write("main.tf", string(example))
	p.write("terraform.rc", "provider_installation {\n  filesystem_mirror {\n    path = \""+mirror+"\"\n  }\n}\n")
	p.env = []string{
		"TF_CLI_CONFIG_FILE=" + filepath.Join(p.dir, "terraform.rc"), "CHECKPOINT_DISABLE=1", "TF_VAR_password=" + laptopPassword,
		// Nothing of the user's own.
		"REDOUBT_API=", "REDOUBT_TOKEN=", "REDOUBT_API_CA=", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_PAGER=",
		"PATH=" + filepath.Dir(testenv.Tool(l.t, "aws")) + ":" + os.Getenv("PATH"),
	}
	return p
}

func (p *paste) write(name, content string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run types a line that must succeed, and returns what it printed.
func (p *paste) run(line string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	out, code, err := testenv.Run(ctx, testenv.Command{Name: "sh", Path: "/bin/sh", Args: []string{"-c", p.before + line}, Dir: p.dir, Env: p.env})
	if err != nil || code != 0 {
		p.t.Fatalf("%s: exit code %d, %v\n%s", line, code, err, out)
	}
	return out
}

// applies does what there is to do, so that nothing is left, and tells what it was.
func (p *paste) applies(want, vars string) {
	p.t.Helper()
	if out := p.run("exec terraform apply -auto-approve -no-color" + vars); !strings.Contains(out, want) {
		p.t.Errorf("terraform apply%s, want %q:\n%s", vars, want, out)
	}
	out := p.run("exec terraform plan -no-color" + vars)
	// On a machine this busy a primary may have lost its lease since: then another endpoint is
	// all that has changed.
	moved := strings.Contains(out, "Changes to Outputs:") && !strings.Contains(out, "Plan:")
	if !strings.Contains(out, "No changes.") && !moved {
		p.t.Errorf("the plan%s is not empty:\n%s", vars, out)
	}
}

// redisCLI runs a command by the line that the example has for it, until the answer is what is
// wanted: after a failover, Terraform has to look where the primary is.
func (p *paste) redisCLI(command, want string) {
	p.t.Helper()
	looked := true
	testenv.Eventually(p.t, time.Minute, "redis-cli "+command, func(context.Context) error {
		if !looked {
			p.run("exec terraform apply -refresh-only -auto-approve -no-color")
		}
		looked = false
		out := p.run(`printf '%s\n' "$TF_VAR_password" | $(terraform output -raw redis_cli) ` + command + " 2>&1 || true")
		if !strings.HasSuffix(out, want+"\n") {
			return fmt.Errorf("want %s: %s", want, out)
		}
		return nil
	})
}

// terraform: a new user makes the cluster of the laptop example with what dev prints, the
// variables as the example's page says or the provider block, uses it with redis-cli,
// changes it in place under load, and destroys it; aws lists its final snapshot.
func (l *laptop) terraform() {
	t := l.t
	p := l.shell()
	p.before = l.pasted("with these in the environment:\n", "/token')\n")
	p.run("exec terraform init -no-color")
	p.applies("3 added, 0 changed, 0 destroyed", "")
	p.redisCLI("SET greeting hello", "OK")

	p.before = ""
	p.write("provider_override.tf", l.pasted("with this to paste:\n", "\n}\n"))
	r := startRecorderAs(t, l.addrs(), "app", laptopPassword)
	r.more(50)
	p.applies("0 added, 1 changed, 0 destroyed", " -var replicas=2")
	r.more(50)
	r.end()
	p.redisCLI("GET greeting", "hello")
	r.verify(func() *redis.Client {
		c := redis.NewClient(&redis.Options{Addr: l.cluster("laptop").endpoint(), Username: "app", Password: laptopPassword})
		t.Cleanup(func() { c.Close() })
		return c
	})
	t.Logf("%d writes were acknowledged around a change of replicas by Terraform", len(r.acked))

	p.run("exec terraform destroy -auto-approve -no-color")
	const key = " _deleted/laptop/snapshots/laptop-final/0000.rdb\n"
	if out := p.run(l.pasted("List what is in object storage:\n", "s3://redoubt/\n")); !strings.Contains(out, key) {
		t.Errorf("aws s3 ls has no%s%s", key, out)
	}
}

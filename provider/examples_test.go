package provider

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

const laptop = "../terraform/examples/laptop"

func TestLaptopExample(t *testing.T) {
	c := startControl(t)
	w := newWorkspace(t, "")
	b, err := os.ReadFile(filepath.Join(laptop, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("main.tf", string(b))
	w.env = append(w.env, "TF_VAR_password=only for this test")
	w.must("init", "-no-color")
	w.apply()
	w.empty()
	if out := w.must("output", "-no-color", "redis_cli"); out != `"redis-cli -h 127.0.0.1 -p 6379 --user app --askpass"` {
		t.Errorf("the line for redis-cli: %s", out)
	}
	if out := w.must("apply", "-auto-approve", "-no-color", "-var", "replicas=2"); !strings.Contains(out, "1 changed, 0 destroyed") || !strings.Contains(out, `"laptop-0001-003"`) {
		t.Errorf("another replica:\n%s", out)
	}
	w.must("destroy", "-auto-approve", "-no-color")
	if _, err := c.client.Snapshots.Get(t.Context(), "laptop-final"); err != nil {
		t.Errorf("the final snapshot: %v", err)
	}
}

// The examples of the documentation fit together, and are valid.
func TestDocumentedExamples(t *testing.T) {
	startControl(t)
	w := newWorkspace(t, "")
	err := filepath.WalkDir("examples", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".tf" {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			w.write(strings.ReplaceAll(path, string(filepath.Separator), "-"), string(b))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.must("init", "-no-color")
	w.must("validate", "-no-color")
	for _, dir := range []string{"examples", laptop} {
		path, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		w.must("fmt", "-check", "-recursive", "-no-color", path)
	}
}

// The documentation is that of the schema.
func TestDocumentationIsGenerated(t *testing.T) {
	terraformPath(t)
	fresh := filepath.Join(t.TempDir(), "docs")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, code, err := testenv.Run(ctx, testenv.Command{Name: "provider-docs", Path: "../scripts/provider-docs", Args: []string{fresh}})
	if err != nil || code != 0 {
		t.Fatalf("scripts/provider-docs: exit code %d, %v\n%s", code, err, out)
	}
	want, got := files(t, fresh), files(t, "docs")
	for name, text := range want {
		if got[name] != text {
			t.Errorf("docs/%s is not what scripts/provider-docs writes: run it", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("docs/%s is left over: run scripts/provider-docs", name)
		}
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

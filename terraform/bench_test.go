package terraform_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/awsstub"
)

// The test program is the provider, too: terraform starts it as such.
func TestMain(m *testing.M) {
	if awsstub.StartedByTerraform() {
		if err := awsstub.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const schemaFile = "../.tools/aws-schema.json"

// bench is a copy of this folder with a terraform that finds the stub.
type bench struct {
	dir         string
	environment []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Fatal("terraform is not on the PATH")
	}
	schema, err := awsstub.Load(schemaFile)
	if err != nil {
		t.Fatalf("%v; scripts/aws-schema brings it", err)
	}
	b := &bench{dir: filepath.Join(t.TempDir(), "terraform")}
	text := b.copyTree(t)
	used := schema.Only(typesIn(text, "resource"), typesIn(text, "data"))
	root := t.TempDir()
	used.Provider = schema.Provider
	served := filepath.Join(root, "schema.json")
	if err := used.Save(served); err != nil {
		t.Fatal(err)
	}
	mirror := filepath.Join(root, "mirror")
	b.placeProvider(t, mirror, schema.Version)
	config := filepath.Join(root, "terraform.rc")
	write(t, config, fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror))
	b.environment = append(os.Environ(),
		"TF_CLI_CONFIG_FILE="+config, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1",
		awsstub.SchemaVariable+"="+served,
		"GORACE=atexit_sleep_ms=0") // or the stub, when built with the race detector, ends a second late
	return b
}

// copyTree copies the modules, so that terraform leaves nothing beside them, and
// returns the text of all configurations.
func (b *bench) copyTree(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && entry.Name() == ".terraform" {
				return fs.SkipDir
			}
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".tf" {
			text.Write(content)
		}
		write(t, filepath.Join(b.dir, path), string(content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}

var blockHeader = regexp.MustCompile(`(?m)^(resource|data) "(aws_\w+)"`)

func typesIn(text, keyword string) []string {
	var names []string
	for _, m := range blockHeader.FindAllStringSubmatch(text, -1) {
		if m[1] == keyword {
			names = append(names, m[2])
		}
	}
	return names
}

func (b *bench) placeProvider(t *testing.T, mirror, version string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(mirror, "registry.terraform.io/hashicorp/aws", version,
		runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-aws_v"+version)
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs terraform in a folder of the copy.
func (b *bench) run(folder string, args ...string) (string, error) {
	command := exec.Command("terraform", args...)
	command.Dir = filepath.Join(b.dir, folder)
	command.Env = b.environment
	output, err := command.CombinedOutput()
	return string(output), err
}

func (b *bench) mustRun(t *testing.T, folder string, args ...string) {
	t.Helper()
	if output, err := b.run(folder, args...); err != nil {
		t.Fatalf("terraform %s in %s: %v\n%s", strings.Join(args, " "), folder, err, output)
	}
}

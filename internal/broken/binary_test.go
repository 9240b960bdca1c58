package broken

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// build builds the redoubt program as a release is built, with further flags.
func build(t *testing.T, flags ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "redoubt")
	args := append([]string{"build", "-buildvcs=false"}, flags...)
	cmd := exec.Command("go", append(args, "-o", path, "./cmd/redoubt")...)
	cmd.Dir = testenv.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return path
}

// traces are texts of which a binary that could be switched holds every one.
func traces() []string {
	found := []string{"REDOUBT_BROKEN", "internal/broken.announce"}
	for _, i := range All() {
		found = append(found, string(i.Variant), i.What)
	}
	return found
}

func TestReleaseHoldsNoSwitch(t *testing.T) {
	release, err := os.ReadFile(build(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range traces() {
		if bytes.Contains(release, []byte(s)) {
			t.Errorf("the binary holds %q", s)
		}
	}
}

func TestBrokenBinary(t *testing.T) {
	path := build(t, "-tags", "broken")
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range traces() { // or their absence elsewhere would say nothing
		if !bytes.Contains(binary, []byte(s)) {
			t.Errorf("the binary does not hold %q", s)
		}
	}
	for _, c := range []struct {
		variant string
		code    int
		says    []string
	}{
		{"", 0, []string{"REDOUBT_BROKEN is not set"}},
		{"early-reply", 0, []string{"REDOUBT_BROKEN=early-reply", "replies leave before", "invariant 1"}},
		{"earlyreply", 2, []string{"REDOUBT_BROKEN=earlyreply: there is no such variant", "early-reply", "newer-format"}},
	} {
		cmd := exec.Command(path, "help")
		cmd.Env = append(os.Environ(), "REDOUBT_BROKEN="+c.variant)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%q: exit code %d, want %d", c.variant, got, c.code)
		}
		for _, s := range c.says {
			if !strings.Contains(stderr.String(), s) {
				t.Errorf("%q: %q is not in what it says:\n%s", c.variant, s, &stderr)
			}
		}
	}
}

package testenv

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Redoubt returns the path of the redoubt binary, built from the tree as it is.
// A test under the race detector gets a binary with the race detector. Start it
// with Forbid: RedoubtForbid.
func Redoubt(t TB) string {
	t.Helper()
	return RedoubtWithTags(t)
}

// RedoubtWithTags is Redoubt built with these build tags, beside the other one.
func RedoubtWithTags(t TB, tags ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	kind := "test"
	if raceEnabled {
		kind = "race"
	}
	kind = strings.Join(append([]string{kind}, tags...), "-")
	if built.paths[kind] == "" {
		built.paths[kind] = buildRedoubt(t, kind, tags)
	}
	return built.paths[kind]
}

// RedoubtOfVersion is Redoubt's binary with a version in its build information, as a
// release has it, written below dir under the version's name. The version takes the
// place of "(devel)", and must be as long.
func RedoubtOfVersion(t TB, dir, version string) string {
	t.Helper()
	const unversioned = "mod\tgithub.com/redoubtdb/redoubt\t(devel)\t"
	program, err := os.ReadFile(Redoubt(t))
	if err != nil {
		t.Fatalf("redoubt %s: %v", version, err)
	}
	released := strings.Replace(unversioned, "(devel)", version, 1)
	if !bytes.Contains(program, []byte(unversioned)) || len(released) != len(unversioned) {
		t.Fatalf("redoubt %s: the build has no %q to replace, or the version is not as long", version, unversioned)
	}
	path := filepath.Join(dir, version)
	if err := os.WriteFile(path, bytes.ReplaceAll(program, []byte(unversioned), []byte(released)), 0o755); err != nil {
		t.Fatalf("redoubt %s: %v", version, err)
	}
	return path
}

// RedoubtForbid is what no redoubt process may print.
var RedoubtForbid = []string{"DATA RACE", "panic:", "fatal error:"}

var built = struct {
	sync.Mutex
	paths map[string]string // by kind
}{paths: make(map[string]string)}

// buildRedoubt builds below bin/, under a lock: several packages' tests may want
// the binary at once. A build of an unchanged tree is nearly free.
func buildRedoubt(t TB, kind string, tags []string) string {
	t.Helper()
	root := Root(t)
	dir := filepath.Join(root, "bin", kind)
	args := []string{"build", "-buildvcs=false", "-tags=" + strings.Join(tags, ",")}
	if raceEnabled {
		args = append(args, "-race")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("build redoubt: %v", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatalf("build redoubt: %v", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("build redoubt: lock %s: %v", lock.Name(), err)
	}
	path := filepath.Join(dir, "redoubt")
	cmd := exec.Command("go", append(args, "-o", path, "./cmd/redoubt")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build redoubt: %v\n%s", err, out)
	}
	return path
}

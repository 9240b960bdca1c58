package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// groupTree is a directory that looks like a control group's; the kernel's own files
// in new groups are made as they appear.
func groupTree(t *testing.T, self, controllers string) (mount, selfFile string) {
	t.Helper()
	mount = t.TempDir()
	selfFile = filepath.Join(t.TempDir(), "cgroup")
	must(t, os.WriteFile(selfFile, []byte(self), 0o600))
	unit := filepath.Join(mount, "system.slice/redoubt.service")
	for _, dir := range []string{"agent", "node-n1"} {
		must(t, os.MkdirAll(filepath.Join(unit, dir), 0o700))
	}
	for name, content := range map[string]string{"cgroup.controllers": controllers, "cgroup.subtree_control": "", "agent/cgroup.procs": "", "node-n1/memory.max": ""} {
		must(t, os.WriteFile(filepath.Join(unit, name), []byte(content), 0o600))
	}
	return mount, selfFile
}

func TestGroups(t *testing.T) {
	mount, self := groupTree(t, "0::/system.slice/redoubt.service\n", "cpu memory pids\n")
	g, err := openGroups(mount, self)
	must(t, err)
	attr := apart()
	end, err := g.place(attr, "n1", 1<<30)
	must(t, err)
	if link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", attr.CgroupFD)); err != nil || !attr.UseCgroupFD || link != g.of("n1") {
		t.Errorf("starts in %s, %v", link, err)
	}
	end()
	for name, want := range map[string]string{"agent/cgroup.procs": fmt.Sprint(os.Getpid()), "cgroup.subtree_control": "+memory", "node-n1/memory.max": "1073741824"} {
		if b, err := os.ReadFile(filepath.Join(g.dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	must(t, os.Remove(filepath.Join(g.of("n1"), "memory.max"))) // the kernel's go with the directory
	must(t, g.remove("n1"))
	must(t, g.remove("n1"))
	if _, err := os.Stat(g.of("n1")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestGroupsThatAreNotThere(t *testing.T) {
	for name, c := range map[string]struct{ self, controllers, want string }{
		"version 1":   {"4:memory:/x\n0::/\n", "memory", "not in a control group (version 2) of its own"},
		"the root":    {"0::/\n", "memory", "not in a control group (version 2) of its own"},
		"no memory":   {"0::/system.slice/redoubt.service\n", "cpu pids", "has no memory controller"},
		"not visible": {"0::/elsewhere\n", "memory", "no such file"},
	} {
		if _, err := openGroups(groupTree(t, c.self, c.controllers)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var none *groups
	attr := &syscall.SysProcAttr{}
	if end, err := none.place(attr, "n1", 1); err != nil || attr.UseCgroupFD {
		t.Error(err)
	} else {
		end()
	}
	must(t, none.remove("n1"))
}

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// groups are control groups (version 2) below the agent's own, one a node, in which
// memory.max is the node's memory.
type groups struct{ dir string }

// Where the kernel has them.
const (
	groupMount = "/sys/fs/cgroup"
	groupSelf  = "/proc/self/cgroup"
)

// openGroups prepares for groups of nodes: the agent moves into one of its own beside
// them, as a group that has groups with limits below it may not have processes. It
// needs a group that was given to the agent (systemd: Delegate=yes).
func openGroups(mount, self string) (*groups, error) {
	b, err := os.ReadFile(self)
	if err != nil {
		return nil, err
	}
	// Version 2 alone is a single line "0::/path".
	path, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "0::/")
	if !ok || strings.Contains(path, "\n") || path == "" {
		return nil, errors.New("the agent is not in a control group (version 2) of its own")
	}
	g := &groups{dir: filepath.Join(mount, path)}
	controllers, err := os.ReadFile(filepath.Join(g.dir, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(strings.Fields(string(controllers)), "memory") {
		return nil, fmt.Errorf("%s has no memory controller", g.dir)
	}
	own := filepath.Join(g.dir, "agent")
	if err := os.Mkdir(own, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := set(own, "cgroup.procs", strconv.Itoa(os.Getpid())); err != nil {
		return nil, err
	}
	return g, set(g.dir, "cgroup.subtree_control", "+memory")
}

func set(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (g *groups) of(node string) string { return filepath.Join(g.dir, "node-"+node) }

// place makes a process start in its node's group, with memory as the limit. end is
// to be called when it has started.
func (g *groups) place(attr *syscall.SysProcAttr, node string, memory bytesize.Size) (end func(), err error) {
	end = func() {}
	if g == nil || memory <= 0 {
		return end, nil
	}
	dir := g.of(node)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return end, err
	}
	if err := set(dir, "memory.max", strconv.FormatInt(int64(memory), 10)); err != nil {
		return end, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return end, err
	}
	attr.UseCgroupFD, attr.CgroupFD = true, int(f.Fd())
	return func() { _ = f.Close() }, nil // opened to be read only
}

// remove removes a node's group, in which nothing runs any more.
func (g *groups) remove(node string) error {
	if g == nil {
		return nil
	}
	if err := syscall.Rmdir(g.of(node)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Engines are the versions of the redoubt program that a host can start nodes with.
type Engines struct {
	// Dir has one program a version, named by it; "": the agent's own program alone.
	Dir string
	// Own is the agent's program and its version. Whatever is there when a node starts is
	// run, unless OwnEngine made this.
	Own, OwnVersion string

	self fs.FileInfo // of OwnEngine: what is at Own must be this
}

// OwnEngine is the program of this process. Nodes run that very build: one that has taken
// its place on the disk since has another version, and is for the next agent to offer.
func OwnEngine(version string) (Engines, error) {
	own, err := os.Executable()
	if err != nil {
		return Engines{}, fmt.Errorf("find this program: %w", err)
	}
	self, err := os.Stat(cmp.Or(selfProgram, own))
	if err != nil {
		return Engines{}, fmt.Errorf("look at this program: %w", err)
	}
	return Engines{Own: own, OwnVersion: version, self: self}, nil
}

// List names the versions, oldest first.
func (e Engines) List() ([]string, error) {
	if e.Dir == "" {
		return []string{e.OwnVersion}, nil
	}
	entries, err := os.ReadDir(e.Dir)
	if err != nil {
		return nil, fmt.Errorf("engines: %w", err)
	}
	var versions []string
	for _, entry := range entries {
		if isProgram(filepath.Join(e.Dir, entry.Name())) && !strings.HasPrefix(entry.Name(), ".") {
			versions = append(versions, entry.Name())
		}
	}
	slices.SortFunc(versions, compareVersions)
	return versions, nil
}

var (
	// errNoEngine: there is no program of the version.
	errNoEngine = errors.New("agent: no such engine")
	// errReplaced: there was one.
	errReplaced = errors.New("agent: the program was replaced since this agent started")
)

// Program is what to run for a version, and by which name it is to be listed.
func (e Engines) Program(version string) (path, name string, err error) {
	have, err := e.List()
	if err != nil {
		return "", "", err
	}
	switch {
	case !slices.Contains(have, version):
		return "", "", fmt.Errorf("%w: version %q, this host has %s", errNoEngine, version, strings.Join(have, ", "))
	case e.Dir != "":
		path = filepath.Join(e.Dir, version)
		return path, path, nil
	case e.self == nil:
		return e.Own, e.Own, nil
	case selfProgram != "":
		return selfProgram, e.Own, nil
	}
	if err := unchanged(e.Own, e.self); err != nil {
		return "", "", fmt.Errorf("version %s: %w", version, err)
	}
	return e.Own, e.Own, nil
}

// unchanged tells whether a file still is what it was.
func unchanged(path string, was fs.FileInfo) error {
	is, err := os.Stat(path)
	if err == nil && os.SameFile(is, was) && is.Size() == was.Size() && is.ModTime().Equal(was.ModTime()) {
		return nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s; start the agent again for what is there now", errReplaced, path)
	}
	return fmt.Errorf("look at this program: %w", err)
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// compareVersions orders versions by their numbers: 1.9 before 1.10, and 1.10-rc1
// before 1.10.
func compareVersions(a, b string) int {
	pa, pb := versionParts(a), versionParts(b)
	for i := range min(len(pa), len(pb)) {
		na, errA := strconv.ParseUint(pa[i], 10, 64)
		nb, errB := strconv.ParseUint(pb[i], 10, 64)
		var c int
		if errA == nil && errB == nil {
			c = cmp.Compare(na, nb)
		} else {
			c = cmp.Compare(pa[i], pb[i])
		}
		if c != 0 {
			return c
		}
	}
	longer, c := pa, 1
	if len(pa) < len(pb) {
		longer, c = pb, -1
	}
	if n := min(len(pa), len(pb)); len(longer) > n && strings.HasPrefix(longer[n], "-") {
		c = -c // what is added is of a version that precedes the release
	} else if len(pa) == len(pb) {
		c = 0
	}
	return c
}

// versionParts splits v1.10-rc2 into v, 1, ., 10, -rc, 2.
func versionParts(v string) []string {
	var parts []string
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	for i := 0; i < len(v); {
		j := i + 1
		for j < len(v) && digit(v[j]) == digit(v[i]) {
			j++
		}
		parts = append(parts, v[i:j])
		i = j
	}
	return parts
}

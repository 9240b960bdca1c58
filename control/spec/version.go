package spec

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// development is the version of a build that no release was made of: "devel", or
// "devel-" and the commit.
var development = regexp.MustCompile(`^devel(-[0-9a-f]{7,40})?$`)

// CheckEngineVersion judges the version of an engine: that of a release, or of a
// build without one.
func CheckEngineVersion(v string) error {
	if development.MatchString(v) || semver.IsValid(withV(v)) && strings.Count(coreOf(v), ".") == 2 {
		return nil
	}
	return fmt.Errorf("must be a version such as 1.4.0, not %q", v)
}

// CompareEngines orders versions by age; builds without a version are older than any
// release, and of one age among themselves.
func CompareEngines(a, b string) int {
	da, db := development.MatchString(a), development.MatchString(b)
	switch {
	case da && db:
		return 0
	case da != db:
		return cmp.Compare(boolInt(db), boolInt(da))
	}
	return semver.Compare(withV(a), withV(b))
}

// NewestEngine is the newest of some versions, "" of none.
func NewestEngine(versions []string) string {
	if len(versions) == 0 {
		return ""
	}
	return slices.MaxFunc(versions, CompareEngines)
}

// withV is a version as package semver wants it; both ways of writing it are fine
// here, as Go's own begin with v.
func withV(v string) string { return "v" + strings.TrimPrefix(v, "v") }

// coreOf is a version up to its pre-release or build.
func coreOf(v string) string {
	core, _, _ := strings.Cut(v, "-")
	core, _, _ = strings.Cut(core, "+")
	return core
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

package node

import (
	"runtime/debug"
	"strings"
)

// Version is the version of this program: the module's, or the revision it was
// built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

// gitRevision is what INFO calls redis_git_sha1 and redis_git_dirty, of the source
// that this program was built from; zeros when its build does not say.
func gitRevision(info *debug.BuildInfo) (sha1 string, dirty int) {
	sha1 = strings.Repeat("0", shortRevision)
	if info == nil {
		return sha1, 0
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= shortRevision:
			sha1 = s.Value[:shortRevision]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = 1
		}
	}
	return sha1, dirty
}

// shortRevision is how many digits of a commit Redis shows.
const shortRevision = 8

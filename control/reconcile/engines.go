package reconcile

import (
	"slices"
	"strings"

	"github.com/coreos/go-semver/semver"
)

// compareEngines orders engine versions. What is not a semantic version (a build
// without one) is older than all that are, and equal to its like.
func compareEngines(a, b string) int {
	va, errA := semver.NewVersion(strings.TrimPrefix(a, "v"))
	vb, errB := semver.NewVersion(strings.TrimPrefix(b, "v"))
	switch {
	case errA != nil && errB != nil:
		return 0
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return va.Compare(*vb)
}

// newestEngine is the newest engine that a host has which is there; "" if none has
// one.
func newestEngine(hosts []Host) string {
	var all []string
	for _, h := range hosts {
		if h.Alive {
			all = append(all, h.Engines...)
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all) // so that equals come out the same each time
	return slices.MaxFunc(all, compareEngines)
}

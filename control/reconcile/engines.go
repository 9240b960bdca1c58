package reconcile

import (
	"slices"

	"github.com/redoubtdb/redoubt/control/spec"
)

// newestEngine is the newest engine that a host has which is there; "" if none has
// one.
func newestEngine(hosts []Host) string {
	var all []string
	for _, h := range hosts {
		if h.Alive {
			all = append(all, h.Engines...)
		}
	}
	slices.Sort(all) // so that equals come out the same each time
	return spec.NewestEngine(all)
}

package placement

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/control/spec"
)

// ErrNoEngine: no engine can be chosen for a cluster. The error's text says why, for
// people.
var ErrNoEngine = errors.New("no engine")

// DefaultEngine is the newest engine that all nodes of a new cluster can be started
// with: that as many hosts have as a shard has nodes, each of which needs a host of its
// own; all hosts, where there are fewer. A newer one that fewer hosts have, as while a
// fleet gets it host by host, would leave replicas without a place, and there is no way
// back from it. Hosts that are not usable, draining, or in another zone than azs (none:
// any) do not count. Error: ErrNoEngine.
func DefaultEngine(hosts []Host, azs []string, nodes int) (string, error) {
	on := map[string]int{} // hosts that have an engine
	there := 0
	for _, h := range hosts {
		if !h.Usable || h.Draining || len(h.Engines) == 0 || len(azs) > 0 && !slices.Contains(azs, h.AZ) {
			continue
		}
		there++
		for _, e := range slices.Compact(slices.Sorted(slices.Values(h.Engines))) {
			on[e]++
		}
	}
	if there == 0 {
		return "", fmt.Errorf("%w can be chosen: no host in %s takes nodes", ErrNoEngine, zones(azs))
	}
	need := max(1, min(nodes, there))
	var enough, all []string
	for _, e := range slices.Sorted(maps.Keys(on)) { // so that equals come out the same each time
		all = append(all, fmt.Sprintf("%s is on %d", e, on[e]))
		if on[e] >= need {
			enough = append(enough, e)
		}
	}
	if len(enough) == 0 {
		return "", fmt.Errorf("%w is on %d hosts in %s: %s", ErrNoEngine, need, zones(azs), strings.Join(all, ", "))
	}
	return spec.NewestEngine(enough), nil
}

package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/placement"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// clusters knows which engines a cluster can have.
func (a *API) clusters() *endpoint[spec.Cluster, spec.Cluster, spec.Cluster] {
	e := plain(wire.Clusters, a.store.Clusters, func(c *spec.Cluster) *string { return &c.Name })
	e.blank = func() spec.Cluster { return spec.NewCluster("") }
	e.build = func(r *request, was, c *spec.Cluster) (spec.Cluster, error) {
		if was == nil && slices.Contains(a.reserved, c.Name) {
			return *c, spec.Problems{{Path: "name", Message: "is that of a cluster that this control plane does not run: choose another"}}
		}
		if was != nil && (c.EngineVersion == "" || c.EngineVersion == was.EngineVersion) {
			// Other changes must go through while no host has it, too.
			c.EngineVersion = was.EngineVersion
			return *c, nil
		}
		if c.EngineVersion != "" && spec.CheckEngineVersion(c.EngineVersion) != nil {
			return *c, nil // the store says what is wrong with it, and with all else
		}
		hosts, err := a.hosts.Hosts(r.Context())
		if err != nil {
			return *c, err
		}
		c.EngineVersion, err = engineFor(c, hosts)
		return *c, err
	}
	return e
}

// engineFor is the engine that a cluster gets: the one that is asked for, if a host has
// it, or the newest that enough hosts have for its nodes. A version that no host has
// would be waited for without an end.
func engineFor(c *spec.Cluster, hosts []fleet.Host) (string, error) {
	var there []string
	var all []placement.Host
	for _, h := range hosts {
		there = append(there, h.Engines...)
		all = append(all, placement.Host{Host: h, Usable: true})
	}
	invalid := func(format string, args ...any) error {
		return spec.Problems{{Path: "engine_version", Message: fmt.Sprintf(format, args...)}}
	}
	asked := c.EngineVersion
	switch {
	case asked != "" && slices.Contains(there, asked):
		return asked, nil
	case len(there) == 0 && asked != "":
		return "", invalid("no host has engine %s, since no host has registered: start `redoubt agent` on one", asked)
	case len(there) == 0:
		return "", invalid("no host has registered, so the newest engine is not known: start `redoubt agent` on one")
	case asked != "":
		slices.Sort(there)
		slices.SortStableFunc(there, spec.CompareEngines)
		return "", invalid("no host has engine %s: there is %s", asked, strings.Join(slices.Compact(there), ", "))
	}
	engine, err := placement.DefaultEngine(all, c.AvailabilityZones, 1+c.NumReplicasPerShard)
	if err != nil {
		return "", invalid("%v: give a version", err)
	}
	return engine, nil
}

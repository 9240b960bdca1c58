package reconcile

import (
	"fmt"
	"slices"

	"github.com/redoubtdb/redoubt/control/placement"
	"github.com/redoubtdb/redoubt/control/spec"
)

// newer reports whether engine a is newer than b; any is newer than none, "".
func newer(a, b string) bool {
	return a != "" && (b == "" || spec.CompareEngines(a, b) > 0)
}

// chooseEngine settles which engine nodes are to run: the one that is asked for, but
// none older than the floor, the newest that a node was ever given. While no host has
// what is asked for, nodes stay with the floor: those that are lost can be replaced, and
// an upgrade that was never begun can be taken back.
func (d *decider) chooseEngine(hosts []placement.Host) {
	c := &d.in.Cluster
	floor, asked := d.status.EngineVersion, c.Spec.EngineVersion
	d.engine = asked
	switch {
	case asked == "" && floor == "":
		var err error
		d.engine, err = placement.DefaultEngine(hosts, c.Spec.AvailabilityZones, 1+c.Spec.NumReplicasPerShard)
		if err != nil {
			d.lacking = err.Error()
		}
	case asked == "":
		d.engine = floor
	case newer(floor, asked):
		d.refused = fmt.Sprintf("engine_version %s is older than %s: the log may hold entries that it does not read", asked, floor)
		d.engine = floor
	case newer(asked, floor) && floor != "" && !d.offered(asked):
		d.lacking = fmt.Sprintf("no host has engine %s: nodes stay with %s", asked, floor)
		d.engine = floor
	}
}

// offered reports whether a host that is there has an engine.
func (d *decider) offered(engine string) bool {
	return slices.ContainsFunc(d.in.Hosts, func(h Host) bool { return h.Alive && slices.Contains(h.Engines, engine) })
}

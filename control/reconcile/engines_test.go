package reconcile

import (
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
)

// TestDecideEngineFloor: the engine that one cannot go back from is the newest that a
// node was given, not one that was only asked for.
func TestDecideEngineFloor(t *testing.T) {
	engine := func(v string) func(*Input) { return ask(func(c *spec.Cluster) { c.EngineVersion = v }) }
	floor := func(v string) func(*Input) { return func(in *Input) { in.Cluster.Status.EngineVersion = v } }
	fresh := func(in *Input) {
		in.Assigned, in.Nodes = nil, nil
		in.Cluster.Status = spec.ClusterStatus{}
	}
	unbegun := func(in *Input) { in.Shards = map[int]Shard{0: {}} }
	half := func(in *Input) {
		for i := range in.Hosts[1:] {
			in.Hosts[1+i].Engines = []string{"0.1.0"}
		}
	}
	noHosts := func(in *Input) { in.Hosts = nil }
	for _, c := range []struct {
		name   string
		in     Input
		floor  string
		engine string // of the first assignment; "": there is none
		op     string // state of the operation that asked
	}{
		{"a new cluster, before it has nodes", scene(1, fresh, unbegun), "", "", OpRunning},
		{"with its nodes", scene(1, fresh), "0.1.0", "0.1.0", OpRunning},
		{"for which there is no place", scene(1, fresh, noHosts), "", "", OpRunning},
		{"no engine asked for", scene(1, fresh, engine("")), "0.2.0", "0.2.0", OpRunning},
		{"nor had by enough hosts", scene(1, fresh, engine(""), half), "0.1.0", "0.1.0", OpRunning},
		{"nor by any", scene(1, fresh, engine(""), noHosts), "", "", OpRunning},
		{"settled", scene(1), "0.1.0", "", OpDone},
		{"a typo", scene(1, engine("9.9.9")), "0.1.0", "", OpRunning},
		{"is taken back", scene(1, engine("9.9.9"), engine("0.1.0")), "0.1.0", "", OpDone},
		{"an upgrade's first node", scene(1, engine("0.2.0")), "0.2.0", "0.2.0", OpRunning},
		{"which cannot be begun yet", scene(1, engine("0.2.0"), leader(0)), "0.1.0", "", OpRunning},
		{"is taken back", scene(1, engine("0.2.0"), engine("0.1.0"), leader(0)), "0.1.0", "", OpRunning},
		{"not once a node was given it", scene(1, engine("0.1.0"), node(2, upgraded)), "0.2.0", "", OpFailed},
		{"nor when the status says so and the assignment did not come", scene(1, engine("0.1.0"), floor("0.2.0")), "0.2.0", "0.2.0", OpFailed},
		{"nor when that node is to stop", scene(0, engine("0.1.0"), func(in *Input) {
			old := scene(1).Assigned[1]
			old.Goal, old.Engine = fleet.Stop, "0.2.0"
			in.Assigned = append(in.Assigned, old)
		}, leader(0)), "0.2.0", "0.2.0", OpFailed},
		{"another cluster's nodes do not count", scene(1, func(in *Input) {
			in.Assigned = append(in.Assigned, Assigned{Host: "c2", Assignment: fleet.Assignment{Cluster: "x", Node: "x-0001-001", Engine: "0.9.0"}})
		}), "0.1.0", "", OpDone},
		{"builds without a version are of one age", scene(1, floor("devel"), engine("devel-0123456"), func(in *Input) {
			for i := range in.Assigned {
				in.Assigned[i].Engine = "devel"
			}
			for i := range in.Hosts {
				in.Hosts[i].Engines = []string{"devel", "devel-0123456"}
			}
		}), "devel-0123456", "devel-0123456", OpRunning},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Operations = []Operation{{ID: "o", Kind: "update", Version: c.in.Cluster.Version, State: OpPending, Started: noon}}
			d := Decide(c.in)
			engine := ""
			for _, a := range d.Actions {
				if a, ok := a.(Assign); ok && engine == "" {
					engine = a.Engine
				}
			}
			if d.Status.EngineVersion != c.floor || engine != c.engine {
				t.Errorf("floor %q, assigned %q, want %q, %q: %v", d.Status.EngineVersion, engine, c.floor, c.engine, d.Actions)
			}
			if len(d.Operations) != 1 || d.Operations[0].State != c.op {
				t.Errorf("operations %+v, want %s (reason %s)", d.Operations, c.op, d.Status.Reason)
			}
		})
	}
}

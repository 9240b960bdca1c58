package reconcile

import (
	"slices"
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
)

func TestOrphanActions(t *testing.T) {
	one := func(cluster, node string, goal fleet.Goal, generation int64, status *fleet.Status) Assigned {
		return Assigned{Host: "h1", Status: status, Assignment: fleet.Assignment{
			Cluster: cluster, Node: node, Goal: goal, Generation: generation, Engine: "0.1.0", Port: 6379, Memory: 1 << 30,
		}}
	}
	status := func(state fleet.State, generation int64) *fleet.Status {
		return &fleet.Status{State: state, Generation: generation}
	}
	for _, c := range []struct {
		name     string
		assigned []Assigned
		want     []string
	}{
		{"nothing", nil, nil},
		{"of a cluster that is there", []Assigned{
			one("shop", "shop-0001-001", fleet.Run, 1, status(fleet.Running, 1)),
			one("shop", "shop-0001-002", fleet.Stop, 2, status(fleet.Stopped, 2)),
		}, nil},
		{"one that runs", []Assigned{one("old", "old-0001-001", fleet.Run, 3, status(fleet.Running, 3))}, []string{"stop node old-0001-001 on host h1: its cluster is deleted"}},
		{"of which nobody has heard", []Assigned{one("old", "old-0001-001", fleet.Run, 3, nil)}, []string{"stop node old-0001-001 on host h1: its cluster is deleted"}},
		{"also if its agent has stopped it by itself", []Assigned{one("old", "old-0001-001", fleet.Run, 3, status(fleet.Stopped, 3))}, []string{"stop node old-0001-001 on host h1: its cluster is deleted"}},
		{"that was told to stop", []Assigned{one("old", "old-0001-001", fleet.Stop, 4, nil)}, nil},
		{"and has not yet", []Assigned{one("old", "old-0001-001", fleet.Stop, 4, status(fleet.Running, 4))}, nil},
		{"or had stopped before that", []Assigned{one("old", "old-0001-001", fleet.Stop, 4, status(fleet.Stopped, 3))}, nil},
		{"and has", []Assigned{one("old", "old-0001-001", fleet.Stop, 4, status(fleet.Stopped, 4))}, []string{"node old-0001-001 has left host h1"}},
		{"each by itself", []Assigned{
			one("old", "old-0001-001", fleet.Stop, 4, status(fleet.Stopped, 5)),
			one("shop", "shop-0001-001", fleet.Run, 1, nil),
			one("older", "older-0001-001", fleet.Run, 1, nil),
		}, []string{"node old-0001-001 has left host h1", "stop node older-0001-001 on host h1: its cluster is deleted"}},
		{"a name is no prefix", []Assigned{one("shop2", "shop2-0001-001", fleet.Run, 1, nil)}, []string{"stop node shop2-0001-001 on host h1: its cluster is deleted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, a := range orphanActions(c.assigned, []string{"shop", "other"}) {
				got = append(got, a.String())
				stop, ok := a.(Assign)
				if !ok {
					continue
				}
				// All else of it stays: an agent that comes back has to know it again.
				i := slices.IndexFunc(c.assigned, func(a Assigned) bool { return a.Node == stop.Node })
				was := c.assigned[i].Assignment
				if stop.Goal != fleet.Stop || stop.Generation != was.Generation+1 || stop.Engine != was.Engine || stop.Port != was.Port || stop.Memory != was.Memory || stop.Cluster != was.Cluster {
					t.Errorf("%+v of %+v", stop, was)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

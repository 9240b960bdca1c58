package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// orphans lets go of what is assigned for clusters that are no more: an agent that
// comes back stops it.
func (d *Driver) orphans(ctx context.Context) (time.Duration, error) {
	d.placing.Lock()
	defer d.placing.Unlock()
	// The fleet first: a cluster that is made after it was looked at has nothing there.
	view, err := d.cfg.Fleet.View(ctx)
	if err != nil {
		return 0, err
	}
	names, err := d.cfg.Store.Clusters(ctx)
	if err != nil {
		return 0, err
	}
	for _, a := range orphanActions(view.Assigned, names) {
		switch a := a.(type) {
		case Assign:
			err = d.cfg.Fleet.Assign(ctx, a.Host, a.Assignment)
		case Unassign:
			err = d.cfg.Fleet.Unassign(ctx, a.Host, a.Node)
		}
		d.metrics.action(a, err)
		if err != nil {
			return 0, fmt.Errorf("%v: %w", a, err)
		}
	}
	return 0, nil
}

// orphanActions stops and forgets nodes of clusters that are not among those named.
func orphanActions(assigned []Assigned, clusters []string) []Action {
	known := map[string]bool{}
	for _, c := range clusters {
		known[c] = true
	}
	var out []Action
	for _, a := range assigned {
		switch {
		case known[a.Cluster]:
		case a.Goal != fleet.Stop:
			stop := a.Assignment
			stop.Goal = fleet.Stop
			stop.Generation++
			out = append(out, Assign{Host: a.Host, Assignment: stop, Why: "its cluster is deleted"})
		case a.Status != nil && a.Status.State == fleet.Stopped && a.Status.Generation >= a.Generation:
			out = append(out, Unassign{Host: a.Host, Node: a.Node})
		}
	}
	return out
}

package plane

import (
	"cmp"
	"context"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/reconcile"
)

// nodes is package fleet as the reconciler sees it, under the fence of one elected
// time.
type nodes struct {
	fleet *fleet.Fleet
	fence []clientv3.Cmp
}

var _ reconcile.Fleet = nodes{}

// View implements reconcile.Fleet.
func (n nodes) View(ctx context.Context) (reconcile.View, error) {
	o, err := n.fleet.Overview(ctx)
	if err != nil {
		return reconcile.View{}, err
	}
	v := reconcile.View{Hosts: sortedHosts(o)}
	for host, assigned := range o.Assigned {
		for name, a := range assigned {
			one := reconcile.Assigned{Host: host, Assignment: a}
			if s, ok := o.Statuses[host][name]; ok {
				one.Status = &s
			}
			v.Assigned = append(v.Assigned, one)
		}
	}
	slices.SortFunc(v.Assigned, func(a, b reconcile.Assigned) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Host, b.Host))
	})
	return v, nil
}

func sortedHosts(o fleet.Overview) []fleet.Host {
	all := make([]fleet.Host, 0, len(o.Hosts))
	for _, h := range o.Hosts {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b fleet.Host) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Assign implements reconcile.Fleet.
func (n nodes) Assign(ctx context.Context, host string, a fleet.Assignment) error {
	return n.fleet.Apply(ctx, n.fence, fleet.Change{Host: host, Node: a.Node, Assign: &a})
}

// Unassign implements reconcile.Fleet.
func (n nodes) Unassign(ctx context.Context, host, node string) error {
	return n.fleet.Apply(ctx, n.fence, fleet.Change{Host: host, Node: node, Forget: true})
}

// Watch implements reconcile.Fleet.
func (n nodes) Watch(ctx context.Context, changed func()) error {
	return n.fleet.Watch(ctx, func(fleet.Overview) { changed() })
}

// hosts is package fleet as the API sees it.
type hosts struct{ fleet *fleet.Fleet }

var _ api.Hosts = hosts{}

// Hosts implements api.Hosts.
func (h hosts) Hosts(ctx context.Context) ([]fleet.Host, error) {
	o, err := h.fleet.Overview(ctx)
	return sortedHosts(o), err
}

// Drain implements api.Hosts.
func (h hosts) Drain(ctx context.Context, host string, drain bool) error {
	return h.fleet.Drain(ctx, nil, host, drain)
}

package reconcile

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// decision puts together what was decided: the cluster's status, and how far the
// operations are that wait for it.
func (d *decider) decision() Decision {
	c := &d.in.Cluster
	settled := d.settled()
	switch {
	case c.Deleting != nil:
	case settled:
		d.status.ObservedVersion, d.status.Status = c.Version, spec.Available
		if d.snapshotRuns() {
			d.status.Status = spec.Snapshotting
		}
	case d.failed != "" && c.Status.ObservedVersion == 0:
		d.status.Status = spec.CreateFailed
		d.blocked = append([]string{d.failed}, d.blocked...)
	case c.Status.ObservedVersion == 0:
		d.status.Status = spec.Creating
	case c.Status.ObservedVersion == c.Version:
		// All that was asked for was done; what is pending mends or renews it.
		d.status.Status = spec.Available
	default:
		d.status.Status = spec.Modifying
	}
	reasons := d.blocked
	if d.refused != "" {
		reasons = append([]string{d.refused}, reasons...)
	}
	d.status.Reason = strings.Join(slices.Compact(reasons), "; ")
	d.status.PendingChanges = d.pending
	d.describe()
	if r := d.status.Reason; r != "" && r != c.Status.Reason {
		d.events = append(d.events, Event{Warning: true, Reason: "Blocked", Message: r})
	}
	if s := d.status.Status; s != c.Status.Status {
		d.events = append(d.events, Event{Reason: "Status", Message: fmt.Sprintf("cluster %s is %s", c.Name, s)})
	}
	ops := d.operations(settled) // may add actions
	return Decision{Status: d.status, Actions: d.actions, Operations: ops, Events: d.events, Again: d.again}
}

func (d *decider) snapshotRuns() bool {
	return slices.ContainsFunc(d.in.Snapshots, func(s Snapshot) bool { return s.Status.Status == spec.Creating })
}

// settled reports whether the cluster is all that is asked for.
func (d *decider) settled() bool {
	return d.in.Cluster.Deleting == nil && d.total > 0 && d.done == d.total && len(d.pending) == 0
}

// operations are those that changed, but for the end of a deletion, which is the
// cluster's: the newest spec counts for all that came before.
func (d *decider) operations(settled bool) []Operation {
	var out []Operation
	for _, o := range d.in.Operations {
		before := o
		switch {
		case o.Kind == "delete": // ends with the cluster
			o.State, o.Text = OpRunning, d.progress()
		case d.in.Cluster.Deleting != nil:
			o.State, o.Text = OpFailed, "the cluster is being deleted"
		case o.Kind == opFailover:
			o = d.failover(o)
		case d.refused != "" && o.Version == d.in.Cluster.Version:
			o.State, o.Text = OpFailed, d.refused
		case d.status.Status == spec.CreateFailed:
			o.State, o.Text = OpFailed, d.failed
		case settled && o.Version <= d.in.Cluster.Version:
			o.State, o.Text, o.Done, o.Total = OpDone, "", d.total, d.total
		default:
			o.State, o.Text, o.Done, o.Total = OpRunning, d.progress(), d.done, d.total
		}
		if !o.same(before) {
			out = append(out, o)
		}
	}
	return out
}

// progress is what is being done, or why it is not.
func (d *decider) progress() string {
	if len(d.blocked) > 0 {
		return strings.Join(slices.Compact(slices.Clone(d.blocked)), "; ")
	}
	const most = 3
	if len(d.pending) > most {
		return strings.Join(d.pending[:most], "; ") + fmt.Sprintf("; and %d more", len(d.pending)-most)
	}
	return strings.Join(d.pending, "; ")
}

// describe fills in what the status says of shards and nodes.
func (d *decider) describe() {
	oldest := ""
	d.status.ParameterGroupStatus = spec.InSync
	d.status.CACertificate = ""
	for i := range d.status.Shards {
		sh := &d.status.Shards[i]
		was := sh.Nodes
		sh.Nodes, sh.NumNodes = nil, 0
		for _, m := range d.members(i) {
			if m.TLS != nil {
				d.status.CACertificate = m.TLS.CA
			}
			if m.stopped() || m.lost() {
				continue
			}
			n := d.describeNode(m)
			for _, w := range was {
				if w.Name == n.Name {
					n.CreateTime = w.CreateTime
				}
			}
			if n.CreateTime.IsZero() {
				n.CreateTime = d.in.Now
			}
			sh.Nodes = append(sh.Nodes, n)
			if m.Goal == fleet.Run {
				sh.NumNodes++
				if !maps.Equal(m.Parameters, d.in.AtStart) || !m.current() {
					d.status.ParameterGroupStatus = spec.Applying
				}
			}
			if n.Engine != "" && (oldest == "" || spec.CompareEngines(n.Engine, oldest) < 0) {
				oldest = n.Engine
			}
		}
		if l := d.in.Shards[i].Leader; i == 0 && l != nil {
			if e, ok := endpointOf(l); ok {
				d.status.ClusterEndpoint = e
			}
		}
	}
	if oldest != "" {
		d.status.EnginePatchVersion = oldest
	}
}

func (d *decider) describeNode(m *member) spec.NodeStatus {
	n := spec.NodeStatus{Name: m.Node, AvailabilityZone: m.az, Host: m.Host, State: "assigned"}
	if m.host != nil {
		n.Endpoint = spec.Endpoint{Address: m.host.Address, Port: m.Port}
	}
	if m.Status != nil {
		n.State, n.Engine = string(m.Status.State), m.Status.Engine
	}
	n.Role = m.role()
	switch {
	case m.Goal == fleet.Stop:
		n.State = "stopping"
	case !m.alive():
		n.State = "host-gone"
	}
	return n
}

func endpointOf(l *etcdfence.Leader) (spec.Endpoint, bool) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return spec.Endpoint{}, false
	}
	p, err := strconv.Atoi(port)
	return spec.Endpoint{Address: host, Port: p}, err == nil
}

package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/pki"
)

// Roles as nodes say them.
const (
	rolePrimary = "primary"
	roleReplica = "replica"
	roleLoading = "loading"
)

// class is what is to become of a member; see the package comment.
type class int

const (
	staying class = iota
	leaving
	broken
	lost
)

// member is one assigned node of a shard with all that is known of it.
type member struct {
	Assigned
	host     *Host // nil: not known any more
	az       string
	node     *etcdfence.NodeInfo // nil: not registered
	leader   bool
	class    class
	why      string // it is leaving, broken or lost
	outdated string // what of it is not as asked; "" if all is
}

func (m *member) alive() bool { return m.host != nil && m.host.Alive }

// current reports whether the agent has carried out the assignment as it stands and
// the process that is registered is the one that it started.
func (m *member) current() bool {
	s := m.Status
	return s != nil && s.Generation >= m.Generation && s.State == fleet.Running &&
		m.node != nil && !m.node.Started.Before(s.Started.Add(-clockStep))
}

// clockStep is how much earlier than its agent believes a process may say that it
// began.
const clockStep = time.Second

// serving reports whether clients are served: stopping it takes something away.
func (m *member) serving() bool {
	return m.node != nil && (m.node.Role == rolePrimary || m.node.Role == roleReplica)
}

// role is what a node is to clients: etcd's leader key says who the primary is, and what
// nodes say of themselves follows it a moment later.
func (m *member) role() string {
	switch {
	case m.node == nil:
		return ""
	case !m.serving():
		return m.node.Role
	case m.leader:
		return rolePrimary
	}
	return roleReplica
}

// ready reports whether it is as assigned and follows the log.
func (m *member) ready(tail, lag uint64) bool {
	if m.Goal != fleet.Run || !m.current() || !m.serving() {
		return false
	}
	return m.leader || m.node.Role == roleReplica && m.node.Applied+lag >= tail
}

// number is the last part of a node's name.
func (m *member) number() int {
	n, _ := nodeNumber(m.Node)
	return n
}

// nodeName is a node's name: cluster, shard counted from 1, number.
func nodeName(cluster string, shard, number int) string {
	return fmt.Sprintf("%s-%04d-%03d", cluster, shard+1, number)
}

func nodeNumber(name string) (int, bool) {
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
	return n, err == nil
}

// members are the nodes of a shard, by number.
func (d *decider) members(shard int) []*member {
	hosts := map[string]*Host{}
	for i := range d.in.Hosts {
		hosts[d.in.Hosts[i].ID] = &d.in.Hosts[i]
	}
	nodes := map[string]*etcdfence.NodeInfo{}
	for i := range d.in.Nodes {
		nodes[d.in.Nodes[i].ID] = &d.in.Nodes[i]
	}
	st := d.in.Shards[shard]
	var out []*member
	for _, a := range d.in.Assigned {
		if a.Cluster != d.in.Cluster.Name || a.Shard != shard {
			continue
		}
		m := &member{Assigned: a, host: hosts[a.Host], node: nodes[a.Node]}
		m.leader = st.Leader != nil && st.Leader.NodeID == a.Node
		switch {
		case m.host != nil && m.host.AZ != "":
			m.az = m.host.AZ
		case m.node != nil:
			m.az = m.node.AZ
		default:
			m.az = d.zoneInStatus(a.Node)
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.number(), b.number()), strings.Compare(a.Node, b.Node))
	})
	return out
}

func (d *decider) zoneInStatus(node string) string {
	for _, s := range d.in.Cluster.Status.Shards {
		for _, n := range s.Nodes {
			if n.Name == node {
				return n.AvailabilityZone
			}
		}
	}
	return ""
}

// outdatedBy says what of a node is not as asked; "" if all is.
func (d *decider) outdatedBy(m *member) string {
	c := &d.in.Cluster.Spec
	switch {
	case m.Engine != d.engine:
		return fmt.Sprintf("engine %s instead of %s", d.engine, m.Engine)
	case m.Memory != c.NodeMemory:
		return fmt.Sprintf("%v of memory instead of %v", c.NodeMemory, m.Memory)
	case c.Port != 0 && m.Port != c.Port:
		return fmt.Sprintf("port %d instead of %d", c.Port, m.Port)
	case !maps.Equal(m.Parameters, d.in.AtStart):
		return "parameters that take effect at start"
	case c.TLSEnabled != (m.TLS != nil):
		return "TLS"
	}
	return ""
}

// expiring reports whether a certificate is to be renewed. One that cannot be read counts
// as that.
func expiring(t *fleet.TLS, now time.Time) bool {
	if t == nil {
		return false
	}
	certs, err := pki.ParseCertificates([]byte(t.Certificate))
	return err != nil || now.After(pki.Renewal(certs[0]))
}

// stopped reports whether nothing is left of a node that was to stop.
func (m *member) stopped() bool {
	return m.Goal == fleet.Stop && m.Status != nil && m.Status.State == fleet.Stopped && m.Status.Generation >= m.Generation
}

// lost reports whether a member was given up with its host. Its assignment stays, so
// that the host stops it if it ever comes back.
func (m *member) lost() bool { return m.Goal == fleet.Stop && m.node == nil && !m.alive() }

// Package placement decides which host a node belongs on. It is pure: hosts and what
// is assigned to them go in, a host and a port, or why there is none, come out.
//
// What must hold: the host is usable and has the engine, the memory and the port, its
// availability zone is allowed, and it has no other node of the shard. Among those
// the zone with the fewest nodes of the shard wins, so that primary and replicas are
// not in one zone while another has room; then the zone and the host with the fewest
// nodes of the cluster, then the host with the largest share of its memory left. The
// same input always gives the same answer.
package placement

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// ErrNoRoom: no host can take the node. The error's text says why, for people.
var ErrNoRoom = errors.New("no host")

// Host is a host as placement sees it.
type Host struct {
	fleet.Host
	// Usable is false when nothing new may come here: it is gone, or draining.
	Usable bool
	nodes  []fleet.Assignment
	used   bytesize.Size
}

// Fleet is all hosts with what is assigned to them. Take and Release keep it current
// while several nodes are placed.
type Fleet struct {
	hosts map[string]*Host
}

// NewFleet has hosts without nodes.
func NewFleet(hosts []Host) *Fleet {
	f := &Fleet{hosts: map[string]*Host{}}
	for _, h := range hosts {
		h.nodes, h.used = nil, 0
		f.hosts[h.ID] = &h
	}
	return f
}

// Take notes that a node is assigned to a host, whatever its goal: until nothing of
// it is left it uses memory and its port. Hosts that are not known are passed over.
func (f *Fleet) Take(host string, a fleet.Assignment) {
	if h := f.hosts[host]; h != nil {
		h.nodes = append(h.nodes, a)
		h.used += a.Memory
	}
}

// Release undoes Take.
func (f *Fleet) Release(host, node string) {
	h := f.hosts[host]
	if h == nil {
		return
	}
	h.nodes = slices.DeleteFunc(h.nodes, func(a fleet.Assignment) bool {
		if a.Node == node {
			h.used -= a.Memory
		}
		return a.Node == node
	})
}

// Request is a node that needs a host.
type Request struct {
	Cluster string
	Shard   int
	Engine  string
	Memory  bytesize.Size
	Port    int      // 0: any that the host has free
	AZs     []string // that it may be in; none: all
	// Peers are how many nodes of the shard each zone has that will stay. Nodes that
	// are about to leave are not counted, though their hosts are taken.
	Peers map[string]int
	// Shared allows a host that has a node of the shard: for a node that only takes
	// another one's place.
	Shared bool
}

// Choice is where a node goes.
type Choice struct {
	Host, AZ string
	Port     int
}

// Place chooses a host. Error: ErrNoRoom.
func (f *Fleet) Place(r Request) (Choice, error) {
	cluster := map[string]int{} // nodes of the cluster, by zone
	for _, h := range f.hosts {
		cluster[h.AZ] += h.countCluster(r.Cluster)
	}
	var best *Host
	var refused []refusal
	for _, id := range slices.Sorted(maps.Keys(f.hosts)) {
		h := f.hosts[id]
		if why := h.refuses(r, 0); why != "" {
			refused = append(refused, refusal{h.AZ, why})
			continue
		}
		if best == nil || h.better(best, r, cluster) {
			best = h
		}
	}
	if best == nil {
		return Choice{}, fmt.Errorf("%w in %s with %s%s", ErrNoRoom, zones(r.AZs), needs(r), summary(refused))
	}
	return Choice{Host: best.ID, AZ: best.AZ, Port: best.port(r.Port)}, nil
}

// Fits reports why a node that is on the host already cannot become what r asks for
// there, in place; "" if it can.
func (f *Fleet) Fits(host, node string, r Request) string {
	h := f.hosts[host]
	if h == nil {
		return "the host is gone"
	}
	r.Shared = true
	at := slices.IndexFunc(h.nodes, func(a fleet.Assignment) bool { return a.Node == node })
	if at < 0 {
		return h.refuses(r, 0)
	}
	now := h.nodes[at]
	if r.Port == 0 || r.Port == now.Port {
		r.Port = -1 // it has one
	}
	return h.refuses(r, now.Memory)
}

// better reports whether h is to be preferred to o. Both can take the node.
func (h *Host) better(o *Host, r Request, cluster map[string]int) bool {
	c := cmp.Or(
		cmp.Compare(r.Peers[h.AZ], r.Peers[o.AZ]),
		cmp.Compare(cluster[h.AZ], cluster[o.AZ]),
		cmp.Compare(h.countCluster(r.Cluster), o.countCluster(r.Cluster)),
		cmp.Compare(o.share(r.Memory), h.share(r.Memory)),
		cmp.Compare(len(h.nodes), len(o.nodes)),
	)
	return c < 0 // hosts come by id, so the first of equals stays
}

// share is the part of the host's memory that would be left, in percent.
func (h *Host) share(more bytesize.Size) int64 {
	if h.Memory <= 0 {
		return 0
	}
	return int64(float64(h.Memory-h.used-more) / float64(h.Memory) * 100)
}

func (h *Host) countCluster(cluster string) (n int) {
	for _, a := range h.nodes {
		if a.Cluster == cluster {
			n++
		}
	}
	return n
}

// refuses is why the host cannot take a node, "" if it can. given is memory that the
// node has there already.
func (h *Host) refuses(r Request, given bytesize.Size) string {
	switch {
	case len(r.AZs) > 0 && !slices.Contains(r.AZs, h.AZ):
		return otherZone
	case h.Draining:
		return "draining"
	case !h.Usable:
		return "gone"
	case !slices.Contains(h.Engines, r.Engine):
		return "without the engine"
	case !r.Shared && h.hasShard(r.Cluster, r.Shard):
		return "with a node of the shard"
	case h.Memory-h.used+given < r.Memory:
		return "without the memory"
	case h.port(r.Port) == 0:
		return "without the port"
	}
	return ""
}

func (h *Host) hasShard(cluster string, shard int) bool {
	return slices.ContainsFunc(h.nodes, func(a fleet.Assignment) bool { return a.Cluster == cluster && a.Shard == shard })
}

// port is the port to serve on: the one that is asked for, if it is free, or the
// lowest free one; 0 when there is none.
func (h *Host) port(asked int) int {
	if asked < 0 {
		return asked
	}
	taken := map[int]bool{}
	for _, a := range h.nodes {
		taken[a.Port] = true
	}
	first, last := h.FirstPort, h.LastPort
	if asked > 0 {
		first, last = max(asked, first), min(asked, last)
	}
	for p := first; p <= last && p > 0; p++ {
		if !taken[p] {
			return p
		}
	}
	return 0
}

const otherZone = "in another az"

type refusal struct{ az, why string }

// summary counts why hosts were refused, those in zones that are not allowed apart.
func summary(all []refusal) string {
	counts := map[string]int{}
	n := 0
	for _, r := range all {
		if r.why != otherZone {
			counts[r.why]++
			n++
		}
	}
	if n == 0 {
		return ": there is none"
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[why], why))
	}
	return fmt.Sprintf(" (of %d: %s)", n, strings.Join(parts, ", "))
}

func zones(azs []string) string {
	if len(azs) == 0 {
		return "any az"
	}
	return "az " + strings.Join(slices.Sorted(slices.Values(azs)), ", ")
}

func needs(r Request) string {
	s := r.Memory.String() + " free"
	if r.Port > 0 {
		s += fmt.Sprintf(", port %d free", r.Port)
	}
	return s + " and engine " + r.Engine
}

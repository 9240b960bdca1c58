package reconcile

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// scene is a settled cluster shop of one shard, with its primary on a1 and replicas on
// b1, c1, ..., and a free second host in each zone. Tests change it.
func scene(replicas int, change ...func(*Input)) Input {
	in := Input{
		Now: noon, Policy: Policy{},
		Cluster: Cluster{Name: "shop", Version: 4, Created: noon.Add(-time.Hour),
			Spec: spec.Cluster{Name: "shop", NumShards: 1, NumReplicasPerShard: replicas, NodeMemory: 1 << 30, EngineVersion: "0.1.0"},
			Status: spec.ClusterStatus{Status: spec.Available, ObservedVersion: 4, EngineVersion: "0.1.0",
				Shards: []spec.ShardStatus{{Name: "0001", Slots: "0-16383", LastNode: replicas + 1}}},
		},
		Shards: map[int]Shard{0: {Initialized: true, Tail: 1000, Leader: &etcdfence.Leader{NodeID: "shop-0001-001", Address: "10.0.0.1:6379", Epoch: 7}}},
		Jobs:   map[string]Job{},
	}
	for i := range 6 {
		az := string(rune('a' + i%3))
		in.Hosts = append(in.Hosts, Host{Alive: true, Since: noon.Add(-time.Hour), Host: fleet.Host{
			ID: fmt.Sprint(az, 1+i/3), AZ: az, Address: fmt.Sprint("10.0.0.", i+1), Memory: 4 << 30,
			FirstPort: 6379, LastPort: 6399, Engines: []string{"0.1.0", "0.2.0"},
		}})
	}
	for i := range 1 + replicas {
		role := roleReplica
		if i == 0 {
			role = rolePrimary
		}
		name := nodeName("shop", 0, i+1)
		in.Assigned = append(in.Assigned, Assigned{
			Host: in.Hosts[i].ID,
			Assignment: fleet.Assignment{Cluster: "shop", Node: name, Goal: fleet.Run, Generation: 1,
				Engine: "0.1.0", Port: 6379, Memory: 1 << 30},
			Status: &fleet.Status{Node: name, Generation: 1, State: fleet.Running, Engine: "0.1.0", Started: noon.Add(-time.Hour)},
		})
		in.Nodes = append(in.Nodes, etcdfence.NodeInfo{ID: name, Role: role, Applied: 1000, Started: noon.Add(-time.Hour)})
	}
	for _, c := range change {
		c(&in)
	}
	return in
}

func ask(change func(*spec.Cluster)) func(*Input) {
	return func(in *Input) { in.Cluster.Version++; change(&in.Cluster.Spec) }
}

func host(id string, change func(*Host)) func(*Input) {
	return func(in *Input) {
		for i := range in.Hosts {
			if in.Hosts[i].ID == id {
				change(&in.Hosts[i])
			}
		}
	}
}

func gone(since time.Duration) func(*Host) {
	return func(h *Host) { h.Alive, h.Since = false, noon.Add(-since) }
}

func unregistered(n int) func(*Input) {
	return func(in *Input) {
		in.Nodes = slices.DeleteFunc(in.Nodes, func(i etcdfence.NodeInfo) bool { return i.ID == nodeName("shop", 0, n) })
	}
}

func node(n int, change func(*Assigned, *etcdfence.NodeInfo)) func(*Input) {
	return func(in *Input) { change(&in.Assigned[n-1], &in.Nodes[n-1]) }
}

// restarting is a node whose agent has not carried out its assignment yet.
func restarting(a *Assigned, _ *etcdfence.NodeInfo) { a.Generation++ }

// moved is a node that is as asked for in a new version.
func moved(change func(*fleet.Assignment)) func(*Assigned, *etcdfence.NodeInfo) {
	return func(a *Assigned, _ *etcdfence.NodeInfo) {
		change(&a.Assignment)
		a.Generation++
		a.Status.Generation++
	}
}

func only(ids ...string) func(*Input) {
	return func(in *Input) {
		in.Hosts = slices.DeleteFunc(in.Hosts, func(h Host) bool { return !slices.Contains(ids, h.ID) })
	}
}

func leader(n int) func(*Input) {
	return func(in *Input) {
		st := in.Shards[0]
		st.Leader = nil
		if n > 0 {
			st.Leader = &etcdfence.Leader{NodeID: nodeName("shop", 0, n), Epoch: 8}
		}
		in.Shards[0] = st
	}
}

var (
	newEngine  = ask(func(c *spec.Cluster) { c.EngineVersion = "0.2.0" })
	moreMemory = ask(func(c *spec.Cluster) { c.NodeMemory = 2 << 30 })
	upgraded   = moved(func(a *fleet.Assignment) { a.Engine = "0.2.0" })
	replicas   = func(n int) func(*Input) { return ask(func(c *spec.Cluster) { c.NumReplicasPerShard = n }) }
)

func secure(in *Input) { in.Cluster.Spec.TLSEnabled = true }

// certificate gives all nodes one of 90 days, of which so much is left.
func certificate(left time.Duration) func(*Input) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: noon.Add(left - 90*24*time.Hour), NotAfter: noon.Add(left)}
	der, err := x509.CreateCertificate(nil, leaf, leaf, key.Public(), key)
	if err != nil {
		panic(err)
	}
	t := &fleet.TLS{Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	return func(in *Input) {
		for i := range in.Assigned {
			in.Assigned[i].TLS = t
		}
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     Input
		want   []string // what actions begin with
		reason string   // that the status contains; "-": none
	}{
		{"nothing to do", scene(2), nil, "-"},
		{"a shard begins first", scene(1, func(in *Input) {
			in.Assigned, in.Nodes, in.Shards = nil, nil, map[int]Shard{0: {}}
			in.Cluster.Status = spec.ClusterStatus{}
		}), []string{"begin shard 0"}, "-"},
		{"with a snapshot", scene(1, ask(func(c *spec.Cluster) { c.SnapshotName = "s" }), func(in *Input) {
			in.Assigned, in.Nodes, in.Shards = nil, nil, map[int]Shard{0: {}}
			in.Cluster.Status = spec.ClusterStatus{}
		}), []string{"begin shard 0 with snapshot s"}, "-"},
		{"nodes in as many zones", scene(2, func(in *Input) { in.Assigned, in.Nodes = nil, nil }, leader(0)),
			[]string{"assign node shop-0001-004 on host a1", "assign node shop-0001-005 on host b1", "assign node shop-0001-006 on host c1"}, "-"},
		{"a shard that was there and is not known any more", scene(1, func(in *Input) { in.Shards = map[int]Shard{0: {}} }), nil, "redoubt recover"},
		{"a shard that cannot be read", scene(1, func(in *Input) { in.Shards = nil }), nil, "cannot be read"},

		{"scale up", scene(1, replicas(2)), []string{"assign node shop-0001-003 on host c"}, "-"},
		{"no name is given twice", scene(1, replicas(2), func(in *Input) { in.Cluster.Status.Shards[0].LastNode = 9 }), []string{"assign node shop-0001-010"}, "-"},
		{"nor that of a node which is only registered", scene(1, replicas(2), func(in *Input) {
			in.Nodes = append(in.Nodes, etcdfence.NodeInfo{ID: "shop-0001-020"})
		}), []string{"assign node shop-0001-021"}, "-"},
		{"scale down, not the primary", scene(2, replicas(1)), []string{"stop node shop-0001-003"}, "-"},
		{"one at a time", scene(3, replicas(1)), []string{"stop node shop-0001-004"}, "-"},
		{"what does not serve goes first", scene(2, replicas(1), unregistered(2)), []string{"stop node shop-0001-002"}, "-"},
		{"no scaling down while others are not ready", scene(3, replicas(1), node(2, restarting)), []string{"stop node shop-0001-004"}, "-"},
		{"nor without a primary", scene(2, replicas(1), leader(0)), nil, "-"},
		{"what cannot follow the log is not waited for", scene(2, replicas(1), func(in *Input) { st := in.Shards[0]; st.Tail = 90000; in.Shards[0] = st }),
			[]string{"stop node shop-0001-003"}, "-"},
		{"to no replicas", scene(1, replicas(0)), []string{"stop node shop-0001-002"}, "-"},

		{"rolling: a replica first", scene(2, moreMemory), []string{"restart node shop-0001-002"}, "-"},
		{"then the next, when it follows", scene(2, moreMemory, node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 }))),
			[]string{"restart node shop-0001-003"}, "-"},
		{"not before", scene(2, moreMemory, node(2, func(a *Assigned, i *etcdfence.NodeInfo) {
			moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })(a, i)
			i.Role = roleLoading
		})), nil, "-"},
		{"not before it has caught up", scene(2, moreMemory, func(in *Input) { st := in.Shards[0]; st.Tail = 50000; in.Shards[0] = st },
			node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })),
			node(3, func(_ *Assigned, i *etcdfence.NodeInfo) { i.Applied = 50000 })), nil, "-"},
		{"not while that is under way", scene(2, moreMemory, node(2, restarting)), nil, "-"},
		{"not while it is still the old process that is registered", scene(2, moreMemory, node(2, func(a *Assigned, i *etcdfence.NodeInfo) {
			moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })(a, i)
			a.Status.Started = noon
		})), nil, "-"},
		{"the one that is behind first", scene(2, moreMemory, func(in *Input) { st := in.Shards[0]; st.Tail = 50000; in.Shards[0] = st },
			node(3, func(_ *Assigned, i *etcdfence.NodeInfo) { i.Applied = 50000 })), []string{"restart node shop-0001-002"}, "-"},
		{"not without a primary", scene(2, moreMemory, leader(0)), nil, "-"},
		{"the primary hands over last", scene(1, moreMemory, node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 }))),
			[]string{"hand shard 0 over from shop-0001-001 to shop-0001-002"}, "-"},
		{"once at a time", scene(1, moreMemory, node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })), func(in *Input) {
			st := in.Shards[0]
			st.Asked = &Asked{Epoch: 7, To: "shop-0001-002", At: noon.Add(-time.Second), Tries: 1}
			in.Shards[0] = st
		}), nil, "-"},
		{"and again when that came to nothing", scene(1, moreMemory, node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })), func(in *Input) {
			st := in.Shards[0]
			st.Asked = &Asked{Epoch: 7, To: "shop-0001-002", At: noon.Add(-time.Minute), Tries: 1}
			in.Shards[0] = st
		}), []string{"hand shard 0 over"}, "-"},
		{"then it is a replica", scene(1, moreMemory, node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })), leader(2),
			node(1, func(_ *Assigned, i *etcdfence.NodeInfo) { i.Role = roleReplica })), []string{"restart node shop-0001-001"}, "-"},
		{"parameters that take effect at start", scene(1, func(in *Input) { in.AtStart = map[string]string{"databases": "3"} }),
			[]string{"restart node shop-0001-002"}, "-"},
		{"no room to grow: another host first", scene(1, ask(func(c *spec.Cluster) { c.NodeMemory = 4 << 30 }), func(in *Input) {
			for _, h := range []string{"a1", "b1"} {
				in.Assigned = append(in.Assigned, Assigned{Host: h, Assignment: fleet.Assignment{Cluster: "x", Node: "x" + h, Memory: 1 << 30, Port: 6390}})
			}
		}), []string{"assign node shop-0001-003 on host c"}, "-"},

		{"no replicas: another node first", scene(0, moreMemory), []string{"assign node shop-0001-002 on host"}, "-"},
		{"then the shard", scene(1, moreMemory, replicas(0), node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 }))),
			[]string{"hand shard 0 over from shop-0001-001 to shop-0001-002"}, "-"},
		{"not before that one follows", scene(1, moreMemory, replicas(0), node(2, func(a *Assigned, i *etcdfence.NodeInfo) {
			moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })(a, i)
			i.Role = roleLoading
		})), nil, "-"},
		{"then the old one goes", scene(1, moreMemory, replicas(0), node(2, moved(func(a *fleet.Assignment) { a.Memory = 2 << 30 })), leader(2),
			node(1, func(_ *Assigned, i *etcdfence.NodeInfo) { i.Role = roleReplica })), []string{"stop node shop-0001-001"}, "-"},
		{"on the one host there is", scene(0, moreMemory, only("a1")), []string{"assign node shop-0001-002 on host a1"}, "-"},

		{"engine: replicas first", scene(2, newEngine), []string{"restart node shop-0001-002"}, "-"},
		{"all of them", scene(2, newEngine, node(2, upgraded)), []string{"restart node shop-0001-003"}, "-"},
		{"then the primary", scene(2, newEngine, node(2, upgraded), node(3, upgraded)), []string{"hand shard 0 over"}, "-"},
		{"also when it is to leave", scene(2, newEngine, node(2, upgraded), host("a1", func(h *Host) { h.Draining = true }), func(in *Input) {
			more := scene(3).Assigned[3]
			more.Host, more.Engine = "a2", "0.2.0"
			in.Assigned = append(in.Assigned, more)
			in.Nodes = append(in.Nodes, scene(3).Nodes[3])
		}), []string{"restart node shop-0001-003"}, "-"},
		{"an older engine is refused", scene(2, ask(func(c *spec.Cluster) { c.EngineVersion = "0.0.9" })), nil, "engine_version 0.0.9 is older than 0.1.0"},
		{"an engine that no host has", scene(1, ask(func(c *spec.Cluster) { c.EngineVersion = "0.3.0" })), nil, "no host has engine 0.3.0: nodes stay with 0.1.0"},
		{"lost nodes are replaced all the same", scene(1, ask(func(c *spec.Cluster) { c.EngineVersion = "0.3.0" }), host("b1", gone(time.Minute)), unregistered(2)),
			[]string{"assign node shop-0001-003 on host", "stop node shop-0001-002 on host b1"}, "no host has engine 0.3.0"},
		{"an engine that only a host has that is gone", scene(1, ask(func(c *spec.Cluster) { c.EngineVersion = "0.3.0" }), host("c1", func(h *Host) {
			h.Alive, h.Engines = false, []string{"0.3.0"}
		})), nil, "no host has engine 0.3.0"},
		{"replicas that cannot read what a newer primary writes", scene(2, newEngine, leader(2), node(2, upgraded), func(in *Input) {
			st := in.Shards[0]
			st.Tail = 90000
			in.Shards[0] = st
			in.Nodes[1].Applied, in.Nodes[1].Role, in.Nodes[0].Role = 90000, rolePrimary, roleReplica
		}), []string{"restart node shop-0001-001"}, "-"},

		{"a host is gone for a moment", scene(1, host("b1", gone(time.Second)), unregistered(2)), nil, "-"},
		{"for good", scene(1, host("b1", gone(time.Minute)), unregistered(2)),
			[]string{"assign node shop-0001-003 on host", "stop node shop-0001-002 on host b1"}, "-"},
		{"the primary's", scene(1, host("a1", gone(time.Minute)), unregistered(1), leader(2)),
			[]string{"assign node shop-0001-003 on host", "stop node shop-0001-001 on host a1"}, "-"},
		{"and there is no room", scene(1, host("b1", gone(time.Minute)), unregistered(2), only("a1", "b1")), nil, "no host in any az"},
		{"only its agent is gone", scene(1, host("b1", gone(time.Minute))), nil, "-"},
		{"its agent does not come back", scene(1, host("b1", gone(time.Hour))), []string{"assign node shop-0001-003 on host"}, "-"},
		{"a host that nobody knows", scene(1, unregistered(2), func(in *Input) {
			in.Hosts = slices.DeleteFunc(in.Hosts, func(h Host) bool { return h.ID == "b1" })
		}), []string{"assign node shop-0001-003 on host", "stop node shop-0001-002 on host b1"}, "-"},
		{"a node that fails where it is", scene(1, unregistered(2), func(in *Input) {
			in.Assigned[1].Status.State, in.Assigned[1].NotServing = fleet.BackingOff, noon.Add(-time.Hour)
		}), []string{"assign node shop-0001-003 on host", "stop node shop-0001-002 on host b1"}, "-"},
		{"not at once", scene(1, unregistered(2), func(in *Input) {
			in.Assigned[1].Status.State, in.Assigned[1].NotServing = fleet.BackingOff, noon.Add(-time.Second)
		}), nil, "-"},
		{"nor when none runs that way", scene(0, unregistered(1), leader(0), func(in *Input) {
			in.Assigned[0].Status.State, in.Assigned[0].NotServing = fleet.BackingOff, noon.Add(-time.Hour)
		}), nil, "-"},

		{"draining: another one first", scene(1, host("b1", func(h *Host) { h.Draining = true })), []string{"assign node shop-0001-003 on host c"}, "-"},
		{"a zone that is not the cluster's any more", scene(1, ask(func(c *spec.Cluster) { c.AvailabilityZones = []string{"b", "c"} })),
			[]string{"assign node shop-0001-003 on host c", "hand shard 0 over from shop-0001-001 to shop-0001-002"}, "-"},
		{"two in one zone and another has room", scene(1, func(in *Input) { in.Assigned[1].Host = "a2" }), []string{"assign node shop-0001-003 on host b"}, "-"},
		{"not yet when its hosts have just come", scene(1, func(in *Input) {
			in.Assigned[1].Host = "a2"
			for i := range in.Hosts {
				in.Hosts[i].Since = noon.Add(-time.Minute)
			}
		}), nil, "-"},
		{"a stopped node is forgotten", scene(1, func(in *Input) {
			old := scene(2).Assigned[2]
			old.Goal, old.Generation = fleet.Stop, 2
			old.Status.State, old.Status.Generation = fleet.Stopped, 2
			in.Assigned = append(in.Assigned, old)
		}), []string{"node shop-0001-003 has left host c1"}, "-"},
		{"not before its agent says so", scene(1, func(in *Input) {
			old := scene(2).Assigned[2]
			old.Goal, old.Generation = fleet.Stop, 2
			old.Status.State = fleet.Stopped
			in.Assigned = append(in.Assigned, old)
		}), nil, "-"},
		{"who is to stop gives up the shard", scene(1, leader(3), func(in *Input) {
			old := scene(2).Assigned[2]
			old.Goal, old.Generation = fleet.Stop, 2
			in.Assigned = append(in.Assigned, old)
			in.Nodes = append(in.Nodes, scene(2).Nodes[2])
			in.Nodes[0].Role = roleReplica
		}), []string{"hand shard 0 over from shop-0001-003 to shop-0001-001"}, "-"},
		{"a certificate that expires, the primary's too, without a hand-over", scene(1, secure, certificate(time.Hour)), []string{"renew node shop-0001-001"}, "-"},
		{"one at a time", scene(1, secure, certificate(time.Hour), node(1, restarting)), nil, "-"},
		{"not yet", scene(1, secure, certificate(80*24*time.Hour)), nil, "-"},
		{"TLS", scene(0, ask(func(c *spec.Cluster) { c.TLSEnabled = true })), []string{"assign node shop-0001-002"}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) { compare(t, Decide(c.in), c.want, c.reason) })
	}
}

// TestDecideLostNode: the status forgets a node that was given up with its host; its
// assignment stays for the host to find when it comes back.
func TestDecideLostNode(t *testing.T) {
	stopping := func(in *Input) { in.Assigned[1].Goal, in.Assigned[1].Generation = fleet.Stop, 2 }
	for _, c := range []struct {
		name  string
		in    Input
		nodes int
	}{
		{"host and process are gone", scene(2, host("b1", gone(time.Hour)), unregistered(2), stopping), 2},
		{"the process still runs", scene(2, host("b1", gone(time.Hour)), stopping), 3},
		{"the host is there", scene(2, unregistered(2), stopping), 3},
		{"it is not given up", scene(2, host("b1", gone(time.Second)), unregistered(2)), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(c.in)
			if got := d.Status.Shards[0].Nodes; len(got) != c.nodes {
				t.Errorf("nodes %+v, want %d", got, c.nodes)
			}
			for _, a := range d.Actions {
				if _, ok := a.(Unassign); ok {
					t.Errorf("its assignment is taken away: %v", a)
				}
			}
		})
	}
}

func compare(t *testing.T, d Decision, want []string, reason string) {
	t.Helper()
	ok := len(want) == len(d.Actions)
	for i := range want {
		ok = ok && strings.HasPrefix(d.Actions[i].String(), want[i])
	}
	if !ok {
		t.Errorf("got %q, want %q", d.Actions, want)
	}
	if reason == "-" && d.Status.Reason != "" || reason != "-" && !strings.Contains(d.Status.Reason, reason) {
		t.Errorf("reason %q, want %q", d.Status.Reason, reason)
	}
}

func TestDecideDeletion(t *testing.T) {
	deleting := func(in *Input) { in.Cluster.Deleting = &Deleting{FinalSnapshotName: "last"} }
	stopped := func(in *Input) {
		for i := range in.Assigned {
			a := &in.Assigned[i]
			a.Goal, a.Generation = fleet.Stop, 2
			a.Status.State, a.Status.Generation = fleet.Stopped, 2
		}
		in.Nodes = nil
	}
	snapshot := func(st spec.Phase) func(*Input) {
		return func(in *Input) {
			in.Snapshots = append(in.Snapshots, Snapshot{Name: "last", Status: spec.SnapshotStatus{Status: st, Source: spec.Manual}},
				Snapshot{Name: "auto", Status: spec.SnapshotStatus{Status: spec.Available, Source: spec.Automated}})
		}
	}
	never := func(in *Input) {
		in.Assigned, in.Nodes, in.Shards = nil, nil, map[int]Shard{0: {}}
		in.Cluster.Status.ObservedVersion = 0
	}
	left := []string{"node shop-0001-001 has left", "node shop-0001-002 has left"}
	for _, c := range []struct {
		name   string
		in     Input
		want   []string
		reason string
	}{
		{"nodes stop", scene(1, deleting), []string{"stop node shop-0001-001", "stop node shop-0001-002"}, "-"},
		{"then the snapshot", scene(1, deleting, stopped), append(slices.Clone(left), "manual snapshot last is due"), "-"},
		{"which is waited for", scene(1, deleting, stopped, snapshot(spec.Creating)), left, "-"},
		{"even when it failed", scene(1, deleting, stopped, snapshot(spec.Failed)), left, "final snapshot last"},
		{"then the data", scene(1, deleting, stopped, snapshot(spec.Available)), append(slices.Clone(left), "delete the data"), "-"},
		{"then all else", scene(1, deleting, stopped, snapshot(spec.Available), func(in *Input) { in.Jobs["purge"] = Job{Done: true} }),
			append(slices.Clone(left), "delete snapshot auto", "cluster shop is deleted"), "-"},
		{"a host that is gone is not waited for", scene(1, deleting, host("b1", gone(time.Hour)), func(in *Input) { in.Cluster.Deleting.FinalSnapshotName = "" },
			func(in *Input) { stopped(in); in.Assigned[1].Status = nil }), []string{"node shop-0001-001 has left", "delete the data"}, "-"},
		{"nothing begun, nothing to keep", scene(0, deleting, never),
			[]string{"delete the data"}, "-"},
		{"though its snapshot was asked for", scene(0, deleting, snapshot(spec.Creating), never),
			[]string{"delete snapshot last", "delete the data"}, "-"},
		{"the data is gone, its snapshot is kept", scene(1, deleting, stopped, snapshot(spec.Available), func(in *Input) {
			in.Jobs["purge"], in.Shards = Job{Done: true}, map[int]Shard{0: {}}
		}), append(slices.Clone(left), "delete snapshot auto", "cluster shop is deleted"), "-"},
		{"a shard that is not known any more is no reason to delete its data", scene(1, deleting, stopped, snapshot(spec.Creating), func(in *Input) {
			in.Shards = map[int]Shard{0: {}}
		}), left, "redoubt recover"},
		{"a shard that cannot be read", scene(1, deleting, stopped, func(in *Input) { in.Shards = nil }), left, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) { compare(t, Decide(c.in), c.want, c.reason) })
	}
}

func TestDecideSnapshots(t *testing.T) {
	daily := ask(func(c *spec.Cluster) { c.SnapshotRetentionLimit, c.SnapshotWindow = 2, "11:00-13:00" })
	have := func(name, source string, st spec.Phase, age time.Duration) func(*Input) {
		return func(in *Input) {
			in.Snapshots = append(in.Snapshots, Snapshot{Name: name, Status: spec.SnapshotStatus{Status: st, Source: source, CreatedAt: noon.Add(-age)}})
		}
	}
	long := func(in *Input) { in.Log = Log{Known: true, Bytes: 1 << 30, SnapshotSize: 1 << 20} }
	due := []string{"automated snapshot automatic.shop-2026-03-04-12-00-00 is due"}
	for _, c := range []struct {
		name string
		in   Input
		want []string
	}{
		{"in the window", scene(0, daily), due},
		{"not without a retention limit", scene(0, daily, ask(func(c *spec.Cluster) { c.SnapshotRetentionLimit = 0 })), nil},
		{"not out of it", scene(0, daily, ask(func(c *spec.Cluster) { c.SnapshotWindow = "13:00-14:00" })), nil},
		{"over midnight", scene(0, daily, ask(func(c *spec.Cluster) { c.SnapshotWindow = "23:00-12:30" })), due},
		{"once", scene(0, daily, have("x", spec.Automated, spec.Available, 30*time.Minute)), nil},
		{"yesterday's does not count", scene(0, daily, have("x", spec.Automated, spec.Available, day)), due},
		{"nor one that somebody asked for", scene(0, daily, have("x", spec.Manual, spec.Available, 30*time.Minute)), due},
		{"not while another is made", scene(0, daily, have("x", spec.Manual, spec.Creating, time.Minute)), nil},
		{"again after one failed", scene(0, daily, have("x", spec.Automated, spec.Failed, 30*time.Minute)), due},
		{"but not at once", scene(0, daily, have("x", spec.Automated, spec.Failed, time.Minute)), nil},
		{"the log is long", scene(0, long), []string{"system snapshot"}},
		{"but not for so much data", scene(0, func(in *Input) { in.Log = Log{Known: true, Bytes: 1 << 30, SnapshotSize: 4 << 30} }), nil},
		{"retention", scene(0, ask(func(c *spec.Cluster) { c.SnapshotRetentionLimit = 2 }), have("m", spec.Manual, spec.Available, 99*day),
			have("x", spec.Automated, spec.Available, 3*day), have("y", spec.Automated, spec.Available, 1*day), have("z", spec.Automated, spec.Available, 2*time.Hour)),
			[]string{"delete snapshot x"}},
		{"the newest two stay", scene(0, have("x", spec.Automated, spec.Available, 9*day), have("y", spec.System, spec.Available, 8*day)), nil},
		{"those by distance go for newer ones", scene(0, have("x", spec.System, spec.Available, 3*time.Hour),
			have("y", spec.System, spec.Available, 2*time.Hour), have("z", spec.System, spec.Available, time.Hour)), []string{"delete snapshot x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			compare(t, Decide(c.in), c.want, "-")
		})
	}
}

func TestDecideOperations(t *testing.T) {
	op := func(kind string, version int64) func(*Input) {
		return func(in *Input) {
			in.Operations = append(in.Operations, Operation{ID: "o", Kind: kind, Version: version, State: OpPending, Started: noon})
		}
	}
	for _, c := range []struct {
		name, want string
		in         Input
	}{
		{"all is as asked", OpDone, scene(1, op("update", 4))},
		{"an older version", OpDone, scene(1, op("update", 2))},
		{"not yet", OpRunning, scene(1, replicas(2), op("update", 5))},
		{"refused", OpFailed, scene(1, ask(func(c *spec.Cluster) { c.EngineVersion = "0.0.1" }), op("update", 5))},
		{"deleted meanwhile", OpFailed, scene(1, op("update", 4), func(in *Input) { in.Cluster.Deleting = &Deleting{} })},
		{"a hand-over", OpRunning, scene(1, op(opFailover, 4))},
		{"that is done", OpDone, scene(1, op(opFailover, 4), leader(2), func(in *Input) {
			st := in.Shards[0]
			st.Asked = &Asked{Epoch: 7, To: "shop-0001-002", At: noon}
			in.Shards[0] = st
		})},
		{"that is not done yet", OpRunning, scene(1, op(opFailover, 4), func(in *Input) {
			st := in.Shards[0]
			st.Asked = &Asked{Epoch: 7, To: "shop-0001-002", At: noon}
			in.Shards[0] = st
		})},
		{"that takes too long", OpFailed, scene(0, op(opFailover, 4), func(in *Input) { in.Now = noon.Add(time.Hour) })},
		{"creation has failed", OpFailed, scene(1, op("create", 4), func(in *Input) {
			in.Assigned, in.Nodes, in.Shards = nil, nil, map[int]Shard{0: {}}
			in.Cluster.Status = spec.ClusterStatus{}
			in.Jobs["initialize/0"] = Job{Err: "no", Permanent: true}
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(c.in)
			if len(d.Operations) != 1 || d.Operations[0].State != c.want {
				t.Errorf("got %+v, want %s", d.Operations, c.want)
			}
		})
	}
}

// TestDecideRoles: who the primary is, the leader key says and not what nodes say of
// themselves, which follows later. A cluster that is available has a primary.
func TestDecideRoles(t *testing.T) {
	for _, c := range []struct {
		name string
		in   Input
		want []string
	}{
		{"as nodes say", scene(1), []string{rolePrimary, roleReplica}},
		{"the primary has not said so yet", scene(1, node(1, func(_ *Assigned, i *etcdfence.NodeInfo) { i.Role = roleReplica })), []string{rolePrimary, roleReplica}},
		{"the one before still says so", scene(1, leader(2)), []string{roleReplica, rolePrimary}},
		{"nobody leads", scene(1, leader(0)), []string{roleReplica, roleReplica}},
		{"loading", scene(1, node(2, func(_ *Assigned, i *etcdfence.NodeInfo) { i.Role = roleLoading })), []string{rolePrimary, roleLoading}},
		{"not registered", scene(1, unregistered(2)), []string{rolePrimary, ""}},
	} {
		var got []string
		for _, n := range Decide(c.in).Status.Shards[0].Nodes {
			got = append(got, n.Role)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

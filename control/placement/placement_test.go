package placement

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
)

const gib = 1 << 30

// host is one in the az that its name begins with.
func host(id string, change ...func(*Host)) Host {
	h := Host{Usable: true, Host: fleet.Host{
		ID: id, AZ: id[:1], Memory: 8 * gib, FirstPort: 6379, LastPort: 6381, Engines: []string{"0.1.0", "0.2.0"},
	}}
	for _, c := range change {
		c(&h)
	}
	return h
}

func node(cluster string, shard int, name string, port int) fleet.Assignment {
	return fleet.Assignment{Cluster: cluster, Shard: shard, Node: name, Memory: 2 * gib, Port: port}
}

func TestPlace(t *testing.T) {
	old := func(h *Host) { h.Engines = []string{"0.1.0"} }
	small := func(h *Host) { h.Memory = 3 * gib }
	draining := func(h *Host) { h.Draining = true }
	gone := func(h *Host) { h.Usable = false }
	type taken struct {
		host string
		fleet.Assignment
	}
	ask := func(change ...func(*Request)) Request {
		r := Request{Cluster: "c", Engine: "0.2.0", Memory: 2 * gib}
		for _, c := range change {
			c(&r)
		}
		return r
	}
	for _, c := range []struct {
		name  string
		hosts []Host
		taken []taken
		ask   Request
		want  string // "host:port" or the error
	}{
		{"the first of equals", []Host{host("b1"), host("a1")}, nil, ask(), "a1:6379"},
		{"a zone without the shard's nodes", []Host{host("a1"), host("a2"), host("b1")}, []taken{{"a1", node("c", 0, "n", 6379)}},
			ask(func(r *Request) { r.Peers = map[string]int{"a": 1} }), "b1:6379"},
		{"even if the cluster has more there", []Host{host("a1"), host("a2"), host("b1")}, []taken{{"a1", node("c", 0, "n", 6379)},
			{"b1", node("c", 1, "m", 6379)}, {"b1", node("c", 2, "o", 6380)}}, ask(func(r *Request) { r.Peers = map[string]int{"a": 1} }), "b1:6381"},
		{"the same zone when no other has room", []Host{host("a1"), host("a2"), host("b1", gone)}, []taken{{"a1", node("c", 0, "n", 6379)}},
			ask(func(r *Request) { r.Peers = map[string]int{"a": 1} }), "a2:6379"},
		{"never beside a node of the shard", []Host{host("a1")}, []taken{{"a1", node("c", 0, "n", 6379)}},
			ask(), "no host in any az with 2GiB free and engine 0.2.0 (of 1: 1 with a node of the shard)"},
		{"unless it takes its place", []Host{host("a1")}, []taken{{"a1", node("c", 0, "n", 6379)}},
			ask(func(r *Request) { r.Shared = true }), "a1:6380"},
		{"beside a node of another shard", []Host{host("a1")}, []taken{{"a1", node("c", 1, "n", 6379)}}, ask(), "a1:6380"},
		{"a host without the cluster's nodes", []Host{host("a1"), host("a2")}, []taken{{"a1", node("c", 1, "n", 6379)}}, ask(), "a2:6379"},
		{"a zone with fewer of the cluster's nodes", []Host{host("a1"), host("a2"), host("b1")}, []taken{{"a1", node("c", 1, "n", 6379)}}, ask(), "b1:6379"},
		{"the emptier host", []Host{host("a1"), host("a2")}, []taken{{"a1", node("d", 0, "n", 6379)}}, ask(), "a2:6379"},
		{"memory", []Host{host("a1", small), host("b1")}, []taken{{"a1", node("d", 0, "n", 6379)}}, ask(), "b1:6379"},
		{"no memory", []Host{host("a1", small)}, []taken{{"a1", node("d", 0, "n", 6379)}},
			ask(func(r *Request) { r.AZs = []string{"a"} }), "no host in az a with 2GiB free and engine 0.2.0 (of 1: 1 without the memory)"},
		{"engine", []Host{host("a1", old), host("b1")}, nil, ask(), "b1:6379"},
		{"no engine", []Host{host("a1", old), host("b1", draining), host("b2", gone)}, nil, ask(),
			"no host in any az with 2GiB free and engine 0.2.0 (of 3: 1 draining, 1 gone, 1 without the engine)"},
		{"zones", []Host{host("a1"), host("b1")}, nil, ask(func(r *Request) { r.AZs = []string{"b", "c"} }), "b1:6379"},
		{"no host in a zone", []Host{host("a1")}, nil, ask(func(r *Request) { r.AZs = []string{"c", "b"} }),
			"no host in az b, c with 2GiB free and engine 0.2.0: there is none"},
		{"the fixed port", []Host{host("a1")}, nil, ask(func(r *Request) { r.Port = 6381 }), "a1:6381"},
		{"the fixed port is taken", []Host{host("a1"), host("b1")}, []taken{{"a1", node("d", 0, "n", 6380)}}, ask(func(r *Request) { r.Port = 6380 }), "b1:6380"},
		{"a port outside of the range", []Host{host("a1")}, nil, ask(func(r *Request) { r.Port = 7000 }),
			"no host in any az with 2GiB free, port 7000 free and engine 0.2.0 (of 1: 1 without the port)"},
		{"ports used up", []Host{host("a1")}, []taken{
			{"a1", node("d", 0, "n1", 6379)}, {"a1", node("d", 1, "n2", 6380)}, {"a1", node("d", 2, "n3", 6381)}}, ask(),
			"no host in any az with 2GiB free and engine 0.2.0 (of 1: 1 without the port)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := NewFleet(c.hosts)
			for _, a := range c.taken {
				f.Take(a.host, a.Assignment)
			}
			at, err := f.Place(c.ask)
			got := fmt.Sprintf("%s:%d", at.Host, at.Port)
			if err != nil {
				got = err.Error()
				if !errors.Is(err, ErrNoRoom) {
					t.Errorf("another error: %v", err)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestFits(t *testing.T) {
	f := NewFleet([]Host{host("a1")})
	f.Take("a1", node("c", 0, "n", 6379))
	f.Take("a1", node("d", 0, "m", 6380))
	for _, c := range []struct {
		change func(*Request)
		want   string
	}{
		{func(r *Request) {}, ""},
		{func(r *Request) { r.Memory = 6 * gib }, ""}, // 8 less the other one's 2
		{func(r *Request) { r.Memory = 7 * gib }, "without the memory"},
		{func(r *Request) { r.Port = 6381 }, ""},
		{func(r *Request) { r.Port = 6379 }, ""},
		{func(r *Request) { r.Port = 6380 }, "without the port"},
		{func(r *Request) { r.Engine = "0.3.0" }, "without the engine"},
	} {
		r := Request{Cluster: "c", Engine: "0.2.0", Memory: 2 * gib}
		c.change(&r)
		if got := f.Fits("a1", "n", r); got != c.want {
			t.Errorf("%+v: got %q, want %q", r, got, c.want)
		}
	}
	f.Release("a1", "m")
	if why := f.Fits("a1", "n", Request{Cluster: "c", Engine: "0.2.0", Memory: 8 * gib}); why != "" {
		t.Errorf("after the other one's release: %s", why)
	}
}

// TestSpreads: whatever is placed where, a shard's nodes are in as many zones as there
// is room in, and the same again when all is done again.
func TestSpreads(t *testing.T) {
	for seed := range uint64(200) {
		first := fill(t, seed)
		if again := fill(t, seed); first != again {
			t.Fatalf("seed %d: not the same twice:\n%s\n%s", seed, first, again)
		}
	}
}

func fill(t *testing.T, seed uint64) (out string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var hosts []Host
	for i := range 3 + rng.IntN(6) {
		hosts = append(hosts, host(fmt.Sprintf("%c%d", 'a'+i%3, i)))
	}
	f := NewFleet(hosts)
	for c := range 4 {
		peers := map[string]int{}
		for n := range 3 {
			r := Request{Cluster: fmt.Sprint("c", c), Engine: "0.1.0", Memory: gib, Peers: peers}
			at, err := f.Place(r)
			if err != nil {
				continue
			}
			for z, k := range peers {
				r.AZs = []string{z}
				if _, err := f.Place(r); err == nil && k < peers[at.AZ] {
					t.Fatalf("seed %d: az %s has %d already and az %s only %d", seed, at.AZ, peers[at.AZ], z, k)
				}
			}
			peers[at.AZ]++
			f.Take(at.Host, fleet.Assignment{Cluster: r.Cluster, Node: fmt.Sprint(c, n), Memory: gib, Port: at.Port})
			out += fmt.Sprint(at, " ")
		}
	}
	return out
}

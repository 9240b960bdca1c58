package placement

import (
	"errors"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
)

func TestDefaultEngine(t *testing.T) {
	host := func(az string, engines ...string) Host {
		return Host{Host: fleet.Host{AZ: az, Engines: engines}, Usable: true}
	}
	half := []Host{host("a", "0.1.0", "0.2.0"), host("b", "0.1.0", "0.2.0"), host("c", "0.1.0")}
	swapped := []Host{host("a", "0.2.0"), host("b", "0.1.0"), host("c", "0.1.0")}
	draining, gone := half[2], half[2]
	draining.Draining, gone.Usable = true, false
	for _, c := range []struct {
		name  string
		hosts []Host
		azs   []string
		nodes int
		want  string // an engine, or what the error says
	}{
		{"all have it", half, nil, 2, "0.2.0"},
		{"a fleet that has the new one in part", half, nil, 3, "0.1.0"},
		{"a shard of one node", swapped, nil, 1, "0.2.0"},
		{"which has exchanged it in part", swapped, nil, 2, "0.1.0"},
		{"on no side are enough", swapped, nil, 3, "no engine is on 3 hosts in any az: 0.1.0 is on 2, 0.2.0 is on 1"},
		{"more nodes than hosts: what all have", half, nil, 6, "0.1.0"},
		{"one host", half[:1], nil, 2, "0.2.0"},
		{"in the zones it may be in", half, []string{"a", "b"}, 3, "0.2.0"},
		{"in no zone", half, []string{"d"}, 1, "no host in az d takes nodes"},
		{"no host", nil, nil, 1, "no host in any az takes nodes"},
		{"a host without one", []Host{host("a")}, nil, 1, "no host in any az takes nodes"},
		{"one that drains does not count", append(half[:2:2], draining), nil, 3, "0.2.0"},
		{"nor one that is gone", append(half[:2:2], gone), nil, 3, "0.2.0"},
		{"twice on one host is one host", []Host{host("a", "0.2.0", "0.2.0", "0.1.0"), host("b", "0.1.0")}, nil, 2, "0.1.0"},
		{"not by text", []Host{host("a", "0.9.0", "0.10.0")}, nil, 1, "0.10.0"},
		{"nonsense that is refused later", half, nil, -3, "0.2.0"},
	} {
		got, err := DefaultEngine(c.hosts, c.azs, c.nodes)
		if err != nil && (!errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), c.want)) || err == nil && got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

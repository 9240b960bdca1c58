package node

import (
	"testing"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// What parameter groups may have is written down in control/spec, which must not need
// all of the node. It may not promise what nodes refuse, nor leave out a setting.
func TestParameterGroupsKnowSettings(t *testing.T) {
	known := map[string]parameter{}
	for _, p := range parameters {
		known[p.name] = p
		_, offered := spec.LookupParameter(p.name)
		err := spec.CheckParameter(p.name, "")
		if !offered && err != nil && err.Error() == "there is no such parameter" {
			t.Errorf("control/spec does not know the setting %s: add it to its parameters or say why groups cannot have it", p.name)
		}
	}
	values := []string{
		"", "0", "1", "-1", "-2", "yes", "no", "YES", "16", "64mb", "64MB", "1g", "2gb", "1kb", "10%", "101%", "-5%", "x", "1.5",
		"2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "1048576", "1048575",
		"536870912", "536870913", "1073741824", "1073741825", "50 99 99.9", "50 101", "50  99", "nan", "1e1", "+5", " 5",
		"pubsub 1mb 1mb 1 normal 0 0 0", "normal  0 0 0", "normal 0 0 0", "normal 256mb 64mb 60", "replica 0 0 0", "normal 0 0", "NORMAL 1 1 1", "normal 1 1 -1",
	}
	for _, name := range spec.ParameterNames() {
		offered, _ := spec.LookupParameter(name)
		p, ok := known[name]
		if !ok {
			t.Errorf("groups may have %s, which no node has", name)
			continue
		}
		if offered.Runtime != (p.set != nil) {
			t.Errorf("%s: changeable at runtime is %v, the node's is %v", name, offered.Runtime, p.set != nil)
		}
		if p.set == nil {
			continue
		}
		for _, v := range values {
			e, s := &engine{ks: keyspace.New(keyspace.Config{Databases: 16})}, &settings{clients: 10_000, memory: 1 << 30}
			s.output.Store(&defaultOutputLimits)
			takes := p.set(e, s, v) == nil
			if name == "maxclients" {
				// How many this machine can have is for each node to say.
				takes = maxClientsParam.set(e, s, v) == nil
			}
			if err := spec.CheckParameter(name, v); (err == nil) != takes {
				t.Errorf("%s %q: groups say %v, nodes take it: %v", name, v, err, takes)
			}
		}
	}
}

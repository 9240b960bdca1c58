package node

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestManagedParameters: they are set on primary and replica while these run, go back when
// they are taken away, and one that is no good changes nothing.
func TestManagedParameters(t *testing.T) {
	n1 := startNode(t, func(c *Config) { c.ManagedParameters = true })
	cfg := n1.cfg
	cfg.NodeID = "n2"
	n2 := runNode(t, cfg)
	waitRole(t, n2, RoleReplica)
	put := func(name, value string) {
		t.Helper()
		key := "/redoubt/" + n1.cfg.Cluster + "/parameters/" + name
		var err error
		if value == "" {
			_, err = etcd.Delete(t.Context(), key)
		} else {
			_, err = etcd.Put(t.Context(), key, fmt.Sprintf(`{"value":%q}`, value))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	clients := []*talker{talk(t, n1), talk(t, n2)}
	// A second is what a change may take.
	becomes := func(name, want string) {
		t.Helper()
		for _, c := range clients {
			c.becomesConfig(name, want)
		}
	}
	put("slowlog-max-len", "7")
	put("hash-max-listpack-entries", "33")
	becomes("slowlog-max-len", "7")
	becomes("hash-max-listpack-entries", "33")
	put("slowlog-max-len", "many")
	put("no-such-parameter", "1")
	put("databases", "99")
	put("hash-max-listpack-entries", "34")
	becomes("hash-max-listpack-entries", "34")
	becomes("slowlog-max-len", "7")
	put("slowlog-max-len", "")
	becomes("slowlog-max-len", "128")
}

// becomesConfig asks until a parameter has the value that is wanted.
func (c *talker) becomesConfig(name, want string) {
	c.t.Helper()
	testenv.Eventually(c.t, soon, name+" to be "+want, func(context.Context) error {
		c.ask("CONFIG GET " + name) // the length of the array
		var value string
		for range 4 {
			value = c.line()
		}
		if value != want {
			return errors.New(value)
		}
		return nil
	})
}

func TestManagedParametersUpdate(t *testing.T) {
	n := startNode(t, nil)
	m := managedParameters{e: n.engine, s: n.settings}
	step := func(wantChanged, wantProblems int, all map[string]etcdfence.Parameter) {
		t.Helper()
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if changed, problems := m.update(all); len(changed) != wantChanged || len(problems) != wantProblems {
			t.Errorf("changed %v, problems %v", changed, problems)
		}
	}
	a := etcdfence.Parameter{Value: "5"}
	step(1, 0, map[string]etcdfence.Parameter{"timeout": a})
	step(0, 0, map[string]etcdfence.Parameter{"timeout": a})
	bad := map[string]etcdfence.Parameter{"timeout": {Value: "x"}, "nosuch": a, "hll-sparse-max-bytes": {Err: errors.New("bad")}}
	step(0, 3, bad)
	step(0, 0, bad) // told once
	step(1, 0, nil)
}

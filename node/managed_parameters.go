package node

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/redoubtdb/redoubt/etcdfence"
)

// Managed parameters are the same on all nodes of a cluster: each follows them in etcd and
// sets them as CONFIG SET does, so that those take effect which can while a node runs. One
// that is not there any more is again what the node was started with.

// watchParameters keeps the node's settings those of the cluster until ctx ends.
func (n *Node) watchParameters(ctx context.Context) error {
	m := managedParameters{e: n.engine, s: n.settings}
	return n.shard.WatchParameters(ctx, func(all map[string]etcdfence.Parameter) {
		n.engine.mu.Lock()
		changed, problems := m.update(all)
		n.engine.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(problems)) {
			n.log.Error("a parameter of the cluster is not set", "parameter", name, "err", problems[name])
		}
		if len(changed) > 0 {
			n.log.Info("parameters are up to date", "changed", changed)
			n.server.each(func(c *conn) { c.newLimits.Store(true) })
		}
	})
}

// managedParameters sets a node's parameters to those of the cluster.
type managedParameters struct {
	e       *engine
	s       *settings
	started map[string]string // values from before, of those that were set
	set     map[string]etcdfence.Parameter
}

var (
	errNoParameter    = errors.New("there is no such parameter")
	errStartParameter = errors.New("it takes effect when a node starts")
)

// update sets what is new or changed, and returns which parameters were set and what is
// wrong with others. The engine's lock is held.
func (m *managedParameters) update(all map[string]etcdfence.Parameter) (changed []string, problems map[string]error) {
	problems = map[string]error{}
	if m.started == nil {
		m.started = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		if before, ok := m.set[name]; ok && before.Value == p.Value && (before.Err == nil) == (p.Err == nil) {
			continue
		}
		if err := m.apply(name, p); err != nil {
			problems[name] = err
		} else {
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.started)) {
		if _, ok := all[name]; ok {
			continue
		}
		p, _ := findParameter(name)
		if err := p.set(m.e, m.s, m.started[name]); err != nil {
			problems[name] = err
			continue
		}
		delete(m.started, name)
		changed = append(changed, name)
	}
	m.set = maps.Clone(all)
	return changed, problems
}

func (m *managedParameters) apply(name string, to etcdfence.Parameter) error {
	if to.Err != nil {
		return to.Err
	}
	p, ok := findParameter(name)
	switch {
	case !ok:
		return errNoParameter
	case p.set == nil:
		if p.get(m.e, m.s) == to.Value {
			return nil
		}
		return errStartParameter
	}
	before := p.get(m.e, m.s)
	if err := p.set(m.e, m.s, to.Value); err != nil {
		return err
	}
	if _, ok := m.started[name]; !ok {
		m.started[name] = before
	}
	return nil
}

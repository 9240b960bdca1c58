package node

import (
	"strings"
	"sync/atomic"
)

// Parameters of what a node does not do, for tools that read or set them. What would
// have no effect in a redis-server that never evicts is kept; what has one answer here
// can be set to that alone.

// idleSettings are the values of those that are kept.
type idleSettings struct {
	samples, tenacity      atomic.Int64 // maxmemory-...
	lfuLogFactor, lfuDecay atomic.Int64
}

func (i *idleSettings) init() {
	i.samples.Store(5)
	i.tenacity.Store(10)
	i.lfuLogFactor.Store(10)
	i.lfuDecay.Store(1)
}

const (
	whyNoDefrag = "there is no allocator whose fragments could be moved together"
	whyLazy     = "memory is always freed in the background, by Go's garbage collector"
)

func idleParameters() []parameter {
	const maxInt = 1<<31 - 1
	p := []parameter{
		heldSwitch("activedefrag", whyNoDefrag, "no"),
		fixedParam("cluster-enabled", always("no")),
		intParam("lfu-decay-time", 0, maxInt, func(s *settings) *atomic.Int64 { return &s.idle.lfuDecay }),
		intParam("lfu-log-factor", 0, maxInt, func(s *settings) *atomic.Int64 { return &s.idle.lfuLogFactor }),
		intParam("maxmemory-eviction-tenacity", 0, 100, func(s *settings) *atomic.Int64 { return &s.idle.tenacity }),
		intParam("maxmemory-samples", 1, maxInt, func(s *settings) *atomic.Int64 { return &s.idle.samples }),
		{name: "replicaof", get: getReplicaOf},
		{name: "slaveof", get: getReplicaOf},
	}
	for _, what := range []string{"eviction", "expire", "server-del", "user-del", "user-flush"} {
		p = append(p, heldSwitch("lazyfree-lazy-"+what, whyLazy, "yes"))
	}
	return p
}

// heldSwitch is heldParam of what is yes or no.
func heldSwitch(name, why, value string) parameter {
	p := heldParam(name, why, always(value))
	held := p.set
	p.set = func(e *engine, s *settings, v string) error {
		v = strings.ToLower(v)
		if v != "yes" && v != "no" {
			return errSwitchParam
		}
		return held(e, s, v)
	}
	return p
}

// getReplicaOf names the primary, of which a replica need not have been told.
func getReplicaOf(e *engine, s *settings) string {
	if e.role == RolePrimary || s.primary == nil {
		return ""
	}
	return s.primary()
}

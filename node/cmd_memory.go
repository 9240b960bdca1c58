package node

import (
	"fmt"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strings"

	"github.com/redoubtdb/redoubt/node/command"
)

func memoryRows() []*command.Command {
	report := func(name string, h func(*command.Ctx)) *command.Command {
		return &command.Command{Name: name, Since: "4.0.0", Arity: 2, Handler: h,
			Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}}
	}
	return []*command.Command{{
		Name: "memory", Group: "server", Since: "4.0.0", Arity: -2,
		Sub: []*command.Command{
			{Name: "usage", Since: "4.0.0", Arity: -3, Flags: command.ReadOnly, KeySpecs: []command.KeySpec{command.Key(2, command.KeyRO)},
				Handler: memoryUsage},
			{Name: "purge", Since: "4.0.0", Arity: 2, Handler: memoryPurge,
				Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}},
			report("stats", memoryStats),
			report("malloc-stats", memoryMallocStats),
			report("doctor", func(x *command.Ctx) { r := client(x).srv.memoryReport(); x.Out.Verbatim("txt", r.diagnose()) }),
			{Name: "help", Since: "4.0.0", Arity: 2, Flags: command.Loading | command.Stale,
				Handler: func(x *command.Ctx) { x.Help(memoryHelp...) }},
		},
	}}
}

var memoryHelp = []string{
	"DOCTOR",
	"    Return memory problems reports.",
	"MALLOC-STATS",
	"    Return what Go's runtime tells of its memory.",
	"PURGE",
	"    Attempt to purge dirty pages for reclamation by the allocator.",
	"STATS",
	"    Return information about the memory usage of the server.",
	"USAGE <key> [SAMPLES <count>]",
	"    Return memory in bytes used by <key> and its value. Nested values are counted",
	"    in full, so SAMPLES makes no difference.",
}

// memoryUsage answers from the accounts that are kept anyway: exact, whatever
// the number of elements.
func memoryUsage(x *command.Ctx) {
	if o := x.Options(3); o.Next() {
		if !o.Is("SAMPLES") || !o.Value() {
			x.SyntaxError()
			return
		}
		if n, ok := x.Int(o.Pos); !ok {
			return
		} else if n < 0 || o.Next() {
			x.SyntaxError()
			return
		}
	}
	ref, found := x.LookupRead(x.Args[2])
	if !found {
		x.Out.Null()
		return
	}
	x.Out.Int(ref.MemoryUsed())
}

// memoryPurge collects garbage and gives the memory back to the operating
// system. The reply does not wait for it: a collection takes as long as the data
// is large.
func memoryPurge(x *command.Ctx) {
	client(x).srv.purge()
	x.Out.OK()
}

// purge frees memory in the background; once at a time.
func (s *server) purge() {
	if !s.purging.CompareAndSwap(false, true) {
		return
	}
	s.wg.Go(func() {
		defer s.purging.Store(false)
		for s.engine.release() {
		}
		debug.FreeOSMemory()
	})
}

// memoryStats has Redis's fields in Redis's order. The allocator is Go's heap; what
// there is none of here takes no memory.
func memoryStats(x *command.Ctx) {
	r, w := client(x).srv.memoryReport(), x.Out
	number := func(name string, n int64) { w.BulkString(name); w.Int(n) }
	double := func(name string, f float64) { w.BulkString(name); w.Double(f) }
	w.Map(27 + len(r.dbs))
	number("peak.allocated", int64(r.peak))
	number("total.allocated", int64(r.heap))
	number("startup.allocated", int64(r.startup))
	number("replication.backlog", r.queue) // what is on its way to the log
	number("clients.slaves", 0)
	number("clients.normal", r.clients)
	number("cluster.links", 0)
	number("aof.buffer", 0)
	number("lua.caches", 0)
	number("functions.caches", 0)
	for _, db := range r.dbs {
		w.BulkString(fmt.Sprint("db.", db.id))
		w.Map(3)
		number("overhead.hashtable.main", db.keys)
		number("overhead.hashtable.expires", db.expires)
		number("overhead.hashtable.slot-to-keys", 0)
	}
	number("overhead.total", r.overhead())
	number("keys.count", int64(r.keys))
	number("keys.bytes-per-key", r.dataset/max(1, int64(r.keys)))
	number("dataset.bytes", r.dataset)
	double("dataset.percentage", 100*float64(r.dataset)/float64(r.net()))
	double("peak.percentage", 100*ratio(r.heap, r.peak))
	number("allocator.allocated", int64(r.heap))
	number("allocator.active", int64(r.active))
	number("allocator.resident", int64(r.resident))
	double("allocator-fragmentation.ratio", ratio(r.active, r.heap))
	number("allocator-fragmentation.bytes", int64(r.active-r.heap))
	double("allocator-rss.ratio", ratio(r.resident, r.active))
	number("allocator-rss.bytes", int64(r.resident-r.active))
	double("rss-overhead.ratio", ratio(r.rss, r.resident))
	number("rss-overhead.bytes", int64(r.rss)-int64(r.resident))
	double("fragmentation", ratio(r.rss, r.heap))
	number("fragmentation.bytes", int64(r.rss)-int64(r.heap))
}

// memoryMallocStats lists every number that the runtime has about memory and
// garbage collection.
func memoryMallocStats(x *command.Ctx) {
	var samples []runtimemetrics.Sample
	for _, d := range runtimemetrics.All() {
		if strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/") {
			samples = append(samples, runtimemetrics.Sample{Name: d.Name})
		}
	}
	runtimemetrics.Read(samples)
	var b strings.Builder
	for _, s := range samples {
		switch s.Value.Kind() {
		case runtimemetrics.KindUint64:
			fmt.Fprintf(&b, "%s %d\n", s.Name, s.Value.Uint64())
		case runtimemetrics.KindFloat64:
			fmt.Fprintf(&b, "%s %g\n", s.Name, s.Value.Float64())
		}
	}
	x.Out.Verbatim("txt", b.String())
}

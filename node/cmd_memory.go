package node

import (
	"runtime/debug"

	"github.com/redoubtdb/redoubt/node/command"
)

func memoryRows() []*command.Command {
	return []*command.Command{{
		Name: "memory", Group: "server", Since: "4.0.0", Arity: -2,
		Sub: []*command.Command{
			{Name: "usage", Since: "4.0.0", Arity: -3, Flags: command.ReadOnly, KeySpecs: []command.KeySpec{command.Key(2, command.KeyRO)},
				Handler: memoryUsage},
			{Name: "purge", Since: "4.0.0", Arity: 2, Handler: memoryPurge,
				Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}},
			{Name: "help", Since: "4.0.0", Arity: 2, Flags: command.Loading | command.Stale,
				Handler: func(x *command.Ctx) { x.Help(memoryHelp...) }},
		},
	}}
}

var memoryHelp = []string{
	"PURGE",
	"    Attempt to purge dirty pages for reclamation by the allocator.",
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
		debug.FreeOSMemory()
	})
}

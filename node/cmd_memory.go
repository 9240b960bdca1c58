package node

import (
	"runtime/debug"

	"github.com/redoubtdb/redoubt/node/command"
)

func memoryRows() []*command.Command {
	return []*command.Command{{
		Name: "memory", Group: "server", Since: "4.0.0", Arity: -2,
		Sub: []*command.Command{
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

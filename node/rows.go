package node

import (
	"sync"

	"github.com/redoubtdb/redoubt/node/command"
)

var built struct {
	sync.Once
	table *command.Table
}

// Table is the command table of every node: the commands on data and those of
// connections and the server. Programs that read logs and snapshots without
// running a node replay with it, too. It is built once, since rows are
// completed in place.
func Table() *command.Table {
	built.Do(func() {
		built.table = command.NewTable(summarized(
			command.Data(),
			command.Introspection(func() *command.Table { return built.table }),
			connectionRows(),
			transactionRows(),
			clientRows(),
			aclRows(),
			configRows(),
			infoRows(),
			replicationRows(),
			debugRows(),
			memoryRows(),
			slowlogRows(),
			latencyRows(),
			moduleRows(),
			monitorRows(),
		)...)
	})
	return built.table
}

// client is the connection that a command came in on.
func client(x *command.Ctx) *conn { return x.Session.(*conn) }

// Flags that many rows share.
const (
	anywhere = command.NoScript | command.Loading | command.Stale
	greeting = anywhere | command.Fast | command.NoAuth | command.AllowBusy
	adminAny = anywhere | command.Admin
)

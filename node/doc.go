// Package node is Redoubt's server: one process's part in one shard.
//
// # Parts
//
//	server, conn, output   connections: reading, running chunks, sending replies
//	engine, dispatch       one command at a time over the data; what may run when
//	gate, lastWrite        which replies wait for which commit
//	blocked, waits         clients that wait for a key, and who is served next
//	pause                  CLIENT PAUSE: clients that wait until it is over
//	clientmem, limits      what clients may take, and who goes when it is more
//	follow, lead, load     the node's roles, one goroutine that runs them in turn
//	cmd_*, multi, watch    commands on connections and the server, with their rows
//
// Package keyspace holds the data, package command the commands on it, package
// resp the wire format.
//
// # A command
//
// A connection's goroutine parses what has arrived into a chunk of commands,
// takes the engine's lock, runs the chunk, lets go and hands the replies to the
// connection's output. A command's effects become one unit of the log; the
// appender says which entry they will be in. The reply waits for that entry, or,
// when it only read, for the last uncommitted write to a key that it names.
// Replies that wait for nothing leave at once, and the connection goes on
// reading and running commands meanwhile.
//
// The lease's deadline is judged after a chunk has run and before any of its
// replies is handed on. That is enough for all of them: at that moment no other
// primary existed, so what was read was the newest state; and a reply that waits
// for a commit leaves on the word of etcd's fence.
//
// # Bounds
//
// What clients can make a node hold is bounded, each client by itself and all of
// them together:
//
//   - a command by client-query-buffer-limit, 10 short arguments before AUTH; a
//     transaction by the same limit, what its queue takes counted in full, and
//     by what fits an entry of the log
//   - replies of one connection by 256 KiB and one reply, after which it executes
//     nothing more until they are sent; those that wait for a commit by 1 MiB;
//     one reply by half of maxmemory-clients, and by client-output-buffer-limit
//   - what waits to be committed by 64 MiB and one command
//   - all that connections hold by maxmemory-clients: beyond it those that hold
//     most are closed, as in Redis 7. There it is off by default. Here it is a
//     tenth of the memory: a node that is killed for want of memory costs a
//     failover, and its successor meets the same clients
//   - connections by maxclients, and by the open files there are
//
// Nothing is reserved for what a client merely announces. One hold of the
// engine's lock ends soon after a command that took its time, so that a pipeline
// of slow commands lets others in between. Connections whose holds are long, or
// that are new and do not begin with a few fast commands, queue among themselves
// first: however many those are, a client that asks for little waits for one or
// two of their holds. A single slow command (KEYS, LCS) is run to its end.
//
// # Roles
//
//	loading   data is read from object storage; commands on data get -LOADING
//	replica   follows the log; writes get -READONLY, and so do reads on
//	          connections that have not sent READONLY
//	primary   holds the shard's leader key
//
// A replica campaigns when nobody leads and it has applied the whole log. It
// appends its epoch's opening entry before it serves. A primary whose term ends
// cuts every connection that waits for a commit; if it had executed anything
// that is not committed it drops its data and loads again.
package node

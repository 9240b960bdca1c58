// Package agent runs the nodes that are assigned to a host, each as a `redoubt node`
// process in a folder of its own, and says in etcd how they fare (package fleet).
//
// # What it promises
//
//   - There is at most one process of a node at any time. A node's process holds the
//     lock of its folder, inherited from the agent that started it, until it has
//     ended: that, and no pid, decides whether one runs.
//   - Nodes outlive the agent, whichever way it ends. The next agent on the same
//     directory takes over those that run and sees which have ended.
//   - When it knows that a process has ended, it ends the leader's lease that this
//     process may have held, and only then starts the node again: the shard need not
//     wait for the lease to run out, and a live primary never loses it this way.
//   - A process is never signalled by a pid that may have become another's.
//   - A node runs the version that it is assigned: the agent's own program is the build
//     that runs, whatever has taken its place on the disk since.
//   - A node that is to stop is asked to (SIGTERM: it hands over), killed after a
//     grace time, and its folder removed. One that nobody assigns any more, too.
//
// # How it is made
//
// core is what is known of the nodes and what follows from it, without I/O and
// without a clock: facts in, steps out. Agent is the driver around it: one goroutine
// that carries out the steps and brings back what came of them. machine is what
// processes and folders are to it.
//
// # A folder
//
//	nodes/<node>/lock         held by the node's process
//	nodes/<node>/launch.json  what it was started with
//	nodes/<node>/pid          its pid, and when that process began
//	nodes/<node>/stopping     when it was asked to end, if it was
//	nodes/<node>/node.yaml    its configuration, with secrets: mode 0600
//	nodes/<node>/tls/         certificate and key
//	nodes/<node>/metrics.sock where it serves its metrics, for its user alone
//	nodes/<node>/log          what it writes; older ones are log.1, log.2, ...
package agent

// Command hostile sends a node what no client should, to see that the node's
// memory stays bounded and its answers to good clients stay right.
//
//	go run ./internal/faults/hostile -duration 5m
//	go run ./internal/faults/hostile -h            # all attackers
//
// An Attacker is one way to misbehave; All lists them by family. Run lets many
// of them loose on one node from many connections at once, until its context
// ends. Each draws what it does from a seed, so the same attack can be had again;
// only the order in which the network delivers it is chance. An attacker does not
// care what becomes of its connections, but reports an answer that must not be,
// such as data told to somebody without the password. All of them together spend
// no more than a budget of bytes and connections a second: node and etcd are on the
// same machine, and an attack that leaves them no processor shows nothing.
//
// Good clients read and write keys of their own meanwhile and check every answer.
// How long they wait for one is noted, and judged by the processor time that the
// node used meanwhile: on a busy machine the clock says more about the machine. When
// the attack is over, answers must come promptly again. A Monitor samples the
// process's memory.
//
// The attackers keep to what an honest bound can be stated for: all they store
// fits into a few dozen MiB, as the data of a node without maxmemory is bounded
// by nothing else; and they leave alone what an administrator may do to others
// (CONFIG SET requirepass, CLIENT KILL TYPE normal, CLIENT NO-EVICT).
package main

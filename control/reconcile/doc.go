// Package reconcile makes clusters what they are asked to be.
//
// Everything that decides is a pure function: Decide looks at one cluster's spec and
// at what is observed of it (Input) and says what to do next (Decision). It is called
// again and again, after each change and now and then without one, and keeps nothing
// in between. So whatever becomes of an action (lost, done twice, overtaken by a host
// that dies) the next Decision starts from what is there, and a control plane that is
// started anew goes on where the last one was. When a cluster is as asked, a Decision
// has no actions.
//
// # What holds at each step
//
//   - No planned step takes away the last node that serves, or the primary: the shard
//     is handed over first. At most one node of a shard is restarted at a time, and the
//     next only when all others follow the log.
//   - A node's name is given once. Its assignment stays until the host's agent says
//     that nothing of it is left; a host that comes back after its nodes were replaced
//     stops them.
//   - Replicas get a newer engine before the primary; an older one is refused. A replica
//     of an older engine could not read what a newer primary writes (DESIGN, invariant 11).
//   - What replaces a node comes first, then that node goes. If nothing can replace it,
//     it stays, and the status says why.
//   - Data is deleted only after the final snapshot that was asked for is there.
//
// # The nodes of a shard
//
// Every assigned node that is to run is in one class:
//
//	lost     its host is gone, and so is the node: replaced, when there is room
//	broken   it cannot be started there, while another one runs: replaced like a lost one
//	leaving  it is to be elsewhere (draining, zone, no room to grow): another one comes
//	         first, one at a time
//	staying  all others; restarted in place, one at a time, when what it is to be started
//	         with has changed
//
// A shard of one node has nobody to hand over to, so its node is never restarted: it is
// leaving, and its replacement is started with what is new.
//
// # The driver
//
// Driver reads, decides and acts: one cluster at a time by one worker, several clusters
// side by side. Long work (snapshots, imports, deletion of data) runs in jobs, which
// Decide sees as running, failed or done.
package reconcile

// Command faults tries to break Redoubt's promises: real processes, a proxy on
// every link, faults in a random order that a seed decides, clients that record
// what they were answered, and checks over all of it.
//
//	go run ./internal/faults -duration 30m
//	go run ./internal/faults -seed 4711            # one round, again
//	go run ./internal/faults -broken all           # can the checks fail?
//
// A campaign is a sequence of rounds. A round starts a cluster of its own (three
// etcd members, an S3 server, a primary and two replicas), lets every workload
// run, and meanwhile every fault happen once; then it heals all, waits until the
// shard is well, and judges what was recorded. The round with number n of a
// campaign with seed S has seed S+n, and is the same as the only round of a
// campaign with that seed.
//
// Package cluster has the processes and links, nemesis the faults, workload the
// clients and the checks of what they saw, and audit the checks of the log.
// Command hostile, below this one, attacks a node through its port instead.
//
// When something is found, the round ends; its seed, faults, history, pictures and
// the logs of all processes are left in one folder, and the command that repeats
// the round is printed. The seed fixes which faults happen, in which order and for
// how long; what the scheduler and the disks make of it differs from run to run.
package main

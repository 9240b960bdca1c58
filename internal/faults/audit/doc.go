// Package audit judges a shard by its log. An Auditor is a witness beside the
// nodes: it follows the log from entry 1 on, over connections of its own that no
// fault touches, and reports what may not happen to a log. Pure functions judge
// what clients were answered against the order of epochs that it saw.
//
// # What an Auditor watches
//
// The entries, in order, by etcdfence's Follow and, where the head was trimmed
// before they were read, from segments. Each must continue the one before; an
// epoch begins with its opening entry, once, and none follows of an older one.
// Their effects go to a keyspace of the Auditor's, so that Digest is what DEBUG
// DIGEST of every node must be at the same entry.
//
// The shard's keys in etcd, revision by revision, by a watch that shares no code
// with etcdfence. A log key is created once, under the leader key that stands at
// that very revision and with its epoch, never changed, and deleted only when the
// sealed pointer has passed it. The bytes of all log keys never exceed the head's
// limit at any revision. Revisions that were compacted before the watch came to
// them are not judged; the state after them is.
//
// The segments that sealed pointers name: each is in S3 at once, and holds the
// very entries that were in the head. A segment that is gone because a snapshot
// covers it is none of the Auditor's business.
//
// # What is a violation and what an error
//
// A violation is a broken promise of the shard and goes to workload.Violations.
// That etcd or S3 cannot be reached is neither: the Auditor tries again until
// Close. An error is what keeps the Auditor from judging; it is returned by
// CatchUp and Close.
package audit

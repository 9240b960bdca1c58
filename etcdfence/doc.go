// Package etcdfence keeps a shard's log head, its election and the cluster's
// topology in etcd, and makes the one promise everything else rests on: an
// entry gets into the log only under the epoch that owns the shard at that
// very moment.
//
// # Keys
//
// Everything of a cluster is under /redoubt/<cluster>/. This package owns:
//
//	nodes/<id>                       JSON NodeInfo, on the node's own lease
//	users/<name>                     JSON User; only read here, the control plane writes them
//	shards/<nnnn>/leader             JSON Leader, on the primary's lease
//	shards/<nnnn>/sealed             JSON Sealed: up to where the log is in segments
//	shards/<nnnn>/log/<seq>          one wal entry; seq as 20 decimal digits
//	shards/<nnnn>/handover           JSON Handover, on a lease of a few seconds
//
// The head is the run of log keys. It starts right after sealed.seq and has no
// holes, so the log's tail is sealed.seq plus the number of log keys. sealed
// exists from the shard's creation on and is never deleted. The leader key is
// created by a won campaign and goes away with its lease only; to take a shard
// from its primary, end the lease, never delete the key.
//
// # Epoch
//
// A term is one node's time as primary, from a won campaign to the end of its
// lease. Its epoch is sealed.epoch_base plus the CreateRevision of the leader
// key. Revisions only grow while etcd lives. When a shard is rebuilt in a new
// etcd, whose revisions start again, epoch_base is set past every epoch seen
// before.
//
// # Append
//
// One transaction:
//
//	If   CreateRevision(leader) == ours      the shard is still ours
//	     CreateRevision(log/<seq>) == 0      and this seq is free
//	     ModRevision(sealed) == known        and nothing was trimmed since
//	Then Put(log/<seq>, entry)
//	Else Get(leader), Get(log/<seq>), Get(sealed)
//
// When an answer is lost, the same transaction is sent again: the second
// comparison makes that safe, and its Else part says what became of the first
// try. The third comparison is for tries that are delayed for so long that the
// entry was appended, sealed and trimmed meanwhile: without it such a try
// would find its seq free and bring a trimmed entry back.
//
// That log/<seq-1> exists is not compared. It follows: the campaign proves the
// tail in its own transaction, a term sends seq only once seq-1 is known to be
// committed, and nobody else writes under its epoch. Comparing it would make
// every etcd member read the previous entry, up to 1 MiB, on each append.
//
// # Campaign
//
//	If   CreateRevision(leader) == 0
//	     ModRevision(sealed) == the one read, where sealed.seq <= applied
//	     CreateRevision(log/<applied+1>) == 0
//	Then Put(leader) on a lease granted before
//
// That log/<applied+1> is absent proves nothing alone: it may have been sealed
// and trimmed. With an unmoved sealed pointer at or below what the candidate
// has applied, it proves that the candidate has the whole log.
//
// # Lease
//
// A term answers for the shard only before its local deadline: the time the
// last successful grant or renewal was *sent*, plus the TTL etcd granted, less
// a margin for clocks that run at different speed. etcd starts counting when
// the request arrives, so it never ends the lease earlier; after an etcd leader
// election it starts anew, which is only ever later. Both the monotonic and the
// wall clock are watched and the one further on counts: a machine's monotonic
// clock stands still while the machine is suspended, etcd's does not. Once the
// deadline was seen to have passed, the term is lost for good; a renewal that
// comes back later does not revive it.
//
// # Trim
//
//	If   CreateRevision(leader) == ours && ModRevision(sealed) == known
//	Then Put(sealed), Delete(log/ up to sealed.seq)
//
// The term compacts etcd behind its trims, one second later, so that followers
// that keep up never meet the compaction; those that do read again.
//
// # What callers must know
//
// Requests to etcd are repeated, with backoff and jitter, until they succeed,
// fail for good (permission, malformed request) or the caller's context ends.
// Each one asks for a member that knows of a leader: one that is cut from the others
// refuses it at once, and the next attempt goes to another member. A client made with
// internal/etcdpick's options asks one that does not answer only now and then.
// A *clientv3.Client made by v3client, inside an embedded etcd's process, works
// as one over the network does.
package etcdfence

// Package nemesis is the faults of a campaign: what each does to a cluster, and
// the order in which they come, which a seed decides.
//
// A Schedule has every nemesis once, some of them with another one on top. Run
// lets them happen one after the other; between two of them the shard must become
// well by itself, within a minute. A nemesis chooses at random (which replica, for
// how long, which of its variants) from the seed of its step alone, and undoes what
// it did itself, also when it is told to end. So one seed is one sequence of
// faults; what the scheduler and the disks make of it differs from run to run.
//
// # What no fault may break
//
// Acknowledged writes stay, transactions are whole, a read on the primary is as
// new as the newest acknowledged write, a replica shows a prefix of the log, the
// log is one chain, the head stays below its limit. Each nemesis threatens some of
// these, or how soon the shard serves again:
//
// The primary's process.
//
//	kill-primary         what was acknowledged was not on the quorum; writes are away
//	                     for longer than the lease and half a second
//	kill-primary-known   who comes next starts without the end of the log; the lease
//	                     is waited for although the process is known to be dead
//	stop-primary-short   the lease is given up, or renewed, in spite of the pause
//	stop-primary-long    what was read or executed before the stop is answered after
//	                     it, when another primary has taken writes
//	pressure             the same for pauses of any length at any place; entries that
//	                     go to the log by way of S3
//	hand-overs           writes that the old primary had taken are lost or doubled, or
//	                     fail otherwise than with a retryable error
//
// Other nodes.
//
//	kill-replica         a replica loads something else than the log says
//	stop-replica         a replica goes back, or on from a place that is not its own
//	replica-lag          a replica that misses trimmed entries takes over without them
//	kill-all-nodes       what a shard knows is only in the memory of its nodes
//	power-loss           the same for etcd: an acknowledged write is not on disk
//
// etcd.
//
//	kill-etcd-leader     an append whose answer was lost is done twice or not at all
//	kill-etcd-follower   one member less is noticed at all
//	kill-etcd-quorum     anybody answers for the shard when nobody can renew a lease
//	stop-etcd-leader     an old leader of etcd extends leases or answers reads
//	stop-etcd-follower   requests to one member that hangs are waited for
//	no-space             the primary serves what etcd has refused to store; nobody
//	                     can lead afterwards
//	slow-etcd            answers are taken for lost ones, and the other way round
//
// Between members of etcd.
//
//	isolate-etcd-leader      a leader without a quorum renews the lease or answers
//	isolate-etcd-follower    requests and watches at a member that knows of no leader
//	                         are waited for; a replica there stays behind
//	split-with-etcd-leader   a primary that only a leader without a quorum hears goes
//	                         on serving clients
//	cut-etcd-pair            a member that misses the leader unseats it, again and again
//	drop-etcd-peers          anybody answers for the shard when no member has a quorum
//	deaf-etcd-leader         appends that the next leader of etcd has, and the one that
//	                         was asked does not confirm, are done twice or not at all
//	mute-etcd-leader         requests to a leader that was deposed are waited for
//	slow-etcd-peers          renewals are given up, or leases end, over a quorum that is
//	                         only far away
//
// Between the primary and etcd.
//
//	cut-primary-from-etcd    clients are served by a primary that has been replaced
//	drop-primary-from-etcd   the same, when it does not notice that it is alone
//	lost-answers             appends of unknown outcome are guessed, not looked up
//	slow-answers             the lease is counted from the answer to its renewal
//	late-append              an append of an earlier term gets into the log
//	replica-cut-from-etcd    a replica that hears nothing stands in for the primary
//
// Between clients and the primary.
//
//	cut-clients          a primary that nobody reaches gives way, or a command that
//	                     broke off is half done
//	drop-clients         requests that arrive when their client has given up
//
// S3.
//
//	kill-s3, stop-s3     an entry leaves etcd before its segment is durable
//	slow-s3              the same; writes wait for segments
//	s3-away              the head grows past its limit; reads stop with the writes;
//	                     a failover fails because the head is full; writes do not
//	                     come back by themselves
package nemesis

package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/cluster"
)

// Env is what a nemesis works on.
type Env struct {
	C     *cluster.Cluster
	Rand  *rand.Rand    // the only source of its choices
	Lease time.Duration // TTL of the primary's lease
	// Scale stretches the outages that may last as long as one likes; 1 keeps
	// a run of all nemeses below two minutes.
	Scale float64
	Log   func(format string, args ...any) // one line an action

	name   string  // of the nemesis
	claims *claims // shared with the nemesis that runs at the same time, if any
	record *record
}

// Nemesis is one kind of fault.
type Nemesis struct {
	Name  string
	About string // what it does, in a line

	// do injects the fault, waits and heals, also when ctx ends or something goes
	// wrong on the way. It does not wait until all is well again. ErrNotRecovered
	// says that what had to go on in spite of the fault did not; any other error,
	// that the fault could not be made as it should.
	do      func(ctx context.Context, e *Env) error
	touches parts
}

// parts are what a nemesis breaks, for telling which of them may run at once.
type parts uint

const (
	nodes       parts = 1 << iota // processes of single nodes, which are claimed one by one
	etcdMembers                   // processes of etcd, at most a minority of them
	etcdLinks                     // between nodes and etcd
	etcdPeers                     // between members of etcd
	etcdSpace                     // etcd stores nothing
	s3Server                      // the process
	s3Links                       // between nodes and S3
	clientLinks                   // between clients and nodes
	whole                         // so much that nothing else can happen meanwhile
)

// All returns every nemesis.
func All() []Nemesis {
	return []Nemesis{
		{"kill-primary", "kill -9 the primary; a replica takes over when the lease has ended", killPrimary, nodes},
		{"kill-primary-known", "kill -9 the primary and revoke its lease, as a host agent that saw it exit does", killPrimaryKnown, nodes},
		{"kill-replica", "kill -9 a replica", killReplica, nodes},
		{"kill-all-nodes", "kill -9 all nodes at once", killAllNodes, whole},
		{"power-loss", "kill -9 all nodes and all of etcd at once", powerLoss, whole},
		{"stop-primary-short", "SIGSTOP the primary for less than the lease", stopPrimaryShort, nodes},
		{"stop-primary-long", "SIGSTOP the primary until another has taken a write, then SIGCONT", stopPrimaryLong, nodes},
		{"stop-replica", "SIGSTOP a replica", stopReplica, nodes},
		{"replica-lag", "stop a replica until the log it misses is trimmed, then kill all others: it has to take over", replicaLag, whole},
		{"hand-overs", "planned hand-overs, back to back", handOvers, 0},
		{"pressure", "busy processes, short SIGSTOPs of the primary, values so large that they go to the log by way of S3", pressure, nodes},

		{"kill-etcd-leader", "kill -9 the leader of etcd", killEtcdLeader, etcdMembers},
		{"kill-etcd-follower", "kill -9 a follower of etcd", killEtcdFollower, etcdMembers},
		{"kill-etcd-quorum", "kill -9 two of three etcd members, for longer than the lease", killEtcdQuorum, whole},
		{"stop-etcd-leader", "SIGSTOP the leader of etcd for longer than an election", stopEtcdLeader, etcdMembers},
		{"stop-etcd-follower", "SIGSTOP a follower of etcd", stopEtcdFollower, etcdMembers},
		{"no-space", "etcd has no space left (NOSPACE alarm), for longer than the lease", noSpace, etcdSpace},
		{"slow-etcd", "every byte between nodes and etcd takes 20 to 80 ms longer", slowEtcd, etcdLinks},

		{"isolate-etcd-leader", "cut etcd's leader from both other members; nodes still reach it", isolateEtcdLeader, etcdPeers | etcdMembers},
		{"isolate-etcd-follower", "cut a follower of etcd from both other members; nodes still reach it", isolateEtcdFollower, etcdPeers | etcdMembers},
		{"split-with-etcd-leader", "etcd's leader and the primary on one side, all other members on the other; clients reach both", splitWithEtcdLeader, etcdPeers | etcdMembers | etcdLinks | nodes},
		{"cut-etcd-pair", "cut etcd's leader from one follower; the other one hears both", cutEtcdPair, etcdPeers | etcdMembers},
		{"drop-etcd-peers", "drop all packets between all members of etcd, for longer than the lease", dropEtcdPeers, whole},
		{"deaf-etcd-leader", "etcd's leader hears nothing from the other members, which hear it", deafEtcdLeader, etcdPeers | etcdMembers},
		{"mute-etcd-leader", "the other members hear nothing from etcd's leader, which hears them", muteEtcdLeader, etcdPeers | etcdMembers},
		{"slow-etcd-peers", "every byte between members of etcd takes 10 to 60 ms longer", slowEtcdPeers, etcdPeers},

		{"cut-primary-from-etcd", "reset all connections of the primary to etcd; clients still reach it", cutPrimaryFromEtcd, etcdLinks},
		{"drop-primary-from-etcd", "drop all packets between the primary and etcd; clients still reach it", dropPrimaryFromEtcd, etcdLinks},
		{"replica-cut-from-etcd", "cut a replica from etcd", replicaCutFromEtcd, etcdLinks},
		{"lost-answers", "lose etcd's answers to the primary: what it sent may have been done", lostAnswers, etcdLinks},
		{"slow-answers", "renewals of the lease are answered late, then not at all", slowAnswers, etcdLinks},
		{"late-append", "an append of a dead primary reaches etcd when the shard has moved on", lateAppend, etcdLinks | nodes},
		{"cut-clients", "reset all connections of clients to the primary", cutClients, clientLinks},
		{"drop-clients", "drop all packets between clients and the primary", dropClients, clientLinks},

		{"kill-s3", "kill -9 the S3 server", killS3, s3Server},
		{"stop-s3", "SIGSTOP the S3 server", stopS3, s3Server},
		{"slow-s3", "S3 answers 100 to 400 ms late, or takes 32 to 128 KiB/s", slowS3, s3Links},
		{"s3-away", "S3 is away until the log's head is full, and longer", s3Away, s3Server | s3Links},
	}
}

func byName(all []Nemesis) map[string]Nemesis {
	m := make(map[string]Nemesis, len(all))
	for _, n := range all {
		m[n.Name] = n
	}
	return m
}

// logf logs one action.
func (e *Env) logf(format string, args ...any) {
	if e.Log != nil {
		e.Log("%s: %s", e.name, fmt.Sprintf(format, args...))
	}
}

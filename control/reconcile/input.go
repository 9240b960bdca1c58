package reconcile

import (
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// DefaultHostGrace is Policy's HostGrace.
const DefaultHostGrace = 30 * time.Second

// Policy is how patient the control plane is. The zero value of a field is its
// default.
type Policy struct {
	// HostGrace is how long a host must be gone before its nodes are replaced.
	HostGrace time.Duration
	// AgentGrace is the same for a host whose nodes are still there: only its agent
	// is gone.
	AgentGrace time.Duration
	// NodeGrace is how long a node must fail on a host that is there before it is
	// placed elsewhere.
	NodeGrace time.Duration
	// HandoverRetry is how long a hand-over may take before it is asked for again.
	HandoverRetry time.Duration
	// SettledHost is how long a host must have been there before nodes move to it for
	// no other reason than that it is in another zone.
	SettledHost time.Duration
	// Lag is how many entries behind the log's tail a replica may be to count as
	// caught up. Nodes say where they are once a second.
	Lag uint64
	// LogPerData and MinLog bound the log behind the newest snapshot, as a share of the
	// snapshot's size and in bytes: beyond, there is another snapshot.
	LogPerData float64
	MinLog     int64
}

func (p Policy) withDefaults() Policy {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&p.HostGrace, DefaultHostGrace)
	def(&p.AgentGrace, 15*time.Minute)
	def(&p.NodeGrace, time.Minute)
	def(&p.HandoverRetry, 15*time.Second)
	def(&p.SettledHost, 5*time.Minute)
	if p.Lag == 0 {
		p.Lag = 10000
	}
	if p.LogPerData == 0 {
		p.LogPerData = 0.5
	}
	if p.MinLog == 0 {
		p.MinLog = 256 << 20
	}
	return p
}

// Cluster is a cluster as the store has it.
type Cluster struct {
	Name     string
	Version  int64 // of Spec
	Spec     spec.Cluster
	Status   spec.ClusterStatus
	Created  time.Time
	Deleting *Deleting // nil: it is to be
}

// Deleting says how a cluster is to go.
type Deleting struct {
	FinalSnapshotName string `json:"final_snapshot_name,omitempty"`
}

// Host is a host, or one that was there.
type Host struct {
	fleet.Host
	Alive bool
	Since time.Time // since when it has been alive, or gone, as far as is known
}

// Assigned is an assignment and what the agent says of it.
type Assigned struct {
	Host string
	fleet.Assignment
	Status *fleet.Status // nil: nothing yet
	// NotServing is since when the node has been seen not to serve with this
	// generation; zero while it serves.
	NotServing time.Time
}

// Shard is what etcd has of a shard.
type Shard struct {
	Initialized bool
	Tail        uint64
	Leader      *etcdfence.Leader // nil: nobody
	// Asked is the last hand-over that was asked for; nil if none is remembered.
	Asked *Asked
}

// Asked is a hand-over that was asked for.
type Asked struct {
	Epoch int64
	To    string
	At    time.Time
	Tries int // with this epoch
}

// Job is long work for one cluster: that it is done shows in what it did.
type Job struct {
	Running   bool
	Progress  string
	Err       string // of the last try, "" if it did not fail
	Permanent bool   // the error will be the same the next time
	RetryAt   time.Time
	Tries     int
	Done      bool
}

// Snapshot is a snapshot of the cluster, published or to be made.
type Snapshot struct {
	Name     string
	Status   spec.SnapshotStatus
	Deleting bool
}

// Log is how far the log has come since the newest snapshot.
type Log struct {
	Known        bool
	Bytes        int64 // in segments behind the newest snapshot
	SnapshotSize int64
}

// Operation is a change that somebody waits for.
type Operation struct {
	ID      string
	Kind    string
	Version int64 // of the spec that it made
	State   string
	Started time.Time
	// Arguments are what it is about beside the cluster.
	Arguments map[string]string
	Done      int
	Total     int
	Text      string // what is being done, or why it failed
}

func (o Operation) same(p Operation) bool {
	return o.State == p.State && o.Done == p.Done && o.Total == p.Total && o.Text == p.Text
}

// Input is all that Decide looks at.
type Input struct {
	Now     time.Time
	Policy  Policy
	Cluster Cluster
	// Applied is what was written for the cluster's nodes, see spec.ClusterStatus.
	Applied map[string]time.Time
	// AtStart are the parameters, of the cluster's group, that take effect when a node
	// starts.
	AtStart map[string]string
	Hosts   []Host
	// Assigned is everything that is assigned to hosts, of all clusters.
	Assigned []Assigned
	// Nodes are the cluster's registered nodes.
	Nodes []etcdfence.NodeInfo
	// Shards by number; those that could not be read are absent.
	Shards     map[int]Shard
	Jobs       map[string]Job
	Snapshots  []Snapshot
	Log        Log
	Operations []Operation // not ended yet
}

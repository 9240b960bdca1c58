package reconcile

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
)

// Action is one thing to do. Each can be done twice without harm.
type Action interface {
	// String is what is done, as the message of an event.
	String() string
	// reason is the event's reason, in one word as Kubernetes has them.
	reason() string
}

// Assign makes a host run a node, or changes how it runs it.
type Assign struct {
	Host string
	fleet.Assignment
	// Issue asks for a new certificate.
	Issue bool
	Why   string
}

// newCertificate is why a node's assignment changes that is not restarted.
const newCertificate = "its certificate expires"

// Unassign forgets a node of which nothing is left.
type Unassign struct{ Host, Node string }

// Handover asks the primary of a shard to let another node have it.
type Handover struct {
	Shard int
	From  string
	To    string
	Epoch int64
	Why   string
}

// StartJob begins long work, unless it runs.
type StartJob struct {
	Key  string
	Kind JobKind
	// Shard, Snapshot and URIs say what a shard begins with.
	Shard    int
	Snapshot string
	URIs     []string
}

// JobKind is what a job does.
type JobKind string

// Kinds of jobs.
const (
	InitializeShard JobKind = "initialize" // begin a shard: empty, or with a snapshot
	PurgeCluster    JobKind = "purge"      // delete a cluster's data, but for its manual snapshots
	MakeSnapshot    JobKind = "snapshot"
	RemoveSnapshot  JobKind = "remove-snapshot"
)

// CreateSnapshot asks for a snapshot that nobody else asked for.
type CreateSnapshot struct {
	Name   string
	Source string
}

// DeleteSnapshot lets a snapshot go.
type DeleteSnapshot struct{ Name, Why string }

// RemoveCluster forgets a cluster of which nothing is left.
type RemoveCluster struct{ Name string }

func (a Assign) String() string {
	verb := "assign"
	switch {
	case a.Goal == fleet.Stop:
		verb = "stop"
	case a.Why == newCertificate:
		verb = "renew"
	case a.Generation > 1:
		verb = "restart"
	}
	return fmt.Sprintf("%s node %s on host %s: %s", verb, a.Node, a.Host, a.Why)
}

func (a Assign) reason() string {
	switch {
	case a.Goal == fleet.Stop:
		return "StopNode"
	case a.Why == newCertificate:
		return "RenewCertificate"
	case a.Generation > 1:
		return "RestartNode"
	}
	return "AssignNode"
}

func (a Unassign) String() string { return fmt.Sprintf("node %s has left host %s", a.Node, a.Host) }
func (a Unassign) reason() string { return "NodeGone" }

func (a Handover) String() string {
	return fmt.Sprintf("hand shard %d over from %s to %s: %s", a.Shard, a.From, a.To, a.Why)
}
func (a Handover) reason() string { return "Handover" }

func (a StartJob) String() string {
	switch {
	case a.Kind == PurgeCluster:
		return "delete the data"
	case a.Kind == InitializeShard && a.Snapshot != "":
		return fmt.Sprintf("begin shard %d with snapshot %s", a.Shard, a.Snapshot)
	case a.Kind == InitializeShard && len(a.URIs) > 0:
		return fmt.Sprintf("begin shard %d with %s", a.Shard, strings.Join(a.URIs, ", "))
	case a.Kind == InitializeShard:
		return fmt.Sprintf("begin shard %d", a.Shard)
	case a.Kind == RemoveSnapshot:
		return "remove snapshot " + a.Snapshot
	}
	return "make snapshot " + a.Snapshot
}

func (a StartJob) reason() string {
	return map[JobKind]string{
		InitializeShard: "InitializeShard", PurgeCluster: "DeleteData",
		MakeSnapshot: "MakeSnapshot", RemoveSnapshot: "RemoveSnapshot",
	}[a.Kind]
}

func (a CreateSnapshot) String() string {
	return fmt.Sprintf("%s snapshot %s is due", a.Source, a.Name)
}
func (a CreateSnapshot) reason() string { return "SnapshotDue" }
func (a DeleteSnapshot) String() string { return fmt.Sprintf("delete snapshot %s: %s", a.Name, a.Why) }
func (a DeleteSnapshot) reason() string { return "SnapshotExpired" }
func (a RemoveCluster) String() string  { return fmt.Sprintf("cluster %s is deleted", a.Name) }
func (a RemoveCluster) reason() string  { return "ClusterDeleted" }

// Event is something to tell people.
type Event struct {
	Warning bool
	Reason  string
	Message string
}

// Decision is what to do about a cluster now.
type Decision struct {
	// Status is written first, if it is another than before: numbers that nodes get
	// are in it.
	Status spec.ClusterStatus
	// Actions are done in order; when one fails the rest waits for the next decision.
	Actions []Action
	// Operations have changed.
	Operations []Operation
	// Events beyond those that the actions are.
	Events []Event
	// Again is how soon time alone may change the decision; 0: it will not.
	Again time.Duration
}

// States of operations.
const (
	OpPending = "pending"
	OpRunning = "running"
	OpDone    = "done"
	OpFailed  = "failed"
)

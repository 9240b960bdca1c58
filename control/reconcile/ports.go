package reconcile

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
)

// Store is resources, operations and events, as far as a driver needs them. Every
// write carries the fence of the control plane's election, and fails with an error that
// Config.Fenced knows when another one was elected. What is gone is no error to write
// to.
type Store interface {
	// Clusters lists their names, also of those that are being deleted.
	Clusters(ctx context.Context) ([]string, error)
	// Cluster is nil when there is none of that name.
	Cluster(ctx context.Context, name string) (*Cluster, error)
	SetClusterStatus(ctx context.Context, name string, status spec.ClusterStatus) error
	// RemoveCluster ends the deletion of a cluster, and the operation that asked for it.
	RemoveCluster(ctx context.Context, name string) error
	Parameters(ctx context.Context, group string) (Parameters, error)
	Access(ctx context.Context, acl string) (Access, error)

	Snapshots(ctx context.Context) ([]Snapshot, error)
	SetSnapshotStatus(ctx context.Context, name string, status spec.SnapshotStatus) error
	// RecordSnapshot makes the resource of a snapshot that nobody asked for, or that is
	// the final one of its cluster. That it is there is no error.
	RecordSnapshot(ctx context.Context, name string, status spec.SnapshotStatus) error
	// DeleteSnapshot asks for the deletion of a snapshot; RemoveSnapshot ends it, and
	// the operation that asked for it.
	DeleteSnapshot(ctx context.Context, name string) error
	RemoveSnapshot(ctx context.Context, name string) error

	// Operations of a resource ("clusters/shop") that have not ended, the oldest first.
	Operations(ctx context.Context, resource string) ([]Operation, error)
	SetOperation(ctx context.Context, o Operation) error
	AddEvent(ctx context.Context, resource string, e Event) error

	// Watch calls changed with each resource that changes ("users/alice"), and with ""
	// when any may have, until ctx ends.
	Watch(ctx context.Context, changed func(resource string)) error
}

// Access is an ACL with its users.
type Access struct {
	ACL   spec.ACL
	Users []spec.User
	// Changed is when each of them was changed last, by its resource ("users/alice").
	Changed map[string]time.Time
}

// Parameters are those of a parameter group, and when it was changed last.
type Parameters struct {
	Values  map[string]string
	Changed time.Time
}

// Fleet is hosts and what they are to run.
type Fleet interface {
	View(ctx context.Context) (View, error)
	// Assign writes assignments, Unassign removes one: all or none, under the fence.
	Assign(ctx context.Context, host string, a fleet.Assignment) error
	Unassign(ctx context.Context, host, node string) error
	// Watch calls changed after each change until ctx ends.
	Watch(ctx context.Context, changed func()) error
}

// View is a fleet at one time. Hosts are those whose agents live.
type View struct {
	Hosts    []fleet.Host
	Assigned []Assigned
}

// Shards is what etcd has of clusters' shards.
type Shards interface {
	State(ctx context.Context, cluster string, shard int) (etcdfence.State, error)
	Nodes(ctx context.Context, cluster string) ([]etcdfence.NodeInfo, error)
	RequestHandover(ctx context.Context, cluster string, shard int, h etcdfence.Handover) error
	// Project makes users, ACLs and parameters of a cluster what keys says, by their
	// keys below /redoubt/<cluster>/.
	Project(ctx context.Context, cluster string, keys map[string]string) error
	// Watch calls changed when a node of the cluster comes, goes or changes its role,
	// until ctx ends.
	Watch(ctx context.Context, cluster string, changed func()) error
}

// Snapshotter does long work on clusters' data, away from their nodes. All of it may be
// repeated; progress is told what it is at.
type Snapshotter interface {
	// Initialize begins a shard, empty or with the files of RDB.
	Initialize(ctx context.Context, cluster string, shard int, rdb []string, progress func(string)) error
	Create(ctx context.Context, cluster, name string, progress func(string)) (spec.SnapshotStatus, error)
	// Remove deletes a snapshot, also one of a cluster that is deleted.
	Remove(ctx context.Context, cluster, name string) error
	// Purge deletes all of a cluster but the snapshots to keep, which move; it returns
	// where their files are now.
	Purge(ctx context.Context, cluster string, keep []string, progress func(string)) (map[string][]string, error)
	// Log is how far the log has come since the newest snapshot.
	Log(ctx context.Context, cluster string) (Log, error)
}

// Certificates issues what nodes serve TLS with.
type Certificates interface {
	Issue(ctx context.Context, cluster, node, address string) (*fleet.TLS, error)
}

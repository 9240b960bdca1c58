package spec

import (
	"time"

	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// Phase is the state of a resource, as a person and Terraform see it. The words are
// those of Amazon MemoryDB, and modifying for its updating.
type Phase string

// Phases.
const (
	Creating     Phase = "creating"
	Available    Phase = "available"
	Modifying    Phase = "modifying"
	Deleting     Phase = "deleting"
	Snapshotting Phase = "snapshotting" // available, and a snapshot is being made
	CreateFailed Phase = "create-failed"
	Failed       Phase = "failed" // of a snapshot
	Active       Phase = "active" // of users, ACLs and parameter groups
)

// Endpoint is where clients connect to.
type Endpoint struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// ClusterStatus is what has become of a Cluster. The names are those of the
// attributes of aws_memorydb_cluster where that has them.
type ClusterStatus struct {
	Status Phase `json:"status"`
	// Reason is why it is not what was asked for, for people; "" when it is, or when
	// it is on its way.
	Reason string `json:"reason,omitempty"`
	// ObservedVersion is the newest version of the spec that is carried out in full.
	ObservedVersion int64 `json:"observed_version"`
	// ClusterEndpoint is the primary of the first shard; zero while there is none.
	ClusterEndpoint Endpoint `json:"cluster_endpoint"`
	// CACertificate is what clients verify its nodes by, PEM; "" without TLS.
	CACertificate string        `json:"ca_certificate,omitempty"`
	Shards        []ShardStatus `json:"shards"`
	// EngineVersion is the newest engine that a node was ever given, "" before there was
	// one. It only grows: the log may hold entries that an older engine does not read.
	EngineVersion string `json:"engine_version"`
	// EnginePatchVersion is the oldest engine that one of its nodes runs.
	EnginePatchVersion string `json:"engine_patch_version"`
	// ParameterGroupStatus is in-sync, or applying while nodes are left that run with
	// other parameters.
	ParameterGroupStatus string `json:"parameter_group_status"`
	// Applied are its ACL, the users of that and its parameter group, as kind/name, each
	// with the time of the change of it (Resource.Updated) that was written for its nodes.
	Applied map[string]time.Time `json:"applied,omitempty"`
	// Stopped: the cluster is being deleted, and none of its nodes is left that could be
	// reached: nothing more is acknowledged, and its final snapshot can be made.
	Stopped bool `json:"stopped,omitempty"`
	// PendingChanges are what is left to do, for people.
	PendingChanges []string `json:"pending_changes,omitempty"`
}

// ShardStatus is one shard of a ClusterStatus.
type ShardStatus struct {
	Name     string       `json:"name"`  // "0001"
	Slots    string       `json:"slots"` // "0-16383"
	NumNodes int          `json:"num_nodes"`
	Nodes    []NodeStatus `json:"nodes"`
	// LastNode is the number that the newest node got. No number is given twice: what
	// is believed dead may come back.
	LastNode int `json:"last_node"`
}

// NodeStatus is one node of a ShardStatus.
type NodeStatus struct {
	Name             string    `json:"name"` // "shop-0001-003"
	AvailabilityZone string    `json:"availability_zone"`
	Host             string    `json:"host"`
	Role             string    `json:"role"` // primary, replica, loading or ""
	Endpoint         Endpoint  `json:"endpoint"`
	Engine           string    `json:"engine"`
	State            string    `json:"state"` // fleet.State, or what is being done with it
	CreateTime       time.Time `json:"create_time,omitzero"`
}

// Values of ParameterGroupStatus.
const (
	InSync   = "in-sync"
	Applying = "applying"
)

// Sources of a snapshot.
const (
	Manual    = "manual"    // somebody asked for it; never deleted by itself
	Automated = "automated" // by the schedule; deleted after snapshot_retention_limit days
	System    = "system"    // by distance in the log, so that nodes start fast
)

// SnapshotStatus is what has become of a Snapshot.
type SnapshotStatus struct {
	Status      Phase     `json:"status"` // creating, available, deleting or failed
	Source      string    `json:"source"`
	Reason      string    `json:"reason,omitempty"`
	CreatedAt   time.Time `json:"created_at,omitzero"`
	ClusterName string    `json:"cluster_name"`
	// ClusterConfiguration is the cluster as it was asked for at the time.
	ClusterConfiguration *Cluster `json:"cluster_configuration,omitempty"`
	// URIs are its files, one a shard.
	URIs []string      `json:"uris,omitempty"`
	Size bytesize.Size `json:"size"`
	Keys int           `json:"keys"`
}

// UserStatus is what has become of a User: modifying until its last change was written
// for the nodes of all clusters that have it, which take it within a second.
type UserStatus struct {
	Status   Phase    `json:"status"`
	ACLNames []string `json:"acl_names"`
}

// SetStatus is the status of an ACL or a ParameterGroup, by the same rule. What of a
// parameter group takes effect when a node starts is ClusterStatus.ParameterGroupStatus.
type SetStatus struct {
	Status   Phase    `json:"status"`
	Clusters []string `json:"clusters"`
}

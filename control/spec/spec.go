// Package spec has what people ask for: clusters, users, ACLs, parameter groups and
// snapshots, after Amazon MemoryDB's, with their defaults and what is allowed. It is
// pure: no network, no clock.
package spec

import "github.com/redoubtdb/redoubt/internal/bytesize"

// Cluster is one database as it is asked for. Names and meaning are those of
// aws_memorydb_cluster where that has them.
type Cluster struct {
	Name                string `json:"name"`
	Description         string `json:"description"`
	EngineVersion       string `json:"engine_version"` // "" at creation: the newest that enough hosts have
	NumShards           int    `json:"num_shards"`     // 1 until there is cluster mode
	NumReplicasPerShard int    `json:"num_replicas_per_shard"`
	// NodeMemory is what each node may use in all: it is its memory limit, and
	// maxmemory is a share of it.
	NodeMemory         bytesize.Size `json:"node_memory"`
	Port               int           `json:"port"` // 0: any that the hosts have free
	ACLName            string        `json:"acl_name"`
	ParameterGroupName string        `json:"parameter_group_name"`
	TLSEnabled         bool          `json:"tls_enabled"`
	ClusterMode        string        `json:"cluster_mode"` // "disabled", until there is another
	// SnapshotRetentionLimit is in days; 0: no snapshots by themselves.
	SnapshotRetentionLimit int    `json:"snapshot_retention_limit"`
	SnapshotWindow         string `json:"snapshot_window"`    // "05:00-09:00", UTC
	MaintenanceWindow      string `json:"maintenance_window"` // "sun:23:00-mon:01:30", UTC
	// AvailabilityZones that its nodes may be in; none: all that have hosts.
	AvailabilityZones []string          `json:"availability_zones"`
	Tags              map[string]string `json:"tags"`
	// SnapshotName or SnapshotURIs (s3://.../file.rdb, in the store that the hosts
	// use) is what a new cluster begins with; one of them at most.
	SnapshotName string   `json:"snapshot_name,omitempty"`
	SnapshotURIs []string `json:"snapshot_uris,omitempty"`
}

// User is who may log in to clusters whose ACL names it. No password is kept, only
// SHA-256 of it in hex.
type User struct {
	Name           string            `json:"name"`
	AccessString   string            `json:"access_string"`   // "on ~app:* +@read", Redis's rules without passwords
	Authentication string            `json:"authentication"`  // "password" or "no-password-required"
	PasswordHashes []string          `json:"password_hashes"` // two at most, so that passwords can be rotated
	Tags           map[string]string `json:"tags"`
}

// ACL is a set of users. "open-access" is there always: the default user may do
// everything without a password.
type ACL struct {
	Name      string            `json:"name"`
	UserNames []string          `json:"user_names"`
	Tags      map[string]string `json:"tags"`
}

// OpenAccess is the ACL that is there always.
const OpenAccess = "open-access"

// ParameterGroup is a set of settings by their redis.conf names, for any number of
// clusters. "default" is there always and empty.
type ParameterGroup struct {
	Name        string            `json:"name"`
	Family      string            `json:"family"` // "redoubt_redis7"
	Description string            `json:"description"`
	Parameters  map[string]string `json:"parameters"`
	Tags        map[string]string `json:"tags"`
}

// DefaultParameterGroup is the parameter group that is there always.
const DefaultParameterGroup = "default"

// Snapshot is one snapshot of a cluster that is asked for; those that are made by
// schedule have names of their own.
type Snapshot struct {
	Name        string            `json:"name"`
	ClusterName string            `json:"cluster_name"`
	Tags        map[string]string `json:"tags"`
}

package node

// Role is what a node is to its shard at a moment.
type Role uint8

const (
	// RoleLoading: the data is being read from object storage and the log.
	RoleLoading Role = iota
	// RoleReplica: follows the log.
	RoleReplica
	// RolePrimary: holds the shard's leader key and writes the log.
	RolePrimary
)

func (r Role) String() string {
	switch r {
	case RoleLoading:
		return "loading"
	case RoleReplica:
		return "replica"
	case RolePrimary:
		return "primary"
	}
	return "unknown"
}

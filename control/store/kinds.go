package store

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// kind is what differs between the collections.
type kind[S any] struct {
	name     string // as in keys and paths
	nameOf   func(*S) string
	fill     func(*S) // in what was left out
	validate func(*S) spec.Problems
	change   func(was, is *S) spec.Problems
	// begun reports what cannot be changed back any more, since it was begun; nil: nothing.
	begun func(was *wire.Resource[S], is *S) spec.Problems
	// refers are the resources that one names and that must exist; was is nil when it
	// is new.
	refers func(was, is *S) []reference
	// usedBy are the places where names of this kind stand.
	usedBy  []referrer
	builtIn string // name of the one that is there always
	// reconciled: changes are carried out by the reconciler.
	reconciled bool
	creates    func(*S) wire.OpKind
}

// reference is a field that names another resource.
type reference struct {
	path       string
	kind, name string
}

// referrer is a kind of resource that names others.
type referrer struct {
	kind string
	uses func(spec json.RawMessage, name string) bool
}

// uses makes the uses of a kind from a predicate.
func uses[S any](names func(*S, string) bool) func(json.RawMessage, string) bool {
	return func(raw json.RawMessage, name string) bool {
		var s S
		// What cannot be read might use it.
		return json.Unmarshal(raw, &s) != nil || names(&s, name)
	}
}

func clusterKind() kind[spec.Cluster] {
	return kind[spec.Cluster]{
		name:     wire.Clusters,
		nameOf:   func(c *spec.Cluster) string { return c.Name },
		fill:     (*spec.Cluster).Default,
		validate: (*spec.Cluster).Validate,
		change:   (*spec.Cluster).CheckChange,
		begun:    engineBegun,
		refers: func(was, c *spec.Cluster) []reference {
			all := []reference{
				{"acl_name", wire.ACLs, c.ACLName},
				{"parameter_group_name", wire.ParameterGroups, c.ParameterGroupName},
			}
			if was == nil && c.SnapshotName != "" {
				all = append(all, reference{"snapshot_name", wire.Snapshots, c.SnapshotName})
			}
			return all
		},
		reconciled: true,
		creates: func(c *spec.Cluster) wire.OpKind {
			if c.SnapshotName != "" || len(c.SnapshotURIs) > 0 {
				return wire.OpRestore
			}
			return wire.OpCreate
		},
	}
}

// engineBegun is for the floor below which a cluster's engine cannot go. The reconciler
// writes that to the status before a node can have started, and the status is in the
// resource that the change is compared with.
func engineBegun(was *wire.Resource[spec.Cluster], is *spec.Cluster) spec.Problems {
	if is.EngineVersion == was.Spec.EngineVersion {
		return nil
	}
	var st spec.ClusterStatus
	if len(was.Status) > 0 && json.Unmarshal(was.Status, &st) != nil {
		st.EngineVersion = was.Spec.EngineVersion // of what cannot be read, all may have begun
	}
	return spec.CheckEngineFloor(st.EngineVersion, is.EngineVersion)
}

func userKind() kind[spec.User] {
	return kind[spec.User]{
		name:     wire.Users,
		nameOf:   func(u *spec.User) string { return u.Name },
		fill:     (*spec.User).Default,
		validate: (*spec.User).Validate,
		change:   (*spec.User).CheckChange,
		usedBy: []referrer{{wire.ACLs, uses(func(a *spec.ACL, name string) bool {
			for _, u := range a.UserNames {
				if u == name {
					return true
				}
			}
			return false
		})}},
		builtIn: spec.DefaultUser,
	}
}

func builtInUser() spec.User {
	u := spec.User{Name: spec.DefaultUser, AccessString: "on ~* &* +@all", Authentication: spec.NoPassword}
	u.Default()
	return u
}

func aclKind() kind[spec.ACL] {
	return kind[spec.ACL]{
		name:     wire.ACLs,
		nameOf:   func(a *spec.ACL) string { return a.Name },
		fill:     (*spec.ACL).Default,
		validate: (*spec.ACL).Validate,
		change:   (*spec.ACL).CheckChange,
		refers: func(_, a *spec.ACL) []reference {
			var all []reference
			for i, u := range a.UserNames {
				all = append(all, reference{fmt.Sprintf("user_names[%s]", strconv.Itoa(i)), wire.Users, u})
			}
			return all
		},
		usedBy:  []referrer{{wire.Clusters, uses(func(c *spec.Cluster, name string) bool { return c.ACLName == name })}},
		builtIn: spec.OpenAccess,
	}
}

func builtInACL() spec.ACL {
	a := spec.ACL{Name: spec.OpenAccess, UserNames: []string{spec.DefaultUser}}
	a.Default()
	return a
}

func groupKind() kind[spec.ParameterGroup] {
	return kind[spec.ParameterGroup]{
		name:     wire.ParameterGroups,
		nameOf:   func(g *spec.ParameterGroup) string { return g.Name },
		fill:     (*spec.ParameterGroup).Default,
		validate: (*spec.ParameterGroup).Validate,
		change:   (*spec.ParameterGroup).CheckChange,
		usedBy:   []referrer{{wire.Clusters, uses(func(c *spec.Cluster, name string) bool { return c.ParameterGroupName == name })}},
		builtIn:  spec.DefaultParameterGroup,
	}
}

func builtInGroup() spec.ParameterGroup {
	g := spec.ParameterGroup{Name: spec.DefaultParameterGroup, Description: "Every setting as nodes have it by themselves"}
	g.Default()
	return g
}

func snapshotKind() kind[spec.Snapshot] {
	return kind[spec.Snapshot]{
		name:     wire.Snapshots,
		nameOf:   func(s *spec.Snapshot) string { return s.Name },
		fill:     (*spec.Snapshot).Default,
		validate: (*spec.Snapshot).Validate,
		change:   (*spec.Snapshot).CheckChange,
		refers: func(was, s *spec.Snapshot) []reference {
			if was != nil {
				return nil // a snapshot outlives its cluster
			}
			return []reference{{"cluster_name", wire.Clusters, s.ClusterName}}
		},
		reconciled: true,
		creates:    func(*spec.Snapshot) wire.OpKind { return wire.OpSnapshot },
	}
}

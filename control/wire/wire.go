// Package wire is what the API says in JSON, for the server and its clients. What is
// kept in etcd (package store) has the same form.
package wire

import (
	"encoding/json"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
)

// Resource is one resource of any kind.
type Resource[S any] struct {
	// Version counts the changes of Spec, from 1. A change names the version that it
	// was made from, and is refused when there is a later one.
	Version int64 `json:"version"`
	Spec    S     `json:"spec"`
	// Status is what has become of it: of clusters and snapshots what the reconciler says,
	// absent until it has looked; of others what the API finds when it is asked for them.
	Status   json.RawMessage `json:"status,omitempty"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"` // when Spec was changed last
	Deleting *Deletion       `json:"deleting,omitempty"`
	// Operation that carries the change out, in the answer to one that changed
	// something.
	Operation string `json:"operation,omitempty"`
}

// Deletion says that a resource is on its way out.
type Deletion struct {
	Requested         time.Time `json:"requested"`
	FinalSnapshotName string    `json:"final_snapshot_name,omitempty"`
	Operation         string    `json:"operation"`
}

// List is one page of a list.
type List[T any] struct {
	Items []T `json:"items"`
	// Next is what to give as ?after= for the next page; absent on the last.
	Next string `json:"next,omitempty"`
}

// Kinds of resources, as in paths.
const (
	Clusters        = "clusters"
	Users           = "users"
	ACLs            = "acls"
	ParameterGroups = "parameter-groups"
	Snapshots       = "snapshots"
)

// User is a user as it is shown: not even hashes of passwords are.
type User struct {
	Name           string            `json:"name"`
	AccessString   string            `json:"access_string"`
	Authentication string            `json:"authentication"`
	PasswordCount  int               `json:"password_count"`
	Tags           map[string]string `json:"tags"`
}

// ViewUser is u as it is shown.
func ViewUser(u *spec.User) User {
	return User{
		Name: u.Name, AccessString: u.AccessString, Authentication: u.Authentication,
		PasswordCount: len(u.PasswordHashes), Tags: u.Tags,
	}
}

// UserInput is a user as it is asked for.
type UserInput struct {
	Name           string `json:"name"`
	AccessString   string `json:"access_string"`
	Authentication string `json:"authentication,omitempty"`
	// Passwords that the user has from now on. Left out, it keeps those it has.
	Passwords []Secret          `json:"passwords,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// DeleteCluster is the body of a cluster's deletion; it may be left out.
type DeleteCluster struct {
	FinalSnapshotName string `json:"final_snapshot_name,omitempty"`
}

// Failover asks for a planned hand-over of a shard.
type Failover struct {
	Shard int    `json:"shard"`
	To    string `json:"to,omitempty"` // node; "": any replica
}

// ArgShard and ArgTo are arguments of operations of kind OpFailover.
const (
	ArgShard = "shard"
	ArgTo    = "to"
)

// Event is something that happened, for people.
type Event struct {
	ID       string    `json:"id"` // later ones have greater ids
	Time     time.Time `json:"time"`
	Resource string    `json:"resource"` // kind/name
	Type     EventType `json:"type"`
	Reason   string    `json:"reason"` // one word, for programs
	Message  string    `json:"message"`
}

// EventType tells what is as it should be from what is not.
type EventType string

// Types of events.
const (
	Normal  EventType = "Normal"
	Warning EventType = "Warning"
)

// Role is what a token may do; each may do what those before it may.
type Role string

// Roles.
const (
	Read    Role = "read"    // look at everything but tokens
	Operate Role = "operate" // change everything but tokens
	Admin   Role = "admin"
)

// Roles are all there are, from the least to the most.
var Roles = []Role{Read, Operate, Admin}

// Token is a bearer token as it is shown.
type Token struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	Role        Role      `json:"role"`
	Created     time.Time `json:"created"`
	CreatedBy   string    `json:"created_by"`
	Expires     time.Time `json:"expires,omitzero"` // absent: never
}

// NewToken asks for a token.
type NewToken struct {
	Description string    `json:"description,omitempty"`
	Role        Role      `json:"role"`
	Expires     time.Time `json:"expires,omitzero"`
}

// CreatedToken is the answer to NewToken, and the only time that the token itself is
// shown.
type CreatedToken struct {
	Token
	Secret Secret `json:"token"`
}

// Package fleet is where the control plane and the host agents meet, in etcd: which
// hosts there are, which nodes each is to run, and how those fare.
//
// A host is known for as long as its agent renews its lease. What is assigned to it
// outlives the agent, and the nodes outlive it too: an agent that comes back takes
// over those that run. The control plane writes assignments and which hosts are
// drained, and nothing else here; an agent its host, and the status of the nodes
// assigned to it.
//
// Names of nodes are unique in the fleet, and stay with a host: a node that is to run
// elsewhere gets another one. An agent that finds a node of its host dead ends the
// leader's lease that this node may have.
package fleet

import (
	"time"

	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// Host is a machine, or a part of one, that nodes can run on.
type Host struct {
	ID string `json:"id"`
	// Instance is the directory that the agent works in, by a name that it was
	// given once: another agent of the same ID is refused, the same one that comes
	// back is not.
	Instance string `json:"instance"`
	AZ       string `json:"az"`
	Address  string `json:"address"` // that clients reach its nodes at, without a port
	// Memory is what its nodes may have in all.
	Memory bytesize.Size `json:"memory"`
	// Ports that its nodes may serve on, both ends included.
	FirstPort int `json:"first_port"`
	LastPort  int `json:"last_port"`
	// Engines are the versions it has a binary of, oldest first.
	Engines []string  `json:"engines"`
	Agent   string    `json:"agent"` // version of the agent itself
	Started time.Time `json:"started"`
	// Draining asks the control plane to move everything away (redoubt host drain).
	// It is not the agent's to say: see Fleet.Drain.
	Draining bool `json:"draining,omitempty"`
}

// Goal is what is to become of a node.
type Goal string

// Goals.
const (
	Run  Goal = "run"  // keep it running
	Stop Goal = "stop" // hand over, stop, and remove its folder
)

// Assignment is one node that a host is to run. Generation grows with every change:
// the agent restarts a running node when what it was started with (Engine, Memory,
// Port, Parameters, whether and how it speaks TLS) has changed. Another certificate
// reaches it without that.
type Assignment struct {
	Cluster    string        `json:"cluster"`
	Shard      int           `json:"shard"`
	Node       string        `json:"node"` // unique in the fleet
	Goal       Goal          `json:"goal"`
	Generation int64         `json:"generation"`
	Engine     string        `json:"engine"` // version, one of the host's Engines
	Port       int           `json:"port"`
	Memory     bytesize.Size `json:"memory"`
	// Parameters are settings by their redis.conf names, those that take effect at
	// start; the ones that can be changed in place reach nodes under the cluster's
	// parameters/.
	Parameters map[string]string `json:"parameters,omitempty"`
	TLS        *TLS              `json:"tls,omitempty"` // nil: plain
	// Managed: who may log in, and settings, are what the control plane writes to the cluster's
	// users/ and parameters/.
	Managed bool `json:"managed,omitempty"`
}

// TLS is what a node serves with: PEM each.
type TLS struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	CA          string `json:"ca"` // that clients verify it by
	MinVersion  string `json:"min_version,omitempty"`
}

// State is how a node fares, as its agent sees it.
type State string

// States.
const (
	Starting   State = "starting"    // the process runs and does not serve yet
	Running    State = "running"     // it answers
	BackingOff State = "backing-off" // it ended, and will be started again at RetryAt
	Stopped    State = "stopped"     // as was asked for; nothing of it is left on the host
	Failed     State = "failed"      // it cannot be started: no such engine, port taken
)

// Status is what an agent says of one node.
type Status struct {
	Node       string    `json:"node"`
	Generation int64     `json:"generation"` // of the assignment that it carries out
	State      State     `json:"state"`
	Engine     string    `json:"engine"`
	PID        int       `json:"pid,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	Restarts   int       `json:"restarts"`
	LastExit   *Exit     `json:"last_exit,omitempty"`
	RetryAt    time.Time `json:"retry_at,omitzero"`
	Message    string    `json:"message,omitempty"` // why it is not running, for people
}

// Exit is how a process ended.
type Exit struct {
	At     time.Time `json:"at"`
	Code   int       `json:"code"`             // -1 when a signal ended it, or nobody knows
	Signal string    `json:"signal,omitempty"` // its name; with code -1 and none, the agent did not run or had not started it
	// Log is the end of what it wrote, some lines.
	Log []string `json:"log,omitempty"`
}

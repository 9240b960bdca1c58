package agent

import (
	"context"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// machine is the processes and folders of nodes on this host.
type machine interface {
	// Find returns what earlier agents have left, by node.
	Find() (map[string]left, error)
	// Start starts a node's process, which outlives the agent. It fails when one
	// runs.
	Start(s step) (process, error)
	// Renew gives a node's process another certificate.
	Renew(s step) error
	// Remove deletes a node's folder. It fails when a process of the node runs.
	Remove(node string) error
	// Tend keeps a node's logs within bounds.
	Tend(node string) error
}

// process is a process of a node.
type process interface {
	PID() int
	Began() time.Time
	// Wait returns when the process has ended, for certain; ok is false when ctx
	// ended first. It is called by one goroutine at a time.
	Wait(ctx context.Context) (exit fleet.Exit, ok bool)
	// Signal does nothing to a process that has ended.
	Signal(syscall.Signal) error
}

// leases ends the leases of leaders that are dead.
type leases interface {
	// Settle ends the lease that a process may have held that was started with a
	// and has ended, trying until ctx ends.
	Settle(ctx context.Context, a fleet.Assignment) error
}

// prober asks nodes whether they serve.
type prober interface {
	// Probe returns nil when the node serves.
	Probe(ctx context.Context, a fleet.Assignment) error
}

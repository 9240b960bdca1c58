package wire

import "time"

// Operation is the carrying out of one change.
type Operation struct {
	ID       string  `json:"id"` // later ones have greater ids
	Kind     OpKind  `json:"kind"`
	Resource string  `json:"resource"` // kind/name
	Version  int64   `json:"version"`  // of the resource, with this change
	State    OpState `json:"state"`
	// Arguments are what beside the resource the operation is about.
	Arguments map[string]string `json:"arguments,omitempty"`
	Progress  Progress          `json:"progress"`
	By        string            `json:"by"` // who asked for it
	// Key is what the request had in the header IdempotencyKey.
	Key     string    `json:"idempotency_key,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Error   string    `json:"error,omitempty"` // why it failed
}

// IdempotencyKey is the header by which a creation is known again when it is sent once
// more, since its answer was lost.
const IdempotencyKey = "Idempotency-Key"

// OpKind is what an operation does.
type OpKind string

// Kinds of operations.
const (
	OpCreate   OpKind = "create"
	OpUpdate   OpKind = "update"
	OpDelete   OpKind = "delete"
	OpRestore  OpKind = "restore" // create from a snapshot
	OpSnapshot OpKind = "snapshot"
	OpFailover OpKind = "failover"
)

// OpState is how far an operation is.
type OpState string

// States of operations.
const (
	Pending OpState = "pending"
	Running OpState = "running"
	Done    OpState = "done"
	Failed  OpState = "failed"
)

// Ended reports whether nothing more will become of an operation.
func (s OpState) Ended() bool { return s == Done || s == Failed }

// Progress is how far an operation is, for people.
type Progress struct {
	Done  int    `json:"done"`  // steps
	Total int    `json:"total"` // 0: not known
	Text  string `json:"text,omitempty"`
}

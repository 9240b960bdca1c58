package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
)

// Change is one step of the control plane's.
type Change struct {
	Host string
	Node string
	// Assign is what the node is to be from now on; nil takes it off the host: an
	// agent that lives stops the node and removes what is left of it.
	Assign *Assignment
	// Forget, with Assign nil, removes the node's status as well: for a host whose
	// agent will not come back to do it.
	Forget bool
}

// Apply carries out all changes or none, in one transaction, trying until ctx ends.
// fence is what must hold for the writer to be the one who may write; ErrFenced when
// it does not. Each change takes up to two of the operations that etcd allows in a
// transaction (128, unless it was set).
func (f *Fleet) Apply(ctx context.Context, fence []clientv3.Cmp, changes ...Change) error {
	ops, err := Ops(changes...)
	if err != nil {
		return err
	}
	resp, err := f.txn(ctx, "assign nodes", fence, ops, nil)
	switch {
	case err != nil:
		return err
	case !resp.Succeeded:
		return ErrFenced
	}
	return nil
}

// Ops are the operations of changes, for a larger transaction of the caller's.
func Ops(changes ...Change) ([]clientv3.Op, error) {
	var ops []clientv3.Op
	for _, c := range changes {
		if err := errors.Join(etcdfence.CheckName(c.Host), CheckNode(c.Node)); err != nil {
			return nil, fmt.Errorf("fleet: %w", err)
		}
		if c.Assign == nil {
			ops = append(ops, clientv3.OpDelete(assignedKey(c.Host, c.Node)))
			if c.Forget {
				ops = append(ops, clientv3.OpDelete(statusKey(c.Host, c.Node)))
			}
			continue
		}
		a := *c.Assign
		a.Node = c.Node
		ops = append(ops, clientv3.OpPut(assignedKey(c.Host, c.Node), encode(a)))
	}
	return ops, nil
}

// Drain says whether everything is to be moved off a host; that outlives its agent.
func (f *Fleet) Drain(ctx context.Context, fence []clientv3.Cmp, host string, drain bool) error {
	if err := etcdfence.CheckName(host); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	op := clientv3.OpDelete(drainingKey(host))
	if drain {
		op = clientv3.OpPut(drainingKey(host), "true")
	}
	resp, err := f.txn(ctx, "drain host", fence, []clientv3.Op{op}, nil)
	if err == nil && !resp.Succeeded {
		err = ErrFenced
	}
	return err
}

// CheckNode reports whether name can be a node's: that of a key and of a folder.
func CheckNode(name string) error {
	if strings.HasPrefix(name, ".") {
		return fmt.Errorf("name %q: must not begin with a dot", name)
	}
	return etcdfence.CheckName(name)
}

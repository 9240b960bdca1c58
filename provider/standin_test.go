package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// standIn finishes operations as the reconciler does, and writes the statuses that it
// writes, without nodes.
type standIn struct {
	t     *testing.T
	s     *store.Store
	fence store.Fence

	mu   sync.Mutex
	held map[string]time.Time // resources whose operations stay open, until when at most
	fail map[string]string    // resources whose operations fail, and why
}

// reconcile runs a stand-in until the test ends.
func reconcile(t *testing.T, s *store.Store, f store.Fence) *standIn {
	r := &standIn{t: t, s: s, fence: f, held: map[string]time.Time{}, fail: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := r.round(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("stand-in: %v", err)
				}
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return r
}

// holdAtMost bounds hold: Terraform's tests delete what there is when a step fails.
const holdAtMost = 20 * time.Second

// hold keeps the operations of a resource open; release lets them go on.
func (r *standIn) hold(resource string) {
	r.set(func() { r.held[resource] = time.Now().Add(holdAtMost) })
}
func (r *standIn) release(resource string) { r.set(func() { delete(r.held, resource) }) }

// failing makes the operations of a resource fail; "" no more.
func (r *standIn) failing(resource, why string) { r.set(func() { r.fail[resource] = why }) }

func (r *standIn) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *standIn) order(resource string) (held bool, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.held[resource]), r.fail[resource]
}

// round works on every open operation once.
func (r *standIn) round(ctx context.Context) error {
	open, err := r.s.Operations.Open(ctx, "")
	if err != nil {
		return err
	}
	for i := range open {
		op := &open[i]
		held, why := r.order(op.Resource)
		switch {
		case held:
			err = r.s.Operations.SetProgress(ctx, r.fence, op.ID, wire.Progress{Done: 1, Total: 3, Text: "waiting for a host"})
		case why != "":
			err = r.s.Operations.Finish(ctx, r.fence, op.ID, why)
		default:
			err = r.carryOut(ctx, op)
		}
		if err != nil {
			return fmt.Errorf("%s of %s: %w", op.Kind, op.Resource, err)
		}
	}
	return nil
}

func (r *standIn) carryOut(ctx context.Context, op *wire.Operation) error {
	kind, name, _ := strings.Cut(op.Resource, "/")
	if kind == wire.Snapshots {
		if op.Kind == wire.OpDelete {
			return r.s.Snapshots.Remove(ctx, r.fence, name)
		}
		return r.snapshot(ctx, name)
	}
	c, err := r.s.Clusters.Get(ctx, name)
	if err != nil {
		return err
	}
	if op.Kind == wire.OpDelete {
		if final := c.Deleting.FinalSnapshotName; final != "" {
			if err := r.snapshot(ctx, final); err != nil {
				return err
			}
		}
		return r.s.Clusters.Remove(ctx, r.fence, name)
	}
	if err := r.s.Clusters.SetStatus(ctx, r.fence, name, statusOf(c)); err != nil {
		return err
	}
	return r.s.Operations.FinishUpTo(ctx, r.fence, op.Resource, c.Version, "")
}

func (r *standIn) snapshot(ctx context.Context, name string) error {
	s, err := r.s.Snapshots.Get(ctx, name)
	if err != nil {
		return err
	}
	status := spec.SnapshotStatus{
		Status: spec.Available, Source: spec.Manual, CreatedAt: s.Created, ClusterName: s.Spec.ClusterName,
		URIs: []string{"s3://redoubt/" + s.Spec.ClusterName + "/" + name + ".rdb"}, Size: 4096, Keys: 12,
	}
	if c, err := r.s.Clusters.Get(ctx, s.Spec.ClusterName); err == nil {
		status.ClusterConfiguration = &c.Spec
	}
	if err := r.s.Snapshots.SetStatus(ctx, r.fence, name, encode(status)); err != nil {
		return err
	}
	return r.s.Operations.FinishUpTo(ctx, r.fence, wire.Snapshots+"/"+name, s.Version, "")
}

// statusOf is a cluster whose nodes are all there.
func statusOf(c *wire.Resource[spec.Cluster]) json.RawMessage {
	port := c.Spec.Port
	if port == 0 {
		port = 6379
	}
	shard := spec.ShardStatus{Name: "0001", Slots: "0-16383", NumNodes: 1 + c.Spec.NumReplicasPerShard, LastNode: 1 + c.Spec.NumReplicasPerShard}
	for i := range shard.NumNodes {
		role := "replica"
		if i == 0 {
			role = "primary"
		}
		shard.Nodes = append(shard.Nodes, spec.NodeStatus{
			Name: fmt.Sprintf("%s-0001-%03d", c.Spec.Name, i+1), AvailabilityZone: string(rune('a' + i)), Host: fmt.Sprintf("h%d", i+1),
			Role: role, Endpoint: spec.Endpoint{Address: fmt.Sprintf("127.0.0.%d", i+1), Port: port}, Engine: c.Spec.EngineVersion,
			State: "running", CreateTime: c.Created,
		})
	}
	return encode(spec.ClusterStatus{
		Status: spec.Available, ObservedVersion: c.Version, ClusterEndpoint: shard.Nodes[0].Endpoint, Shards: []spec.ShardStatus{shard},
		EngineVersion: c.Spec.EngineVersion, EnginePatchVersion: c.Spec.EngineVersion, ParameterGroupStatus: spec.InSync,
	})
}

func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // these can be
	}
	return b
}

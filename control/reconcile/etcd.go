package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
)

// EtcdShards is Shards in etcd.
type EtcdShards struct {
	Client *clientv3.Client
	Fence  Fence
}

var _ Shards = EtcdShards{}

func (s EtcdShards) open(cluster string, shard int) *etcdfence.Shard {
	return etcdfence.Open(s.Client, cluster, shard, etcdfence.Options{})
}

// State reads a shard.
func (s EtcdShards) State(ctx context.Context, cluster string, shard int) (etcdfence.State, error) {
	return s.open(cluster, shard).State(ctx)
}

// Nodes lists the registered nodes of a cluster.
func (s EtcdShards) Nodes(ctx context.Context, cluster string) ([]etcdfence.NodeInfo, error) {
	return s.open(cluster, 0).Nodes(ctx)
}

// RequestHandover is fenced by the shard's epoch: a request that comes too late names a
// term that has ended.
func (s EtcdShards) RequestHandover(ctx context.Context, cluster string, shard int, h etcdfence.Handover) error {
	return s.open(cluster, shard).RequestHandover(ctx, h)
}

// Watch tells of nodes that come, go or change their role, but not of how far they
// have come.
func (s EtcdShards) Watch(ctx context.Context, cluster string, changed func()) error {
	told := ""
	return s.open(cluster, 0).WatchNodes(ctx, func(nodes []etcdfence.NodeInfo) {
		var b strings.Builder
		for _, n := range nodes {
			fmt.Fprintf(&b, "%s %s %d %s\n", n.ID, n.Role, n.Shard, n.Started)
		}
		if b.String() != told {
			told = b.String()
			changed()
		}
	})
}

// projected are the parts of a cluster's keys that Project owns.
var projected = []string{"users/", "acls/", "parameters/"}

// maxOps is how many operations one transaction may have; etcd takes 128 unless it is
// set.
const maxOps = 100

// Project writes what differs, and deletes what is not named. Users are written before
// others are deleted.
func (s EtcdShards) Project(ctx context.Context, cluster string, keys map[string]string) error {
	base := "/redoubt/" + cluster + "/"
	var gets []clientv3.Op
	for _, p := range projected {
		gets = append(gets, clientv3.OpGet(base+p, clientv3.WithPrefix()))
	}
	resp, err := s.Client.Txn(ctx).Then(gets...).Commit()
	if err != nil {
		return fmt.Errorf("read users and parameters of %s: %w", cluster, err)
	}
	have := map[string]string{}
	for _, r := range resp.Responses {
		for _, kv := range r.GetResponseRange().Kvs {
			have[strings.TrimPrefix(string(kv.Key), base)] = string(kv.Value)
		}
	}
	for ops := range slices.Chunk(difference(base, have, keys), maxOps) {
		if err := s.commit(ctx, ops); err != nil {
			return fmt.Errorf("write users and parameters of %s: %w", cluster, err)
		}
	}
	return nil
}

// difference is what makes keys of what there is: all puts, then all deletions.
func difference(base string, have, want map[string]string) (ops []clientv3.Op) {
	for _, k := range sortedKeys(want) {
		if v, ok := have[k]; !ok || v != want[k] {
			ops = append(ops, clientv3.OpPut(base+k, want[k]))
		}
	}
	for _, k := range sortedKeys(have) {
		if _, ok := want[k]; !ok {
			ops = append(ops, clientv3.OpDelete(base+k))
		}
	}
	return ops
}

func (s EtcdShards) commit(ctx context.Context, ops []clientv3.Op) error {
	resp, err := s.Client.Txn(ctx).If(s.Fence.Holds()).Then(ops...).Commit()
	switch {
	case err != nil:
		return err
	case !resp.Succeeded:
		return ErrDeposed
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

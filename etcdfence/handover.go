package etcdfence

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// RequestHandover asks the leader of term h.Epoch, or the present one if that is zero,
// to give up the shard, to node h.To or to whoever is first. The request hangs on the
// leader's lease and ends with its term; it names the epoch, too, so that no later leader
// takes it for its own. ErrNoLeader when nobody leads or the term has ended; asking for
// the node that leads already does nothing.
func (s *Shard) RequestHandover(ctx context.Context, h Handover) error {
	st, err := s.State(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("request hand-over: %w", err)
	case st.Leader == nil:
		return fmt.Errorf("request hand-over: %w", ErrNoLeader)
	case h.Epoch != 0 && h.Epoch != st.Leader.Epoch:
		return fmt.Errorf("request hand-over: %w of epoch %d: it has ended", ErrNoLeader, h.Epoch)
	case st.Leader.NodeID == h.To:
		return nil
	}
	h.Epoch, h.Time = st.Leader.Epoch, time.Now().UTC()
	var resp *clientv3.TxnResponse
	err = s.retry(ctx, "request hand-over", func() (err error) {
		resp, err = s.do(ctx, "put", requestTimeout, clientv3.OpTxn(
			[]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(s.k.leader), "=", st.Leader.Epoch-st.Sealed.EpochBase)},
			[]clientv3.Op{clientv3.OpPut(s.k.handover, mustJSON(h), clientv3.WithLease(clientv3.LeaseID(st.Leader.LeaseID)))}, nil))
		return err
	})
	if err != nil {
		return fmt.Errorf("request hand-over: %w", err)
	}
	if !resp.Succeeded {
		return fmt.Errorf("request hand-over: %w: epoch %d has ended meanwhile", ErrNoLeader, h.Epoch)
	}
	return nil
}

// WatchHandover calls fn for each request, the one that stands and those to
// come, until ctx ends. It survives etcd being away. A leader heeds only
// requests whose Epoch is its own term's.
func (s *Shard) WatchHandover(ctx context.Context, fn func(Handover)) error {
	return s.keepCurrent(ctx, &handoverView{s: s, fn: fn}, s.k.handover)
}

// handoverView is the view behind WatchHandover.
type handoverView struct {
	s    *Shard
	fn   func(Handover)
	told int64 // ModRevision of the last request told
}

func (v *handoverView) Sync(ctx context.Context) (int64, error) {
	resp, err := v.s.read(ctx, clientv3.OpGet(v.s.k.handover))
	if err != nil {
		return 0, fmt.Errorf("watch hand-over requests: %w", err)
	}
	return resp.Header.Revision, v.tell(kvOf(resp, 0))
}

func (v *handoverView) Apply(_ context.Context, events []*clientv3.Event, _ bool) error {
	for _, ev := range events {
		if ev.Type != clientv3.EventTypePut {
			continue
		}
		if err := v.tell(ev.Kv); err != nil {
			return err
		}
	}
	return nil
}

func (v *handoverView) tell(kv *mvccpb.KeyValue) error {
	h, err := parseHandover(kv)
	if err != nil || h == nil || kv.ModRevision <= v.told {
		return err
	}
	v.told = kv.ModRevision
	v.fn(*h)
	return nil
}

func parseHandover(kv *mvccpb.KeyValue) (*Handover, error) {
	if kv == nil {
		return nil, nil
	}
	h := &Handover{}
	if err := json.Unmarshal(kv.Value, h); err != nil {
		return nil, fmt.Errorf("%w: etcd key %s: %v", wal.ErrCorrupt, kv.Key, err)
	}
	return h, nil
}

package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// requestTimeout bounds one request that no lease waits for.
	requestTimeout = 5 * time.Second
	// firstRead bounds the first attempt of a read of few keys, every further one
	// twice as much as the one before: the next one goes to another member, which
	// answers when the first stands still.
	firstRead = 500 * time.Millisecond
)

// Shard is one shard's keys in etcd. Its methods may be called concurrently.
// It owns no goroutine; Term and Registration do.
type Shard struct {
	cli *clientv3.Client
	id  int
	k   keys
	o   Options
	clk clock
	log *slog.Logger

	mu       sync.Mutex
	sizes    headIndex // stored sizes of head entries met so far
	followed *sealedAt // sealed pointer as Follow was told last, nil before
	prepared *lease    // of the next campaign

	tune tuning
}

// tuning are bounds that only tests change; 0 is the usual.
type tuning struct {
	audit      time.Duration // see etcdwatch.Watcher
	queueLen   int
	queueBytes int64
	pageBytes  int64 // aimed at for one page of a paged read
}

// Open names a shard of a cluster; it does no I/O. The client stays the
// caller's to close. cluster must satisfy CheckName and shard be in 0..9999.
func Open(cli *clientv3.Client, cluster string, shard int, o Options) *Shard {
	o = o.withDefaults()
	return &Shard{
		cli: cli, id: shard, k: newKeys(cluster, shard), o: o, clk: newClock(o.Now),
		log:  o.Logger.With("cluster", cluster, "shard", shard),
		tune: tuning{pageBytes: 4 << 20},
	}
}

// State is what etcd holds of a shard at one revision.
type State struct {
	Initialized bool
	Sealed      Sealed
	SealedRev   int64   // ModRevision of the sealed pointer
	Tail        uint64  // seq of the last committed entry
	HeadEntries int64   // entries in the head
	Leader      *Leader // nil: nobody
	Revision    int64   // etcd's revision at the time of the read
}

// State reads the shard in one linearizable transaction, trying until ctx
// ends. The bytes of the head cost reading it: see HeadBytes.
func (s *Shard) State(ctx context.Context) (State, error) {
	var st State
	resp, err := s.read(ctx,
		clientv3.OpGet(s.k.sealed), clientv3.OpGet(s.k.leader),
		clientv3.OpGet(s.k.log, clientv3.WithRange(s.k.logEnd), clientv3.WithCountOnly()))
	if err != nil {
		return st, fmt.Errorf("read shard state: %w", err)
	}
	sealed, leader, err := s.pointers(kvOf(resp, 0), kvOf(resp, 1))
	if err != nil {
		return st, fmt.Errorf("read shard state: %w", err)
	}
	st.Revision = resp.Header.Revision
	st.Leader = leader
	if sealed == nil {
		return st, nil
	}
	st.Initialized = true
	st.Sealed, st.SealedRev = sealed.Sealed, sealed.rev
	st.HeadEntries = resp.Responses[2].GetResponseRange().Count
	st.Tail = st.Sealed.Seq + uint64(st.HeadEntries)
	return st, nil
}

// HeadBytes is how many bytes the head's keys and values have, as counted
// against the limit. Entries this Shard has not met in Follow are read.
func (s *Shard) HeadBytes(ctx context.Context) (int64, error) {
	for {
		st, err := s.State(ctx)
		if err != nil {
			return 0, err
		}
		head, err := s.headSizes(ctx, st.Sealed.Seq, st.Tail)
		if errors.Is(err, ErrTrimmed) {
			continue // the head moved on meanwhile
		}
		return head.bytes, err
	}
}

// Initialize creates the shard with its first sealed pointer: the zero Sealed
// for a new shard; the last sealed entry, with an EpochBase not below any
// epoch ever used, for one rebuilt from segments. ErrInitialized when the
// shard exists already.
func (s *Shard) Initialize(ctx context.Context, first Sealed) error {
	if first.EpochBase < first.Epoch {
		return fmt.Errorf("initialize shard: epoch base %d is below epoch %d", first.EpochBase, first.Epoch)
	}
	value := mustJSON(first)
	txn := clientv3.OpTxn(
		[]clientv3.Cmp{
			clientv3.Compare(clientv3.CreateRevision(s.k.sealed), "=", 0),
			clientv3.Compare(clientv3.CreateRevision(s.k.leader), "=", 0),
			clientv3.Compare(clientv3.CreateRevision(s.k.log), "=", 0).WithRange(s.k.logEnd),
		},
		[]clientv3.Op{clientv3.OpPut(s.k.sealed, value)},
		[]clientv3.Op{clientv3.OpGet(s.k.sealed)})
	var resp *clientv3.TxnResponse
	err := s.retry(ctx, "initialize shard", func() (err error) {
		resp, err = s.do(ctx, "put", requestTimeout, txn)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("initialize shard: %w", err)
	case resp.Succeeded:
		return nil
	}
	kv := kvOf(resp, 0)
	if kv == nil {
		return fmt.Errorf("%w: a leader or log entries without a sealed pointer", wal.ErrCorrupt)
	}
	if string(kv.Value) == value && kv.Version == 1 {
		return nil // an earlier try of this call went through
	}
	return fmt.Errorf("%w: sealed pointer is %s", ErrInitialized, kv.Value)
}

// RevokeLeader ends the leader's lease at once if nodeID leads the shard, so
// that promotion need not wait for it to expire. The caller must KNOW that the
// process is dead, and must not have started it again: a live primary would go
// on answering reads until its local deadline.
func (s *Shard) RevokeLeader(ctx context.Context, nodeID string) error {
	_, err := s.RevokeLeaderIf(ctx, func(l Leader) bool { return l.NodeID == nodeID })
	return err
}

// RevokeLeaderIf is RevokeLeader for whoever tells a dead leader by more than its
// name. It tells whether there was one to revoke.
func (s *Shard) RevokeLeaderIf(ctx context.Context, dead func(Leader) bool) (revoked bool, err error) {
	st, err := s.State(ctx)
	if err != nil {
		return false, err
	}
	if st.Leader == nil || !dead(*st.Leader) {
		return false, nil
	}
	s.log.Info("ending the lease of a dead leader", "node", st.Leader.NodeID, "epoch", st.Leader.Epoch)
	return true, s.revoke(ctx, clientv3.LeaseID(st.Leader.LeaseID))
}

// do sends one transaction, once.
func (s *Shard) do(ctx context.Context, op string, timeout time.Duration, txn clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := attempt(ctx, timeout)
	defer cancel()
	start := time.Now()
	resp, err := s.cli.Do(ctx, txn)
	s.o.Metrics.Request(op, time.Since(start), err)
	if err != nil {
		return nil, fmt.Errorf("etcd %s: %w", op, err)
	}
	return resp.Txn(), nil
}

// read gets several keys or ranges at one revision, linearizably, trying
// until ctx ends.
func (s *Shard) read(ctx context.Context, gets ...clientv3.Op) (*clientv3.TxnResponse, error) {
	var resp *clientv3.TxnResponse
	timeout := firstRead
	err := s.retry(ctx, "read", func() (err error) {
		resp, err = s.do(ctx, "read", timeout, clientv3.OpTxn(nil, gets, nil))
		timeout = min(2*timeout, requestTimeout)
		return err
	})
	return resp, err
}

// sealedAt is a sealed pointer with the revision it was written at.
type sealedAt struct {
	Sealed
	rev int64
}

// pointers decodes the sealed and leader keys; a key that is absent is nil.
func (s *Shard) pointers(sealedKV, leaderKV *mvccpb.KeyValue) (*sealedAt, *Leader, error) {
	var sealed *sealedAt
	if sealedKV != nil {
		v, err := parseSealed(sealedKV)
		if err != nil {
			return nil, nil, err
		}
		sealed = &sealedAt{v, sealedKV.ModRevision}
	}
	if leaderKV == nil {
		return sealed, nil, nil
	}
	if sealed == nil {
		return nil, nil, fmt.Errorf("%w: a leader without a sealed pointer", wal.ErrCorrupt)
	}
	leader, err := parseLeader(leaderKV, sealed.EpochBase)
	return sealed, leader, err
}

// kvOf is the only key of the i-th get of a transaction; nil when absent.
func kvOf(resp *clientv3.TxnResponse, i int) *mvccpb.KeyValue {
	return only(resp.Responses[i])
}

func only(r *etcdserverpb.ResponseOp) *mvccpb.KeyValue {
	if kvs := r.GetResponseRange().GetKvs(); len(kvs) > 0 {
		return kvs[0]
	}
	return nil
}

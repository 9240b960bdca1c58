package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

const root = "/redoubt-control/"

// Options of a Store. The zero value is fit for use.
type Options struct {
	Now           func() time.Time // default time.Now
	MaxEvents     int              // kept; default 10,000
	MaxOperations int              // kept of those that have ended; default 1,000
}

// Store is all of it.
type Store struct {
	Clusters        *Collection[spec.Cluster]
	Users           *Collection[spec.User]
	ACLs            *Collection[spec.ACL]
	ParameterGroups *Collection[spec.ParameterGroup]
	Snapshots       *Collection[spec.Snapshot]
	Operations      *Operations
	Events          *Events

	etcd *clientv3.Client
	now  func() time.Time
}

// Open returns the store in an etcd, and makes what is there always. The client stays
// the caller's to close.
func Open(ctx context.Context, etcd *clientv3.Client, o Options) (*Store, error) {
	s := &Store{etcd: etcd, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	s.Operations = &Operations{s: s, keep: orDefault(o.MaxOperations, 1_000)}
	s.Events = &Events{s: s, keep: orDefault(o.MaxEvents, 10_000)}
	s.Clusters = &Collection[spec.Cluster]{s: s, kind: clusterKind()}
	s.Users = &Collection[spec.User]{s: s, kind: userKind()}
	s.ACLs = &Collection[spec.ACL]{s: s, kind: aclKind()}
	s.ParameterGroups = &Collection[spec.ParameterGroup]{s: s, kind: groupKind()}
	s.Snapshots = &Collection[spec.Snapshot]{s: s, kind: snapshotKind()}
	if err := s.seed(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// seed makes what is there always.
func (s *Store) seed(ctx context.Context) error {
	for key, v := range map[string]any{
		s.Users.key(spec.DefaultUser):                     s.fresh(builtInUser()),
		s.ACLs.key(spec.OpenAccess):                       s.fresh(builtInACL()),
		s.ParameterGroups.key(spec.DefaultParameterGroup): s.fresh(builtInGroup()),
	} {
		_, err := s.etcd.Txn(ctx).If(absent(key)).Then(put(key, v)).Commit()
		if err != nil {
			return fmt.Errorf("make %s: %w", key, err)
		}
	}
	return nil
}

func (s *Store) fresh(v any) wire.Resource[any] {
	now := s.time()
	return wire.Resource[any]{Version: 1, Spec: v, Created: now, Updated: now}
}

// time is now as it is kept.
func (s *Store) time() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// newID sorts after those that were made before it, up to how clocks of machines
// differ.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func absent(key string) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
}

// unchanged: the key is as it was when it had this ModRevision, 0 for absent.
func unchanged(key string, modRevision int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(key), "=", modRevision)
}

// put writes v as JSON. All that is put is of types of our own, which marshal.
func put(key string, v any) clientv3.Op {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("store: %T does not marshal: %v", v, err))
	}
	return clientv3.OpPut(key, string(b))
}

// tries is how often a change is judged anew because others changed the same thing.
const tries = 32

// retry calls try until it has come to a decision.
func retry(ctx context.Context, try func() (decided bool, err error)) error {
	for range tries {
		if decided, err := try(); decided || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return ErrBusy
}

// Fence is the key by which a reconciler was elected.
type Fence struct {
	Key            string
	CreateRevision int64
}

func (f Fence) holds() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(f.Key), "=", f.CreateRevision)
}

// fenced commits a transaction under a fence; ok is false when another comparison
// than the fence's failed.
func (s *Store) fenced(ctx context.Context, f Fence, cmps []clientv3.Cmp, ops ...clientv3.Op) (ok bool, err error) {
	resp, err := s.etcd.Txn(ctx).If(append(cmps, f.holds())...).Then(ops...).Else(clientv3.OpGet(f.Key)).Commit()
	if err != nil {
		return false, err
	}
	if !resp.Succeeded {
		kvs := resp.Responses[0].GetResponseRange().Kvs
		if len(kvs) == 0 || kvs[0].CreateRevision != f.CreateRevision {
			return false, ErrFenced
		}
	}
	return resp.Succeeded, nil
}

package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/faults/workload"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// servers are the real etcd members and the S3 server that the tests of a group
// share, each with a cluster name of its own.
type servers struct {
	etcd *testenv.Etcd
	s3   *testenv.S3
	cli  *clientv3.Client
}

func startServers(t *testing.T) *servers {
	t.Helper()
	s := &servers{etcd: testenv.StartEtcd(t, 3, testenv.EtcdOptions{}), s3: testenv.StartVersityGW(t)}
	s.cli = s.etcd.Client(t)
	return s
}

// world is one shard, written to by terms of this process, and its Auditor.
type world struct {
	*testing.T
	*servers
	ctx      context.Context
	cluster  string
	segments *s3segments.Shard
	shard    *etcdfence.Shard

	auditor    *Auditor
	clock      *workload.Clock
	violations *workload.Violations

	term   *etcdfence.Term
	sealer *s3segments.Sealer
	pos    wal.Position
	model  *history // fed with what is appended, not with what is read
}

// newWorld is a shard that does not exist yet.
func (s *servers) newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	t.Cleanup(cancel)
	w := &world{
		T: t, servers: s, ctx: ctx, cluster: strings.NewReplacer("/", ".", "_", "-").Replace(t.Name()),
		clock: workload.NewClock(), violations: workload.NewViolations(), model: newHistory(),
	}
	store, err := s3segments.OpenStore(ctx, s3segments.Config{
		URL: s.s3.URL("audit"), Cluster: w.cluster, Endpoint: s.s3.Endpoint, Region: s.s3.Region, PathStyle: true,
		AccessKey: s.s3.AccessKey, SecretKey: s.s3.SecretKey, Attempts: 2, AttemptTimeout: time.Second,
	})
	w.ok(err)
	t.Cleanup(store.Close)
	w.segments = s3segments.NewShard(store, 0)
	w.shard = etcdfence.Open(s.cli, w.cluster, 0, etcdfence.Options{Spill: w.segments, MaxInline: 2000, LeaseTTL: time.Minute})
	return w
}

// create makes the shard, with node a as its primary.
func (w *world) create() *world {
	w.Helper()
	w.ok(w.shard.Initialize(w.ctx, etcdfence.Sealed{}))
	w.lead("a")
	return w
}

// watch starts the Auditor.
func (w *world) watch() *world {
	w.Helper()
	return w.watchWith(0)
}

func (w *world) watchWith(headLimit int64) *world {
	w.Helper()
	a, err := Start(Options{
		Endpoints: w.etcd.Endpoints(), Cluster: w.cluster, Segments: w.segments, HeadLimit: headLimit,
		Clock: w.clock, Violations: w.violations,
	})
	w.ok(err)
	w.auditor = a
	w.Cleanup(func() { _ = a.Close() }) // tests that expect an error ask for it themselves
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// lead makes a node the primary, which must have resigned before.
func (w *world) lead(node string) {
	w.Helper()
	term, err := w.shard.Campaign(w.ctx, etcdfence.Candidate{NodeID: node, Address: node + ":1", AZ: "z"}, w.pos)
	w.ok(err)
	w.Cleanup(func() { _ = term.Close() })
	w.term = term
	w.sealer = s3segments.NewSealer(s3segments.SealerConfig{
		Shard: w.segments, Head: trimmer{w.shard, term}, Epoch: term.Epoch(), Sealed: term.Sealed().Position(),
		Size: 1 << 20, Age: time.Hour,
	})
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.sealer.Run(ctx) }()
	w.Cleanup(func() { cancel(); <-ended })
	w.sealer.Committed(w.pos, term.HeadBytes())
	w.append(wal.KindEpochOpened, []byte(node))
}

// trimmer is a term as a Sealer sees it.
type trimmer struct {
	*etcdfence.Shard
	term *etcdfence.Term
}

func (h trimmer) Trim(ctx context.Context, p wal.Position, segment string, at time.Time) error {
	return h.term.Trim(ctx, etcdfence.Sealed{Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain, Segment: segment, Time: at})
}

func (w *world) append(k wal.Kind, payload []byte) {
	w.Helper()
	e := w.pos.Next(k, w.term.Epoch(), time.Now().UnixMilli(), payload)
	w.ok(w.term.Append(w.ctx, e))
	w.model.mustAdd(w.T, e)
	w.pos = e.Position()
	w.sealer.Committed(w.pos, int64(len(payload)))
}

func (w *world) set(pairs ...string) {
	w.Helper()
	w.append(wal.KindEffects, set(pairs...))
}

// seal brings everything appended to S3 and takes it out of etcd.
func (w *world) seal() {
	w.Helper()
	w.ok(w.sealer.SealNow(w.ctx))
}

// key is the etcd key of an entry.
func (w *world) key(seq uint64) string {
	return fmt.Sprintf("/redoubt/%s/shards/0000/log/%020d", w.cluster, seq)
}

// caughtUp waits until the Auditor has judged everything and compares what it
// knows with what was appended.
func (w *world) caughtUp() {
	w.Helper()
	w.ok(w.auditor.CatchUp(w.ctx, w.pos.Seq))
	if got := w.auditor.Position(); got != w.pos {
		w.Errorf("stands at %v, the log at %v", got, w.pos)
	}
	if got, want := w.auditor.Digest(), w.model.digest(); got != want {
		w.Errorf("digest %s, want %s", got, want)
	}
}

// clean closes the Auditor, which must have found nothing.
func (w *world) clean() {
	w.Helper()
	for range 2 {
		w.ok(w.auditor.Close())
	}
	if kept, more := w.violations.List(); len(kept)+more > 0 {
		w.Errorf("%d violations: %v", len(kept)+more, kept)
	}
}

// finds waits until the Auditor has reported a violation that says so.
func (w *world) finds(check, what string) {
	w.Helper()
	testenv.Eventually(w, 20*time.Second, "a violation is found", func(context.Context) error {
		kept, _ := w.violations.List()
		for _, v := range kept {
			if v.Workload == check && strings.Contains(v.What, what) {
				return nil
			}
		}
		return fmt.Errorf("want %q in %v", check+": "+what, kept)
	})
}

// ends tells that the Auditor follows the log no further, and why.
func (w *world) ends(want error) {
	w.Helper()
	err := w.auditor.CatchUp(w.ctx, w.pos.Seq+1)
	var f *finding
	switch {
	case want == nil && !errors.As(err, &f) && !errors.Is(err, wal.ErrEpoch) && !errors.Is(err, wal.ErrChain):
		w.Errorf("catch up after a violation: %v", err)
	case want != nil && !errors.Is(err, want):
		w.Errorf("catch up: %v, want %v", err, want)
	}
}

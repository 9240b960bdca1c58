package snapshot

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// primary writes to a shard in a real etcd, and seals.
type primary struct {
	t      *testing.T
	shard  *etcdfence.Shard
	term   *etcdfence.Term
	sealer *s3segments.Sealer
	pos    wal.Position
	live   *keyspace.Keyspace
	apply  *command.Replayer
	rng    *rand.Rand
}

// trimmer is a term as a Sealer sees it.
type trimmer struct {
	*etcdfence.Shard
	term *etcdfence.Term
}

func (h trimmer) Trim(ctx context.Context, p wal.Position, segment string, at time.Time) error {
	return h.term.Trim(ctx, etcdfence.Sealed{Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain, Segment: segment, Time: at})
}

func becomePrimary(t *testing.T, cli *clientv3.Client, segments *s3segments.Shard, applied wal.Position, live *keyspace.Keyspace) *primary {
	t.Helper()
	p := &primary{t: t, pos: applied, live: live, apply: newReplayer(live), rng: testRand(11)}
	p.shard = etcdfence.Open(cli, "testing", 0, etcdfence.Options{Spill: segments, MaxInline: 4096, LeaseTTL: 30 * time.Second})
	term, err := p.shard.Campaign(t.Context(), etcdfence.Candidate{NodeID: "n", Address: "127.0.0.1:1", AZ: "a"}, applied)
	if err != nil {
		t.Fatal(err)
	}
	p.term = term
	p.sealer = s3segments.NewSealer(s3segments.SealerConfig{
		Shard: segments, Head: trimmer{p.shard, term}, Epoch: term.Epoch(), Sealed: term.Sealed().Position(), Size: 20_000, Age: time.Hour,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.sealer.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = term.Close()
	})
	p.append(wal.KindEpochOpened, []byte("n"))
	return p
}

func (p *primary) append(k wal.Kind, payload []byte) {
	e := p.pos.Next(k, p.term.Epoch(), time.Now().UnixMilli(), payload)
	if err := p.term.Append(p.t.Context(), e); err != nil {
		p.t.Error(err)
		return
	}
	p.pos = e.Position()
	p.sealer.Committed(p.pos, int64(len(payload)))
}

func (p *primary) write() {
	var u wal.Unit
	randomEffect(p.rng, &u)
	if p.rng.IntN(20) == 0 { // one that is spilled
		noise := make([]byte, 10_000)
		for i := range noise {
			noise[i] = byte(p.rng.Uint32())
		}
		u.Add(0, []byte("SET"), []byte("spilled"), noise)
	}
	payload := u.AppendTo(nil)
	if err := wal.EachUnit(payload, p.apply.Apply); err != nil {
		p.t.Error(err)
	}
	p.append(wal.KindEffects, payload)
}

// With a real etcd: snapshots are made while a primary writes and seals, a node
// loads, and with etcd lost the shard goes on in a new one.
func TestWithEtcd(t *testing.T) {
	w := newWorld(t)
	cli := testenv.StartEtcd(t, 1, testenv.EtcdOptions{}).Client(t)
	shard := etcdfence.Open(cli, "testing", 0, etcdfence.Options{Spill: w.shard})
	if _, err := w.repo.Load(w.ctx, 0, LoadOptions{Head: shard}); !errors.Is(err, etcdfence.ErrNotInitialized) {
		t.Errorf("load of no shard: %v", err)
	}
	if err := shard.Initialize(w.ctx, etcdfence.Sealed{}); err != nil {
		t.Fatal(err)
	}
	p := becomePrimary(t, cli, w.shard, wal.Position{}, keyspace.New(keyspace.Config{}))
	for range 200 {
		p.write()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				p.write()
			}
		}
	}()
	for _, name := range []string{"a", "b", "c"} {
		if _, err := w.repo.Create(w.ctx, CreateOptions{Name: name, Shards: []Source{{Shard: 0, Slots: "0-16383", Head: shard}}}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-stopped
	if _, err := w.repo.Verify(w.ctx, "c", VerifyOptions{Replay: true, Heads: map[int]Head{0: shard}}); err != nil {
		t.Error(err)
	}
	if err := p.sealer.SealNow(w.ctx); err != nil {
		t.Fatal(err)
	}
	l, err := w.repo.Load(w.ctx, 0, LoadOptions{Head: shard})
	if err != nil || l.Position != p.pos || l.Keyspace.Digest() != p.live.Digest() {
		t.Fatalf("loaded %+v, the primary is at %v: %v", l, p.pos, err)
	}
	plan, err := w.repo.PlanGC(w.ctx, GCOptions{Keep: 1, Heads: map[int]Head{0: shard}, Grace: time.Nanosecond})
	if err == nil {
		_, err = w.repo.RunGC(w.ctx, plan, nil)
	}
	if err != nil || len(w.keys("shards/0000/spills/")) != 0 {
		t.Errorf("clean-up: %v, spills left: %v", err, w.keys("shards/0000/spills/"))
	}

	rec, err := w.repo.Recover(w.ctx, 0, RecoverOptions{})
	if err != nil || rec.Position != Position(p.pos) || rec.Digest != p.live.Digest().String() {
		t.Fatalf("recovered %+v: %v", rec, err)
	}
	cli = testenv.StartEtcd(t, 1, testenv.EtcdOptions{}).Client(t)
	shard = etcdfence.Open(cli, "testing", 0, etcdfence.Options{Spill: w.shard})
	if err := shard.Initialize(w.ctx, rec.Sealed(time.Now())); err != nil {
		t.Fatal(err)
	}
	l, err = w.repo.Load(w.ctx, 0, LoadOptions{Head: shard})
	if err != nil {
		t.Fatal(err)
	}
	next := becomePrimary(t, cli, w.shard, l.Position, l.Keyspace)
	if next.term.Epoch() <= p.term.Epoch() {
		t.Errorf("epoch %d after %d", next.term.Epoch(), p.term.Epoch())
	}
	for range 100 {
		next.write()
	}
	if err := next.sealer.SealNow(w.ctx); err != nil {
		t.Fatal(err)
	}
	l, err = w.repo.Load(w.ctx, 0, LoadOptions{Head: shard})
	if err != nil || l.Position != next.pos || l.Keyspace.Digest() != next.live.Digest() {
		t.Errorf("loaded %+v, the new primary is at %v: %v", l, next.pos, err)
	}
}

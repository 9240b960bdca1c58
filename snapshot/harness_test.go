package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/objectserver"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// startObjects starts an embedded S3 endpoint for a test.
func startObjects(t testing.TB) s3segments.Config {
	t.Helper()
	srv, err := objectserver.Start(t.Context(), objectserver.Config{
		Dir: t.TempDir(), Addr: "127.0.0.1:0", Bucket: "redoubt", AccessKey: "access", SecretKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close the S3 endpoint: %v", err)
		}
	})
	return s3segments.Config{
		URL: "s3://redoubt/some/prefix", Endpoint: srv.URL(), Region: "us-east-1", PathStyle: true,
		AccessKey: "access", SecretKey: "secret",
	}
}

// world is a shard with its log, its live data and a store.
type world struct {
	t      testing.TB
	ctx    context.Context
	store  *s3segments.Store
	repo   *Repo
	shard  *s3segments.Shard
	log    *testLog
	live   *keyspace.Keyspace
	apply  *command.Replayer
	digest map[uint64]string // of the live data after each entry
	logged *bytes.Buffer
}

func newWorld(t testing.TB) *world {
	return newWorldOn(t, t.Context(), startObjects(t), "testing")
}

func newWorldOn(t testing.TB, ctx context.Context, c s3segments.Config, cluster string) *world {
	t.Helper()
	c.Cluster = cluster
	store, err := s3segments.OpenStore(ctx, c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	w := &world{t: t, ctx: ctx, store: store, shard: s3segments.NewShard(store, 0), digest: map[uint64]string{}, logged: &bytes.Buffer{}}
	w.repo = Open(store, cluster, Options{Version: "test", Parallel: 3, Logger: slog.New(slog.NewTextHandler(w.logged, nil))})
	w.repo.part = 1000 // many parts of small files
	w.live = keyspace.New(keyspace.Config{})
	w.apply = command.NewReplayer(table(), w.live, nil)
	w.log = &testLog{epoch: 3}
	w.digest[0] = w.live.Digest().String()
	return w
}

// write appends one entry of commands, each as "db CMD arg...".
func (w *world) write(commands ...string) wal.Position {
	w.t.Helper()
	var u wal.Unit
	for _, c := range commands {
		var db int
		f := strings.Fields(c)
		if _, err := fmt.Sscan(f[0], &db); err != nil {
			w.t.Fatalf("%q: %v", c, err)
		}
		args := make([][]byte, len(f)-1)
		for i := range args {
			args[i] = []byte(f[i+1])
		}
		u.Add(db, args...)
	}
	return w.writeUnit(&u)
}

func (w *world) writeUnit(u *wal.Unit) wal.Position {
	w.t.Helper()
	payload := u.AppendTo(nil)
	if err := wal.EachUnit(payload, w.apply.Apply); err != nil {
		w.t.Fatalf("%v", err)
	}
	pos := w.log.append(wal.KindEffects, payload)
	w.digest[pos.Seq] = w.live.Digest().String()
	return pos
}

// writeRandom appends n entries of random effects.
func (w *world) writeRandom(rng *rand.Rand, n int) {
	w.t.Helper()
	for range n {
		if rng.IntN(20) == 0 {
			w.log.epoch++
			pos := w.log.append(wal.KindEpochOpened, []byte("node"))
			w.digest[pos.Seq] = w.digest[pos.Seq-1]
			continue
		}
		var u wal.Unit
		for range 1 + rng.IntN(3) {
			randomEffect(rng, &u)
		}
		w.writeUnit(&u)
	}
}

func randomEffect(rng *rand.Rand, u *wal.Unit) {
	db := rng.IntN(3)
	text := func(format string, n int) []byte { return fmt.Appendf(nil, format, rng.IntN(n)) }
	// Types by key, so that no effect meets the wrong one.
	str, hash := text("string:%d", 40), text("hash:%d", 10)
	value := bytes.Repeat(text("%d,", 100000), rng.IntN(40))
	at := text("41024448%05d", 100000) // in the year 2100
	switch rng.IntN(12) {
	case 0, 1, 2:
		u.Add(db, []byte("SET"), str, value)
	case 3:
		u.Add(db, []byte("SET"), str, text("%d", 1<<40), []byte("PXAT"), at)
	case 4, 5, 6:
		u.Add(db, []byte("HSET"), hash, text("f%d", 200), value, text("f%d", 200), text("%d", 1000))
	case 7:
		u.Add(db, []byte("HDEL"), hash, text("f%d", 200), text("f%d", 200))
	case 8:
		u.Add(db, []byte("DEL"), str, hash)
	case 9:
		u.Add(db, []byte("PEXPIREAT"), hash, at)
	case 10:
		u.Add(db, []byte("APPEND"), str, text("%d", 1000))
	case 11:
		if rng.IntN(10) == 0 {
			u.Add(db, []byte("FLUSHDB"))
		} else {
			u.Add(db, []byte("PERSIST"), hash)
		}
	}
}

// sealing is the log as a Sealer reads it, without the hook.
type sealing struct{ *testLog }

func (s sealing) ReadHead(_ context.Context, from, to uint64, fn func(*wal.Entry, int) error) error {
	for seq := from; seq <= to; seq++ {
		if err := fn(s.entry(seq), 1); err != nil {
			return err
		}
	}
	return nil
}

// seal moves entries up to and with seq into one segment.
func (w *world) seal(seq uint64) {
	w.t.Helper()
	from, to := w.log.sealedAt(), w.log.entry(seq).Position()
	sealer := s3segments.NewSealer(s3segments.SealerConfig{
		Shard: w.shard, Head: sealing{w.log}, Epoch: to.Epoch, Sealed: from.Position(), Size: 1 << 40, Age: time.Hour,
	})
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = sealer.Run(ctx) }()
	sealer.Committed(to, int64(seq-from.Seq))
	err := sealer.SealNow(w.ctx)
	cancel()
	<-ended
	if err != nil || w.log.sealedAt().Seq != seq {
		w.t.Fatalf("seal up to %d: %v, sealed up to %d", seq, err, w.log.sealedAt().Seq)
	}
}

func (w *world) options(name string) CreateOptions {
	return CreateOptions{Name: name, Shards: []Source{{Shard: 0, Slots: "0-16383", Head: w.log}}}
}

func (w *world) create(name string) *Manifest {
	w.t.Helper()
	m, err := w.repo.Create(w.ctx, w.options(name))
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	return m
}

func (w *world) load() (*Loaded, error) {
	return w.repo.Load(w.ctx, 0, LoadOptions{Head: w.log})
}

// mustLoad loads and compares with the live data as it was at that place.
func (w *world) mustLoad() *Loaded {
	w.t.Helper()
	l, err := w.load()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	w.compare(l.Keyspace, l.Position)
	return l
}

// goOn applies the head to what was loaded, as a node does, and compares with
// the live data.
func (w *world) goOn(l *Loaded) {
	w.t.Helper()
	st := newReplay(keyspace.Config{})
	st.ks, st.pos, st.apply = l.Keyspace, l.Position, newReplayer(l.Keyspace)
	if err := w.repo.shardLog(0, w.log).advance(w.ctx, st, w.log.tail()); err != nil {
		w.t.Fatalf("%v", err)
	}
	w.compare(st.ks, st.pos)
	if st.pos.Seq != w.log.tail() {
		w.t.Fatalf("the log ends at %d, applied up to %v", w.log.tail(), st.pos)
	}
}

func (w *world) compare(ks *keyspace.Keyspace, p wal.Position) {
	w.t.Helper()
	if got, want := ks.Digest().String(), w.digest[p.Seq]; got != want {
		w.t.Fatalf("the data at %v has digest %s, the live data had %s", p, got, want)
	}
	if p.Seq > 0 && p != w.log.entry(p.Seq).Position() {
		w.t.Fatalf("%v is not %v", p, w.log.entry(p.Seq).Position())
	}
}

func (w *world) keys(prefix string) (keys []string) {
	w.t.Helper()
	err := w.store.List(w.ctx, prefix, func(o s3segments.ObjectInfo) error {
		keys = append(keys, o.Key)
		return nil
	})
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	return keys
}

// change rewrites an object behind everybody's back.
func (w *world) change(key string, fn func(b []byte) []byte) {
	w.t.Helper()
	b, err := w.store.Get(w.ctx, key)
	if err == nil {
		err = w.store.Put(w.ctx, key, fn(b), s3segments.PutOptions{})
	}
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[(at+len(b))%len(b)] ^= 0x10
		return b
	}
}

func (w *world) delete(keys ...string) {
	w.t.Helper()
	if err := w.store.Delete(w.ctx, keys...); err != nil {
		w.t.Fatalf("%v", err)
	}
}

// testLog is a shard's log whose head is in memory.
type testLog struct {
	mu      sync.Mutex
	epoch   int64
	entries []*wal.Entry
	sealed  etcdfence.Sealed
	none    bool // the shard is not initialised
	// before is called before each entry that is read from the head.
	before func(seq uint64)
}

func (l *testLog) append(k wal.Kind, payload []byte) wal.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	pos := l.sealed.Position()
	if n := len(l.entries); n > 0 {
		pos = l.entries[n-1].Position()
	}
	e := pos.Next(k, l.epoch, 1_700_000_000_000+int64(pos.Seq), payload)
	l.entries = append(l.entries, e)
	return e.Position()
}

func (l *testLog) first() uint64 { return l.entries[0].Seq }

func (l *testLog) entry(seq uint64) *wal.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[seq-l.first()]
}

func (l *testLog) sealedAt() etcdfence.Sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed
}

func (l *testLog) tail() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return l.sealed.Seq
	}
	return l.entries[len(l.entries)-1].Seq
}

func (l *testLog) State(context.Context) (etcdfence.State, error) {
	tail := l.tail()
	l.mu.Lock()
	defer l.mu.Unlock()
	return etcdfence.State{Initialized: !l.none, Sealed: l.sealed, Tail: tail}, nil
}

func (l *testLog) ReadHead(_ context.Context, from, to uint64, fn func(*wal.Entry, int) error) error {
	for seq := from; seq <= min(to, l.tail()); seq++ {
		if l.before != nil {
			l.before(seq)
		}
		if sealed := l.sealedAt().Seq; seq <= sealed {
			return fmt.Errorf("%w: entry %d, sealed up to %d", etcdfence.ErrTrimmed, seq, sealed)
		}
		if err := fn(l.entry(seq), 1); err != nil {
			return err
		}
	}
	return nil
}

func (l *testLog) Trim(_ context.Context, p wal.Position, segment string, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed = etcdfence.Sealed{Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain, EpochBase: l.sealed.EpochBase, Segment: segment, Time: at}
	return nil
}

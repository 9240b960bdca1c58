package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// recorder is a Handler that writes down what it is told.
type recorder struct {
	entry func(e *wal.Entry) error // may be nil

	mu     sync.Mutex
	events []string
	tail   uint64        // of the last CaughtUp
	change chan struct{} // closed at the next call of any method
}

func (r *recorder) note(event string) {
	r.mu.Lock()
	r.events = append(r.events, event)
	r.mu.Unlock()
	r.changed()
}

func (r *recorder) changed() {
	r.mu.Lock()
	if r.change != nil {
		close(r.change)
		r.change = nil
	}
	r.mu.Unlock()
}

func (r *recorder) Entry(e *wal.Entry) error {
	r.note(fmt.Sprintf("%d:%s", e.Seq, e.Payload))
	if r.entry != nil {
		return r.entry(e)
	}
	return nil
}

func (r *recorder) Leader(l *Leader) {
	if l == nil {
		r.note("nobody")
		return
	}
	r.note("leader " + l.NodeID)
}

func (r *recorder) Sealed(s Sealed) { r.note(fmt.Sprintf("sealed %d", s.Seq)) }

func (r *recorder) CaughtUp(tail uint64) {
	r.mu.Lock()
	r.tail = tail
	r.mu.Unlock()
	r.changed()
}

// await waits until cond holds of what was recorded.
func (r *recorder) await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		if cond() {
			r.mu.Unlock()
			return
		}
		if r.change == nil {
			r.change = make(chan struct{})
		}
		change := r.change
		r.mu.Unlock()
		select {
		case <-change:
		case <-timeout:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("%s has not come about; caught up to %d; told %s", what, r.tail, r.events)
		}
	}
}

func (r *recorder) awaitTail(t testing.TB, tail uint64) {
	t.Helper()
	r.await(t, fmt.Sprint("tail ", tail), func() bool { return r.tail >= tail })
}

func (r *recorder) awaitEvent(t testing.TB, event string) {
	t.Helper()
	r.await(t, event, func() bool { return len(r.events) > 0 && r.events[len(r.events)-1] == event })
}

func (r *recorder) want(t testing.TB, events ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got, want := strings.Join(r.events, " | "), strings.Join(events, " | "); got != want {
		t.Fatalf("told\n%s\nwant\n%s", got, want)
	}
}

// entries is what was delivered of the log.
func (r *recorder) entries() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, ev := range r.events {
		if strings.Contains(ev, ":") {
			out = append(out, ev)
		}
	}
	return out
}

// follow runs Follow until the returned function is called, which returns what
// Follow did.
func (e *env) follow(s *Shard, from wal.Position, h Handler) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() {
		err := s.Follow(ctx, from, h)
		if ctx.Err() == nil {
			e.Logf("Follow ended: %v", err)
		}
		result <- err
	}()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			select {
			case err = <-result:
			case <-time.After(20 * time.Second):
				err = errors.New("Follow did not end")
			}
		})
		return err
	}
	e.Cleanup(func() { stop() })
	return stop
}

// followResult waits for Follow to end by itself.
func (e *env) followResult(s *Shard, from wal.Position, h Handler) error {
	return s.Follow(e.ctx(), from, h)
}

func TestFollow(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		e.init(Sealed{})
		a := e.campaign(e.open(), "a", wal.Position{})
		one := e.append(a, "one")
		r := &recorder{}
		stop := e.follow(e.open(), wal.Position{}, r)
		r.awaitTail(t, 1)
		two := e.append(a, "two")
		r.awaitTail(t, 2)
		e.trim(a, one)
		e.ok(a.Resign(e.ctx()))
		r.awaitEvent(t, "nobody")
		b := e.campaign(e.open(), "b", two)
		e.append(b, "three", "four")
		r.awaitTail(t, 4)
		r.want(t, "1:one", "sealed 0", "leader a", "2:two", "sealed 1", "nobody", "leader b", "3:three", "4:four")
		e.isErr(stop(), context.Canceled)

		// From the middle, and with nobody leading.
		e.ok(b.Resign(e.ctx()))
		r = &recorder{}
		e.follow(e.open(), two, r)
		r.awaitTail(t, 4)
		r.want(t, "3:three", "4:four", "sealed 1", "nobody")
	})
}

func TestFollowReturnsTheHandlersError(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	e.append(term, "one")
	refused := errors.New("refused")
	err := e.followResult(e.open(), wal.Position{}, &recorder{entry: func(*wal.Entry) error { return refused }})
	if err != refused {
		t.Fatalf("got %v", err)
	}
}

func TestFollowFromAPlaceThatIsNotInTheLog(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	one := e.append(term, "one")
	three := e.append(term, "two", "three")
	ahead := wal.Position{Seq: 4, Epoch: three.Epoch, Chain: 1}
	other := wal.Position{Seq: 1, Epoch: one.Epoch, Chain: one.Chain + 1}
	e.isErr(e.followResult(e.open(), ahead, &recorder{}), ErrDiverged)
	e.isErr(e.followResult(e.open(), other, &recorder{}), ErrDiverged)
	e.trim(term, one)
	e.isErr(e.followResult(e.open(), other, &recorder{}), ErrDiverged)
	e.isErr(e.followResult(e.open(), wal.Position{}, &recorder{}), ErrTrimmed)
}

// The follower was held up for so long that what it needs has gone.
func TestFollowOvertakenByTrim(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	e.append(term, "one")
	s := e.open()
	s.tune.queueLen = 1
	held, release := make(chan struct{}), make(chan struct{})
	r := &recorder{entry: func(x *wal.Entry) error {
		if x.Seq == 2 {
			close(held)
			<-release
		}
		return nil
	}}
	result := make(chan error, 1)
	go func() { result <- e.followResult(s, wal.Position{}, r) }()
	r.awaitTail(t, 1)
	e.append(term, "two")
	<-held
	for i := range 20 {
		e.append(term, fmt.Sprint(i))
	}
	e.trim(term, term.Tail())
	e.append(term, "after")
	close(release)
	e.isErr(<-result, ErrTrimmed)
}

// A handler slower than the log makes the watch overflow; the follower reads
// on and misses nothing.
func TestFollowSlowHandler(t *testing.T) {
	for name, tune := range map[string]func(*tuning){
		"many responses": func(t *tuning) { t.queueLen = 2 },
		"many bytes":     func(t *tuning) { t.queueBytes = 500 },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
			e.append(term, "first")
			f := newFaults(t, e.cli)
			givenUp := make(chan struct{})
			var once sync.Once
			f.cli.Watcher = &badWatcher{f.cli.Watcher, func(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
				context.AfterFunc(ctx, func() { once.Do(func() { close(givenUp) }) })
				return e.cli.Watch(ctx, key, opts...)
			}}
			s := e.openWith(f.cli)
			tune(&s.tune)
			release := make(chan struct{})
			r := &recorder{entry: func(x *wal.Entry) error {
				if x.Seq == 2 {
					<-release
				}
				return nil
			}}
			e.follow(s, wal.Position{}, r)
			r.awaitTail(t, 1)
			var want []string
			for overflowed := false; !overflowed; {
				i := len(want)
				e.append(term, fmt.Sprint(i))
				want = append(want, fmt.Sprintf("%d:%d", i+2, i))
				select {
				case <-givenUp: // while the handler is still held up
					overflowed = true
				default:
				}
				if i > 1000 {
					t.Fatal("the watch goes on: its queue has no bound")
				}
			}
			close(release)
			r.awaitTail(t, uint64(len(want)+1))
			if got := r.entries()[1:]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got %v", got)
			}
		})
	}
}

// etcd is away while the log goes on and its history is compacted.
func TestFollowSurvivesOutageAndCompaction(t *testing.T) {
	e := newEnv(t)
	p := newProxy(t, strings.TrimPrefix(testEtcd.endpoints[0], "http://"))
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	one := e.append(term, "one")
	r := &recorder{}
	e.follow(e.openWith(dial(t, p.addr)), wal.Position{}, r)
	r.awaitTail(t, 1)
	for round := range 2 {
		p.cut()
		tail := e.append(term, "while away", "and more")
		if round == 0 {
			e.trim(term, one)
			resp, err := e.cli.Get(e.ctx(), "x")
			e.ok(err)
			_, err = e.cli.Compact(e.ctx(), resp.Header.Revision)
			e.ok(err)
		}
		p.heal()
		r.awaitTail(t, tail.Seq)
	}
	r.want(t, "1:one", "sealed 0", "leader a", "2:while away", "3:and more", "sealed 1", "4:while away", "5:and more")
}

// etcd is away from the start.
func TestFollowWaitsForEtcd(t *testing.T) {
	e := newEnv(t)
	e.append(e.campaign(e.init(Sealed{}), "a", wal.Position{}), "one")
	p := newProxy(t, strings.TrimPrefix(testEtcd.endpoints[0], "http://"))
	p.cut()
	var requests atomic.Int64
	e.opts.Metrics = observer{request: func(op string, err error) { requests.Add(1) }}
	r := &recorder{}
	stop := e.follow(e.openWith(dial(t, p.addr)), wal.Position{}, r)
	time.Sleep(500 * time.Millisecond) // the time in which requests are counted
	if n := requests.Load(); n > 20 {
		t.Fatalf("%d requests in half a second while etcd is away", n)
	}
	p.heal()
	r.awaitTail(t, 1)
	e.isErr(stop(), context.Canceled)
}

// observer is an Observer made of functions; nil ones are not called.
type observer struct {
	request func(op string, err error)
	append_ func(stored int, err error)
	head    func(entries int, bytes int64)
}

func (o observer) Append(_ time.Duration, stored int, err error) {
	if o.append_ != nil {
		o.append_(stored, err)
	}
}

func (o observer) Request(op string, _ time.Duration, err error) {
	if o.request != nil {
		o.request(op, err)
	}
}

func (o observer) Head(entries int, bytes int64) {
	if o.head != nil {
		o.head(entries, bytes)
	}
}

// badWatcher hands out watch channels of the test's making.
type badWatcher struct {
	clientv3.Watcher
	watch func(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan
}

func (w *badWatcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	return w.watch(ctx, key, opts...)
}

// A watch that never says anything does not hide the log for ever.
func TestFollowNoticesADeafWatch(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	f := newFaults(t, e.cli)
	f.cli.Watcher = &badWatcher{watch: func(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
		return make(clientv3.WatchChan)
	}}
	s := e.openWith(f.cli)
	s.tune.audit = 20 * time.Millisecond
	r := &recorder{}
	stop := e.follow(s, wal.Position{}, r)
	e.append(term, "one", "two")
	r.awaitTail(t, 2)
	e.ok(term.Resign(e.ctx()))
	r.awaitEvent(t, "nobody")
	e.isErr(stop(), context.Canceled)
}

// A watch that lags behind an audit does not take the view back.
func TestFollowIgnoresEventsItHasRead(t *testing.T) {
	e := newEnv(t)
	a := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	f := newFaults(t, e.cli)
	ch := make(chan clientv3.WatchResponse)
	f.cli.Watcher = &badWatcher{watch: func(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan { return ch }}
	s := e.openWith(f.cli)
	s.tune.audit = 20 * time.Millisecond
	r := &recorder{}
	e.follow(s, wal.Position{}, r)
	r.awaitEvent(t, "leader a")
	leader, err := e.cli.Get(e.ctx(), s.k.leader)
	e.ok(err)
	e.ok(a.Resign(e.ctx()))
	r.awaitEvent(t, "nobody")
	// The election of a, late.
	ch <- clientv3.WatchResponse{Header: leader.Header, Events: []*clientv3.Event{
		{Type: clientv3.EventTypePut, Kv: leader.Kvs[0]},
	}}
	e.campaign(e.open(), "b", wal.Position{})
	r.awaitEvent(t, "leader b")
	r.want(t, "sealed 0", "leader a", "nobody", "leader b")
}

// Watches that break at once are not begged for without a pause.
func TestFollowBacksOffFromBrokenWatches(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	f := newFaults(t, e.cli)
	var watches atomic.Int64
	f.cli.Watcher = &badWatcher{watch: func(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
		watches.Add(1)
		ch := make(chan clientv3.WatchResponse)
		close(ch)
		return ch
	}}
	r := &recorder{}
	e.follow(e.openWith(f.cli), wal.Position{}, r)
	e.append(term, "one")
	r.awaitTail(t, 1)
	time.Sleep(500 * time.Millisecond) // the time in which watches are counted
	if n := watches.Load(); n > 20 {
		t.Fatalf("%d watches in half a second", n)
	}
}

// Damage and formats of a newer version end Follow with the entry named,
// whether they are read or watched.
func TestFollowRefusesDamage(t *testing.T) {
	one := wal.Position{}.Next(wal.KindEffects, 1, 0, []byte("one"))
	newer := wal.Encode(nil, one)
	newer[3] = 9
	flipped := wal.Encode(nil, one)
	flipped[60] ^= 1
	two := one.Position().Next(wal.KindEffects, 1, 0, []byte("two"))
	otherChain := wal.Position{Chain: 5}.Next(wal.KindEffects, 1, 0, []byte("one"))
	for _, c := range []struct {
		name  string
		seq   uint64
		value []byte
		want  error
	}{
		{"garbage", 1, []byte("garbage"), wal.ErrCorrupt},
		{"bit flipped", 1, flipped, wal.ErrCorrupt},
		{"newer format", 1, newer, wal.ErrNewerFormat},
		{"entry of another seq", 1, wal.Encode(nil, two), wal.ErrCorrupt},
		{"another history", 1, wal.Encode(nil, otherChain), wal.ErrChain},
		{"hole", 2, wal.Encode(nil, two), wal.ErrGap},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			s := e.init(Sealed{})
			s.tune.audit = time.Hour // the watch itself has to show it
			r := &recorder{}
			result := make(chan error, 1)
			go func() { result <- e.followResult(s, wal.Position{}, r) }()
			r.awaitEvent(t, "nobody")
			_, err := e.cli.Put(e.ctx(), s.k.entry(c.seq), string(c.value))
			e.ok(err)
			e.isErr(<-result, c.want)
			e.isErr(e.followResult(s, wal.Position{}, &recorder{}), c.want)
		})
	}
}

// An object store that is away holds a follower up; it is not its end.
func TestFollowWaitsForSpilledEntries(t *testing.T) {
	e := newEnv(t)
	spill := &memorySpill{objects: map[string][]byte{}}
	e.opts.Spill, e.opts.MaxInline = spill, 100
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	big := incompressible(500)
	r := &recorder{}
	e.follow(e.open(), wal.Position{}, r)
	e.append(term, "one", big)
	r.awaitTail(t, 2)

	var failed atomic.Int64
	tried := make(chan struct{})
	flaky := &failingResolver{memorySpill: spill, fail: func() bool {
		n := failed.Add(1)
		if n == 3 {
			close(tried)
		}
		return n <= 3
	}}
	e.opts.Spill = flaky
	r2 := &recorder{}
	e.follow(e.open(), wal.Position{}, r2)
	<-tried
	e.append(term, "three")
	r2.awaitTail(t, 3)
	want := []string{"1:one", "2:" + big, "3:three"}
	if got := r2.entries(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %q", got)
	}

	// Damaged for good.
	spill.mu.Lock()
	for k := range spill.objects {
		spill.objects[k][70] ^= 1
	}
	spill.mu.Unlock()
	e.isErr(e.followResult(e.open(), wal.Position{}, &recorder{}), wal.ErrCorrupt)
}

type failingResolver struct {
	*memorySpill
	fail func() bool
}

func (f *failingResolver) Resolve(ctx context.Context, r wal.Ref) ([]byte, error) {
	if f.fail() {
		return nil, errors.New("away")
	}
	return f.memorySpill.Resolve(ctx, r)
}

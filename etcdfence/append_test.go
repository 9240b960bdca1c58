package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestAppendThenRead(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.init(Sealed{})
		term := e.campaign(s, "a", wal.Position{})
		tail := e.append(term, "one", "two", "three")
		e.wantLog("1:one", "2:two", "3:three")
		st, err := s.State(e.ctx())
		e.ok(err)
		if st.Tail != 3 || st.HeadEntries != 3 || st.Leader == nil || st.Leader.Epoch != term.Epoch() || tail.Epoch != term.Epoch() {
			t.Fatalf("state %+v, leader %+v, tail %v", st, st.Leader, tail)
		}
		if *st.Leader != (Leader{NodeID: "a", Address: "a:6379", AZ: "az-a", Epoch: term.Epoch(), LeaseID: int64(term.lease.id)}) {
			t.Fatalf("leader %+v", st.Leader)
		}
		bytes, err := s.HeadBytes(e.ctx())
		e.ok(err)
		if want := e.storedBytes(s); bytes != want || term.HeadBytes() != want || term.HeadEntries() != 3 {
			t.Fatalf("head has %d bytes, the term counts %d, etcd holds %d", bytes, term.HeadBytes(), want)
		}
	})
}

func TestAppendRefusesWhatDoesNotContinue(t *testing.T) {
	e := newEnv(t)
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	tail := e.append(term, "one")
	good := next(term, "two")
	for _, c := range []struct {
		name string
		e    *wal.Entry
		want error
	}{
		{"gap", good.Position().Next(wal.KindEffects, term.Epoch(), 0, nil), wal.ErrGap},
		{"again", wal.Position{}.Next(wal.KindEffects, term.Epoch(), 0, nil), wal.ErrGap},
		{"other history", wal.Position{Seq: 1, Epoch: tail.Epoch, Chain: 5}.Next(wal.KindEffects, term.Epoch(), 0, nil), wal.ErrChain},
		{"older epoch", tail.Next(wal.KindEffects, term.Epoch()-1, 0, nil), wal.ErrEpoch},
		{"newer epoch", tail.Next(wal.KindEffects, term.Epoch()+1, 0, nil), wal.ErrEpoch},
	} {
		if err := term.Append(e.ctx(), c.e); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	e.ok(term.Append(e.ctx(), good))
	e.wantLog("1:one", "2:two")
}

// Whatever becomes of requests and answers, an append that returns nil is in
// the log once, and the one after it follows.
func TestAppendSurvivesFaults(t *testing.T) {
	for name, fault := range map[string]func(sendFunc) (clientv3.OpResponse, error){
		"answer lost":  answerLost,
		"request lost": requestLost,
		"sent twice":   sentTwice,
		"answer lost and sent twice": func(send sendFunc) (clientv3.OpResponse, error) {
			_, _ = sentTwice(send)
			return clientv3.OpResponse{}, errAnswerLost
		},
		"no answer in time": func(send sendFunc) (clientv3.OpResponse, error) {
			_, _ = send()
			return clientv3.OpResponse{}, context.DeadlineExceeded
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := newFaults(t, e.cli)
			e.init(Sealed{})
			s := e.openWith(f.cli)
			term := e.campaign(s, "a", wal.Position{})
			for i := range 3 {
				f.once("append", fault)
				e.append(term, fmt.Sprint(i))
			}
			e.append(term, "after")
			e.wantLog("1:0", "2:1", "3:2", "4:after")
			if got, want := term.HeadBytes(), e.storedBytes(s); got != want {
				t.Fatalf("term counts %d bytes, etcd holds %d", got, want)
			}
		})
	}
}

// A try that gets stuck on its way must not bring an entry back that was
// appended by a later try, sealed and trimmed meanwhile.
func TestDelayedAppendDoesNotResurrect(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	s := e.openWith(f.cli)
	term := e.campaign(s, "a", wal.Position{})
	var stuck sendFunc
	f.once("append", func(send sendFunc) (clientv3.OpResponse, error) {
		stuck = send
		return clientv3.OpResponse{}, errAnswerLost
	})
	pos := e.append(term, "one")
	e.trim(term, pos)
	e.wantLog()
	resp, err := stuck()
	e.ok(err)
	if resp.Txn().Succeeded {
		t.Fatal("the delayed try was let through")
	}
	if n := e.storedBytes(s); n != 0 || term.HeadBytes() != 0 {
		t.Fatalf("head holds %d bytes after everything was trimmed, the term counts %d", n, term.HeadBytes())
	}
	e.append(term, "two")
	e.wantLog("2:two")
}

// A delayed try that comes through after its caller gave up leaves the entry in
// the log; the same entry again is then committed without being stored twice.
func TestAppendAgainAfterContextEnded(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	ctx, cancel := context.WithCancel(e.ctx())
	f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		if op != "append" {
			return send()
		}
		cancel()
		return answerLost(send)
	})
	entry := next(term, "one")
	err := term.Append(ctx, entry)
	e.isErr(err, context.Canceled)
	if errors.Is(err, wal.ErrFenced) || !term.Valid() {
		t.Fatalf("a context's end ended the term: %v", err)
	}
	f.on(nil)
	e.ok(term.Append(e.ctx(), entry))
	e.append(term, "two")
	e.wantLog("1:one", "2:two")

	// Another entry in its place is noticed.
	ctx, cancel = context.WithCancel(e.ctx())
	f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		cancel()
		return answerLost(send)
	})
	e.isErr(term.Append(ctx, next(term, "three")), context.Canceled)
	f.on(nil)
	e.isErr(term.Append(e.ctx(), next(term, "other three")), wal.ErrCorrupt)
	if term.Valid() {
		t.Fatal("valid though the log is not what this node executed")
	}
	e.wantLog("1:one", "2:two", "3:three")
}

// Invariant 2: the check and the append are one step, so that a primary that
// lost the shard cannot append even if it has not noticed.
func TestStaleTermIsFenced(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	old := e.campaign(s, "a", wal.Position{})
	pos := e.append(old, "one")
	// The lease goes behind the old term's back: its clock does not tell.
	e.ok(s.RevokeLeader(e.ctx(), "a"))
	if !old.Valid() {
		t.Fatal("the old term noticed before it was fenced; this test needs it not to")
	}

	entry := next(old, "nobody leads")
	e.isErr(old.Append(e.ctx(), entry), wal.ErrFenced)
	if old.Valid() {
		t.Fatal("valid after being fenced")
	}
	lostWithin(t, old, time.Second)
	e.isErr(old.Err(), wal.ErrFenced)
	e.wantLog("1:one")

	stale := e.campaign(e.open(), "b", pos)
	e.ok(s.RevokeLeader(e.ctx(), "b"))
	term := e.campaign(e.open(), "c", pos)
	e.isErr(stale.Append(e.ctx(), next(stale, "b is not leader")), wal.ErrFenced)
	e.append(term, "two")
	e.isErr(old.Append(e.ctx(), entry), wal.ErrFenced)
	e.isErr(stale.Trim(e.ctx(), sealedAtPos(pos)), wal.ErrFenced)
	e.wantLog("1:one", "2:two")
}

func TestStaleTermCannotTrim(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	old := e.campaign(s, "a", wal.Position{})
	pos := e.append(old, "one", "two")
	e.ok(s.RevokeLeader(e.ctx(), "a"))
	e.isErr(old.Trim(e.ctx(), sealedAtPos(pos)), wal.ErrFenced)
	e.wantLog("1:one", "2:two")
	if old.Valid() {
		t.Fatal("valid after being fenced")
	}
}

// An entry whose answer was lost right before the fence is in the log: its
// writers may be told so.
func TestCommittedBeforeTheFence(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	s := e.init(Sealed{})
	old := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	f.once("append", func(send sendFunc) (clientv3.OpResponse, error) {
		_, err := answerLost(send)
		e.ok(s.RevokeLeader(e.ctx(), "a"))
		return clientv3.OpResponse{}, err
	})
	e.ok(old.Append(e.ctx(), next(old, "one")))
	if old.Valid() {
		t.Fatal("valid though the answer showed another leader")
	}
	e.wantLog("1:one")
}

// When the entry may have been sealed and trimmed by the next leader, the error
// does not claim that it is not in the log.
func TestOutcomeUnknownAfterTheFence(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	s := e.init(Sealed{})
	old := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	entry := next(old, "one")
	f.once("append", func(send sendFunc) (clientv3.OpResponse, error) {
		_, err := answerLost(send)
		e.ok(s.RevokeLeader(e.ctx(), "a"))
		term := e.campaign(e.open(), "b", entry.Position())
		e.trim(term, entry.Position())
		return clientv3.OpResponse{}, err
	})
	err := old.Append(e.ctx(), entry)
	e.isErr(err, wal.ErrFenced)
	if !strings.Contains(err.Error(), "outcome") {
		t.Fatalf("the error sounds certain: %v", err)
	}
}

// The term being lost ends an append that gets no answers.
func TestAppendEndsWithItsTerm(t *testing.T) {
	e := newEnv(t)
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	began := make(chan struct{})
	var once sync.Once
	f.on(func(op string, send sendFunc) (clientv3.OpResponse, error) {
		if op != "append" {
			return send()
		}
		once.Do(func() { close(began) })
		return requestLost(send)
	})
	result := make(chan error, 1)
	go func() { result <- term.Append(t.Context(), next(term, "one")) }()
	<-began
	e.ok(term.Resign(e.ctx()))
	var err error
	select {
	case err = <-result:
	case <-time.After(10 * time.Second):
		t.Fatal("the append goes on without a term")
	}
	e.isErr(err, wal.ErrFenced)
	e.isErr(err, ErrResigned)
	e.isErr(term.Append(e.ctx(), next(term, "one")), wal.ErrFenced)
	e.wantLog()
}

// Invariant 7, to the byte.
func TestHeadLimit(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	size := s.k.entrySize(len(wal.Encode(nil, wal.Position{}.Next(wal.KindEffects, 1, 0, []byte("x")))))
	e.opts.HeadLimit = 3 * size
	s = e.open()
	term := e.campaign(s, "a", wal.Position{})
	e.append(term, "1", "2", "3")
	if term.HeadBytes() != 3*size || term.HeadLimit() != 3*size {
		t.Fatalf("head has %d of %d bytes, want all %d", term.HeadBytes(), term.HeadLimit(), 3*size)
	}
	full := next(term, "4")
	for range 2 {
		e.isErr(term.Append(e.ctx(), full), wal.ErrHeadFull)
	}
	if !term.Valid() || e.storedBytes(s) != 3*size {
		t.Fatalf("etcd holds %d bytes of at most %d; valid %v", e.storedBytes(s), 3*size, term.Valid())
	}

	// The next leader finds the head as full as it is.
	pos := term.Tail()
	e.ok(term.Resign(e.ctx()))
	term = e.campaign(e.open(), "b", pos)
	full = next(term, "4")
	e.isErr(term.Append(e.ctx(), full), wal.ErrHeadFull)

	e.trim(term, wal.Position{Seq: 1, Epoch: pos.Epoch})
	e.ok(term.Append(e.ctx(), full))
	e.isErr(term.Append(e.ctx(), next(term, "5")), wal.ErrHeadFull)
	e.wantLog("2:2", "3:3", "4:4")
}

// memorySpill is a Spiller in memory.
type memorySpill struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    error
}

func (m *memorySpill) Spill(_ context.Context, e *wal.Entry) (wal.Ref, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return wal.Ref{}, m.fail
	}
	key, b := fmt.Sprintf("spill/%d-%d", e.Seq, e.Epoch), wal.Encode(nil, e)
	m.objects[key] = b
	return wal.NewRef(key, b), nil
}

func (m *memorySpill) Resolve(_ context.Context, r wal.Ref) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	return m.objects[r.Key], nil
}

func (m *memorySpill) set(fail error) {
	m.mu.Lock()
	m.fail = fail
	m.mu.Unlock()
}

func TestLargeEntriesSpill(t *testing.T) {
	e := newEnv(t)
	spill := &memorySpill{objects: map[string][]byte{}}
	e.opts.Spill, e.opts.MaxInline, e.opts.HeadLimit = spill, 200, 2500
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	big := incompressible(5000)
	e.append(term, "small", big, "small again")
	e.wantLog("1:small", "2:"+big, "3:small again")
	if len(spill.objects) != 1 || e.storedBytes(s) > 2000 || e.storedBytes(s) != term.HeadBytes() {
		t.Fatalf("%d objects, %d bytes in etcd, %d counted", len(spill.objects), e.storedBytes(s), term.HeadBytes())
	}

	// Object storage being away holds the append up; it is not its end.
	spill.set(errors.New("away"))
	ctx, cancel := context.WithTimeout(e.ctx(), 50*time.Millisecond)
	defer cancel()
	entry := next(term, big)
	e.isErr(term.Append(ctx, entry), context.DeadlineExceeded)
	spill.set(nil)
	e.ok(term.Append(e.ctx(), entry))

	// A head without room refuses before it writes an object.
	for term.HeadBytes()+refRoom <= term.HeadLimit() {
		e.append(term, "filler")
	}
	objects := len(spill.objects)
	e.isErr(term.Append(e.ctx(), next(term, big)), wal.ErrHeadFull)
	if len(spill.objects) != objects {
		t.Fatal("an object was written for an entry that was refused")
	}

	e.opts.Spill = nil
	e.ok(term.Resign(e.ctx()))
	plain := e.campaign(e.open(), "b", term.Tail())
	e.isErr(plain.Append(e.ctx(), next(plain, big)), wal.ErrTooLarge)
	err := e.open().ReadHead(e.ctx(), 1, 9, func(*wal.Entry, int) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "no object store") {
		t.Fatalf("spilled entry read without an object store: %v", err)
	}
}

// incompressible is a payload that snappy does not make smaller.
func incompressible(n int) string {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}

// etcd's own largest request holds the largest inline entry.
func TestLargestInlineEntryFits(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
		payload := incompressible(DefaultMaxInline - wal.Overhead)
		e.append(term, payload)
		if got := e.log(); len(got) != 1 || got[0] != "1:"+payload {
			t.Fatal("the entry came back changed")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	e, err := startEtcd(b.TempDir(), false)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	clients := map[string]func() *clientv3.Client{
		"network":   func() *clientv3.Client { return dial(b, e.Clients[0].Addr().String()) },
		"inprocess": func() *clientv3.Client { return v3clientOf(e) },
	}
	for _, where := range []string{"inprocess", "network"} {
		for _, size := range []int{256, 32 << 10} {
			cli := clients[where]()
			payload := incompressible(size)
			b.Run(fmt.Sprintf("%s/%dB/put", where, size), func(b *testing.B) {
				for i := range b.N {
					if _, err := cli.Put(b.Context(), fmt.Sprintf("/bench/%s/%020d", where, i), payload); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%dB/txn", where, size), func(b *testing.B) {
				lead := fmt.Sprintf("/bench/%s/%d/leader", where, size)
				resp, err := cli.Put(b.Context(), lead, "x")
				if err != nil {
					b.Fatal(err)
				}
				for i := range b.N {
					key := fmt.Sprintf("/bench/%s/%d/%d/%020d", where, size, resp.Header.Revision, i)
					txn, err := cli.Txn(b.Context()).If(
						clientv3.Compare(clientv3.ModRevision(lead), "=", resp.Header.Revision),
						clientv3.Compare(clientv3.CreateRevision(key), "=", 0),
					).Then(clientv3.OpPut(key, payload)).Commit()
					if err != nil || !txn.Succeeded {
						b.Fatal(txn, err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%dB/append", where, size), func(b *testing.B) {
				env := newEnvWith(b, cli)
				env.opts.HeadLimit = 8 << 30
				term := env.campaign(env.init(Sealed{}), "a", wal.Position{})
				b.ResetTimer()
				for range b.N {
					if err := term.Append(b.Context(), next(term, payload)); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				env.ok(term.Close())
			})
		}
	}
}

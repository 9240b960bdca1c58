package etcdfence

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestTrim(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.init(Sealed{})
		term := e.campaign(s, "a", wal.Position{})
		one := e.append(term, "one")
		three := e.append(term, "two", "three")
		e.trim(term, one)
		e.wantLog("2:two", "3:three")
		e.trim(term, one) // as it is: nothing to do
		if err := term.Trim(e.ctx(), sealedAtPos(wal.Position{Seq: 4, Epoch: term.Epoch()})); err == nil {
			t.Fatal("trimmed what was never committed")
		}
		if err := term.Trim(e.ctx(), Sealed{}); err == nil {
			t.Fatal("the sealed pointer went back")
		}
		e.trim(term, three)
		e.wantLog()
		st, err := s.State(e.ctx())
		e.ok(err)
		if st.Tail != 3 || st.Sealed != sealedAtPos(three) || st.Sealed != term.Sealed() || term.HeadBytes() != 0 || term.HeadEntries() != 0 {
			t.Fatalf("state %+v, %d bytes", st, term.HeadBytes())
		}
		e.append(term, "four")
		e.wantLog("4:four")
	})
}

func TestTrimSurvivesFaults(t *testing.T) {
	for name, fault := range map[string]func(sendFunc) (clientv3.OpResponse, error){
		"answer lost": answerLost, "request lost": requestLost, "sent twice": sentTwice,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := newFaults(t, e.cli)
			e.init(Sealed{})
			term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
			two := e.append(term, "one", "two")
			e.append(term, "three")
			f.once("trim", fault)
			e.trim(term, two)
			e.append(term, "four")
			e.wantLog("3:three", "4:four")
			if got, want := term.HeadBytes(), e.storedBytes(term.s); got != want {
				t.Fatalf("term counts %d bytes, etcd holds %d", got, want)
			}
		})
	}
}

// A trim went through, and nobody heard of it: the next append finds out, and so
// does the next trim, to the same place or beyond.
func TestTrimOutcomeFoundOutLater(t *testing.T) {
	for name, then := range map[string]func(e *env, term *Term, sealed, tail wal.Position){
		"by an append":     func(e *env, term *Term, _, _ wal.Position) { e.append(term, "four") },
		"by the same trim": func(e *env, term *Term, sealed, _ wal.Position) { e.trim(term, sealed) },
		"by a later trim":  func(e *env, term *Term, _, tail wal.Position) { e.trim(term, tail) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := newFaults(t, e.cli)
			e.init(Sealed{})
			term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
			two := e.append(term, "one", "two")
			three := e.append(term, "three")
			ctx, cancel := context.WithCancel(e.ctx())
			f.once("trim", func(send sendFunc) (clientv3.OpResponse, error) {
				cancel()
				return answerLost(send)
			})
			e.isErr(term.Trim(ctx, sealedAtPos(two)), context.Canceled)
			if term.HeadEntries() != 3 {
				t.Fatalf("%d entries are counted; what a trim of unknown outcome takes away still counts", term.HeadEntries())
			}
			then(e, term, two, three)
			if got, want := term.HeadBytes(), e.storedBytes(term.s); got != want {
				t.Fatalf("term counts %d bytes, etcd holds %d", got, want)
			}
			e.append(term, "last")
		})
	}
}

// Appends go on while the head is trimmed behind them; nothing is lost of what
// is not sealed, and the count stays exact.
func TestTrimUnderAppends(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	positions := make(chan wal.Position, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n := 0
		for pos := range positions {
			if n++; n%7 == 0 {
				if err := term.Trim(e.ctx(), sealedAtPos(pos)); err != nil {
					t.Errorf("trim: %v", err)
				}
			}
		}
	}()
	for i := range 300 {
		positions <- e.append(term, fmt.Sprint(i))
	}
	close(positions)
	<-done
	st, err := s.State(e.ctx())
	e.ok(err)
	if st.Tail != 300 || st.Sealed.Seq != 294 || len(e.log()) != 6 {
		t.Fatalf("state %+v, log %v", st, e.log())
	}
	if got, want := term.HeadBytes(), e.storedBytes(s); got != want {
		t.Fatalf("term counts %d bytes, etcd holds %d", got, want)
	}
}

// etcd's history goes away behind the trims, and a follower that keeps up does
// not notice.
func TestCompaction(t *testing.T) {
	e := newEnv(t)
	compacted := make(chan error, 1000)
	e.opts.CompactEvery = 10 * time.Millisecond
	e.opts.Metrics = observer{request: func(op string, err error) {
		if op == "compact" {
			compacted <- err
		}
	}}
	term := e.campaign(e.init(Sealed{}), "a", wal.Position{})
	r := &recorder{}
	e.follow(e.open(), wal.Position{}, r)
	one := e.append(term, "one")
	r.awaitTail(t, 1)
	st, err := e.open().State(e.ctx())
	e.ok(err)
	e.trim(term, one)
	e.ok(<-compacted)
	_, err = e.cli.Get(e.ctx(), term.s.k.entry(1), clientv3.WithRev(st.Revision))
	e.isErr(err, rpctypes.ErrCompacted)
	select {
	case err := <-compacted:
		t.Fatalf("compacted again with nothing trimmed: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	e.append(term, "two")
	r.awaitTail(t, 2)
	if got := r.entries(); fmt.Sprint(got) != "[1:one 2:two]" {
		t.Fatalf("follower got %v", got)
	}
}

// An observer hears of appends, requests and the head.
func TestObserver(t *testing.T) {
	e := newEnv(t)
	var stored, headEntries int
	var headBytes int64
	requests := map[string]int{}
	e.init(Sealed{})
	e.opts.Metrics = observer{
		request: func(op string, err error) { requests[op]++ },
		append_: func(n int, err error) { stored += n },
		head:    func(n int, bytes int64) { headEntries, headBytes = n, bytes },
	}
	term := e.campaign(e.open(), "a", wal.Position{})
	pos := e.append(term, "one", "two")
	if int64(stored) != term.HeadBytes() || headBytes != term.HeadBytes() || headEntries != 2 {
		t.Fatalf("stored %d, head %d entries of %d bytes; the term counts %d", stored, headEntries, headBytes, term.HeadBytes())
	}
	e.trim(term, pos)
	if headBytes != 0 || headEntries != 0 {
		t.Fatalf("head %d entries of %d bytes after a trim", headEntries, headBytes)
	}
	e.ok(term.Close())
	for _, op := range []string{"read", "grant", "campaign", "append", "trim", "revoke"} {
		if requests[op] == 0 {
			t.Errorf("no %s among %v", op, requests)
		}
	}
}

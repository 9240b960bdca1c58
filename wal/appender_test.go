package wal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// gatedWriter is a Writer whose every append waits for the test's answer.
type gatedWriter struct {
	began  chan *Entry
	answer chan error
}

func newGatedWriter() *gatedWriter {
	return &gatedWriter{began: make(chan *Entry), answer: make(chan error)}
}

func (w *gatedWriter) Append(ctx context.Context, e *Entry) error {
	c := *e
	c.Payload = append([]byte(nil), e.Payload...)
	select {
	case w.began <- &c:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func add(t *testing.T, a *Appender, args ...string) uint64 {
	t.Helper()
	seq, err := a.Add(unit(0, args...))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func TestGroupCommit(t *testing.T) {
	w := newGatedWriter()
	tail := Position{Seq: 10, Epoch: 5, Chain: 77}
	var committed []uint64
	a := NewAppender(w, 5, tail, AppenderConfig{Committed: func(p Position) { committed = append(committed, p.Seq) }})
	defer a.Close()

	if seq := add(t, a, "SET", "a", "1"); seq != 11 {
		t.Fatalf("first unit got seq %d", seq)
	}
	first := <-w.began
	for i := range 3 { // while 11 is in flight, all of these share 12
		if seq := add(t, a, "SET", "b", fmt.Sprint(i)); seq != 12 {
			t.Fatalf("unit %d got seq %d", i, seq)
		}
	}
	if a.Committed() != 10 || a.Executed() != 12 {
		t.Fatalf("committed %d executed %d before the first answer", a.Committed(), a.Executed())
	}
	w.answer <- nil
	second := <-w.began
	if err := tail.Check(first); err != nil {
		t.Fatal(err)
	}
	if err := first.Position().Check(second); err != nil {
		t.Fatal(err)
	}
	if got := effects(t, second.Payload); len(got) != 3 || got[2] != "[0 SET b 2]" {
		t.Fatalf("second entry holds %q", got)
	}
	w.answer <- nil
	if err := a.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(committed) != "[11 12]" || a.Tail() != second.Position() || a.QueuedBytes() != 0 {
		t.Fatalf("committed %v, tail %v, queued %d", committed, a.Tail(), a.QueuedBytes())
	}
}

// Invariant 6: a unit is in one entry, whatever its size.
func TestUnitIsNeverSplit(t *testing.T) {
	w := newGatedWriter()
	a := NewAppender(w, 1, Position{}, AppenderConfig{MaxBatch: 40})
	defer a.Close()
	add(t, a, "SET", "a", "1")
	<-w.began
	big := &Unit{}
	for i := range 20 {
		big.Add(0, []byte("SET"), []byte(fmt.Sprint("key", i)), []byte("value"))
	}
	want := []uint64{2, 3, 4}
	got := []uint64{add(t, a, "SET", "b", "2")}
	seq, err := a.Add(big)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, seq, add(t, a, "SET", "c", "3"))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("seqs %v, want %v", got, want)
	}
	for _, units := range []int{1, 1, 1} {
		w.answer <- nil
		if e := <-w.began; len(effects(t, e.Payload)) != units {
			t.Fatalf("entry %d holds %d units", e.Seq, len(effects(t, e.Payload)))
		}
	}
	w.answer <- nil
}

func TestGatherFor(t *testing.T) {
	for _, c := range []struct {
		name         string
		queued, full int
		latency      time.Duration
		want         time.Duration
	}{
		{"nothing is queued", 0, 0, time.Millisecond, 0},
		{"a batch is full", 3, 1, time.Millisecond, 0},
		{"quick appends", 3, 0, gatherFrom - 1, 0},
		{"slow appends", 3, 0, time.Millisecond, time.Millisecond / 2},
		{"very slow appends", 3, 0, time.Minute, gatherMax},
	} {
		if got := gatherFor(c.queued, c.full, c.latency); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Those who were just answered are waited for, as long as there is something to
// append anyway, and not a moment longer than it takes them to come.
func TestGather(t *testing.T) {
	w := newGatedWriter()
	a := NewAppender(w, 1, Position{}, AppenderConfig{})
	defer a.Close()
	add(t, a, "SET", "in flight", "1")
	<-w.began
	add(t, a, "SET", "queued", "1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.waitUnits(t.Context(), 3, time.Hour)
	}()
	add(t, a, "SET", "back", "1")
	add(t, a, "SET", "back", "2")
	<-done
	a.waitUnits(t.Context(), 1000, time.Nanosecond) // they do not come: it ends all the same
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	a.waitUnits(canceled, 1000, time.Hour)
}

func TestFencedAppenderEnds(t *testing.T) {
	w := newGatedWriter()
	a := NewAppender(w, 1, Position{}, AppenderConfig{Committed: func(Position) { t.Error("committed") }})
	add(t, a, "SET", "a", "1")
	<-w.began
	seq := add(t, a, "SET", "b", "2")
	w.answer <- ErrFenced
	<-a.Done()
	if err := a.WaitCommitted(t.Context(), seq); !errors.Is(err, ErrFenced) {
		t.Fatalf("waiting for a lost entry: %v", err)
	}
	if _, err := a.Add(unit(0, "SET", "c", "3")); !errors.Is(err, ErrFenced) {
		t.Fatalf("Add after the fence: %v", err)
	}
	for range 2 {
		if err := a.Close(); !errors.Is(err, ErrFenced) {
			t.Fatalf("Close: %v", err)
		}
	}
}

func TestFullHeadIsRetriedWithTheSameEntry(t *testing.T) {
	w := newGatedWriter()
	a := NewAppender(w, 1, Position{}, AppenderConfig{})
	defer a.Close()
	add(t, a, "SET", "a", "1")
	first := <-w.began
	for range 3 {
		w.answer <- fmt.Errorf("put: %w", ErrHeadFull)
		if again := <-w.began; again.Position() != first.Position() {
			t.Fatalf("retried %v as %v", first.Position(), again.Position())
		}
	}
	w.answer <- nil
	if err := a.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBackPressure(t *testing.T) {
	w := newGatedWriter()
	a := NewAppender(w, 1, Position{}, AppenderConfig{MaxQueue: 10})
	defer a.Close()
	if err := a.WaitRoom(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, a, "SET", "a", "0123456789")
	<-w.began
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.WaitRoom(canceled); !errors.Is(err, context.Canceled) {
		t.Fatalf("a full queue let a writer in: %v", err)
	}
	room := make(chan error)
	go func() { room <- a.WaitRoom(t.Context()) }()
	w.answer <- nil
	if err := <-room; err != nil {
		t.Fatal(err)
	}
	add(t, a, "SET", "a", "0123456789")
	<-w.began
	go func() { room <- a.WaitRoom(t.Context()) }()
	w.answer <- ErrFenced
	if err := <-room; !errors.Is(err, ErrFenced) {
		t.Fatalf("waiting for room of a fenced appender: %v", err)
	}
}

// memoryWriter commits at once and keeps the chain honest.
type memoryWriter struct {
	mu  sync.Mutex
	at  Position
	got []string
	err error
}

func (w *memoryWriter) Append(_ context.Context, e *Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.at.Check(e); err != nil {
		w.err = err
		return err
	}
	w.at = e.Position()
	return EachUnit(e.Payload, func(u []Effect) error {
		w.got = append(w.got, string(u[0].Args[1]))
		return nil
	})
}

func TestConcurrentAddsKeepOrderAndAreComplete(t *testing.T) {
	w := &memoryWriter{}
	a := NewAppender(w, 1, Position{}, AppenderConfig{MaxBatch: 100})
	const writers, each = 8, 200
	var engine sync.Mutex // order of Add is the order of execution, as in the node
	var want []string
	var wg sync.WaitGroup
	for i := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range each {
				engine.Lock()
				key := fmt.Sprint(i, "-", j)
				want = append(want, key)
				seq, err := a.Add(unit(0, "SET", key))
				engine.Unlock()
				if err != nil {
					t.Error(err)
				} else if err := a.WaitCommitted(t.Context(), seq); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(w.got) != fmt.Sprint(want) {
		t.Fatalf("log order differs from execution order (%v)", w.err)
	}
}

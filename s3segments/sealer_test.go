package s3segments

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

// head is a shard's head in memory, which holds the Sealer to invariant 8: it
// fails the test on a trim of entries that no durable segment holds.
type head struct {
	t     *testing.T
	check *Shard // through a store of its own, without faults

	mu      sync.Mutex
	entries []*wal.Entry
	sealed  wal.Position
	trims   int
	fail    []error              // of the next trims
	before  func(p wal.Position) // of each trim
	trimmed chan wal.Position    // gets each successful trim, if there is room
}

func newHead(t *testing.T, cfg Config, entries []*wal.Entry) *head {
	cfg.Transport = nil
	return &head{t: t, check: NewShard(openStore(t, cfg), 0), entries: entries, trimmed: make(chan wal.Position, 1000)}
}

func (h *head) append(entries ...*wal.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = append(h.entries, entries...)
}

// next waits for the next trim.
func (h *head) next(t *testing.T) wal.Position {
	t.Helper()
	select {
	case p := <-h.trimmed:
		return p
	case <-time.After(20 * time.Second):
		t.Fatal("the head is not trimmed")
		panic("unreachable")
	}
}

// ReadHead implements Head.
func (h *head) ReadHead(_ context.Context, from, to uint64, fn func(*wal.Entry, int) error) error {
	h.mu.Lock()
	entries := h.entries
	h.mu.Unlock()
	if len(entries) == 0 || entries[0].Seq > from {
		return fmt.Errorf("entry %d is not in the head", from)
	}
	for _, e := range entries {
		if e.Seq < from || e.Seq > to {
			continue
		}
		if err := fn(e, len(e.Payload)+100); err != nil {
			return err
		}
	}
	return nil
}

// Trim implements Head.
func (h *head) Trim(ctx context.Context, p wal.Position, segment string, at time.Time) error {
	if h.before != nil {
		h.before(p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trims++
	if len(h.fail) > 0 {
		err := h.fail[0]
		if h.fail = h.fail[1:]; err != nil {
			return err
		}
	}
	if p == h.sealed {
		return nil
	}
	if err := h.durable(p, segment); err != nil {
		h.t.Errorf("invariant 8: trim to %v: %v", p, err)
	}
	for len(h.entries) > 0 && h.entries[0].Seq <= p.Seq {
		h.entries = h.entries[1:]
	}
	h.sealed = p
	select {
	case h.trimmed <- p:
	default:
	}
	return nil
}

// durable checks that S3 has every entry that a trim to p lets go of, and that
// the named segment ends with p.
func (h *head) durable(p wal.Position, segment string) error {
	next := 0
	end, err := h.check.Read(context.Background(), h.sealed, p.Seq, func(e *wal.Entry) error {
		if e.Position() != h.entries[next].Position() {
			return fmt.Errorf("segment has %v, head %v", e.Position(), h.entries[next].Position())
		}
		next++
		return nil
	})
	if err == nil && end != p {
		err = fmt.Errorf("segments end at %v", end)
	}
	if err == nil {
		_, err = h.check.store.Head(context.Background(), segment)
	}
	return err
}

// seal runs a Sealer over a head; stop ends it and returns what Run returned.
func seal(t *testing.T, s *Store, h *head, size int64, age time.Duration) (sealer *Sealer, stop func() error) {
	t.Helper()
	h.mu.Lock()
	entries, sealed := h.entries, h.sealed
	h.mu.Unlock()
	sealer = NewSealer(SealerConfig{Shard: NewShard(s, 0), Head: h, Epoch: 1, Sealed: sealed, Size: size, Age: age})
	sealer.backoff = backoff{first: time.Millisecond, max: 5 * time.Millisecond}
	tell(sealer, entries...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sealer.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return sealer, stop
}

func tell(s *Sealer, entries ...*wal.Entry) {
	for _, e := range entries {
		s.Committed(e.Position(), int64(len(e.Payload)+100))
	}
}

func sealNow(t *testing.T, s *Sealer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.SealNow(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestSealBySize(t *testing.T) {
	cfg := startS3(t)
	entries := history(wal.Position{}, 1, 105, small)
	h := newHead(t, cfg, entries)
	sealer, stop := seal(t, openStore(t, cfg), h, 2000, time.Hour) // ten entries
	for i := 1; i <= 10; i++ {
		if p := h.next(t); p != entries[i*10-1].Position() {
			t.Fatalf("segment %d ends with %v", i, p)
		}
	}
	waitStats(t, sealer, func(st SealerStats) bool { return st.Segments == 10 })
	if st := sealer.Stats(); st.Entries != 5 || st.Bytes != 1000 || st.Sealed.Seq != 100 || st.Err != nil || st.Lag <= 0 {
		t.Errorf("stats %+v", st)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	infos, err := h.check.List(t.Context())
	if err != nil || len(infos) != 10 {
		t.Fatalf("%d segments, %v", len(infos), err)
	}
	o, err := h.check.store.Head(t.Context(), infos[1].Key)
	if err != nil || o.Metadata["first"] != "11" || o.Metadata["last"] != "20" || o.Metadata["position"] != entries[19].Position().String() || o.Metadata["checksum"] == "" {
		t.Errorf("metadata %v, %v", o.Metadata, err)
	}
}

// waitStats waits until the Sealer's state fulfils a condition.
func waitStats(t *testing.T, s *Sealer, ok func(SealerStats) bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok(s.Stats()) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("stats stay %+v", s.Stats())
		}
	}
}

func TestSealByAge(t *testing.T) {
	cfg := startS3(t)
	entries := history(wal.Position{}, 1, 8, small)
	h := newHead(t, cfg, entries[:3])
	sealer, _ := seal(t, openStore(t, cfg), h, 1<<20, 20*time.Millisecond)
	if p := h.next(t); p != entries[2].Position() {
		t.Errorf("sealed up to %v", p)
	}
	h.append(entries[3:]...)
	tell(sealer, entries[3:]...)
	for h.next(t) != entries[7].Position() {
	}
}

// Everything that can go wrong on the way to S3 goes wrong; the head only
// lets go of what is safe (see head.durable), and in the end all is sealed.
func TestSealThroughFaults(t *testing.T) {
	cfg := startS3(t)
	cfg.Attempts = 2
	for name, script := range map[string][]fault{
		"refused":      {refused, refused, refused, refused, refused},
		"lost answers": {lostAnswer, lostAnswer, none, lostAnswer, lostAnswer, lostAnswer},
		"errors":       {status500, status503, status409, status500, status500, status403},
		"mixed":        {lostAnswer, status503, refused, lostAnswer, none, status409, lostAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.Cluster = "faults-" + name[:5]
			s, f := newFaulty(t, cfg)
			f.on("PUT", script...)
			f.on("GET", status503, lostAnswer)
			entries := history(wal.Position{}, 1, 95, small)
			h := newHead(t, cfg, entries)
			h.fail = []error{errInjected, nil, errInjected, errInjected}
			sealer, stop := seal(t, s, h, 2000, time.Hour)
			sealNow(t, sealer)
			if st := sealer.Stats(); st.Sealed != entries[94].Position() || st.Entries != 0 || st.Bytes != 0 || st.Err != nil || st.Lag != 0 {
				t.Errorf("stats %+v", st)
			}
			_ = stop()
			infos, err := h.check.List(t.Context())
			if err != nil || len(infos) != 10 {
				t.Errorf("%d segments, %v: a segment was uploaded twice or never", len(infos), err)
			}
			got, _, err := collect(h.check, wal.Position{}, 95)
			if err != nil || !sameEntries(got, entries) {
				t.Errorf("read back %d entries, %v", len(got), err)
			}
		})
	}
}

// While S3 is away for long, the Sealer says so and since when, lets go of
// nothing, and goes on by itself.
func TestSealAfterAnOutage(t *testing.T) {
	cfg := startS3(t)
	cfg.Attempts = 2
	s, f := newFaulty(t, cfg)
	f.all("", refused)
	entries := history(wal.Position{}, 1, 50, small)
	h := newHead(t, cfg, entries)
	before := time.Now()
	sealer, _ := seal(t, s, h, 2000, time.Hour)
	waitStats(t, sealer, func(st SealerStats) bool { return st.Err != nil && f.count("PUT") > 10 })
	st := sealer.Stats()
	if !errors.Is(st.Err, errInjected) || st.Since.Before(before) || st.Sealed.Seq != 0 || st.Entries != 50 {
		t.Errorf("stats %+v", st)
	}
	if o, away := s.Outage(); !away || o.Since.Before(before) {
		t.Errorf("outage %v, %+v", away, o)
	}
	if h.trims != 0 {
		t.Errorf("%d trims during the outage", h.trims)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	impatient := errors.New("impatient")
	cancel(impatient)
	if err := sealer.SealNow(ctx); !errors.Is(err, impatient) || !errors.Is(err, errInjected) {
		t.Errorf("SealNow during the outage: %v", err)
	}
	f.all("", none)
	sealNow(t, sealer)
	if _, away := s.Outage(); away || sealer.Stats().Err != nil {
		t.Errorf("still away after sealing")
	}
}

// A primary that ends between the upload and the trim leaves a segment that
// its next try under the same epoch adopts, and that a successor overlaps.
func TestSealerEndsBeforeTheTrim(t *testing.T) {
	cfg := startS3(t)
	s, f := newFaulty(t, cfg)
	entries := history(wal.Position{}, 1, 30, small)
	h := newHead(t, cfg, entries[:20])
	reached := make(chan struct{})
	h.before = func(wal.Position) { close(reached) }
	h.fail = []error{errInjected}
	_, stop := seal(t, s, h, 1<<20, time.Millisecond)
	<-reached
	h.before = nil
	_ = stop()
	if h.sealed.Seq != 0 {
		t.Fatalf("sealed %v", h.sealed)
	}

	puts := f.count("PUT")
	again, stop := seal(t, s, h, 1<<20, time.Hour)
	sealNow(t, again)
	_ = stop()
	infos, err := h.check.List(t.Context())
	if err != nil || len(infos) != 1 || h.sealed != entries[19].Position() {
		t.Errorf("adopted: %d segments, sealed %v, %v", len(infos), h.sealed, err)
	}
	if f.count("PUT") != puts+1 {
		t.Errorf("%d uploads for the adopted segment", f.count("PUT")-puts)
	}
}

func TestSealerDoesNotAdoptAnotherLog(t *testing.T) {
	cfg := startS3(t)
	s := openStore(t, cfg)
	entries := history(wal.Position{}, 1, 10, small)
	key := putSegment(t, s, wal.Position{}, 1, history(wal.Position{}, 1, 10, func(int) int { return 7 }))
	h := newHead(t, cfg, entries)
	sealer, _ := seal(t, s, h, 1<<20, time.Millisecond)
	waitStats(t, sealer, func(st SealerStats) bool { return st.Err != nil })
	if st := sealer.Stats(); !errors.Is(st.Err, ErrExists) || st.Sealed.Seq != 0 {
		t.Errorf("stats %+v", st)
	}
	// With more committed, the name is another and sealing goes on.
	more := history(entries[9].Position(), 1, 5, small)
	h.append(more...)
	if err := s.Delete(t.Context(), key); err != nil { // for head.durable, which reads all there is
		t.Fatal(err)
	}
	tell(sealer, more...)
	sealNow(t, sealer)
}

func TestSuccessorOverlapsAnOrphan(t *testing.T) {
	cfg := startS3(t)
	s := openStore(t, cfg)
	entries := history(wal.Position{}, 1, 40, small)
	orphan := putSegment(t, s, wal.Position{}, 1, entries[:35]) // uploaded, never trimmed to
	h := newHead(t, cfg, entries)
	sealer := NewSealer(SealerConfig{Shard: NewShard(s, 0), Head: h, Epoch: 2, Size: 2000, Age: time.Hour})
	sealer.Committed(entries[39].Position(), 8000) // all at once, as a new primary does
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sealer.Run(ctx) }()
	sealNow(t, sealer)
	cancel()
	<-ended
	infos, err := h.check.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := collect(h.check, wal.Position{}, 40)
	if err != nil || !sameEntries(got, entries) {
		t.Errorf("read back %d entries, %v", len(got), err)
	}
	orphans, err := Orphans(infos, 1, 40, time.Now().Add(time.Hour))
	if err != nil || len(orphans) != 1 || orphans[0].Key != orphan {
		t.Errorf("orphans %v, %v", orphans, err)
	}
}

func TestFencedSealerStops(t *testing.T) {
	cfg := startS3(t)
	h := newHead(t, cfg, history(wal.Position{}, 1, 10, small))
	h.fail = []error{fmt.Errorf("trim: %w", wal.ErrFenced)}
	sealer := NewSealer(SealerConfig{Shard: NewShard(openStore(t, cfg), 0), Head: h, Epoch: 1, Age: time.Millisecond})
	tell(sealer, h.entries...)
	if err := sealer.Run(t.Context()); !errors.Is(err, wal.ErrFenced) {
		t.Errorf("run: %v", err)
	}
	if err := sealer.SealNow(t.Context()); !errors.Is(err, ErrStopped) || !errors.Is(err, wal.ErrFenced) {
		t.Errorf("SealNow after the end: %v", err)
	}
}

// A spilled entry is in its segment whole: the spill is not needed any more.
func TestSpilledEntryIsSealedWhole(t *testing.T) {
	cfg := startS3(t)
	s := openStore(t, cfg)
	shard := NewShard(s, 0)
	entries := history(wal.Position{}, 1, 5, func(i int) int { return 10 + i/4*3_000_000 })
	ref, err := shard.Spill(t.Context(), entries[4])
	if err != nil {
		t.Fatal(err)
	}
	h := newHead(t, cfg, entries) // which resolves spilled entries
	sealer, stop := seal(t, s, h, 1<<20, time.Hour)
	sealNow(t, sealer)
	_ = stop()
	if err := s.Delete(t.Context(), ref.Key); err != nil {
		t.Fatal(err)
	}
	got, _, err := collect(shard, wal.Position{}, 5)
	if err != nil || !sameEntries(got, entries) {
		t.Errorf("read back %d entries, %v", len(got), err)
	}
}

func TestPlan(t *testing.T) {
	now := time.Now()
	l := limits{size: 1000, age: 10 * time.Second}
	at := func(seq uint64) wal.Position { return wal.Position{Seq: seq} }
	for _, tt := range []struct {
		name string
		b    backlog
		seal bool
		wait time.Duration
	}{
		{"nothing", backlog{sealed: at(5), committed: at(5)}, false, 0},
		{"nothing, flushed", backlog{sealed: at(5), committed: at(5), flush: 5}, false, 0},
		{"little and young", backlog{sealed: at(5), committed: at(6), bytes: 999, oldest: now.Add(-4 * time.Second)}, false, 6 * time.Second},
		{"large", backlog{sealed: at(5), committed: at(6), bytes: 1000, oldest: now}, true, 0},
		{"old", backlog{sealed: at(5), committed: at(6), bytes: 1, oldest: now.Add(-10 * time.Second)}, true, 0},
		{"wanted", backlog{sealed: at(5), committed: at(6), bytes: 1, oldest: now, flush: 6}, true, 0},
		{"wanted and done, then more", backlog{sealed: at(6), committed: at(7), bytes: 1, oldest: now, flush: 6}, false, 10 * time.Second},
	} {
		if seal, wait := plan(tt.b, l, now); seal != tt.seal || wait != tt.wait {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, seal, wait, tt.seal, tt.wait)
		}
	}
}

func TestBacklog(t *testing.T) {
	t0 := time.Now()
	at := func(seq uint64) wal.Position { return wal.Position{Seq: seq} }
	var b backlog
	b.commit(at(1), 100, t0)
	b.commit(at(2), 100, t0.Add(time.Second))
	b.commit(at(2), 100, t0.Add(time.Second)) // told twice
	if b.bytes != 200 || b.oldest != t0 {
		t.Fatalf("two entries: %+v", b)
	}
	mark, markAt := b.committed.Seq, t0.Add(2*time.Second)
	b.commit(at(3), 100, t0.Add(3*time.Second))
	partly := b
	partly.advance(at(1), 100, mark, markAt)
	if partly.bytes != 200 || partly.oldest != t0 {
		t.Errorf("sealed part of what was there: %+v", partly)
	}
	b.advance(at(2), 200, mark, markAt)
	if b.bytes != 100 || b.oldest != markAt || b.empty() {
		t.Errorf("sealed all that was there: %+v", b)
	}
	b.advance(at(3), 50, 3, markAt)
	if b.bytes != 0 || !b.empty() {
		t.Errorf("sealed everything: %+v", b)
	}
}

package node

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// pair is a TCP connection's two ends on 127.0.0.1.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	t.Cleanup(func() { server.Close(); client.Close() })
	client.SetDeadline(time.Now().Add(30 * time.Second))
	return server, client
}

func noLimit() outputLimit { return outputLimit{} }

// replies sends lines through o, each waiting for its seq.
func replies(t *testing.T, o *output, g *gate, gen uint64, lines string, seqs ...uint64) {
	t.Helper()
	var b []byte
	var marks []mark
	for i, l := range strings.Fields(lines) {
		b = append(b, l+"\n"...)
		marks = append(marks, mark{end: len(b), seq: seqs[i]})
	}
	if err := o.send(b, marks, g, gen); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, r *bufio.Reader, lines ...string) {
	t.Helper()
	for _, want := range lines {
		got, err := r.ReadString('\n')
		if err != nil || strings.TrimSpace(got) != want {
			t.Fatalf("got %q (%v), want %q", got, err, want)
		}
	}
}

// sentBytes is how much left so far.
func (o *output) sentBytes() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}

// Invariant 1: a reply leaves only after the write it depends on is committed,
// replies keep their order, and what does not wait is not delayed.
func TestRepliesWaitForTheirCommit(t *testing.T) {
	server, client := pair(t)
	g := &gate{}
	gen := g.reset(10)
	o := newOutput(server, noLimit)
	defer o.close()
	r := bufio.NewReader(client)

	replies(t, o, g, gen, "free1 wait12 behind12 wait13", 0, 12, 0, 13)
	expect(t, r, "free1")
	if got := o.sentBytes(); got != int64(len("free1\n")) {
		t.Fatalf("%d bytes left before the commit", got)
	}
	g.commit(11)
	if _, n := o.size(); n != 3 {
		t.Fatalf("%d replies held after an earlier commit, want 3", n)
	}
	g.commit(12)
	expect(t, r, "wait12", "behind12")
	g.commit(13)
	expect(t, r, "wait13")

	// Committed before it is registered: not held for ever.
	replies(t, o, g, gen, "late13 free2", 13, 0)
	expect(t, r, "late13", "free2")
	if n := g.waitingCount(); n != 0 {
		t.Fatalf("%d registrations left", n)
	}
}

func TestCommitReleasesInAnyOrderOfRegistration(t *testing.T) {
	g := &gate{}
	gen := g.reset(0)
	var readers []*bufio.Reader
	seqs := []uint64{5, 3, 9, 3, 4}
	for _, seq := range seqs {
		server, client := pair(t)
		o := newOutput(server, noLimit)
		defer o.close()
		replies(t, o, g, gen, "x", seq)
		readers = append(readers, bufio.NewReader(client))
	}
	g.commit(4)
	for i, seq := range seqs {
		if seq <= 4 {
			expect(t, readers[i], "x")
		}
	}
	if n := g.waitingCount(); n != 2 {
		t.Fatalf("%d wait after commit 4, want those for 5 and 9", n)
	}
	g.commit(9)
	expect(t, readers[0], "x")
	expect(t, readers[2], "x")
}

// Invariant 10: whoever waits for a write that was not committed is cut when
// the term ends, and nobody of an older term is let through by a later one
// that reaches the same seq.
func TestEndOfTermCutsWhoWaits(t *testing.T) {
	g := &gate{}
	old := g.reset(10)
	server, client := pair(t)
	waiting := newOutput(server, noLimit)
	defer waiting.close()
	replies(t, waiting, g, old, "lost", 12)

	server2, client2 := pair(t)
	late := newOutput(server2, noLimit)
	defer late.close()

	g.commit(11)
	gen := g.reset(11)
	if _, err := bufio.NewReader(client).ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Fatalf("the client of the ended term got %v, want EOF", err)
	}
	g.commit(12) // another primary's entry 12, or this node's in a later term
	replies(t, late, g, old, "lost", 12)
	if got, err := bufio.NewReader(client2).ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Fatalf("a reply of the ended term left: %q %v", got, err)
	}
	server3, client3 := pair(t)
	o := newOutput(server3, noLimit)
	defer o.close()
	replies(t, o, g, gen, "fine", 12)
	expect(t, bufio.NewReader(client3), "fine")
}

func TestHeldRepliesAreBounded(t *testing.T) {
	server, client := pair(t)
	g := &gate{}
	gen := g.reset(0)
	o := newOutput(server, noLimit)
	defer o.close()
	replies(t, o, g, gen, "0123456789", 1)
	done := make(chan error)
	go func() { done <- o.wait(5) }()
	g.commit(1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	expect(t, bufio.NewReader(client), "0123456789")
}

func TestOutputLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit outputLimit
		sizes []int
		cut   bool
	}{
		{"none", outputLimit{}, []int{100, 100}, false},
		{"below hard", outputLimit{hard: 300}, []int{100, 100}, false},
		{"above hard", outputLimit{hard: 150}, []int{100, 100}, true},
		{"above soft, not for long", outputLimit{soft: 50, softFor: time.Hour}, []int{100, 100}, false},
		{"above soft for too long", outputLimit{soft: 50, softFor: -1}, []int{100, 100}, true},
	} {
		server, _ := pair(t)
		g := &gate{}
		gen := g.reset(0)
		o := newOutput(server, func() outputLimit { return c.limit })
		var err error
		for i, n := range c.sizes {
			if e := o.send(make([]byte, n), []mark{{end: n, seq: uint64(i + 1)}}, g, gen); e != nil {
				err = e
			}
		}
		if errors.Is(err, errOutputLimit) != c.cut {
			t.Errorf("%s: %v", c.name, err)
		}
		o.close()
	}
}

// The time that a large reply may take under a soft limit is not a deadline for
// what is sent after it.
func TestSoftLimitForgetsWhatWasSent(t *testing.T) {
	server, client := pair(t)
	g := &gate{}
	gen := g.reset(0)
	o := newOutput(server, func() outputLimit { return outputLimit{soft: 10, softFor: 50 * time.Millisecond} })
	defer o.close()
	r := bufio.NewReader(client)
	replies(t, o, g, gen, "longer_than_ten_bytes", 0)
	expect(t, r, "longer_than_ten_bytes")
	<-time.After(100 * time.Millisecond) // past the deadline of the reply that was sent in time
	replies(t, o, g, gen, "short", 0)
	expect(t, r, "short")
}

// A large reply that waits is not copied, and what is held counts until it has
// left.
func TestHeldRepliesCount(t *testing.T) {
	server, client := pair(t)
	g := &gate{}
	gen := g.reset(0)
	o := newOutput(server, noLimit)
	var m clientMemory
	o.mem = &footprint{all: &m}
	defer o.close()
	large := make([]byte, maxChunkReply+1)
	if err := o.send(large, []mark{{end: len(large), seq: 1}}, g, gen); err != nil {
		t.Fatal(err)
	}
	if &o.held[0].b[0] != &large[0] {
		t.Error("a large reply was copied")
	}
	replies(t, o, g, gen, "small", 2)
	if got, want := m.total.Load(), int64(len(large)+len("small\n")+2*heldMemory); got != want {
		t.Errorf("%d bytes are held, want %d", got, want)
	}
	g.commit(2)
	if _, err := io.CopyN(io.Discard, client, int64(len(large)+len("small\n"))); err != nil {
		t.Fatal(err)
	}
	if err := o.wait(0); err != nil {
		t.Fatal(err)
	}
	if got := m.total.Load(); got != 0 {
		t.Errorf("%d bytes are held after all was sent", got)
	}
}

func TestLastWriteNeverUnderstates(t *testing.T) {
	l := newLastWrite()
	keys := []string{"a", "b", "c", "a\x00", ""}
	for i, k := range keys {
		l.slots[l.slot([]byte(k))] = uint64(i + 1)
	}
	for i, k := range keys {
		if got := l.of([]byte(k)); got < uint64(i+1) {
			t.Errorf("key %q waits for %d, was written at %d", k, got, i+1)
		}
	}
	l.floor = 9
	if got := l.of([]byte("never written")); got != 9 {
		t.Errorf("after FLUSHALL at 9, a read waits for %d", got)
	}
	l.reset()
	if got := l.of([]byte("a")); got != 0 {
		t.Errorf("after reset, a read waits for %d", got)
	}
}

package keyspace

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/redoubtdb/redoubt/internal/listpack"
	"pgregory.net/rapid"
)

func TestStreamIDNeighbours(t *testing.T) {
	for _, c := range []struct {
		id, next StreamID
		ok       bool
	}{
		{StreamID{}, StreamID{0, 1}, true},
		{StreamID{5, math.MaxUint64}, StreamID{6, 0}, true},
		{MaxStreamID, StreamID{}, false},
	} {
		if next, ok := c.id.Next(); next != c.next || ok != c.ok {
			t.Errorf("after %v: %v, %v", c.id, next, ok)
		}
		if prev, ok := c.next.Prev(); prev != c.id || ok != c.ok {
			t.Errorf("before %v: %v, %v", c.next, prev, ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		id := StreamID{rapid.Uint64().Draw(t, "ms"), rapid.Uint64().Draw(t, "seq")}
		if back := StreamIDFromBinary(id.AppendBinary(nil)); back != id {
			t.Fatalf("%v came back as %v", id, back)
		}
		next, ok := id.Next()
		if prev, _ := next.Prev(); prev != id || ok && (!id.Less(next) || id.Compare(next) >= 0 || next.Compare(id) <= 0 || next.Less(id)) {
			t.Fatalf("%v and %v", id, next)
		}
	})
}

// stream is a stream of entries 1-0 to n-0.
func testStream(t testing.TB, ks *Keyspace, n int) *Stream {
	s := ks.NewStream()
	for i := range n {
		if err := s.Add(StreamID{uint64(i + 1), 0}, [][]byte{[]byte("f"), fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestStreamBlocksEndAtLimits(t *testing.T) {
	for _, c := range []struct{ entries, bytes, added, blocks int }{
		{0, 0, 1000, 10}, {10, 0, 1000, 100}, {1, 0, 50, 50}, {-1, 0, 1000, 3}, {-1, -1, 1000, 1}, {0, 1, 50, 50},
	} {
		ks := New(Config{StreamNodeMaxEntries: c.entries, StreamNodeMaxBytes: c.bytes})
		if s := testStream(t, ks, c.added); s.Blocks() != c.blocks {
			t.Errorf("%+v: %d blocks", c, s.Blocks())
		}
	}
}

func TestStreamEntryTooLarge(t *testing.T) {
	s := New(Config{}).NewStream()
	half := make([]byte, maxStreamBlock/2+1)
	if err := s.Add(StreamID{1, 0}, [][]byte{half, half}); !errors.Is(err, ErrStreamSize) || s.Blocks() != 0 || s.LastID() != (StreamID{}) {
		t.Errorf("%v, %d blocks", err, s.Blocks())
	}
}

// TestStreamLag: how far a group has read, as far as that can be told.
func TestStreamLag(t *testing.T) {
	const unknown = UnknownEntriesRead
	tests := []struct {
		name       string
		change     func(s *Stream)
		from       StreamID
		read       int64
		deliver    []uint64
		entries    int64
		lag        int64
		lagUnknown bool
	}{
		{"from the beginning", nil, StreamID{}, unknown, nil, unknown, 10, false},
		{"first entry", nil, StreamID{}, unknown, []uint64{1}, 1, 9, false},
		{"three entries", nil, StreamID{}, unknown, []uint64{1, 2, 3}, 3, 7, false},
		{"from the middle", nil, StreamID{5, 0}, unknown, nil, unknown, -1, true},
		{"from the middle, with a count", nil, StreamID{5, 0}, 5, []uint64{6}, 6, 4, false},
		{"the last one", nil, StreamID{5, 0}, unknown, []uint64{10}, 10, 0, false},
		{"beyond the end", nil, StreamID{50, 0}, unknown, nil, unknown, -1, true},
		{"deleted ahead", func(s *Stream) { s.Delete(StreamID{7, 0}) }, StreamID{}, 0, []uint64{1, 2}, unknown, -1, true},
		{"deleted behind", func(s *Stream) { s.Delete(StreamID{2, 0}) }, StreamID{3, 0}, 3, []uint64{4}, 4, 6, false},
		{"trimmed", func(s *Stream) { s.Trim(StreamTrim{MaxLen: 4}) }, StreamID{}, unknown, nil, unknown, 4, false},
		{"trimmed, first read", func(s *Stream) { s.Trim(StreamTrim{MaxLen: 4}) }, StreamID{}, unknown, []uint64{7}, 7, 3, false},
		{"emptied", func(s *Stream) { s.Trim(StreamTrim{}) }, StreamID{}, unknown, nil, unknown, 0, false},
	}
	for _, c := range tests {
		s := testStream(t, New(Config{}), 10)
		if c.change != nil {
			c.change(s)
		}
		g, _ := s.CreateGroup([]byte("g"), c.from, c.read)
		for _, ms := range c.deliver {
			g.Delivered(StreamID{ms, 0})
		}
		lag, ok := g.Lag()
		if g.EntriesRead() != c.entries || ok == c.lagUnknown || ok && lag != c.lag {
			t.Errorf("%s: %d read, lag %d (%v)", c.name, g.EntriesRead(), lag, ok)
		}
	}
	empty, _ := New(Config{}).NewStream().CreateGroup([]byte("g"), StreamID{9, 9}, unknown)
	if lag, ok := empty.Lag(); lag != 0 || !ok {
		t.Errorf("lag %d in a new stream", lag)
	}
}

// TestStreamDigestCoversEverything: each part of the logical state counts, and nothing
// that is none.
func TestStreamDigestCoversEverything(t *testing.T) {
	base := func() (*Keyspace, *Stream, *StreamGroup) {
		ks := New(Config{})
		s := testStream(t, ks, 5)
		g, _ := s.CreateGroup([]byte("g"), StreamID{3, 0}, 3)
		c, _ := g.CreateConsumer([]byte("c"), 100)
		g.CreateConsumer([]byte("d"), 100)
		g.Assign(StreamID{2, 0}, c, 50, 1)
		ks.DB(0).SetObject([]byte("s"), s)
		return ks, s, g
	}
	ks, _, _ := base()
	seen := map[Digest]string{ks.Digest(): "nothing"}
	for name, change := range map[string]func(s *Stream, g *StreamGroup){
		"entry added":      func(s *Stream, _ *StreamGroup) { s.Add(StreamID{9, 9}, asArgs([]string{"f", "v"})) },
		"other value":      func(s *Stream, _ *StreamGroup) { s.Add(StreamID{9, 9}, asArgs([]string{"f", "w"})) },
		"border of fields": func(s *Stream, _ *StreamGroup) { s.Add(StreamID{9, 9}, asArgs([]string{"fv", ""})) },
		"entry deleted":    func(s *Stream, _ *StreamGroup) { s.Delete(StreamID{1, 0}) },
		"entry trimmed":    func(s *Stream, _ *StreamGroup) { s.Trim(StreamTrim{MaxLen: 4}) },
		"last ID":          func(s *Stream, _ *StreamGroup) { s.SetLastID(StreamID{9, 9}) },
		"deleted ID":       func(s *Stream, _ *StreamGroup) { s.SetMaxDeletedID(StreamID{9, 9}) },
		"entries added":    func(s *Stream, _ *StreamGroup) { s.SetEntriesAdded(7) },
		"another group":    func(s *Stream, _ *StreamGroup) { s.CreateGroup([]byte("h"), StreamID{}, 0) },
		"group destroyed":  func(s *Stream, _ *StreamGroup) { s.DestroyGroup([]byte("g")) },
		"group's place":    func(_ *Stream, g *StreamGroup) { g.SetLastID(StreamID{4, 0}, 3) },
		"group's count":    func(_ *Stream, g *StreamGroup) { g.SetLastID(StreamID{3, 0}, 4) },
		"consumer":         func(_ *Stream, g *StreamGroup) { g.CreateConsumer([]byte("e"), 100) },
		"consumer deleted": func(_ *Stream, g *StreamGroup) { g.DeleteConsumer([]byte("d")) },
		"acknowledged":     func(_ *Stream, g *StreamGroup) { g.Ack(StreamID{2, 0}) },
		"pending for d":    func(_ *Stream, g *StreamGroup) { g.Assign(StreamID{2, 0}, g.Consumer([]byte("d")), 50, 1) },
		"delivery time":    func(_ *Stream, g *StreamGroup) { g.Assign(StreamID{2, 0}, g.Consumer([]byte("c")), 51, 1) },
		"delivery count":   func(_ *Stream, g *StreamGroup) { g.Assign(StreamID{2, 0}, g.Consumer([]byte("c")), 50, 2) },
		"another pending":  func(_ *Stream, g *StreamGroup) { g.Assign(StreamID{3, 0}, g.Consumer([]byte("c")), 50, 1) },
	} {
		ks, s, g := base()
		change(s, g)
		if other, there := seen[ks.Digest()]; there {
			t.Errorf("%q and %q have the same digest", name, other)
		}
		seen[ks.Digest()] = name
	}
	ks, _, g := base()
	g.Consumer([]byte("c")).Active(12345)
	if seen[ks.Digest()] != "nothing" {
		t.Error("a consumer's times change the digest")
	}
}

// FuzzStreamBlock: no block from outside makes the stream panic, and one that is
// accepted can be read, changed and given back.
func FuzzStreamBlock(f *testing.F) {
	ks := New(Config{StreamNodeMaxEntries: 20})
	seed := func(s *Stream) {
		s.EachBlock(func(_ StreamID, b []byte) bool {
			f.Add(uint64(1), b)
			return true
		})
	}
	seed(testStream(f, ks, 3))
	s := testStream(f, ks, 5)
	s.Delete(StreamID{2, 0})
	if err := s.Add(StreamID{1 << 40, 1}, asArgs([]string{"a", "b", "c", "-5"})); err != nil {
		f.Fatal(err)
	}
	seed(s)
	s = ks.NewStream()
	for i, field := range []string{"field", "field", "other"} {
		if err := s.Add(StreamID{uint64(7 + i), 1<<63 - uint64(i)}, asArgs([]string{field, "value", "n", "128"})); err != nil {
			f.Fatal(err)
		}
	}
	seed(s)
	f.Fuzz(func(t *testing.T, ms uint64, b []byte) {
		if b = bytes.Clone(b); len(b) > listpack.HeaderSize && ms%8 > 0 {
			// The fuzzer does not guess sizes.
			b[len(b)-1] = listpack.End
			listpack.SetHeader(b, listpack.UnknownCount)
		}
		ks := New(Config{})
		s := ks.NewStream()
		if err := s.AddBlock(StreamID{ms, 0}, b); err != nil {
			if !errors.Is(err, ErrStreamBlock) {
				t.Fatal(err)
			}
			return
		}
		ks.DB(0).SetObject([]byte("s"), s)
		digest := ks.Digest()
		if ks.DB(0).CopyTo(ks.DB(1), []byte("s"), []byte("s")); ks.Digest() == digest {
			t.Fatal("the copy does not count")
		}
		last := s.LastID()
		if next, ok := last.Next(); ok {
			if err := s.Add(next, asArgs([]string{"f", "v"})); err != nil {
				t.Fatal(err)
			}
		}
		first := s.FirstID()
		if s.Len() > 0 && !s.Delete(first) || s.Delete(first) {
			t.Fatalf("delete of %v", first)
		}
		checkStream(t, s)
		s.Trim(StreamTrim{MaxLen: uint64(s.Len() / 2)})
		checkStream(t, s)
	})
}

package keyspace

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// longStream has n entries of four small fields.
func longStream(b *testing.B, n int) *Stream {
	s := New(Config{}).NewStream()
	for i := range n {
		if err := s.Add(StreamID{uint64(i + 1), 0}, streamBenchArgs); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

var streamBenchArgs = asArgs([]string{"sensor", "1234", "temperature", "19.8", "humidity", "54", "state", "running"})

func BenchmarkStream(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		s := longStream(b, 0)
		b.ReportAllocs()
		for i := range b.N {
			if err := s.Add(StreamID{uint64(i + 1), 0}, streamBenchArgs); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("add and trim", func(b *testing.B) {
		s := longStream(b, 0)
		for i := range b.N {
			if err := s.Add(StreamID{uint64(i + 1), 0}, streamBenchArgs); err != nil {
				b.Fatal(err)
			}
			s.Trim(StreamTrim{MaxLen: 10_000, Approximate: true, Limit: 10_000})
		}
	})
	b.Run("range of 10 in 1M", func(b *testing.B) {
		s := longStream(b, 1_000_000)
		rng := rand.New(rand.NewPCG(1, 2))
		b.ResetTimer()
		for range b.N {
			n := 0
			s.Range(StreamID{rng.Uint64N(1_000_000), 0}, MaxStreamID, func(e *StreamEntry) bool {
				e.Each(func(field, value []byte) {})
				n++
				return n < 10
			})
		}
		b.ReportMetric(float64(s.parts)/1e6, "B/entry")
	})
	b.Run("last entry", func(b *testing.B) {
		s := longStream(b, 1_000_000)
		for b.Loop() {
			s.LastEntryID()
		}
	})
	b.Run("deliver and acknowledge with 1M pending", func(b *testing.B) {
		s := New(Config{}).NewStream()
		g, _ := s.CreateGroup([]byte("g"), StreamID{}, 0)
		c, _ := g.CreateConsumer([]byte("c"), 0)
		const n = 1_000_000
		before := s.parts
		for i := range n {
			g.Assign(StreamID{uint64(i), 0}, c, 1, 1)
		}
		pending := float64(s.parts-before) / n
		rng := rand.New(rand.NewPCG(1, 2))
		b.ResetTimer()
		for i := range b.N {
			g.Ack(StreamID{uint64(i) + rng.Uint64N(n), 0})
			g.Assign(StreamID{uint64(n + i), 0}, c, 1, 1)
		}
		b.ReportMetric(pending, "B/pending")
	})
	b.Run("collect garbage with 1M entries", func(b *testing.B) {
		s := longStream(b, 1_000_000)
		for b.Loop() {
			runtime.GC()
		}
		runtime.KeepAlive(s)
	})
}

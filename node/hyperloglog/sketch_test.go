package hyperloglog

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// naive reads all registers of a sound sketch, one by one and bit by bit.
func naive(s Sketch) []uint8 {
	var out []uint8
	if s.Dense() {
		for i := range registers {
			v := uint8(0)
			for bit := range registerBits {
				n := i*registerBits + bit
				v |= s[headerSize+n/8] >> (n % 8) & 1 << bit
			}
			out = append(out, v)
		}
		return out
	}
	for p := []byte(s[headerSize:]); len(p) > 0; {
		switch {
		case p[0] >= 0x80:
			v := (p[0]-0x80)/4 + 1
			out = append(out, bytes.Repeat([]byte{v}, int(p[0]%4)+1)...)
			p = p[1:]
		case p[0] < 0x40:
			out = append(out, make([]byte, int(p[0])+1)...)
			p = p[1:]
		case len(p) == 1:
			out = append(out, make([]byte, int(p[0]-0x40)*256+1)...)
			p = nil
		default:
			out = append(out, make([]byte, int(p[0]-0x40)*256+int(p[1])+1)...)
			p = p[2:]
		}
	}
	return out
}

// change is a register raised to a value.
type change struct {
	register int
	value    uint8
}

// genChange prefers few registers beside each other and few small values, so that runs are
// split and joined.
var genChange = rapid.Custom(func(t *rapid.T) change {
	value := rapid.OneOf(rapid.Uint8Range(1, 3), rapid.Uint8Range(1, maxValue)).Draw(t, "value")
	if rapid.IntRange(0, 200).Draw(t, "beyond") == 200 {
		value = rapid.Uint8Range(maxValue, maxRank).Draw(t, "large value")
	}
	return change{rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(registers-70, registers-1),
		rapid.IntRange(0, registers-1)).Draw(t, "register"), value}
})

func TestSketchAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxSparse := rapid.SampledFrom([]int{0, headerSize + 2, 40, 100, 3000, math.MaxInt}).Draw(t, "max")
		model := make([]uint8, registers)
		s := New()
		for _, c := range rapid.SliceOfN(genChange, 1, 200).Draw(t, "changes") {
			before := slices.Clone(s)
			s.SetCachedCount(7)
			next, changed, err := s.set(c.register, c.value, maxSparse)
			if err != nil {
				t.Fatal(err)
			}
			if changed != (c.value > model[c.register]) {
				t.Fatalf("%+v of %d: changed is %v", c, model[c.register], changed)
			}
			model[c.register] = max(model[c.register], c.value)
			if _, cached := next.CachedCount(); cached == changed {
				t.Fatalf("count is cached: %v", cached)
			}
			if before.Dense() && !next.Dense() || !next.Dense() && len(next) > max(maxSparse, len(before)) {
				t.Fatalf("dense %v, %d bytes of %d", next.Dense(), len(next), maxSparse)
			}
			s = next
		}
		checkSketch(t, s, model)
	})
}

// checkSketch checks all that reads registers against what they are.
func checkSketch(t *rapid.T, s Sketch, model []uint8) {
	if p, ok := Parse(s); !ok || len(p) != len(s) {
		t.Fatalf("%x is not taken for a sketch", []byte(s))
	}
	if got := naive(s); !bytes.Equal(got, model) {
		t.Fatalf("registers are\n%v, not\n%v", got, model)
	}
	dense, err := s.ToDense()
	if err != nil {
		t.Fatal(err)
	}
	if got := naive(dense); !bytes.Equal(got, model) || len(dense) != denseSize || !bytes.Equal(dense[CountAt:headerSize], s[CountAt:headerSize]) {
		t.Fatalf("dense: %x", []byte(dense[:headerSize]))
	}
	var union Registers
	if err := union.Add(s); err != nil || !bytes.Equal(union[:], model) {
		t.Fatalf("union of one: %v", err)
	}
	a, errA := s.Count()
	b, errB := dense.Count()
	if errA != nil || errB != nil || a != b || a != union.Count() {
		t.Fatalf("counts: %d, %d and %d", a, b, union.Count())
	}
}

func TestMergeAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxSparse := rapid.SampledFrom([]int{40, 3000}).Draw(t, "max")
		model := make([]uint8, registers)
		var union Registers
		var last Sketch
		for range rapid.IntRange(1, 4).Draw(t, "sketches") {
			last = New()
			for _, c := range rapid.SliceOfN(genChange, 0, 50).Draw(t, "changes") {
				last, _, _ = last.set(c.register, c.value, rapid.SampledFrom([]int{40, 3000}).Draw(t, "its max"))
				model[c.register] = max(model[c.register], c.value)
			}
			if err := union.Add(last); err != nil {
				t.Fatal(err)
			}
		}
		s, err := last.Merge(&union, maxSparse)
		if err != nil {
			t.Fatal(err)
		}
		if _, cached := s.CachedCount(); cached {
			t.Fatal("count is cached")
		}
		checkSketch(t, s, model)
	})
}

func TestMurmur64A(t *testing.T) {
	// Every length of the tail, by another way to write the same function down.
	m := new(big.Int).SetUint64(0xc6a4a7935bd1e995)
	mod := new(big.Int).Lsh(big.NewInt(1), 64)
	mul := func(x *big.Int) *big.Int { return new(big.Int).Mod(new(big.Int).Mul(x, m), mod) }
	fold := func(x *big.Int) *big.Int { return new(big.Int).Xor(x, new(big.Int).Rsh(x, 47)) }
	for n := range 40 {
		b := []byte(strings.Repeat("\xe1z0\x80", 10))[:n]
		h := new(big.Int).Xor(mul(big.NewInt(int64(n))), big.NewInt(seed))
		for chunk := range slices.Chunk(b, 8) {
			slices.Reverse(chunk)
			k := new(big.Int).SetBytes(chunk)
			slices.Reverse(chunk)
			if len(chunk) == 8 {
				k = mul(fold(mul(k)))
			}
			h = mul(new(big.Int).Xor(h, k))
		}
		if got, want := murmur64A(b), fold(mul(fold(h))).Uint64(); got != want {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	dense, _ := New().ToDense()
	for name, tt := range map[string]struct {
		s    string
		want bool
	}{
		"empty":          {"", false},
		"no registers":   {string(New()[:headerSize]), true}, // found out later
		"short header":   {string(New()[:headerSize-1]), false},
		"other magic":    {"HYLI" + string(New()[4:]), false},
		"other encoding": {"HYLL\x02" + string(New()[5:]), false},
		"dense":          {string(dense), true},
		"short dense":    {string(dense[1:]), false},
		"long dense":     {string(dense) + "\x00", false},
	} {
		if _, ok := Parse([]byte(tt.s)); ok != tt.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// sparse is a sketch of the runs, which may be nonsense.
func sparse(runs ...byte) Sketch { return append(New()[:headerSize:headerSize], runs...) }

func TestCorruptRuns(t *testing.T) {
	for name, s := range map[string]Sketch{
		"none":               sparse(),
		"too few":            sparse(0x7f, 0xfe),
		"too many":           sparse(0x7f, 0xff, 0x00),
		"value beyond":       sparse(0x7f, 0xff, 0x80),
		"cut short":          sparse(0x7f, 0xfd, 0x40),
		"cut short at once":  sparse(0x7f),
		"last cut short":     sparse(0x40, 0x00, 0x7f),
		"longer than ever":   sparse(make([]byte, maxSparseSize)...),
		"endless":            sparse(bytes.Repeat([]byte{0x7f, 0xff}, 1000)...),
		"values without end": sparse(bytes.Repeat([]byte{0xff}, 5000)...),
	} {
		var r Registers
		_, errCount := s.Count()
		_, errDense := s.ToDense()
		_, _, errPromoted := s.set(0, maxValue+1, 3000)
		for _, err := range []error{errCount, errDense, errPromoted, r.Add(s)} {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// Behind what is left of the registers.
	if _, _, err := sparse(0x3f, 0x80).set(65, 1, 3000); !errors.Is(err, ErrCorrupt) {
		t.Errorf("register that is not there: %v", err)
	}
	// As in Redis the rest does not matter where it need not be read.
	if s, changed, err := sparse(0x3f, 0x80).set(64, 2, 3000); err != nil || !changed || !bytes.Equal(s[headerSize:], []byte{0x3f, 0x84}) {
		t.Errorf("register that is there: %x, %v, %v", []byte(s), changed, err)
	}
}

// TestRunCutShort: Redis, too, takes it for a whole one.
func TestRunCutShort(t *testing.T) {
	s := sparse(0x7e, 0xff, 0x40, 0xfe, 0x40)
	if n, err := s.Count(); n != 0 || err != nil {
		t.Fatalf("count %d, %v", n, err)
	}
	s, changed, err := s.set(registers-1, 5, 3000)
	if want := []byte{0x7e, 0xff, 0x40, 0xfe, 0x90}; !changed || err != nil || !bytes.Equal(s[headerSize:], want) {
		t.Fatalf("%x, %v, %v", []byte(s), changed, err)
	}
}

func TestAppendRuns(t *testing.T) {
	got := sparse(0x00, 0x40, 0x40, 0xff, 0x80, 0x3f, 0x7f, 0xff, 0x41).AppendRuns(nil)
	if want := "z:1 Z:65 v:32,4 v:1,1 z:64 Z:16384 Z:257"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
}

// FuzzSketch does everything to a string that a client may have made up.
func FuzzSketch(f *testing.F) {
	dense, _ := New().ToDense()
	filled := New()
	for i := range 100 {
		filled, _, _ = filled.Add(fmt.Append(nil, i), 3000)
	}
	for _, s := range []Sketch{New(), filled, dense, sparse(0x7f), sparse(0xff, 0xff, 0x40), sparse(bytes.Repeat([]byte{0x83}, 5000)...)} {
		f.Add([]byte(s), []byte("element"), uint16(3000))
	}
	f.Fuzz(func(t *testing.T, b, element []byte, maxSparse uint16) {
		s, ok := Parse(b)
		if !ok {
			return
		}
		before := bytes.Clone(b)
		var union Registers
		count, errCount := s.Count()
		d, errDense := s.ToDense()
		errUnion := union.Add(s)
		for _, err := range []error{errCount, errDense, errUnion} {
			if (err == nil) != (errCount == nil) || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v, %v, %v", errCount, errDense, errUnion)
			}
		}
		if !s.Dense() {
			s.AppendRuns(nil)
		}
		if errCount == nil {
			if other, _ := d.Count(); other != count || union.Count() != count {
				t.Fatalf("counts %d, %d, %d", count, other, union.Count())
			}
			if !bytes.Equal(union[:], naive(s)) {
				t.Fatal("union of one is another")
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatal("reading changed it")
		}
		after, changed, err := Sketch(bytes.Clone(b)).Add(element, int(maxSparse))
		switch {
		case err != nil && errCount == nil:
			t.Fatalf("sound, but nothing can be added: %v", err)
		case (err != nil || !changed) && !bytes.Equal(after, before):
			t.Fatalf("changed from %x to %x", before, []byte(after))
		case errCount != nil || err != nil:
			return
		}
		register, rank := place(element)
		union[register] = max(union[register], rank)
		if !bytes.Equal(union[:], naive(after)) {
			t.Fatal("not as if the element had been added")
		}
		merged, err := Sketch(bytes.Clone(b)).Merge(&union, int(maxSparse))
		if err != nil || !bytes.Equal(union[:], naive(merged)) {
			t.Fatalf("merged: %v", err)
		}
	})
}

func BenchmarkSketch(b *testing.B) {
	for _, n := range []int{100, 1000, 100_000} {
		s := New()
		for i := range n {
			s, _, _ = s.Add(fmt.Append(nil, i), 3000)
		}
		element := []byte("1")
		name := fmt.Sprintf("of %d", n)
		b.Run("Add again/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Add(element, 3000)
			}
		})
		b.Run("Count/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Count()
			}
		})
	}
}

// BenchmarkFill is PFADD of many different elements, nearly all of it into a sparse sketch.
func BenchmarkFill(b *testing.B) {
	var elements [][]byte
	for i := range 3000 {
		elements = append(elements, fmt.Appendf(nil, "0.%d", i*7919*104729))
	}
	for _, n := range []int{500, 3000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				s := New()
				for _, e := range elements[:n] {
					s, _, _ = s.Add(e, 3000)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
		})
	}
}

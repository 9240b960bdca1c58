package command

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"github.com/redoubtdb/redoubt/node/resp"
	"pgregory.net/rapid"
)

// naiveBits are the bits of a string, one byte each.
func naiveBits(s []byte) []byte {
	var out []byte
	for _, b := range s {
		for i := 7; i >= 0; i-- {
			out = append(out, b>>i&1)
		}
	}
	return out
}

// someBytes are strings in which long runs of equal bits are likely.
var someBytes = rapid.Custom(func(t *rapid.T) []byte {
	s := bytes.Repeat([]byte{rapid.SampledFrom([]byte{0, 0xff}).Draw(t, "fill")}, rapid.IntRange(0, 40).Draw(t, "size"))
	for range rapid.IntRange(0, 3).Draw(t, "exceptions") {
		if len(s) > 0 {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
	}
	return s
})

func TestBitRangesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := someBytes.Draw(t, "s")
		all := naiveBits(s)
		from := rapid.IntRange(0, len(all)).Draw(t, "from")
		to := rapid.IntRange(0, len(all)).Draw(t, "to")
		part := all[min(from, to):to]
		if got, want := countBits(s, int64(from), int64(to)), bytes.Count(part, []byte{1}); got != int64(want) {
			t.Fatalf("%d bits are set, not %d", want, got)
		}
		for bit := range byte(2) {
			want := bytes.IndexByte(part, bit)
			if want >= 0 {
				want += from
			}
			if got := findBit(s, bit == 1, int64(from), int64(to)); got != int64(want) {
				t.Fatalf("the first %d is at %d, not %d", bit, want, got)
			}
		}
		for i := range len(all) + 20 {
			want := byte(0)
			if i < len(all) {
				want = all[i]
			}
			if bitAt(s, int64(i)) != want {
				t.Fatalf("bit %d is %d", i, want)
			}
		}
	})
}

func TestBitOpsAgainstModel(t *testing.T) {
	ops := map[string]struct {
		fast  func(dst, src []byte)
		naive func(a, b byte) byte
	}{
		"and": {andBytes, func(a, b byte) byte { return a & b }},
		"or":  {orBytes, func(a, b byte) byte { return a | b }},
		"xor": {xorBytes, func(a, b byte) byte { return a ^ b }},
		"not": {func(dst, _ []byte) { notBytes(dst) }, func(a, _ byte) byte { return ^a }},
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), 0, len(a)).Draw(t, "b")
		for name, op := range ops {
			got, want := bytes.Clone(a), bytes.Clone(a)
			op.fast(got, b)
			for i := range want {
				if i < len(b) {
					want[i] = op.naive(want[i], b[i])
				} else {
					want[i] = op.naive(want[i], 0)
				}
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%s: %x, want %x", name, got, want)
			}
		}
	})
}

var genField = rapid.Custom(func(t *rapid.T) fieldType {
	if rapid.Bool().Draw(t, "signed") {
		return fieldType{true, rapid.IntRange(1, 64).Draw(t, "width")}
	}
	return fieldType{false, rapid.IntRange(1, 63).Draw(t, "width")}
})

// model is a number of unbounded size as BITFIELD settles it.
func (t fieldType) model(n *big.Int, negativeIsHigh bool, o overflow) (want int64, fits bool) {
	low, high := big.NewInt(t.min()), big.NewInt(t.max())
	tooLow := n.Cmp(low) < 0
	switch {
	case !tooLow && n.Cmp(high) <= 0:
		return n.Int64(), true
	case o == overflowSat && tooLow && !negativeIsHigh:
		return t.min(), false
	case o == overflowSat:
		return t.max(), false
	}
	size := new(big.Int).Lsh(big.NewInt(1), uint(t.width))
	wrapped := new(big.Int).Mod(n, size)
	if wrapped.Cmp(high) > 0 {
		wrapped.Sub(wrapped, size)
	}
	return wrapped.Int64(), false
}

func TestFieldsAgainstModel(t *testing.T) {
	genInt := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300),
		rapid.Custom(func(t *rapid.T) int64 {
			return 1<<rapid.IntRange(0, 63).Draw(t, "power") + rapid.Int64Range(-1, 1).Draw(t, "beside")
		}))
	rapid.Check(t, func(t *rapid.T) {
		typ := genField.Draw(t, "type")
		s := rapid.SliceOfN(rapid.Byte(), 9, 20).Draw(t, "s")
		offset := rapid.IntRange(0, len(s)*8-typ.width).Draw(t, "offset")
		o := rapid.SampledFrom([]overflow{overflowWrap, overflowSat, overflowFail}).Draw(t, "overflow")
		operand := genInt.Draw(t, "operand")

		// Reading: the bits one by one.
		bits := naiveBits(s)
		raw := uint64(0)
		for _, b := range bits[offset : offset+typ.width] {
			raw = raw<<1 | uint64(b)
		}
		old := typ.get(s, int64(offset))
		if old != typ.cut(raw) || old < typ.min() || old > typ.max() {
			t.Fatalf("read %d, the bits are %b", old, raw)
		}

		// Calculating.
		sum, fits := typ.add(old, operand, o)
		want, wantFits := typ.model(new(big.Int).Add(big.NewInt(old), big.NewInt(operand)), false, o)
		if fits != wantFits || sum != want {
			t.Fatalf("%d + %d is %d, %v, want %d, %v", old, operand, sum, fits, want, wantFits)
		}
		stored, fits := typ.store(operand, o)
		far := new(big.Int).Sub(big.NewInt(typ.max()), big.NewInt(operand))
		want, wantFits = typ.model(big.NewInt(operand), !typ.signed || typ.width < 64 && !far.IsInt64(), o)
		if fits != wantFits || stored != want {
			t.Fatalf("%d is stored as %d, %v, want %d, %v", operand, stored, fits, want, wantFits)
		}

		// Writing: it comes back, and nothing else changes.
		typ.set(s, int64(offset), stored)
		if got := typ.get(s, int64(offset)); got != stored {
			t.Fatalf("wrote %d, read %d", stored, got)
		}
		now := naiveBits(s)
		copy(now[offset:offset+typ.width], bits[offset:offset+typ.width])
		if !bytes.Equal(now, bits) {
			t.Fatalf("bits beside the field changed")
		}
	})
}

// TestStoreSaturates has what redis-server 7.0.15 answers.
func TestStoreSaturates(t *testing.T) {
	for _, c := range []struct {
		width int
		n     int64
		want  int64
	}{
		{9, math.MinInt64, 255}, {9, math.MinInt64 + 255, 255}, {9, math.MinInt64 + 256, -256}, {9, -257, -256}, {9, math.MaxInt64, 255},
		{63, math.MinInt64, 1<<62 - 1}, {63, -1<<62 - 1, 1<<62 - 1}, {64, math.MinInt64, math.MinInt64}, {64, math.MaxInt64, math.MaxInt64},
	} {
		if got, _ := (fieldType{true, c.width}).store(c.n, overflowSat); got != c.want {
			t.Errorf("i%d: %d is stored as %d, want %d", c.width, c.n, got, c.want)
		}
	}
}

func TestFieldsBehindTheEnd(t *testing.T) {
	typ := fieldType{false, 16}
	s := []byte{0xab, 0xcd}
	for offset, want := range map[int64]int64{0: 0xabcd, 4: 0xbcd0, 8: 0xcd00, 15: 0x8000, 16: 0, 1000: 0, maxBits - 16: 0} {
		if got := typ.get(s, offset); got != want {
			t.Errorf("at %d: %#x, want %#x", offset, got, want)
		}
	}
}

func TestFieldTypes(t *testing.T) {
	for text, want := range map[string]fieldType{
		"i1": {true, 1}, "i64": {true, 64}, "u1": {false, 1}, "u63": {false, 63}, "i8\x00junk": {true, 8},
		"": {}, "u": {}, "i0": {}, "i65": {}, "u64": {}, "I8": {}, "8": {}, "i-8": {}, "i08": {}, "i 8": {}, "\x00i8": {},
	} {
		if got, ok := parseFieldType([]byte(text)); ok != (want.width > 0) || ok && got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

// TestFieldsEndWithTheLongestString: Redis lets the last one reach beyond it, here that
// would be a string that no snapshot could be loaded with.
func TestFieldsEndWithTheLongestString(t *testing.T) {
	c := &Ctx{Args: [][]byte{[]byte("4294967288"), []byte("4294967289"), []byte("#536870911"), []byte("#536870912")}, Out: &resp.Writer{}}
	for i, want := range []bool{true, false, true, false} {
		if _, ok := c.fieldOffset(i, fieldType{false, 8}); ok != want {
			t.Errorf("u8 at %s: %v", c.Args[i], ok)
		}
	}
}

package listpack

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

var genEntry = rapid.Custom(func(t *rapid.T) []byte {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return fmt.Append(nil, rapid.Int64().Draw(t, "n"))
	case 1:
		edge := rapid.SampledFrom([]int64{0, 127, 128, 4095, 4096, -4096, -4097, math.MaxInt16, math.MinInt16, 1<<23 - 1, -1 << 23, math.MaxInt32, math.MinInt32, math.MaxInt64 - 1, math.MinInt64 + 1}).Draw(t, "edge")
		return fmt.Append(nil, edge+rapid.Int64Range(-1, 1).Draw(t, "off"))
	case 2:
		return bytes.Repeat([]byte{'x'}, rapid.SampledFrom([]int{0, 62, 63, 64, 126, 127, 4093, 4095, 4096, 16379, 16384, 2097150}).Draw(t, "length"))
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "text")
})

func TestWholeListpack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(genEntry, 0, 20).Draw(t, "entries")
		b := New(0)
		b = b[:len(b)-1]
		for _, w := range want {
			start := len(b)
			b = Append(b, w)
			if v, ok := CanonicalInt(w); ok && !bytes.Equal(AppendInt(nil, v), b[start:]) {
				t.Fatalf("%d is not %x", v, b[start:])
			}
		}
		b = append(b, End)
		SetHeader(b, len(want))
		if !Framed(b) || Count(b) != len(want) || Framed(b[:len(b)-1]) || Framed(append(bytes.Clone(b), End)) {
			t.Fatalf("frame of %x", b)
		}
		var digits [MaxDigits]byte
		at := HeaderSize
		for i, w := range want {
			v, isInt, next, ok := Checked(b[:len(b)-1], at)
			n, canonical := CanonicalInt(w)
			if !ok || next != Next(b, at) || isInt != canonical || v != n || Prev(b, next) != at {
				t.Fatalf("entry %d: %d %v %d %v", i, v, isInt, next, ok)
			}
			if m, after := Int(b, at); m != n || after != next {
				t.Fatalf("entry %d as integer: %d", i, m)
			}
			if got := Element(b, at, digits[:]); !bytes.Equal(got, w) {
				t.Fatalf("entry %d is %.50q, want %.50q", i, got, w)
			}
			at = next
		}
		if at != len(b)-1 {
			t.Fatalf("ends at %d of %d", at, len(b))
		}
	})
}

func TestCheckedRefuses(t *testing.T) {
	for name, p := range map[string]string{
		"nothing": "", "end": "\xff", "unknown": "\xf5\x01", "string cut": "\x83ab", "no back length": "\x01",
		"other back length": "\x01\x02", "int cut": "\xf4\x01\x02", "long string": "\xf0\xff\xff\xff\xffa",
		"no length": "\xe1", "half a length": "\xf0\x01\x00", "13 bits cut": "\xc1",
	} {
		if _, _, _, ok := Checked([]byte(p), 0); ok {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, at := range []int{-1, 2, 100} {
		if _, _, _, ok := Checked([]byte("\x01\x01"), at); ok {
			t.Errorf("offset %d: accepted", at)
		}
	}
}

// FuzzChecked: nothing makes it panic, and what it accepts can be read.
func FuzzChecked(f *testing.F) {
	for _, s := range []string{"\x01\x01", "\x83abc\x04", "\xc1\x00\x02", "\xe0\x03abc\x05", "\xf0\x01\x00\x00\x00a\x06", "\xf4\x01\x02\x03\x04\x05\x06\x07\x08\x09"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		v, isInt, next, ok := Checked(p, 0)
		if !ok {
			return
		}
		var digits [MaxDigits]byte
		elem := Element(p, 0, digits[:])
		n, after := Int(p, 0)
		if Prev(p, next) != 0 || after != next || Next(p, 0) != next || n != v || isInt && string(elem) != fmt.Sprint(v) {
			t.Fatalf("%q, %d, %d, %d", elem, n, v, next)
		}
	})
}

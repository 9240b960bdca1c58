package listpack

import (
	"bytes"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

var genElement = rapid.Custom(func(t *rapid.T) []byte {
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return strconv.AppendInt(nil, rapid.Int64().Draw(t, "int")>>rapid.IntRange(0, 63).Draw(t, "shift"), 10)
	case 1:
		return rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "bytes")
	}
	n := rapid.SampledFrom([]int{62, 63, 64, 126, 127, 4093, 4094, 4095, 4096, 16380, 16390, 2097140, 2097160}).Draw(t, "length")
	return bytes.Repeat([]byte{'x'}, n)
})

// Entries can be walked both ways, and each tells its string.
func TestEntriesWalkBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elements := rapid.SliceOfN(genElement, 0, 12).Draw(t, "elements")
		var b []byte
		starts := []int{0}
		for _, e := range elements {
			b = Append(b, e)
			starts = append(starts, len(b))
		}
		digits := make([]byte, MaxDigits)
		for i, e := range elements {
			if next := Next(b, starts[i]); next != starts[i+1] {
				t.Fatalf("entry %d: next at %d, want %d", i, next, starts[i+1])
			}
			if prev := Prev(b, starts[i+1]); prev != starts[i] {
				t.Fatalf("entry %d: from its end %d, want %d", i, prev, starts[i])
			}
			if got := Element(b, starts[i], digits); !bytes.Equal(got, e) {
				t.Fatalf("entry %d: %.100q, want %.100q", i, got, e)
			}
		}
	})
}

func TestEncodings(t *testing.T) {
	for s, want := range map[string]string{
		"":                     "\x80\x01",
		"0":                    "\x00\x01",
		"127":                  "\x7f\x01",
		"128":                  "\xc0\x80\x02",
		"-1":                   "\xdf\xff\x02",
		"4096":                 "\xf1\x00\x10\x03",
		"-4097":                "\xf1\xff\xef\x03",
		"32768":                "\xf2\x00\x80\x00\x04",
		"8388608":              "\xf3\x00\x00\x80\x00\x05",
		"2147483648":           "\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09",
		"-9223372036854775808": "\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09",
		"9223372036854775808":  "\x939223372036854775808\x14",
		"01":                   "\x8201\x03",
	} {
		if got := Append(nil, []byte(s)); string(got) != want {
			t.Errorf("%q: %x, want %x", s, got, want)
		}
	}
}

func TestBackLength(t *testing.T) {
	for n, want := range map[int]string{
		1: "\x01", 127: "\x7f", 128: "\x01\x80", 16382: "\x7f\xfe", 16383: "\x00\xff\xff", 2097151: "\x00\xff\xff\xff",
		268435455: "\x00\xff\xff\xff\xff", math.MaxInt32: "\x07\xff\xff\xff\xff",
	} {
		got := AppendBackLength(nil, n)
		if string(got) != want {
			t.Errorf("%d: %x, want %x", n, got, want)
		}
		if size := backLengthSize(n); size != len(got) {
			t.Errorf("%d: size %d, want %d", n, size, len(got))
		}
	}
}

func TestCanonicalInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64().Draw(t, "v")
		s := strconv.FormatInt(v, 10)
		if got, ok := CanonicalInt([]byte(s)); !ok || got != v {
			t.Fatalf("%s: %d, %v", s, got, ok)
		}
		for _, bad := range []string{"0" + s, " " + s, s + " ", "+" + s, "--" + s} {
			if got, ok := CanonicalInt([]byte(bad)); ok {
				t.Fatalf("%q: %d", bad, got)
			}
		}
	})
}

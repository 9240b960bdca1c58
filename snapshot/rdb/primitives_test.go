package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestCRC64Jones(t *testing.T) {
	// The check value that the CRC's definition gives.
	if got := updateCRC(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("check value %016x", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOf(rapid.Byte()).Draw(t, "p")
		cut := rapid.IntRange(0, len(p)).Draw(t, "cut")
		whole := updateCRC(0, p)
		if got := updateCRC(updateCRC(0, p[:cut]), p[cut:]); got != whole {
			t.Fatalf("in two parts %016x, at once %016x", got, whole)
		}
		byByte := uint64(0)
		for i := range p {
			byByte = updateCRC(byByte, p[i:i+1])
		}
		if byByte != whole {
			t.Fatalf("by byte %016x, at once %016x", byByte, whole)
		}
	})
}

func written(t testing.TB, fn func(*output)) []byte {
	t.Helper()
	var b bytes.Buffer
	o := newOutput(&b)
	fn(o)
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	if o.crc != updateCRC(0, b.Bytes()) {
		t.Fatal("the output's CRC is not that of what was written")
	}
	return b.Bytes()
}

func reading(b []byte) *input { return newInput(bytes.NewReader(b), int64(len(b))) }

func TestLengths(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "\x00", 63: "\x3f", 64: "\x40\x40", 16383: "\x7f\xff", 16384: "\x80\x00\x00\x40\x00",
		math.MaxUint32: "\x80\xff\xff\xff\xff", math.MaxUint32 + 1: "\x81\x00\x00\x00\x01\x00\x00\x00\x00",
		math.MaxUint64: "\x81\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		b := written(t, func(o *output) { o.length(n) })
		if string(b) != want {
			t.Errorf("length %d is written as %x, want %x", n, b, want)
		}
		if got, err := reading(b).length(); err != nil || got != n {
			t.Errorf("length %d is read as %d, %v", n, got, err)
		}
		for cut := range b {
			if _, err := reading(b[:cut]).length(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("length %d cut to %d bytes: %v", n, cut, err)
			}
		}
	}
	for _, bad := range []string{"\x82\x00\x00\x00\x00", "\xbf", "\xc0\x01"} {
		if _, err := reading([]byte(bad)).length(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

func TestStringEncodings(t *testing.T) {
	for _, c := range []struct{ s, want string }{
		{"", "\x00"}, {"abc", "\x03abc"}, {"0", "\xc0\x00"}, {"-1", "\xc0\xff"}, {"127", "\xc0\x7f"},
		{"128", "\xc1\x80\x00"}, {"-32768", "\xc1\x00\x80"}, {"32768", "\xc2\x00\x80\x00\x00"},
		{"-2147483648", "\xc2\x00\x00\x00\x80"}, {"2147483648", "\x0a2147483648"},
		{"-0", "\x02-0"}, {"00", "\x0200"}, {"+1", "\x02+1"}, {"-", "\x01-"}, {"1a", "\x021a"},
		{strings.Repeat("a", 20), "\x14" + strings.Repeat("a", 20)},
		// A literal, then one copy of 20 from one back.
		{strings.Repeat("a", 21), "\xc3\x05\x15\x00a\xe0\x0b\x00"},
	} {
		b := written(t, func(o *output) { o.str([]byte(c.s)) })
		if string(b) != c.want {
			t.Errorf("%q is written as %x, want %x", c.s, b, c.want)
		}
		if got, err := reading(b).str(1 << 20); err != nil || string(got) != c.s {
			t.Errorf("%q is read as %q, %v", c.s, got, err)
		}
	}
}

func TestStringRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s []byte
		for range rapid.IntRange(0, 20).Draw(t, "parts") {
			part := rapid.SliceOfN(rapid.ByteRange('a', 'd'), 0, 40).Draw(t, "part")
			s = append(s, bytes.Repeat(part, rapid.IntRange(1, 400).Draw(t, "times"))...)
		}
		var b bytes.Buffer
		o := newOutput(&b)
		o.str(s)
		o.str([]byte("after"))
		if err := o.flush(); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int64{int64(b.Len()), -1} {
			in := newInput(bytes.NewReader(b.Bytes()), size)
			got, err := in.str(1 << 30)
			if err != nil || !bytes.Equal(got, s) {
				t.Fatalf("%d bytes came back as %d: %v", len(s), len(got), err)
			}
			if got, err := in.str(10); err != nil || string(got) != "after" {
				t.Fatalf("the string after: %q, %v", got, err)
			}
			if in.sum(); in.crc != updateCRC(0, b.Bytes()) {
				t.Fatal("the input's CRC is not that of the bytes")
			}
		}
	})
}

// Strings around and above the size of the buffers, in awkward reads.
func TestLargeStrings(t *testing.T) {
	var b bytes.Buffer
	o := newOutput(&b)
	sizes := []int{ioBuffer - 1, ioBuffer, ioBuffer + 1, 1, 3*ioBuffer + 7, scratchStep + ioBuffer, 2*scratchStep + 5, scratchKeep + 1, 2}
	for i, n := range sizes {
		o.raw(bytes.Repeat([]byte{byte(i + 1)}, n))
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(b.Bytes()),
		"half":  iotest.HalfReader(bytes.NewReader(b.Bytes())),
		"eof":   iotest.DataErrReader(bytes.NewReader(b.Bytes())),
	} {
		for _, size := range []int64{int64(b.Len()), -1} {
			if size < 0 {
				r = bytes.NewReader(b.Bytes())
			}
			in := newInput(r, size)
			for i, n := range sizes {
				got, err := in.str(1 << 30)
				if err != nil || len(got) != n || bytes.Count(got, []byte{byte(i + 1)}) != n {
					t.Fatalf("%s: string %d of %d bytes: %d, %v", name, i, n, len(got), err)
				}
			}
			if in.sum(); in.crc != updateCRC(0, b.Bytes()) {
				t.Fatalf("%s: the input's CRC is not that of the bytes", name)
			}
		}
	}
}

func TestReadErrorIsNotCorruption(t *testing.T) {
	broken := errors.New("connection reset")
	in := newInput(io.MultiReader(strings.NewReader("\x0aabc"), iotest.ErrReader(broken)), -1)
	if _, err := in.str(100); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
		t.Fatalf("%v", err)
	}
}

// A claimed length costs no memory before the bytes are there.
func TestClaimedLengthsAreNotAllocated(t *testing.T) {
	huge := "\x81\x00\x00\x00\x00\x1f\x00\x00\x00"
	for name, b := range map[string]string{
		"raw":                  huge + "abc",
		"lzf output":           "\xc3\x03" + huge + "abc",
		"lzf input":            "\xc3" + huge + huge + "abc",
		"above what int holds": "\x81\xff\xff\xff\xff\xff\xff\xff\xffabc",
	} {
		for _, size := range []int64{int64(len(b)), -1} {
			in := newInput(strings.NewReader(b), size)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := in.str(math.MaxUint64)
			runtime.ReadMemStats(&after)
			n := after.TotalAlloc - before.TotalAlloc
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, size %d: %v", name, size, err)
			}
			if n > 2*scratchStep {
				t.Errorf("%s, size %d: %d bytes were allocated", name, size, n)
			}
		}
	}
	if _, err := reading([]byte("\x03abc")).str(2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	if _, err := reading([]byte("\xc3\x05\x15\x00a\xe0\x0b\x00")).str(20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the limit when unpacked: %v", err)
	}
}

func TestLZFRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		size int
	}{
		"literal crosses the input":    {"\x05abc", 6},
		"literal crosses the output":   {"\x05abcdef", 5},
		"copy from before the start":   {"\x00a\x20\x01", 4},
		"copy crosses the output":      {"\x00a\x20\x00", 3},
		"length byte missing":          {"\x00a\xe0", 20},
		"offset missing":               {"\x00a\x20", 4},
		"offset after length missing":  {"\x00a\xe0\x01", 20},
		"fewer bytes than were stated": {"\x00a", 2},
	} {
		if err := decompress(make([]byte, c.size), []byte(c.src)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	out := make([]byte, 8)
	if err := decompress(out, []byte("\x01ab\x80\x01")); err != nil || string(out) != "abababab" {
		t.Errorf("overlapping copy: %q, %v", out, err)
	}
}

func TestLZFIsAboutAsSmallAsItGets(t *testing.T) {
	var c compressor
	for range 3 { // the table is used again: old places must not be found
		src := bytes.Repeat([]byte("0123456789abcdef"), 4096)
		packed, ok := c.compress(nil, src, len(src))
		if !ok || len(packed) > len(src)/50 {
			t.Fatalf("%d bytes of repetition became %d", len(src), len(packed))
		}
	}
	c.base = math.MaxUint32 - 10
	src := []byte(strings.Repeat("xyz", 100))
	packed, ok := c.compress(nil, src, len(src))
	out := make([]byte, len(src))
	if !ok || decompress(out, packed) != nil || !bytes.Equal(out, src) {
		t.Fatal("after the table's places ran over")
	}
}

func walk(e elements) ([]string, error) {
	var out []string
	var scratch [24]byte
	for e.more() {
		s, err := e.next(scratch[:])
		if err != nil {
			return out, err
		}
		out = append(out, string(s))
	}
	return out, e.finish()
}

var packedValues = []string{
	"", "a", "0", "127", "128", "-1", "4095", "-4096", "4096", "-4097", "32767", "-32768", "32768", "8388607", "-8388608",
	"8388608", "2147483647", "-2147483648", "2147483648", "9223372036854775807", "-9223372036854775808",
	"9223372036854775808", "-0", "007", "12x", strings.Repeat("s", 63), strings.Repeat("m", 64), strings.Repeat("m", 4095),
	strings.Repeat("l", 4096), strings.Repeat("l", 70000),
}

func TestListpackRoundTrip(t *testing.T) {
	var l listpackBuilder
	l.reset()
	for _, s := range packedValues {
		l.add([]byte(s))
	}
	lp, err := openListpack(l.bytes())
	if err != nil {
		t.Fatal(err)
	}
	got, err := walk(lp)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(packedValues) {
		t.Fatalf("%.200q, %v", got, err)
	}
	for range 2 {
		l.reset()
		if got := l.bytes(); string(got) != "\x07\x00\x00\x00\x00\x00\xff" {
			t.Fatalf("empty: %x", got)
		}
	}
}

func TestListpackRefuses(t *testing.T) {
	for name, b := range map[string]string{
		"no room for a header":    "\x06\x00\x00\x00\x00\x00",
		"wrong total":             "\x09\x00\x00\x00\x00\x00\xff",
		"no end":                  "\x07\x00\x00\x00\x00\x00\x00",
		"wrong count":             "\x09\x00\x00\x00\x02\x00\x01\x01\xff",
		"wrong back length":       "\x09\x00\x00\x00\x01\x00\x01\x02\xff",
		"no back length":          "\x08\x00\x00\x00\x01\x00\x01\xff",
		"string crosses the end":  "\x09\x00\x00\x00\x01\x00\x85\x61\xff",
		"integer crosses the end": "\x09\x00\x00\x00\x01\x00\xf4\x61\xff",
		"unknown encoding":        "\x09\x00\x00\x00\x01\x00\xf5\x61\xff",
	} {
		lp, err := openListpack([]byte(b))
		if err == nil {
			_, err = walk(lp)
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// zl frames ziplist entries.
func zl(tail, count int, entries string) string {
	n := len(entries) + 11
	return string([]byte{byte(n), byte(n >> 8), 0, 0, byte(tail), byte(tail >> 8), 0, 0, byte(count), byte(count >> 8)}) + entries + "\xff"
}

func TestZiplist(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		b    string
		want []string // nil: refused
	}{
		"empty":     {zl(10, 0, ""), []string{}},
		"strings":   {zl(14, 2, "\x00\x02ab\x04\x01c"), []string{"ab", "c"}},
		"14 bit":    {zl(313, 2, "\x00\x41\x2c"+long+"\xfe\x2f\x01\x00\x00\x01c"), []string{long, "c"}},
		"32 bit":    {zl(10, 1, "\x00\x80\x00\x00\x00\x03abc"), []string{"abc"}},
		"immediate": {zl(12, 2, "\x00\xf1\x02\xfd"), []string{"0", "12"}},
		"integers": {zl(39, 6, "\x00\xfe\xff"+"\x03\xc0\xfe\xff"+"\x04\xf0\xfd\xff\xff"+"\x05\xd0\xfc\xff\xff\xff"+
			"\x06\xe0\xfb\xff\xff\xff\xff\xff\xff\xff"+"\x0a\xc0\x00\x01"), nil},
		"integers, tail right": {zl(38, 6, "\x00\xfe\xff"+"\x03\xc0\xfe\xff"+"\x04\xf0\xfd\xff\xff"+"\x05\xd0\xfc\xff\xff\xff"+
			"\x06\xe0\xfb\xff\xff\xff\xff\xff\xff\xff"+"\x0a\xc0\x00\x01"), []string{"-1", "-2", "-3", "-4", "-5", "256"}},
		"count unknown":    {zl(14, 65535, "\x00\x02ab\x04\x01c"), []string{"ab", "c"}},
		"count wrong":      {zl(14, 3, "\x00\x02ab\x04\x01c"), nil},
		"prev wrong":       {zl(14, 2, "\x00\x02ab\x05\x01c"), nil},
		"prev 0xff":        {zl(10, 1, "\xff\x02ab"), nil},
		"prev cut":         {zl(10, 1, "\xfe\x02ab"), nil},
		"crosses the end":  {zl(10, 1, "\x00\x04ab"), nil},
		"unknown encoding": {zl(10, 1, "\x00\xc1ab"), nil},
		"bad frame":        {zl(10, 0, "")[:10], nil},
		"wrong total":      {"\x0c" + zl(10, 0, "")[1:], nil},
	} {
		var got []string
		l, err := openZiplist([]byte(c.b))
		if err == nil {
			got, err = walk(l)
		}
		switch {
		case c.want == nil && !errors.Is(err, ErrCorrupt):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.want != nil && (err != nil || strings.Join(got, ",") != strings.Join(c.want, ",")):
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestIntset(t *testing.T) {
	for name, c := range map[string]struct{ b, want string }{
		"empty":               {"\x02\x00\x00\x00\x00\x00\x00\x00", "[]"},
		"2 bytes":             {"\x02\x00\x00\x00\x03\x00\x00\x00\x00\x80\xff\xff\x01\x00", "[-32768 -1 1]"},
		"4 bytes":             {"\x04\x00\x00\x00\x02\x00\x00\x00\xfe\xff\xff\xff\x00\x00\x01\x00", "[-2 65536]"},
		"8 bytes":             {"\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80", "[-9223372036854775808]"},
		"no header":           {"\x02\x00\x00\x00\x00\x00\x00", ""},
		"width 0":             {"\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		"width 3":             {"\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00", ""},
		"too short":           {"\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00", ""},
		"too long":            {"\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x02\x00", ""},
		"product beyond 2^32": {"\x08\x00\x00\x00\x00\x00\x00\x20", ""},
		"twice":               {"\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x01\x00", ""},
		"out of order":        {"\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\xff\xff", ""},
	} {
		got := []int64{}
		err := eachInt([]byte(c.b), func(v int64) { got = append(got, v) })
		switch {
		case c.want == "" && !errors.Is(err, ErrCorrupt):
			t.Errorf("%s: %d, %v", name, got, err)
		case c.want != "" && (err != nil || fmt.Sprint(got) != c.want):
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

func TestZipmap(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		b    string
		want []string
	}{
		"empty":           {"\x00\xff", []string{}},
		"pairs":           {"\x02\x01a\x02\x00bc\x01d\x01\x03e___\xff", []string{"a", "bc", "d", "e"}},
		"long value":      {"\x01\x01a\xfe\x2c\x01\x00\x00\x00" + long + "\xff", []string{"a", long}},
		"count unknown":   {"\xfe\x01a\x01\x00b\xff", []string{"a", "b"}},
		"count wrong":     {"\x02\x01a\x01\x00b\xff", nil},
		"value missing":   {"\x01\x01a\xff", nil},
		"no end":          {"\x00\x00", nil},
		"end inside":      {"\x01\xff\x01\xff", nil},
		"crosses the end": {"\x01\x05a\xff", nil},
		"free crosses":    {"\x01\x01a\x01\x09b\xff", nil},
		"nothing":         {"", nil},
	} {
		var got []string
		m, err := openZipmap([]byte(c.b))
		if err == nil {
			got, err = walk(m)
		}
		switch {
		case c.want == nil && !errors.Is(err, ErrCorrupt):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.want != nil && (err != nil || strings.Join(got, ",") != strings.Join(c.want, ",")):
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

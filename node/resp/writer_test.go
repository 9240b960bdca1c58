package resp

import (
	"math"
	"strings"
	"testing"
)

var writerTests = []struct {
	name         string
	write        func(w *Writer)
	resp2, resp3 string // resp3 "" when the same
}{
	{"ok", (*Writer).OK, "+OK\r\n", ""},
	{"simple string", func(w *Writer) { w.SimpleString("PONG") }, "+PONG\r\n", ""},
	{"simple string with line ends", func(w *Writer) { w.SimpleString("a\r\nb\n") }, "+a  b \r\n", ""},
	{"error", func(w *Writer) { w.Error("ERR syntax error") }, "-ERR syntax error\r\n", ""},
	{"error with line ends", func(w *Writer) { w.Error("\r\nERR a\r\nb\nc\r\n\n") }, "-ERR a  b c\r\n", ""},
	{"errorf", func(w *Writer) { w.Errorf("ERR unknown command '%s'", "a\r\nb") }, "-ERR unknown command 'a  b'\r\n", ""},
	{"int 0", func(w *Writer) { w.Int(0) }, ":0\r\n", ""},
	{"int 9", func(w *Writer) { w.Int(9) }, ":9\r\n", ""},
	{"int 10", func(w *Writer) { w.Int(10) }, ":10\r\n", ""},
	{"int -1", func(w *Writer) { w.Int(-1) }, ":-1\r\n", ""},
	{"int max", func(w *Writer) { w.Int(math.MaxInt64) }, ":9223372036854775807\r\n", ""},
	{"int min", func(w *Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ""},
	{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\n\x00")) }, "$4\r\na\r\n\x00\r\n", ""},
	{"bulk empty", func(w *Writer) { w.Bulk([]byte{}) }, "$0\r\n\r\n", ""},
	{"bulk nil", func(w *Writer) { w.Bulk(nil) }, "$0\r\n\r\n", ""},
	{"bulk string", func(w *Writer) { w.BulkString("hello world") }, "$11\r\nhello world\r\n", ""},
	{"bulk int", func(w *Writer) { w.BulkInt(math.MinInt64) }, "$20\r\n-9223372036854775808\r\n", ""},
	{"null", (*Writer).Null, "$-1\r\n", "_\r\n"},
	{"null array", (*Writer).NullArray, "*-1\r\n", "_\r\n"},
	{"array", func(w *Writer) { w.Array(12) }, "*12\r\n", ""},
	{"array empty", func(w *Writer) { w.Array(0) }, "*0\r\n", ""},
	{"map", func(w *Writer) { w.Map(5) }, "*10\r\n", "%5\r\n"},
	{"set", func(w *Writer) { w.Set(3) }, "*3\r\n", "~3\r\n"},
	{"push", func(w *Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
	{"attribute", func(w *Writer) {
		if w.Attribute(1) {
			w.BulkString("k")
			w.Int(1)
		}
		w.OK()
	}, "+OK\r\n", "|1\r\n$1\r\nk\r\n:1\r\n+OK\r\n"},
	{"double", func(w *Writer) { w.Double(1.5) }, "$3\r\n1.5\r\n", ",1.5\r\n"},
	{"double inf", func(w *Writer) { w.Double(math.Inf(1)) }, "$3\r\ninf\r\n", ",inf\r\n"},
	{"double -inf", func(w *Writer) { w.Double(math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
	{"double nan", func(w *Writer) { w.Double(math.NaN()) }, "$3\r\nnan\r\n", ",nan\r\n"},
	{"long double", func(w *Writer) { w.LongDouble(mustLongDouble("10.60")) }, "$4\r\n10.6\r\n", ",10.6\r\n"},
	{"true", func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
	{"false", func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
	{"big number", func(w *Writer) { w.BigNumber("-12345678901234567890") }, "$21\r\n-12345678901234567890\r\n", "(-12345678901234567890\r\n"},
	{"verbatim", func(w *Writer) { w.Verbatim("txt", "a\nb") }, "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"},
	{"verbatim short format", func(w *Writer) { w.Verbatim("m", "") }, "$0\r\n\r\n", "=4\r\nm  :\r\n"},
	{"verbatim long format", func(w *Writer) { w.Verbatim("text", "a") }, "$1\r\na\r\n", "=5\r\ntex:a\r\n"},
	{"raw", func(w *Writer) { w.Raw([]byte("+QUEUED\r\n")) }, "+QUEUED\r\n", ""},
}

func TestWriter(t *testing.T) {
	for _, tt := range writerTests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.resp3 == "" {
				tt.resp3 = tt.resp2
			}
			for proto, want := range map[int]string{0: tt.resp2, 2: tt.resp2, 3: tt.resp3} {
				w := Writer{B: []byte("before"), Proto: proto}
				tt.write(&w)
				if got, _ := strings.CutPrefix(string(w.B), "before"); got != want {
					t.Errorf("RESP%d: %q, want %q", proto, got, want)
				}
			}
		})
	}
}

// TestWriterAllocates: replies go straight into B.
func TestWriterAllocates(t *testing.T) {
	w := Writer{B: make([]byte, 0, 1<<10)}
	value := []byte("value")
	for proto := 2; proto <= 3; proto++ {
		n := testing.AllocsPerRun(100, func() {
			w.B, w.Proto = w.B[:0], proto
			w.Array(10)
			w.Int(12345678)
			w.Bulk(value)
			w.BulkInt(12345678)
			w.Double(0.1)
			w.Error("ERR no such key")
			w.Verbatim("txt", "abc")
			w.Null()
		})
		if n != 0 {
			t.Errorf("RESP%d: %v allocations", proto, n)
		}
	}
}

// How many bulk strings can be within the limit is told before they are made.
func TestWriterFits(t *testing.T) {
	for _, tc := range []struct {
		limit, written int
		n              int64
		want           bool
	}{
		{0, 0, math.MaxInt64, true},
		{600, 0, 100, true},
		{600, 0, 101, false},
		{600, 6, 100, false},
		{600, 594, 1, true},
		{600, 599, 1, false},
		{600, 700, 0, false},
		{600, 0, math.MaxInt64, false},
	} {
		w := &Writer{Limit: tc.limit, B: make([]byte, tc.written)}
		if got := w.Fits(tc.n); got != tc.want || w.Over == got {
			t.Errorf("limit %d, %d written: %d fit: %v, over: %v; want %v", tc.limit, tc.written, tc.n, got, w.Over, tc.want)
		}
	}
}

// Text beyond the limit is left out, whichever way it comes, and Over tells.
func TestWriterLimit(t *testing.T) {
	text := strings.Repeat("x", 100)
	for name, write := range map[string]func(*Writer){
		"simple string": func(w *Writer) { w.SimpleString(text) },
		"error":         func(w *Writer) { w.Error(text) },
		"bulk":          func(w *Writer) { w.Bulk([]byte(text)) },
		"bulk string":   func(w *Writer) { w.BulkString(text) },
		"verbatim":      func(w *Writer) { w.Verbatim("txt", text) },
		"big number":    func(w *Writer) { w.BigNumber(text) },
		"raw":           func(w *Writer) { w.Raw([]byte(text)) },
	} {
		for _, proto := range []int{2, 3} {
			w := &Writer{Proto: proto, Limit: 1000}
			for range 1000 {
				write(w)
			}
			if !w.Over || len(w.B) > 1000+20 {
				t.Errorf("%s, RESP%d: %d bytes, over: %v", name, proto, len(w.B), w.Over)
			}
			w = &Writer{Proto: proto}
			for range 1000 {
				write(w)
			}
			if w.Over || len(w.B) < 100_000 {
				t.Errorf("%s, RESP%d without a limit: %d bytes, over: %v", name, proto, len(w.B), w.Over)
			}
		}
	}
}

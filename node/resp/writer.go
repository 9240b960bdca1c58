package resp

import (
	"fmt"
	"strconv"
	"strings"
)

// Writer builds replies in memory.
//
// The zero value is an empty RESP2 writer. B is the replies so far; the owner
// may take it, truncate it or append to it between replies. Proto is the
// protocol version, 3 for RESP3 and RESP2 otherwise; it may change between
// replies (HELLO).
//
// The aggregate methods (Array, Map, Set, Push, Attribute) write only the
// header; the caller then writes exactly as many replies as it announced.
//
// With a Limit, text that would make B longer is left out and Over set: what is
// in B is of no use then, and the owner gives up the conversation. A short
// request can ask for a reply of any size; whoever writes one in a loop that
// only its size would end looks at Over.
type Writer struct {
	B     []byte
	Proto int
	Limit int // bytes of B; 0: none
	Over  bool
}

// room reports whether n more bytes of text are within the limit. Numbers and
// headers are not asked about: there are not many more of them than arguments
// in the request.
func (w *Writer) room(n int) bool {
	if w.Limit > 0 && len(w.B)+n > w.Limit {
		w.Over = true
		return false
	}
	return true
}

// Fits reports whether n more bulk strings can be within the limit; Over is set
// otherwise. So a request for absurdly many is found out before they are made.
func (w *Writer) Fits(n int64) bool {
	const least = int64(len("$0\r\n\r\n"))
	if w.Limit > 0 && n > int64(w.Limit-len(w.B))/least {
		w.Over = true
	}
	return !w.Over
}

func (w *Writer) resp3() bool { return w.Proto >= 3 }

// OK writes the status +OK.
func (w *Writer) OK() { w.B = append(w.B, "+OK\r\n"...) }

// SimpleString writes a status reply. CR and LF, which would end it, become
// spaces.
func (w *Writer) SimpleString(s string) {
	if !w.room(len(s)) {
		return
	}
	w.B = append(w.B, '+')
	w.B = appendLine(w.B, s)
	w.B = append(w.B, '\r', '\n')
}

// Error writes an error reply. msg begins with the error code and has no '-',
// for example "ERR syntax error". As in Redis, CR and LF are cut off at both
// ends and become spaces elsewhere.
func (w *Writer) Error(msg string) {
	if !w.room(len(msg)) {
		return
	}
	w.B = append(w.B, '-')
	w.B = appendLine(w.B, strings.Trim(msg, "\r\n"))
	w.B = append(w.B, '\r', '\n')
}

// Errorf writes an error reply formatted as by fmt.Sprintf; see Error.
func (w *Writer) Errorf(format string, a ...any) {
	w.Error(fmt.Sprintf(format, a...))
}

// Int writes an integer reply.
func (w *Writer) Int(n int64) { w.B = appendHeader(w.B, ':', n) }

// Bulk writes a bulk string. A nil b is the empty string; see Null for absence.
func (w *Writer) Bulk(b []byte) {
	if !w.room(len(b)) {
		return
	}
	w.B = appendHeader(w.B, '$', int64(len(b)))
	w.B = append(w.B, b...)
	w.B = append(w.B, '\r', '\n')
}

// BulkString writes a bulk string.
func (w *Writer) BulkString(s string) {
	if !w.room(len(s)) {
		return
	}
	w.B = appendHeader(w.B, '$', int64(len(s)))
	w.B = append(w.B, s...)
	w.B = append(w.B, '\r', '\n')
}

// BulkInt writes n in decimal as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var digits [20]byte
	w.Bulk(strconv.AppendInt(digits[:0], n, 10))
}

// Null writes the absence of a bulk string: $-1, in RESP3 _.
func (w *Writer) Null() {
	if w.resp3() {
		w.B = append(w.B, "_\r\n"...)
	} else {
		w.B = append(w.B, "$-1\r\n"...)
	}
}

// NullArray writes the absence of an array: *-1, in RESP3 _.
func (w *Writer) NullArray() {
	if w.resp3() {
		w.B = append(w.B, "_\r\n"...)
	} else {
		w.B = append(w.B, "*-1\r\n"...)
	}
}

// Array begins an array of n replies.
func (w *Writer) Array(n int) { w.B = appendHeader(w.B, '*', int64(n)) }

// Map begins a map of n pairs, each a key and then its value: in RESP2 an array
// of 2n replies.
func (w *Writer) Map(n int) {
	if w.resp3() {
		w.B = appendHeader(w.B, '%', int64(n))
	} else {
		w.B = appendHeader(w.B, '*', 2*int64(n))
	}
}

// Set begins a set of n replies: in RESP2 an array.
func (w *Writer) Set(n int) { w.B = appendHeader(w.B, w.prefix('~', '*'), int64(n)) }

// Push begins an out-of-band message of n replies: in RESP2 an array.
func (w *Writer) Push(n int) { w.B = appendHeader(w.B, w.prefix('>', '*'), int64(n)) }

// Attribute begins n pairs of information about the reply that follows them, and
// reports whether it did: RESP2 has no attributes, there nothing is written and
// the caller leaves the pairs out.
func (w *Writer) Attribute(n int) bool {
	if !w.resp3() {
		return false
	}
	w.B = appendHeader(w.B, '|', int64(n))
	return true
}

// Double writes f in the notation of AppendDouble: in RESP2 a bulk string.
func (w *Writer) Double(f float64) {
	var text [32]byte
	w.number(',', AppendDouble(text[:0], f))
}

// LongDouble writes x in the notation of LongDouble.Append: in RESP2 a bulk
// string.
func (w *Writer) LongDouble(x LongDouble) {
	var text [64]byte
	w.number(',', x.Append(text[:0]))
}

// Bool writes #t or #f: in RESP2 :1 or :0.
func (w *Writer) Bool(b bool) {
	switch {
	case w.resp3() && b:
		w.B = append(w.B, "#t\r\n"...)
	case w.resp3():
		w.B = append(w.B, "#f\r\n"...)
	case b:
		w.B = append(w.B, ":1\r\n"...)
	default:
		w.B = append(w.B, ":0\r\n"...)
	}
}

// BigNumber writes an integer of any size, given in decimal: in RESP2 a bulk
// string.
func (w *Writer) BigNumber(s string) {
	if !w.resp3() {
		w.BulkString(s)
		return
	}
	if !w.room(len(s)) {
		return
	}
	w.B = append(w.B, '(')
	w.B = appendLine(w.B, s)
	w.B = append(w.B, '\r', '\n')
}

// Verbatim writes text together with its format, "txt" or "mkd": in RESP2 a
// bulk string without the format. A format is three bytes; a longer one is cut,
// a shorter one padded with spaces.
func (w *Writer) Verbatim(format, s string) {
	if !w.resp3() {
		w.BulkString(s)
		return
	}
	if !w.room(len(s)) {
		return
	}
	const formatLen = 3
	w.B = appendHeader(w.B, '=', int64(formatLen+1+len(s)))
	for i := range formatLen {
		if i < len(format) {
			w.B = append(w.B, format[i])
		} else {
			w.B = append(w.B, ' ')
		}
	}
	w.B = append(w.B, ':')
	w.B = append(w.B, s...)
	w.B = append(w.B, '\r', '\n')
}

// Raw appends whole replies that are encoded already.
func (w *Writer) Raw(b []byte) {
	if w.room(len(b)) {
		w.B = append(w.B, b...)
	}
}

func (w *Writer) prefix(resp3, resp2 byte) byte {
	if w.resp3() {
		return resp3
	}
	return resp2
}

func (w *Writer) number(prefix byte, text []byte) {
	if !w.resp3() {
		w.Bulk(text)
		return
	}
	w.B = append(w.B, prefix)
	w.B = append(w.B, text...)
	w.B = append(w.B, '\r', '\n')
}

func appendHeader(dst []byte, prefix byte, n int64) []byte {
	if uint64(n) < 10 {
		return append(dst, prefix, '0'+byte(n), '\r', '\n')
	}
	dst = append(dst, prefix)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// appendLine appends s with the bytes that end a line replaced by spaces.
func appendLine(dst []byte, s string) []byte {
	start := len(dst)
	dst = append(dst, s...)
	if strings.ContainsAny(s, "\r\n") {
		for i, c := range dst[start:] {
			if c == '\r' || c == '\n' {
				dst[start+i] = ' '
			}
		}
	}
	return dst
}

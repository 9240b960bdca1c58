package resp

import "bytes"

// Next returns the next command that has arrived completely, and false when
// there is none. A command has at least one argument. The slice and the
// arguments in it belong to the Reader: the slice is valid until the next call
// of Next, the arguments until the next Fill.
//
// The error is a *ProtocolError, or what Fill has returned, and is final.
func (r *Reader) Next() (args [][]byte, ok bool, err error) {
	for r.err == nil && r.r < r.w {
		if r.buf[r.r] == '*' {
			ok = r.multibulk()
		} else {
			ok = r.inline()
		}
		if !ok {
			break
		}
		if len(r.args) > 0 {
			return r.args, true, nil
		}
	}
	return nil, false, r.err
}

// multibulk goes on with the multibulk at r.r and reports whether it is
// complete, in r.args, and consumed.
func (r *Reader) multibulk() bool {
	if r.left == 0 && !r.beginMultibulk() {
		return false
	}
	buf := r.buf[:r.w]
	pos := r.r + r.pos
	bulk := r.bulk
	for r.left > 0 {
		if bulk < 0 {
			next := 0
			if pos < len(buf) && buf[pos] == '$' {
				bulk, next = shortHeader(buf, pos)
			}
			if next == 0 || bulk > r.limits.Bulk || bulk > UnauthenticatedBulk && !r.authenticated {
				r.pos = pos - r.r
				if bulk, next = r.bulkHeader(pos); next == 0 {
					return false
				}
			}
			pos = next
		}
		if len(buf)-pos < bulk+2 {
			r.pos, r.bulk = pos-r.r, bulk
			return false
		}
		r.spans = append(r.spans, span{pos - r.r, pos - r.r + bulk})
		pos += bulk + 2
		bulk = -1
		r.left--
	}
	r.args = r.args[:0]
	command := buf[r.r:pos]
	for _, s := range r.spans {
		r.args = append(r.args, command[s.start:s.end:s.end])
	}
	r.consume(pos)
	return true
}

// beginMultibulk parses the count. With a count of zero or less it leaves
// r.left at 0: multibulk then completes a command without arguments.
func (r *Reader) beginMultibulk() bool {
	n, next := shortHeader(r.buf[:r.w], r.r)
	if next == 0 {
		end, ok := r.headerLine(r.r, ErrMultibulkHeader)
		if !ok {
			return false
		}
		long, ok := ParseInt(r.buf[r.r+1 : end])
		if !ok || long > int64(r.limits.Multibulk) {
			return r.fail(ErrMultibulkLength)
		}
		n, next = int(max(long, 0)), end+2
	}
	if n > r.limits.Multibulk {
		return r.fail(ErrMultibulkLength)
	}
	if n > UnauthenticatedMultibulk && !r.authenticated {
		return r.fail(ErrUnauthenticatedMultibulk)
	}
	r.pos = next - r.r
	r.left = n
	r.bulk = -1
	r.spans = r.spans[:0]
	return true
}

// bulkHeader parses the "$<length>\r\n" at pos for all cases that the short cut
// in multibulk leaves, the errors among them. next is 0 when the header is
// incomplete or an error.
func (r *Reader) bulkHeader(pos int) (length, next int) {
	r.bulk = -1
	end, ok := r.headerLine(pos, ErrBulkHeader)
	if !ok {
		return -1, 0
	}
	if c := r.buf[pos]; c != '$' {
		r.fail(&ProtocolError{"expected '$', got '" + string([]byte{c}) + "'"})
		return -1, 0
	}
	n, ok := ParseInt(r.buf[pos+1 : end])
	if !ok || n < 0 || n > int64(r.limits.Bulk) {
		r.fail(ErrBulkLength)
		return -1, 0
	}
	if n > UnauthenticatedBulk && !r.authenticated {
		r.fail(ErrUnauthenticatedBulk)
		return -1, 0
	}
	return int(n), end + 2
}

// shortHeader parses the number of a header whose type byte is at pos. It knows
// only the usual: complete, up to nine digits. Otherwise next is 0.
func shortHeader(buf []byte, pos int) (n, next int) {
	i := pos + 1
	stop := min(i+9, len(buf))
	for ; i < stop; i++ {
		c := buf[i] - '0'
		if c > 9 {
			break
		}
		n = n*10 + int(c)
	}
	digits := i - pos - 1
	if digits == 0 || i+1 >= len(buf) || buf[i] != '\r' {
		return 0, 0
	}
	if digits > 1 && buf[pos+1] == '0' {
		return 0, 0
	}
	return n, i + 2
}

// headerLine returns the index of the \r that ends the header at start, once
// the byte after it has arrived too.
func (r *Reader) headerLine(start int, tooBig *ProtocolError) (end int, ok bool) {
	end, ok = r.lineEnd(start, '\r', tooBig)
	return end, ok && end+1 < r.w
}

// lineEnd returns the index of the first byte c of the line at start. What was
// searched is not searched again by the next call for the same line.
func (r *Reader) lineEnd(start int, c byte, tooBig *ProtocolError) (end int, ok bool) {
	limit := start + r.limits.Inline + 1
	if !r.hidden {
		stop := min(r.w, limit)
		from := min(max(start, r.r+r.scanned), stop)
		if i := bytes.IndexByte(r.buf[from:stop], c); i >= 0 {
			stop, ok = from+i, true
		}
		r.scanned = stop - r.r
		r.hidden = bytes.IndexByte(r.buf[from:stop], 0) >= 0
		if ok && !r.hidden {
			return stop, true
		}
	}
	if r.w >= limit {
		r.fail(tooBig)
	}
	return 0, false
}

// consume ends the command at r.r, which ends before the given index.
func (r *Reader) consume(end int) {
	r.r = end
	r.pos = 0
	r.scanned = 0
	r.left = 0
}

// fail makes err the end of the stream. It returns false for callers that
// report whether they are complete.
func (r *Reader) fail(err error) bool {
	r.err = err
	return false
}

package resp

// inline parses the inline command at r.r and reports whether it is complete,
// in r.args, and consumed.
func (r *Reader) inline() bool {
	end, ok := r.lineEnd(r.r, '\n', ErrInlineTooBig)
	if !ok {
		return false
	}
	line := r.buf[r.r:end]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	r.args, ok = splitArgs(r.args[:0], line)
	if !ok {
		return r.fail(ErrUnbalancedQuotes)
	}
	r.consume(end + 1)
	return true
}

// SplitArgs splits a line into arguments like an inline command, unquoting them in
// place, and reports whether its quotes are balanced.
func SplitArgs(line []byte) ([][]byte, bool) { return splitArgs(nil, line) }

// splitArgs appends the arguments of an inline command to args, by the rules of
// Redis's sdssplitargs, and reports whether its quotes are balanced. Arguments
// are unquoted in place: none gets longer by it, so they fit into the line.
func splitArgs(args [][]byte, line []byte) ([][]byte, bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return args, true
		}
		start, end := i, i
		for i < len(line) && !endsArg(line[i]) {
			c := line[i]
			i++
			if c != '"' && c != '\'' {
				line[end] = c
				end++
				continue
			}
			var ok bool
			if end, i, ok = unquote(line, end, i, c); !ok {
				return args, false
			}
			break
		}
		args = append(args, line[start:end:end])
	}
}

// unquote moves the quoted text that begins at line[from] to line[to:]. It
// returns the end of the text there and the index after the closing quote, which
// must be followed by a blank or nothing.
func unquote(line []byte, to, from int, quote byte) (end, next int, ok bool) {
	for from < len(line) {
		c := line[from]
		from++
		switch {
		case c == quote:
			return to, from, from == len(line) || isSpace(line[from])
		case c == '\\' && quote == '\'':
			if from < len(line) && line[from] == quote {
				c = quote
				from++
			}
		case c == '\\' && from < len(line):
			c, from = unescape(line, from)
		}
		line[to] = c
		to++
	}
	return to, from, false
}

// unescape returns the byte that the text at line[i], after a backslash, stands
// for, and the index after it.
func unescape(line []byte, i int) (c byte, next int) {
	c = line[i]
	switch c {
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'b':
		c = '\b'
	case 'a':
		c = '\a'
	case 'x':
		if i+2 < len(line) {
			high, ok1 := hexDigit(line[i+1])
			low, ok2 := hexDigit(line[i+2])
			if ok1 && ok2 {
				return high<<4 | low, i + 3
			}
		}
	}
	return c, i + 1
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isSpace is C's isspace.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// endsArg is true for those blanks that end an argument without quotes. \v and
// \f do not, although they are skipped in front of one.
func endsArg(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

package resp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A second reading of the rules in the package comment: all of the stream at
// once, no state, no care for speed. The Reader must agree with it however the
// stream is cut.

type refStatus int

const (
	refDone refStatus = iota
	refWait
	refTooBig
)

// refLine finds the line of in that the byte end ends.
func refLine(in string, end byte, limit int) (line, rest string, s refStatus) {
	for i := range len(in) {
		if i > limit {
			return "", "", refTooBig
		}
		if in[i] == end {
			return in[:i], in[i+1:], refDone
		}
		if in[i] == 0 {
			break
		}
	}
	if len(in) > limit {
		return "", "", refTooBig
	}
	return "", "", refWait
}

func refInt(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == s
}

// refParse returns the commands of a stream and the text of the error that ends
// it, "" when it ends for lack of bytes.
func refParse(in string, l Limits, authenticated bool) (commands [][]string, problem string) {
	l = l.withDefaults()
	maxArgs, maxArg := math.MaxInt, math.MaxInt
	if !authenticated {
		maxArgs, maxArg = 10, 16384
	}
	header := func(tooBig string) (string, refStatus) {
		line, rest, s := refLine(in, '\r', l.Inline)
		if s == refTooBig {
			problem = "Protocol error: " + tooBig
		}
		if s != refDone || rest == "" {
			return "", refWait
		}
		in = rest[1:]
		return line, refDone
	}
	for in != "" {
		if in[0] != '*' {
			line, rest, s := refLine(in, '\n', l.Inline)
			if s == refTooBig {
				return commands, "Protocol error: too big inline request"
			}
			if s == refWait {
				return commands, ""
			}
			args, ok := refSplit(strings.TrimSuffix(line, "\r"))
			if !ok {
				return commands, "Protocol error: unbalanced quotes in request"
			}
			if len(args) > 0 {
				commands = append(commands, args)
			}
			in = rest
			continue
		}
		line, s := header("too big mbulk count string")
		if s != refDone {
			return commands, problem
		}
		count, ok := refInt(line[1:])
		if !ok || count > int64(l.Multibulk) {
			return commands, "Protocol error: invalid multibulk length"
		}
		if count > int64(maxArgs) {
			return commands, "Protocol error: unauthenticated multibulk length"
		}
		var args []string
		for range count {
			first := in
			line, s := header("too big bulk count string")
			if s != refDone {
				return commands, problem
			}
			if first[0] != '$' {
				return commands, fmt.Sprintf("Protocol error: expected '$', got '%s'", first[:1])
			}
			n, ok := refInt(line[1:])
			if !ok || n < 0 || n > int64(l.Bulk) {
				return commands, "Protocol error: invalid bulk length"
			}
			if n > int64(maxArg) {
				return commands, "Protocol error: unauthenticated bulk length"
			}
			if int64(len(in)) < n+2 {
				return commands, ""
			}
			args = append(args, in[:n])
			in = in[n+2:]
		}
		if count > 0 {
			commands = append(commands, args)
		}
	}
	return commands, ""
}

// refSplit splits an inline command with an automaton over its bytes.
func refSplit(line string) (args []string, ok bool) {
	const (
		between, plain, double, single, closed = 0, 1, 2, 3, 4
	)
	state, arg := between, ""
	for line != "" {
		c := line[:1]
		line = line[1:]
		switch {
		case state == closed && !strings.Contains(" \t\n\v\f\r", c):
			return nil, false
		case state == closed:
			state = between
		case state == between && strings.Contains(" \t\n\v\f\r", c):
		case state == plain && strings.Contains(" \t\n\r", c):
			args, arg, state = append(args, arg), "", between
		case state < double && c == `"`:
			state = double
		case state < double && c == `'`:
			state = single
		case state < double:
			arg, state = arg+c, plain
		case state == double && c == `"`, state == single && c == `'`:
			args, arg, state = append(args, arg), "", closed
		case state == single && c == `\` && strings.HasPrefix(line, `'`):
			arg, line = arg+`'`, line[1:]
		case state == double && c == `\` && line != "":
			text, size := refEscape(line)
			arg, line = arg+text, line[size:]
		default:
			arg += c
		}
	}
	if state == plain {
		args = append(args, arg)
	}
	return args, state != double && state != single
}

func refEscape(s string) (text string, size int) {
	if s[0] == 'x' && len(s) > 2 {
		if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return string([]byte{byte(v)}), 3
		}
	}
	if i := strings.IndexByte("nrtba", s[0]); i >= 0 {
		return "\n\r\t\b\a"[i : i+1], 1
	}
	return s[:1], 1
}

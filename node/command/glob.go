package command

// maxStars is how many stars with something behind them a pattern may have, runs of
// them counted once: beyond it Redis's recursion gives up, and nothing matches.
const maxStars = 1000

// Match reports whether s matches a glob-style pattern as KEYS, SCAN, PSUBSCRIBE
// and CONFIG GET read it: "*" any run, "?" any byte, "[a-c]" a set, "[^a]" what
// is not in it, "\" takes the next byte as it is. Redis's corner cases hold: a
// set that is not closed ends with the pattern, ranges compare signed bytes and
// may be given backwards, and only the empty pattern matches the empty string.
// With fold, letters match in any case. For many strings, compile a Pattern.
//
// The work is at most len(pattern) times len(s): only the last "*" is ever
// tried again, since the earlier ones took the shortest run that works.
func Match(pattern, s []byte, fold bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	var afterStar []byte // pattern behind the last "*"
	retry := -1          // where in s to try it next
	stars := 0
	for i := 0; i < len(s); {
		if len(pattern) > 0 && pattern[0] == '*' {
			pattern = skipStars(pattern)
			if len(pattern) == 0 {
				return true
			}
			if stars++; stars > maxStars {
				return false
			}
			afterStar, retry = pattern, i+1
			continue
		}
		if n := matchByte(pattern, s[i], fold); n > 0 {
			pattern = pattern[n:]
			i++
			continue
		}
		if retry < 0 {
			return false
		}
		pattern, i = afterStar, retry
		retry++
	}
	return len(skipStars(pattern)) == 0
}

func skipStars(p []byte) []byte {
	for len(p) > 0 && p[0] == '*' {
		p = p[1:]
	}
	return p
}

// matchByte matches c with the first element of p and returns the element's
// length, 0 when it does not match.
func matchByte(p []byte, c byte, fold bool) int {
	if len(p) == 0 {
		return 0
	}
	n := 1
	switch p[0] {
	case '?':
		return 1
	case '[':
		n, ok := matchSet(p[1:], c, fold)
		if !ok {
			return 0
		}
		return 1 + n
	case '\\':
		if len(p) >= 2 {
			n = 2
		}
	}
	if sameByte(p[n-1], c, fold) {
		return n
	}
	return 0
}

// matchSet matches c with a set and returns the set's length without the
// opening bracket.
func matchSet(p []byte, c byte, fold bool) (n int, match bool) {
	not := len(p) > 0 && p[0] == '^'
	if not {
		n = 1
	}
	for ; n < len(p) && p[n] != ']'; n++ {
		switch rest := p[n:]; {
		case rest[0] == '\\' && len(rest) >= 2:
			n++
			match = match || rest[1] == c
		case len(rest) >= 3 && rest[1] == '-':
			n += 2
			match = match || inRange(rest[0], rest[2], c, fold)
		default:
			match = match || sameByte(rest[0], c, fold)
		}
	}
	if n < len(p) {
		n++ // the closing bracket
	}
	return n, match != not
}

func inRange(from, to, c byte, fold bool) bool {
	if int8(from) > int8(to) {
		from, to = to, from
	}
	if fold {
		from, to, c = lower(from), lower(to), lower(c)
	}
	return int8(from) <= int8(c) && int8(c) <= int8(to)
}

func sameByte(a, b byte, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

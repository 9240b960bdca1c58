package resp

import (
	"bytes"
	"math"
	"strconv"
)

// ParseDouble reads b as Redis reads scores, weights and coordinates: with the
// rules of C's strtod and none of its liberties. The whole of b is the number,
// without blanks. Decimal and hexadecimal notation, "inf" and "infinity" in any
// case are numbers; NaN is not, nor what is too large or rounds to zero without
// being zero.
func ParseDouble(b []byte) (float64, bool) {
	if f, ok := smallInt(b); ok {
		return f, true
	}
	f, inRange, ok := strtod(b)
	return f, ok && inRange
}

// ParseLooseDouble reads b as Redis reads the ends of a range of scores, which is
// with strtod's liberties: blanks may precede the number, a NUL ends it, nothing is
// zero, and what is out of range is infinite or zero. NaN is not a number.
func ParseLooseDouble(b []byte) (float64, bool) {
	f, _, ok := parseLoose(b)
	return f, ok
}

// ParseSortWeight reads b as SORT reads numbers: like ParseLooseDouble, but what is
// out of range is no number.
func ParseSortWeight(b []byte) (float64, bool) {
	f, inRange, ok := parseLoose(b)
	return f, ok && inRange
}

func parseLoose(b []byte) (f float64, inRange, ok bool) {
	if f, ok := smallInt(b); ok {
		return f, true, true
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, true, true
	}
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return strtod(b)
}

// smallInt reads what most scores are, fast: up to 15 digits, which a float64 holds
// exactly. ("-0" is not among them.)
func smallInt(b []byte) (float64, bool) {
	const most = 15
	if len(b) == 0 || len(b) > most {
		return 0, false
	}
	n, ok := ParseInt(b)
	return float64(n), ok
}

// strtod is C's, on text that it has to read to the end. inRange is false for what
// is infinite or zero because a float64 cannot hold it.
func strtod(b []byte) (f float64, inRange, ok bool) {
	if len(b) == 0 {
		return 0, false, false
	}
	digits := b
	if b[0] == '-' || b[0] == '+' {
		digits = b[1:]
	}
	if bytes.EqualFold(digits, []byte("inf")) || bytes.EqualFold(digits, []byte("infinity")) {
		sign := 1
		if b[0] == '-' {
			sign = -1
		}
		return math.Inf(sign), true, true
	}
	hexadecimal := len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x'
	zero, exponent, ok := scanNumber(digits, hexadecimal)
	if !ok {
		return 0, false, false
	}
	text := string(b)
	if hexadecimal && !exponent {
		text += "p0" // Go wants one
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && (f != 0 || zero), true
}

// scanNumber checks the notation of a number without its sign: digits with a point
// among them or not, and an exponent or not. zero says that all digits are 0.
func scanNumber(b []byte, hexadecimal bool) (zero, exponent, ok bool) {
	isDigit, mark := isDecimal, byte('e')
	if hexadecimal {
		b, isDigit, mark = b[2:], isHex, 'p'
	}
	zero = true
	digits, points, i := 0, 0, 0
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case isDigit(c):
			digits++
			zero = zero && c == '0'
		case c == '.' && points == 0:
			points++
		case c|0x20 == mark && digits > 0:
			_, ok = parseExponent(string(b[i+1:]))
			return zero, true, ok
		default:
			return zero, false, false
		}
	}
	return zero, false, digits > 0
}

func isDecimal(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	_, ok := hexDigit(c)
	return ok
}

package resp

import (
	"math"
	"strconv"
)

// maxIntLen is the length of the longest int64, "-9223372036854775808".
const maxIntLen = 20

// ParseInt reads b as Redis's string2ll does and reports whether it is a number.
// It accepts exactly what formatting an int64 produces, so the text can be
// recreated from the number: no blanks, no '+', no leading zeros, no "-0",
// nothing outside of int64.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > maxIntLen {
		return 0, false
	}
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	digits := b
	negative := b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' {
		return 0, false
	}
	var v uint64
	for _, c := range digits {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		if v > (math.MaxUint64-uint64(c))/10 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	if negative {
		if v > -math.MinInt64 {
			return 0, false
		}
		return -int64(v), true
	}
	if v > math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}

// AppendDouble appends f as redis-server 7.0 prints a double in a reply: C's
// "%.17g", which needs up to 17 digits for what a shortest notation says in
// fewer (0.1 is 0.10000000000000001), and "inf", "-inf" and "nan".
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	}
	// Most scores are small integers, and those are printed faster as such.
	// (The zeros are left out for the sake of -0.)
	if -1e15 < f && f < 1e15 && f != 0 {
		if n := int64(f); f == float64(n) {
			return strconv.AppendInt(dst, n, 10)
		}
	}
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}

// AppendPackedScore appends f as compact sorted sets of Redis keep it: whole numbers
// with all their digits (1e+17 is 100000000000000000), others as AppendDouble does.
func AppendPackedScore(dst []byte, f float64) []byte {
	const most = math.MaxInt64 / 2
	if -most <= f && f <= most && f == math.Trunc(f) {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return AppendDouble(dst, f)
}

// FormatDouble returns f in the notation of AppendDouble.
func FormatDouble(f float64) string {
	return string(AppendDouble(make([]byte, 0, 32), f))
}

package resp

import (
	"bytes"
	"math"
	"math/big"
	"strings"
)

// LongDouble is the number that INCRBYFLOAT and HINCRBYFLOAT calculate with: an
// 80-bit "long double" of x86, as in redis-server. It keeps 64 bits of mantissa,
// which is why 10.5 plus 0.1 is printed as 10.6 where a float64 would show
// 10.59999999999999964. The zero value is 0. A LongDouble is immutable.
//
// Denormal numbers (below 3.4e-4932) are kept with more precision than x86
// does; the notation has 17 decimals, so that this is never seen.
type LongDouble struct{ f *big.Float }

const (
	longDoublePrec   = 64
	longDoubleMaxExp = 16384  // values are below 2^16384
	longDoubleTiny   = -16446 // 2^-16446 and less round to zero

	// Redis parses in a buffer of this size, with a NUL at the end.
	maxLongDoubleLen = 5*1024 - 1

	// The decimal exponents between which a number must lie to have a chance to
	// be in range; they bound the work spent on it.
	maxDecimalExp = 4933
	minDecimalExp = -4952
)

// ParseLongDouble reads b as Redis does, with the rules of C's strtold and none
// of its liberties: the whole of b is the number, without blanks. Decimal and
// hexadecimal notation, "inf" and "infinity" in any case are numbers; NaN is
// not, nor what is too large or rounds to zero without being zero.
func ParseLongDouble(b []byte) (LongDouble, bool) {
	if len(b) == 0 || len(b) > maxLongDoubleLen {
		return LongDouble{}, false
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	var f *big.Float
	var ok bool
	switch {
	case bytes.EqualFold(b, []byte("inf")), bytes.EqualFold(b, []byte("infinity")):
		f, ok = new(big.Float).SetInf(false), true
	case len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x':
		f, ok = parseHexadecimal(b[2:])
	default:
		f, ok = parseDecimal(b)
	}
	if !ok {
		return LongDouble{}, false
	}
	if negative {
		f.Neg(f)
	}
	return LongDouble{f}, true
}

// ToLongDouble is the same number; f must not be NaN.
func ToLongDouble(f float64) LongDouble { return LongDouble{newLongDouble().SetFloat64(f)} }

// Add returns x+y, rounded to nearest even, and whether that is a finite number.
func (x LongDouble) Add(y LongDouble) (LongDouble, bool) {
	a, b := x.float(), y.float()
	if a.IsInf() || b.IsInf() {
		return LongDouble{}, false
	}
	sum := newLongDouble().Add(a, b)
	if sum.MantExp(nil) > longDoubleMaxExp {
		return LongDouble{}, false
	}
	return LongDouble{sum}, true
}

// CeilTimes returns x*n rounded up to an integer. False: it is above any int64. What
// is below any int64 is math.MinInt64, as C's conversion has it on x86.
func (x LongDouble) CeilTimes(n int64) (int64, bool) {
	f := x.float()
	if !f.IsInf() {
		f = newLongDouble().Mul(f, newLongDouble().SetInt64(n))
	}
	whole, accuracy := f.Int64() // towards zero
	switch {
	case f.Sign() > 0 && f.Cmp(newLongDouble().SetInt64(math.MaxInt64)) > 0:
		return 0, false
	case f.Sign() > 0 && accuracy == big.Below && whole < math.MaxInt64:
		whole++
	}
	return whole, true
}

// Append appends x in the notation of Redis's replies: no exponent, up to 17
// decimals without trailing zeros, "inf" and "-inf".
func (x LongDouble) Append(dst []byte) []byte {
	f := x.float()
	switch {
	case f.IsInf() && f.Signbit():
		return append(dst, "-inf"...)
	case f.IsInf():
		return append(dst, "inf"...)
	}
	start := len(dst)
	dst = f.Append(dst, 'f', 17)
	text := bytes.TrimRight(dst[start:], "0")
	text = bytes.TrimSuffix(text, []byte("."))
	if string(text) == "-0" {
		return append(dst[:start], '0')
	}
	return dst[:start+len(text)]
}

// String returns x in the notation of Append.
func (x LongDouble) String() string { return string(x.Append(nil)) }

func (x LongDouble) float() *big.Float {
	if x.f == nil {
		return new(big.Float)
	}
	return x.f
}

func newLongDouble() *big.Float { return new(big.Float).SetPrec(longDoublePrec) }

// splitNumber takes "digits[.digits][<mark>[sign]digits]" apart. The value is
// digits (without the point) times base^-fraction times the scale that belongs
// to the exponent. Exponents are clamped to what no text can compensate.
func splitNumber(s string, mark byte) (digits string, fraction, exponent int, ok bool) {
	mantissa := s
	if i := strings.IndexAny(s, string([]byte{mark, mark - 'a' + 'A'})); i >= 0 {
		mantissa = s[:i]
		if exponent, ok = parseExponent(s[i+1:]); !ok {
			return "", 0, 0, false
		}
	}
	whole, part, _ := strings.Cut(mantissa, ".")
	digits = whole + part
	return digits, len(part), exponent, digits != ""
}

func parseExponent(s string) (int, bool) {
	const clamp = 1 << 20
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), clamp)
	}
	if negative {
		n = -n
	}
	return n, true
}

func parseDecimal(b []byte) (*big.Float, bool) {
	digits, fraction, exponent, ok := splitNumber(string(b), 'e')
	if !ok || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return newLongDouble(), true
	}
	exponent -= fraction
	if e := exponent + len(digits); e > maxDecimalExp || e < minDecimalExp {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return nil, false
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	f := newLongDouble()
	if exponent >= 0 {
		f.SetInt(n.Mul(n, scale))
	} else {
		// Both operands are exact, so the quotient is rounded only once.
		f.Quo(new(big.Float).SetInt(n), new(big.Float).SetInt(scale))
	}
	return f, inRange(f)
}

func parseHexadecimal(b []byte) (*big.Float, bool) {
	digits, fraction, exponent, ok := splitNumber(string(b), 'p')
	if !ok || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok {
		return nil, false
	}
	f := newLongDouble().SetInt(n)
	if f.Sign() == 0 {
		return f, true
	}
	f.SetMantExp(f, exponent-4*fraction)
	return f, inRange(f)
}

// inRange reports whether f, not zero, is a finite long double that is not
// rounded to zero.
func inRange(f *big.Float) bool {
	mantissa := new(big.Float)
	exp := f.MantExp(mantissa)
	if exp > longDoubleMaxExp {
		return false
	}
	// mantissa is in [0.5, 1).
	return exp > longDoubleTiny+1 ||
		exp == longDoubleTiny+1 && mantissa.Cmp(big.NewFloat(0.5)) > 0
}

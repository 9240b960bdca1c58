package resp

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustLongDouble(s string) LongDouble {
	x, ok := ParseLongDouble([]byte(s))
	if !ok {
		panic(s)
	}
	return x
}

// intTexts are numbers and what is close to one.
var intTexts = []string{
	"0", "1", "9", "10", "-1", "-10", "9223372036854775807", "-9223372036854775808", "1000000000000000000",
	"", "-", "+", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1\n", "1\x00", "\x001", "1.0", "1e3", "0x10", "x", "--1", "1-",
	"9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "-18446744073709551615",
	"99999999999999999999", "-99999999999999999999", "100000000000000000000", "-9223372036854775808 ", "½",
}

func TestParseInt(t *testing.T) {
	for _, s := range intTexts {
		got, ok := ParseInt([]byte(s))
		if want, wantOK := refInt(s); ok != wantOK || ok && got != want {
			t.Errorf("ParseInt(%q) = %d, %v, want %d, %v", s, got, ok, want, wantOK)
		}
	}
}

func TestParseIntProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`-?[0-9]{0,22}`),
			rapid.Custom(func(t *rapid.T) string { return strconv.FormatInt(rapid.Int64().Draw(t, "n"), 10) }),
			rapid.String(),
		).Draw(t, "s")
		got, ok := ParseInt([]byte(s))
		if want, wantOK := refInt(s); ok != wantOK || ok && got != want {
			t.Fatalf("ParseInt(%q) = %d, %v, want %d, %v", s, got, ok, want, wantOK)
		}
	})
}

// doubleTexts are texts of redis-server 7.0, which TestRedisDoubles confirms.
var doubleTexts = []struct {
	f    float64
	want string
}{
	{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-17, "-17"}, {1.5, "1.5"},
	{0.1, "0.10000000000000001"}, {3.141, "3.141"}, {1.0 / 3, "0.33333333333333331"},
	{1e14, "100000000000000"}, {1e15, "1000000000000000"}, {1e16, "10000000000000000"}, {1e17, "1e+17"},
	{123456789012345678, "1.2345678901234568e+17"}, {9007199254740993, "9007199254740992"},
	{1e-4, "0.0001"}, {1e-5, "1.0000000000000001e-05"}, {1e100, "1e+100"}, {-2.5e-300, "-2.5e-300"},
	{math.MaxFloat64, "1.7976931348623157e+308"}, {math.SmallestNonzeroFloat64, "4.9406564584124654e-324"},
	{math.Inf(1), "inf"}, {math.Inf(-1), "-inf"},
}

func TestFormatDouble(t *testing.T) {
	for _, tt := range doubleTexts {
		if got := FormatDouble(tt.f); got != tt.want {
			t.Errorf("FormatDouble(%v) = %s, want %s", tt.f, got, tt.want)
		}
	}
	if got := FormatDouble(math.NaN()); got != "nan" {
		t.Errorf("FormatDouble(NaN) = %s", got)
	}
}

func TestFormatDoubleProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		got := FormatDouble(f)
		back, err := strconv.ParseFloat(got, 64)
		if err != nil || back != f || math.Signbit(back) != math.Signbit(f) {
			t.Fatalf("FormatDouble(%v) = %s, read back %v, %v", f, got, back, err)
		}
	})
}

// scoreTexts are numbers as scores are written, and what is close to one.
var scoreTexts = []string{
	"0", "-0", "+0", "1", "-17", "+1", "007", "123456789012345", "1234567890123456", "99999999999999999999", "9007199254740993",
	"1.5", ".5", "5.", ".", "-.5", "1e3", "1E-3", "1e+3", "1e", "1e+", "e5", "1.1.1", "1,5", "1_000", "0b1", "0o7",
	"0x10", "0X1F", "-0x10", "0x.8", "0x1.", "0x", "0x.", "0x1p3", "0x1P-3", "0x1p", "0xp1", "0xg", "0x1.8p1.5", "0x123456789abcdef01", "0x1.fffffffffffff8p0",
	"inf", "-inf", "+inf", "INF", "Infinity", "-INFINITY", "infi", "in", "nan", "-nan", "NAN", "nan(1)",
	"1e308", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e309", "1e99999999999999999999",
	"5e-324", "3e-324", "2e-324", "-2e-324", "2.2250738585072011e-308", "1e-400", "0e-400", "0x0p-99999", "0x1p1023", "0x1p1024", "0x1p-1074", "0x1p-1075", "0x1.8p-1075",
	"", " ", " 1", "1 ", "\t1", "\n\v\f\r 1", "1\n", "1\x00", "1\x002", "\x00", "\x001", " \x00", "+ 1", "--1", "+-1", "+", "-", "abc", "½",
	strings.Repeat("0", 400) + "1", "0." + strings.Repeat("0", 400) + "1", "0." + strings.Repeat("0", 300) + "1", "1" + strings.Repeat("0", 308), "1" + strings.Repeat("0", 309),
	"0.1000000000000000055511151231257827021181583404541015625", "1." + strings.Repeat("3", 800),
}

func TestParseDouble(t *testing.T) {
	tests := []struct {
		text          string
		want          float64
		strict, loose bool
	}{
		{"1.5", 1.5, true, true},
		{"-12", -12, true, true},
		{"0x1.8p1", 3, true, true},
		{"0x10", 16, true, true},
		{"-Infinity", math.Inf(-1), true, true},
		{"1e400", math.Inf(1), false, true},
		{"1e-400", 0, false, true},
		{"5e-324", math.SmallestNonzeroFloat64, true, true},
		{"", 0, false, true},
		{" 1", 1, false, true},
		{"1\x00x", 1, false, true},
		{" ", 0, false, false},
		{"1 ", 0, false, false},
		{"nan", 0, false, false},
		{"1_0", 0, false, false},
	}
	for _, tt := range tests {
		if got, ok := ParseDouble([]byte(tt.text)); ok != tt.strict || ok && got != tt.want {
			t.Errorf("ParseDouble(%q) = %v, %v", tt.text, got, ok)
		}
		if got, ok := ParseLooseDouble([]byte(tt.text)); ok != tt.loose || ok && got != tt.want {
			t.Errorf("ParseLooseDouble(%q) = %v, %v", tt.text, got, ok)
		}
	}
	if f, ok := ParseDouble([]byte("-0")); !ok || !math.Signbit(f) {
		t.Errorf("-0 is %v, %v", f, ok)
	}
}

// FuzzParseDouble: what is accepted is a number that prints as itself, and whatever
// is a score is the end of a range of scores.
func FuzzParseDouble(f *testing.F) {
	for _, s := range scoreTexts {
		if len(s) < 100 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		x, ok := ParseDouble(in)
		if !ok {
			return
		}
		back, ok := ParseDouble([]byte(FormatDouble(x)))
		if !ok || math.Float64bits(back) != math.Float64bits(x) {
			t.Fatalf("%q is %v, and printed and read again %v, %v", in, x, back, ok)
		}
		if loose, ok := ParseLooseDouble(in); !ok || loose != x {
			t.Fatalf("%q is %v, as the end of a range %v, %v", in, x, loose, ok)
		}
	})
}

// longDoubleSums are results of redis-server's INCRBYFLOAT, which
// TestRedisLongDoubles confirms; "" where it refuses.
var longDoubleSums = []struct{ a, b, want string }{
	{"10.50", "0.1", "10.6"},
	{"10.6", "-5", "5.6"},
	{"3.0e3", "200", "3200"},
	{"5.0e3", "2.0e2", "5200"},
	{"0", "0", "0"},
	{"-0", "-0", "0"},
	{"1", "-1", "0"},
	{"0.1", "0.2", "0.3"},
	{"1", "1.1", "2.1"},
	{"-1.5", "1e-17", "-1.49999999999999999"},
	{"0", "1e-17", "0.00000000000000001"},
	{"0", "5e-18", "0"}, {"0", "6e-18", "0.00000000000000001"},
	{"0", "4e-18", "0"},
	{"0", "-4e-18", "0"},
	{"9223372036854775807", "1", "9223372036854775808"},
	{"18446744073709551615", "0", "18446744073709551615"},
	{"18446744073709551617", "0", "18446744073709551616"},
	{"18446744073709551619", "0", "18446744073709551620"},
	{"1e30", "1", "1000000000000000000024696061952"},
	{"123456789.123456789", "0", "123456789.12345678899873747"},
	{".5", "5.", "5.5"},
	{"+1", "+1", "2"},
	{"0x10", "0X.8p1", "17"},
	{"0x1.8p3", "-0xcP0", "0"},
	{"0e99999999999999999999", "0x0p-99999999999", "0"},
	{"1e-4950", "0", "0"},
	{"3e-4951", "0", "0"},
	{"1e-4951", "0", ""},
	{"1e-99999999999999999999", "0", ""},
	{"0x1p-16445", "0", "0"},
	{"0x1p-16446", "0", ""},
	{"0x1.0001p-16446", "0", "0"},
	{"0x1p16384", "0", ""},
	{"1.2e4932", "0", ""},
	{"1e5000", "0", ""},
	{"1e99999999999999999999", "0", ""},
	{"1.18e4932", "1.18e4932", ""},
	{"inf", "0", ""},
	{"0", "-Infinity", ""},
	{"inf", "-inf", ""},
	{"nan", "0", ""},
	{"nan(1)", "0", ""},
	{"", "1", ""},
	{" 1", "1", ""},
	{"1 ", "1", ""},
	{"1\x00", "1", ""},
	{"+", "1", ""},
	{"--1", "1", ""},
	{".", "1", ""},
	{"1.1.1", "1", ""},
	{"1e", "1", ""},
	{"1e+", "1", ""},
	{"1e1.5", "1", ""},
	{"e5", "1", ""},
	{"0x", "1", ""},
	{"0x1p", "1", ""},
	{"0x.p1", "1", ""},
	{"0xg", "1", ""},
	{"1_000", "1", ""},
	{"0b1", "1", ""},
	{"1,5", "1", ""},
	{"infi", "1", ""},
	{"1" + strings.Repeat("0", 4931), "1", "1000000000000000000"},
	{"0." + strings.Repeat("0", 4000) + "1", "1", "1"},
	{strings.Repeat("0", 5118) + "1", "1", "2"},
	{strings.Repeat("0", 5119) + "1", "1", ""},
}

// addText is INCRBYFLOAT without the key.
func addText(a, b string) string {
	x, ok1 := ParseLongDouble([]byte(a))
	y, ok2 := ParseLongDouble([]byte(b))
	if !ok1 || !ok2 {
		return ""
	}
	sum, ok := x.Add(y)
	if !ok {
		return ""
	}
	return sum.String()
}

func TestLongDouble(t *testing.T) {
	for _, tt := range longDoubleSums {
		got := addText(tt.a, tt.b)
		if len(got) > 1000 {
			got = got[:19] // the first digits of a huge number
		}
		if got != tt.want {
			t.Errorf("%.40s + %.40s = %s, want %s", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestLongDoubleInfinity(t *testing.T) {
	for in, want := range map[string]string{"inf": "inf", "+INF": "inf", "-Infinity": "-inf"} {
		if got := mustLongDouble(in).String(); got != want {
			t.Errorf("%s is %s", in, got)
		}
	}
	if got := (LongDouble{}).String(); got != "0" {
		t.Errorf("the zero value is %s", got)
	}
	if sum, ok := (LongDouble{}).Add(mustLongDouble("1.25")); !ok || sum.String() != "1.25" {
		t.Errorf("0 + 1.25 = %v, %v", sum, ok)
	}
}

// FuzzParseLongDouble: whatever is accepted prints as something that is accepted
// again, and nothing takes long or panics.
func FuzzParseLongDouble(f *testing.F) {
	for _, tt := range longDoubleSums {
		if len(tt.a) < 100 {
			f.Add([]byte(tt.a))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		x, ok := ParseLongDouble(in)
		if !ok {
			return
		}
		text := x.String()
		if _, ok := ParseLongDouble([]byte(text)); !ok {
			t.Fatalf("%q prints as %q", in, text)
		}
		if x.Add(LongDouble{}); x.String() != text {
			t.Fatalf("Add changed %q", text)
		}
	})
}

func TestCeilTimes(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"1", 1000, true}, {"0.1", 100, true}, {"0.0001", 1, true}, {"1.0001", 1001, true}, {"-1", -1000, true},
		{"-0.0001", 0, true}, {"-0.001", 0, true}, {"-0.01", -10, true}, {"-1e30", math.MinInt64, true}, {"-inf", math.MinInt64, true},
		{"9223372036854775", 9223372036854775000, true}, {"9223372036854775.807", math.MaxInt64, true},
		{"9223372036854775.808", 0, false}, {"1e30", 0, false}, {"inf", 0, false},
	} {
		x, ok := ParseLongDouble([]byte(c.text))
		if !ok {
			t.Fatal(c.text)
		}
		if got, ok := x.CeilTimes(1000); got != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v; want %d, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

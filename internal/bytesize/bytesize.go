// Package bytesize reads and writes amounts of bytes as people write them: 8MiB,
// 256mb, 1000.
package bytesize

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is an amount of bytes. It is a flag's value (pflag.Value) and text in JSON.
type Size int64

// units are as in redis.conf, with the unambiguous names first: those are
// printed.
var units = []struct {
	name   string
	factor int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"tb", 1 << 40}, {"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10},
	{"t", 1e12}, {"g", 1e9}, {"m", 1e6}, {"k", 1e3},
	{"b", 1}, {"", 1},
}

// Parse reads "8MiB", "256mb", "1000"... Upper and lower case are the same.
// kb is 1024 and k is 1000, as in redis.conf.
func Parse(s string) (Size, error) {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, u := range units {
		digits, ok := strings.CutSuffix(lower, strings.ToLower(u.name))
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil || strings.HasPrefix(digits, "+") {
			break
		}
		if int64(n) > math.MaxInt64/u.factor {
			return 0, fmt.Errorf("%q is too large", s)
		}
		return Size(int64(n) * u.factor), nil
	}
	return 0, fmt.Errorf("%q is not a size such as 8MiB or 256mb", s)
}

// String is the shortest form that Parse reads back as s.
func (s Size) String() string {
	n := int64(s)
	for _, u := range units[:4] {
		if n > 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// Human is s to three digits, for people.
func (s Size) Human() string {
	n := int64(s)
	for _, u := range units[:4] {
		if n >= u.factor {
			v := float64(n) / float64(u.factor)
			decimals := 2
			switch {
			case v >= 99.95:
				decimals = 0
			case v >= 9.995:
				decimals = 1
			}
			return strconv.FormatFloat(v, 'f', decimals, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}

// Set implements pflag.Value.
func (s *Size) Set(text string) error {
	n, err := Parse(text)
	if err == nil {
		*s = n
	}
	return err
}

// Type names the value in help texts.
func (s *Size) Type() string { return "size" }

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error { return s.Set(string(text)) }

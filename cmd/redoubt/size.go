package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag for amounts of bytes.
type byteSize int64

// sizeUnits are as in redis.conf, with the unambiguous names first: those are
// printed.
var sizeUnits = []struct {
	name   string
	factor int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"tb", 1 << 40}, {"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10},
	{"t", 1e12}, {"g", 1e9}, {"m", 1e6}, {"k", 1e3},
	{"b", 1}, {"", 1},
}

// parseSize reads "8MiB", "256mb", "1000"... Upper and lower case are the same.
// kb is 1024 and k is 1000, as in redis.conf.
func parseSize(s string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, u := range sizeUnits {
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
		return int64(n) * u.factor, nil
	}
	return 0, fmt.Errorf("%q is not a size such as 8MiB or 256mb", s)
}

// formatSize is the shortest form that parseSize reads back as n.
func formatSize(n int64) string {
	for _, u := range sizeUnits[:4] {
		if n > 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// humanSize is n to three digits, for people.
func humanSize(n int64) string {
	for _, u := range sizeUnits[:4] {
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
func (b *byteSize) Set(s string) error {
	n, err := parseSize(s)
	if err == nil {
		*b = byteSize(n)
	}
	return err
}

func (b *byteSize) String() string { return formatSize(int64(*b)) }

// Type names the value in help texts.
func (b *byteSize) Type() string { return "size" }

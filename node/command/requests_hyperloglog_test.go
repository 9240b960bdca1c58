package command_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/node/hyperloglog"
)

// otherKeys are those that commands on strings may change, see pfkey.
var otherKeys = slices.DeleteFunc(slices.Clone(keyPool), func(k string) bool { return strings.HasPrefix(k, "pf") })

// pfkey is a key that most likely holds a HyperLogLog, or a hash. Strings that commands on
// strings have broken are left out: Redis writes beyond the end of some.
func (g *generator) pfkey() string {
	if g.chance(7) {
		return g.pick("h1", "h2", "h3")
	}
	return g.pick("pf1", "pf2", "pf3")
}

// observed are elements, few and often the same, or very many.
func (g *generator) observed() []string {
	var a []string
	switch g.IntN(12) {
	case 0:
		for i := range g.IntN(300) {
			a = append(a, fmt.Sprint("element:", g.IntN(100_000), i))
		}
	case 1:
		a = append(a, g.value())
	default:
		for range g.IntN(6) {
			a = append(a, fmt.Sprint(g.IntN(g.pickInt(4, 200))))
		}
	}
	return a
}

// sketch is a HyperLogLog as no PFADD would leave it, or nonsense. Its runs of registers are
// whole and nothing follows the last register: there Redis reads beyond the string, or
// depends on its version.
func (g *generator) sketch() string {
	header := "HYLL" + g.pick("\x00", "\x01", "\x01", "\x01", "\x02") + g.pick("\x00\x00\x00", "abc") +
		g.pick("\x00\x00\x00\x00\x00\x00\x00\x00", "\x07\x00\x00\x00\x00\x00\x00\x80", "\x2a\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\x7f")
	if header[4] == 0 {
		// Four registers each of 0, 1, 36, 51, which is the largest rank, and 63.
		groups := []string{"\x00\x00\x00", "\x41\x10\x04", "\x24\x49\x92", "\xf3\x3c\xcf", "\xff\xff\xff"}
		b := []byte(strings.Repeat(g.pick(groups...), 4096))
		for range g.IntN(3) {
			copy(b[3*g.IntN(4096):], g.pick(groups...))
		}
		for g.chance(50) {
			b[g.IntN(len(b))] = byte(g.IntN(256))
		}
		return header[:16] + string(b[g.IntN(50)/49:])
	}
	var runs []byte
	left := 16384
	for range g.IntN(30) {
		n := 1 + g.IntN(4)
		switch g.IntN(4) {
		case 0:
			n = 1 + g.IntN(64)
			runs = append(runs, byte(n-1))
		case 1:
			n = 1 + g.IntN(500)
			runs = append(runs, 0x40|byte((n-1)>>8), byte(n-1))
		default:
			runs = append(runs, 0x80|byte(g.IntN(g.pickInt(2, 32)))<<2|byte(n-1))
		}
		left -= n
	}
	if g.chance(80) {
		runs = append(runs, 0x40|byte((left-1)>>8), byte(left-1))
	}
	return header[:16-g.IntN(50)/49] + string(runs)
}

// joinable is a HyperLogLog in which a likely element makes one more of equal runs, which
// are then joined as far as Redis looks.
func (g *generator) joinable() string {
	s, _, _ := hyperloglog.New().Add(fmt.Append(nil, g.IntN(4)), 1000)
	var before, rank, after int
	if n, _ := fmt.Sscanf(string(s.AppendRuns(nil)), "Z:%d v:%d,1 Z:%d", &before, &rank, &after); n != 3 {
		panic("one element is expected to make one run between two")
	}
	long := func(n int) []byte { return []byte{0x40 | byte((n-1)>>8), byte(n - 1)} }
	value := func(n int) byte { return 0x80 | byte(rank-1)<<2 | byte(n-1) }
	// The register itself, at the end of zeros behind one that holds the value.
	zeros := 1 + g.IntN(2)
	out := append(s[:16:16], long(before-zeros)...)
	out = append(out, value(1), byte(zeros-1))
	for range 1 + g.IntN(6) {
		n := g.pickInt(1, 1, 1, 2, 3)
		out = append(out, value(n))
		after -= n
	}
	return string(append(out, long(after)...))
}

var hyperloglogRequests = []request{
	{"pfadd", 10, func(g *generator) []string { return with(args(g.pfkey()), g.observed()) }},
	{"pfadd", 10, func(g *generator) []string { return with(args(g.pfkey()), g.observed()) }},
	{"pfcount", 10, func(g *generator) []string { return args(g.pfkey()) }},
	{"pfcount", 5, func(g *generator) []string { return args(g.pfkey(), g.pfkey(), g.pfkey()) }},
	{"pfmerge", 10, func(g *generator) []string {
		a := args(g.pfkey())
		for g.chance(60) {
			a = append(a, g.pfkey())
		}
		return a
	}},
	{"pfdebug", 10, func(g *generator) []string {
		return args(g.anyCase(g.pick("DECODE", "DECODE", "ENCODING", "ENCODINGS")), g.pfkey())
	}},
	{"pfdebug", 2, func(g *generator) []string { return args(g.anyCase(g.pick("GETREG", "TODENSE", "TODENSE")), g.pfkey()) }},
	{"get", 10, func(g *generator) []string { return args(g.pfkey()) }},
	{"set", 5, func(g *generator) []string { return args(g.pfkey(), g.sketch()) }},
	{"set", 5, func(g *generator) []string { return args(g.pfkey(), g.joinable()) }},
	{"pfadd", 5, func(g *generator) []string { return args(g.pfkey()) }},
	{"del", 5, func(g *generator) []string { return args(g.pfkey()) }},
}

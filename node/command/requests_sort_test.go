package command_test

import (
	"fmt"
	"strings"
)

// Keys of what is sorted, and of what patterns name.
var (
	sortedKeys = []string{"so1", "so2", "so3"} // a list, a set, a sorted set
	weightKeys = []string{"w1", "w2", "w3", "w"}
	recordKeys = []string{"wh1", "wh2"}
)

// namedByPattern are keys that SORT looks up in no order when it sorts a set.
func namedByPattern(key string) bool {
	return strings.HasPrefix(key, "w") || strings.HasPrefix(key, "missing")
}

// sortKey is a key that most likely can be sorted.
func (g *generator) sortKey() string {
	switch {
	case g.chance(10):
		return g.key()
	case g.chance(30):
		return "so3"
	}
	return g.pick("so1", "so2", "so1", "so2", "h1", "a", "none")
}

// sortElement is an element that patterns make the name of a key of.
func (g *generator) sortElement() string {
	if g.chance(3) {
		return g.pick("x", "", "1e400", "0x10", " 7", "7 ", "nan", "inf")
	}
	return fmt.Sprint(1 + g.IntN(9))
}

func (g *generator) sortElements() []string {
	out := make([]string, 1+g.IntN(6))
	for i := range out {
		out[i] = g.sortElement()
	}
	return out
}

func (g *generator) getPattern() string {
	return g.pick("#", "w*", "wh*->f", "wh*->g", "wh*->", "w", "*", "w*->f", "##", "w**", "")
}

// sort is a SORT whose order is specified. Redis leaves open the order of elements
// that have equal text as their weights, and that of a set that is not sorted.
func (g *generator) sort(store bool) []string {
	key := g.sortKey()
	a := args(key)
	alpha := g.chance(30)
	if alpha {
		a = append(a, g.anyCase("ALPHA"))
	} else if g.chance(40) {
		a = append(a, g.anyCase("BY"), g.pick("w*", "wh*->f", "w*", "wh*->f", "missing*"))
	} else if g.chance(20) && (key == "so1" || key == "so3") {
		a = append(a, "BY", "nosort")
	}
	for g.chance(50) {
		switch g.IntN(6) {
		case 0, 1:
			a = append(a, "GET", g.getPattern())
		case 2:
			a = append(a, g.anyCase("DESC"))
		case 3:
			a = append(a, "ASC")
		case 4:
			a = append(a, g.anyCase("LIMIT"), g.pick("0", "1", "2", "-1", "100", "abc"), g.pick("0", "1", "3", "-1", "100", "9223372036854775807", "x"))
		case 5:
			if g.chance(20) {
				a = append(a, g.pick("LIMIT", "BY", "GET", "STORE", "LIMITS"))
			}
		}
	}
	if store {
		a = append(a, g.anyCase("STORE"), g.pick("so1", "so1", "so4", g.key()))
	}
	return a
}

var sortRequests = []request{
	{"rpush", 4, func(g *generator) []string { return with(args("so1"), g.sortElements()) }},
	{"sadd", 4, func(g *generator) []string { return with(args("so2"), g.sortElements()) }},
	{"zadd", 4, func(g *generator) []string { return args("so3", fmt.Sprint(g.IntN(5)), g.sortElement()) }},
	{"srem", 2, func(g *generator) []string { return with(args("so2"), g.sortElements()) }},
	{"ltrim", 1, func(g *generator) []string { return args("so1", "0", "4") }},
	{"set", 4, func(g *generator) []string {
		return args(g.pick(weightKeys...), fmt.Sprint(g.IntN(20), g.pick("", "", "", ".5", "x")))
	}},
	{"hset", 4, func(g *generator) []string {
		return args(g.pick(recordKeys...), g.pick("f", "g"), fmt.Sprint(g.IntN(20)))
	}},
	{"pexpire", 1, func(g *generator) []string { return args(g.pick(weightKeys...), g.pick("-1", "100000000")) }},
	{"del", 2, func(g *generator) []string { return args(g.pick(sortedKeys...), g.pick(weightKeys...)) }},
	{"sort", 15, func(g *generator) []string { return g.sort(g.chance(30)) }},
	{"sort_ro", 10, func(g *generator) []string { return g.sort(false) }},
	{"sort_ro", 1, func(g *generator) []string { return g.sort(true) }},
}

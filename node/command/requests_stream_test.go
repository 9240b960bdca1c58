package command_test

import (
	"fmt"
	"slices"
	"strings"
)

// xkey is a key that most likely holds a stream.
func (g *generator) xkey() string {
	if g.chance(5) {
		return g.key()
	}
	return g.pick("x1", "x1", "x1", "x1", "x2", "x2", "x3", "x4")
}

// newID is an ID above most others.
func (g *generator) newID() string {
	if g.chance(40) {
		g.lastMS++
	}
	switch g.IntN(12) {
	case 0:
		return g.streamID()
	case 1, 2:
		return fmt.Sprint(g.lastMS)
	case 3:
		return fmt.Sprint(g.lastMS-1, "-*")
	case 4, 5, 6:
		return fmt.Sprint(g.lastMS, "-", g.IntN(4))
	}
	return fmt.Sprint(g.lastMS, "-*")
}

// streamID is the ID of an entry that there may be, or an odd one.
func (g *generator) streamID() string {
	ms := max(0, g.lastMS+2-int64(g.IntN(20)))
	switch g.IntN(25) {
	case 0:
		return g.pick("0", "0-0", "0-1", "0-*", "1", "$", ">", "*", "-", "+", "", "abc", "1-2-3", "1-", "-1", "18446744073709551616",
			"18446744073709551615-18446744073709551614", "1-18446744073709551616", strings.Repeat("1", 128), "9223372036854775808-1")
	case 1:
		return g.pick(" 5-1", "+5-1", "05-01", "5--3", "5- -3", "5--03", "5--0", "5-3\x00x", "5-+1", "5-\t1", "5-9223372036854775809", "5--9223372036854775808",
			"5--9223372036854775809", "\n5", "5 ", "+", "++5", "5-1 ")
	case 2:
		if g.chance(10) {
			return g.pick("18446744073709551615-18446744073709551615", "18446744073709551615", fmt.Sprint(ms, "-18446744073709551615"))
		}
	case 3:
		return "9999999999999-" + fmt.Sprint(g.IntN(30))
	case 4, 5:
		return fmt.Sprint(ms)
	}
	return fmt.Sprint(ms, "-", g.pick("0", "0", "0", "1", "1", "2", "5"))
}

// streamIDs are IDs of entries, all of which are sound more often than not.
func (g *generator) streamIDs() []string {
	out := make([]string, 1+g.IntN(8))
	sound := g.chance(70)
	for i := range out {
		if out[i] = g.streamID(); sound {
			out[i] = fmt.Sprint(max(0, g.lastMS+1-int64(g.IntN(15))), "-", g.pick("0", "0", "0", "1", "1", "2"))
		}
	}
	return out
}

func (g *generator) rangeID() string {
	switch g.IntN(10) {
	case 0, 1:
		return g.pick("-", "+")
	case 2:
		return g.pick("(-", "(+", "(", "(0", "((5", "(0-0", "(18446744073709551615-18446744073709551615", "( 5")
	case 3, 4:
		return "(" + g.streamID()
	}
	return g.streamID()
}

// interval is two ends of a range, the right way round more often than not.
func (g *generator) interval() []string {
	if g.chance(50) {
		return []string{g.pick("-", "0", g.rangeID()), g.pick("+", g.rangeID())}
	}
	return []string{g.rangeID(), g.rangeID()}
}

func (g *generator) xcount() string {
	if g.chance(80) {
		return fmt.Sprint(1 + g.IntN(12))
	}
	return g.pick("0", "-1", "-5", "1000", "9223372036854775807", "abc", "")
}

func (g *generator) xgroup() string {
	return g.pick("g1", "g1", "g1", "g1", "g1", "g1", "g2", "g2", "", "g\x00\r\n")
}

func (g *generator) xconsumer() string {
	return g.pick("c1", "c1", "c1", "c2", "c2", "c3", "", "c\xff")
}

// trim is a trimming strategy with its options.
func (g *generator) trim() []string {
	var a []string
	for {
		word := g.anyCase(g.pick("MAXLEN", "MINID"))
		a = append(a, word)
		if g.chance(60) {
			a = append(a, g.pick("~", "~", "="))
		}
		switch {
		case g.chance(5):
			a = append(a, g.pick("abc", "", "-1", "9223372036854775807", "9223372036854775808", "~"))
		case strings.EqualFold(word, "MAXLEN"):
			a = append(a, fmt.Sprint(g.IntN(40)))
		default:
			a = append(a, g.streamID())
		}
		if g.chance(30) {
			a = append(a, g.anyCase("LIMIT"), g.pick("0", "1", "5", "7", "10", "20", "1000", "-1", "abc"))
		}
		if !g.chance(3) {
			return a
		}
	}
}

func (g *generator) entryFields() []string {
	switch g.IntN(6) {
	case 0:
		return g.pairs(g.field)
	case 1:
		return []string{"a", g.value()}
	}
	return []string{"a", g.number(), "b", g.pick("x", "y", g.number())}
}

// minIdle and the idle times below are far enough apart that the time a sequence
// takes makes no difference.
func (g *generator) minIdle() string {
	return g.pick("0", "0", "0", "500000", "500000", "100000000", "-1", "-9223372036854775808", "9223372036854775807", "abc", "")
}

func (g *generator) claimOptions() []string {
	var a []string
	for g.chance(45) {
		switch g.IntN(9) {
		case 0:
			a = append(a, g.anyCase("IDLE"), g.pick("0", "10000000", "-5", "1000000000000000", "9223372036854775807", "-9223372036854775808", "abc"))
		case 1:
			a = append(a, g.anyCase("TIME"), g.pick(fmt.Sprint(g.now-10_000_000), fmt.Sprint(g.now+1_000_000_000), "5", "0", "-1", "-7", "abc"))
		case 2:
			a = append(a, g.anyCase("RETRYCOUNT"), g.pick("0", "1", "5", "-1", "4611686018427387904", "abc"))
		case 3, 4:
			a = append(a, g.anyCase("FORCE"))
		case 5, 6:
			a = append(a, g.anyCase("JUSTID"))
		case 7:
			a = append(a, g.anyCase("LASTID"), g.streamID())
		default:
			a = append(a, g.pick("IDLE", "NOPE", "no\x00pe", "TIME", "LASTID"))
		}
	}
	return a
}

// readArgs are the arguments of XREAD and XREADGROUP from the options on.
func (g *generator) readArgs(a []string, grouped bool) []string {
	if g.chance(60) {
		a = append(a, g.anyCase("COUNT"), g.xcount())
	}
	if g.chance(4) {
		a = append(a, g.anyCase("BLOCK"), g.pick("1", "1", "1", "-1", "abc", "1.5", ""))
	}
	if g.chance(map[bool]int{true: 25, false: 2}[grouped]) {
		a = append(a, g.anyCase("NOACK"))
	}
	if g.chance(2) {
		return append(a, g.pick("GROUP", "NOPE", "STREAMS", "COUNT"))
	}
	a = append(a, g.anyCase("STREAMS"))
	n := 1 + g.IntN(10)/7
	for range n {
		a = append(a, g.xkey())
	}
	if g.chance(3) {
		n++
	}
	for range n {
		usual := "0"
		if grouped {
			usual = ">"
		}
		a = append(a, g.pick(usual, usual, usual, g.streamID(), g.pick("$", ">", "0")))
	}
	return a
}

var streamRequests = []request{
	{"xadd", 10, addRequest}, {"xadd", 10, addRequest}, {"xadd", 10, addRequest}, {"xadd", 10, addRequest},
	{"xtrim", 10, func(g *generator) []string {
		if g.chance(3) {
			return args(g.xkey(), g.pick("LIMIT", "NOMKSTREAM", "MAXLEN", "NOPE"), g.xcount())
		}
		return with(args(g.xkey()), g.trim())
	}},
	{"xdel", 10, func(g *generator) []string { return with(args(g.xkey()), g.streamIDs()) }},
	{"xlen", 10, func(g *generator) []string { return args(g.xkey()) }},
	{"xrange", 10, func(g *generator) []string { return rangeRequest(g, false) }},
	{"xrevrange", 10, func(g *generator) []string { return rangeRequest(g, true) }},
	{"xread", 10, func(g *generator) []string { return g.readArgs(nil, false) }},
	{"xreadgroup", 10, groupRead}, {"xreadgroup", 10, groupRead}, {"xreadgroup", 10, groupRead}, {"xreadgroup", 10, groupRead},
	{"xack", 10, func(g *generator) []string { return with(args(g.xkey(), g.xgroup()), g.streamIDs()) }},
	{"xpending", 10, func(g *generator) []string {
		a := args(g.xkey(), g.xgroup())
		if g.chance(25) {
			return a
		}
		if g.chance(40) {
			a = append(a, g.anyCase("IDLE"), g.minIdle())
		}
		a = append(with(a, g.interval()), g.xcount())
		if g.chance(40) {
			a = append(a, g.xconsumer())
		}
		return a
	}},
	{"xclaim", 10, func(g *generator) []string {
		a := with(args(g.xkey(), g.xgroup(), g.xconsumer(), g.minIdle()), g.streamIDs())
		return with(a, g.claimOptions())
	}},
	{"xautoclaim", 10, func(g *generator) []string {
		a := args(g.xkey(), g.xgroup(), g.xconsumer(), g.minIdle(), g.pick("-", "0", "0", g.rangeID()))
		for g.chance(45) {
			if g.chance(60) {
				a = append(a, g.anyCase("COUNT"), g.pick("1", "2", "3", "10", "1000", "0", "-1", "abc", "576460752303423488"))
			} else {
				a = append(a, g.pick("JUSTID", "justid", "JUSTID", "COUNT", "NOPE"))
			}
		}
		return a
	}},
	{"xgroup", 10, func(g *generator) []string {
		a := args(g.anyCase("CREATE"), g.xkey(), g.xgroup(), g.pick("0", "$", "0", g.streamID()))
		for g.chance(45) {
			switch g.IntN(5) {
			case 0, 1, 2:
				a = append(a, g.anyCase("MKSTREAM"))
			case 3:
				a = append(a, g.anyCase("ENTRIESREAD"), g.pick("0", "3", "10", "-1", "-2", "9223372036854775807", "abc"))
			default:
				a = append(a, g.pick("ENTRIESREAD", "NOPE"))
			}
		}
		return a
	}},
	{"xgroup", 10, createGroup}, {"xgroup", 10, createGroup},
	{"xgroup", 10, func(g *generator) []string {
		a := args(g.anyCase("SETID"), g.xkey(), g.xgroup(), g.pick("0", "$", "-", "+", g.streamID(), g.streamID()))
		for g.chance(30) {
			a = append(a, g.pick("ENTRIESREAD", "entriesread", "MKSTREAM"), g.pick("0", "3", "10", "-1", "-2", "abc"))
		}
		return a
	}},
	{"xgroup", 2, func(g *generator) []string { return args(g.anyCase("DESTROY"), g.xkey(), g.xgroup()) }},
	{"xgroup", 5, func(g *generator) []string {
		return args(g.anyCase("CREATECONSUMER"), g.xkey(), g.xgroup(), g.xconsumer())
	}},
	{"xgroup", 3, func(g *generator) []string {
		return args(g.anyCase("DELCONSUMER"), g.xkey(), g.xgroup(), g.xconsumer())
	}},
	{"xgroup", 1, func(g *generator) []string { return args(g.pick("HELP", "help", "HELP", "NOPE")) }},
	{"xinfo", 10, func(g *generator) []string {
		a := args(g.anyCase("STREAM"), g.xkey())
		if g.chance(60) {
			a = append(a, g.pick("FULL", "full", "FULL", "NOPE"))
			if g.chance(50) {
				a = append(a, g.pick("COUNT", "count", "NOPE"), g.xcount())
			}
		}
		return a
	}},
	{"xinfo", 5, func(g *generator) []string { return args(g.anyCase("GROUPS"), g.xkey()) }},
	{"xinfo", 5, func(g *generator) []string { return args(g.anyCase("CONSUMERS"), g.xkey(), g.xgroup()) }},
	{"xinfo", 1, func(g *generator) []string { return args(g.pick("HELP", "help", "HELP", "NOPE")) }},
}

func createGroup(g *generator) []string { return args("CREATE", g.xkey(), g.xgroup(), "0", "MKSTREAM") }

func addRequest(g *generator) []string {
	a := args(g.xkey())
	for g.chance(15) {
		a = append(a, g.anyCase("NOMKSTREAM"))
	}
	if g.chance(20) {
		a = with(a, g.trim())
	}
	if g.chance(1) {
		a = append(a, "LIMIT", g.xcount())
	}
	id := g.newID()
	if a[0] == "x4" && g.chance(70) {
		id = "*"
	}
	return with(append(a, id), g.entryFields())
}

func rangeRequest(g *generator, down bool) []string {
	ends := g.interval()
	if down {
		ends[0], ends[1] = ends[1], ends[0]
	}
	a := with(args(g.xkey()), ends)
	for g.chance(40) {
		a = append(a, g.pick("COUNT", "count", "COUNT", "NOPE"), g.xcount())
	}
	return a
}

func groupRead(g *generator) []string {
	return g.readArgs(args(g.anyCase("GROUP"), g.xgroup(), g.xconsumer()), true)
}

// requestsOf are the requests of a sequence. Each fifth is about streams: what can be
// done with a consumer group takes several requests before it.
func requestsOf(seed uint64) []request {
	if seed%5 == 4 {
		return slices.Concat(slices.Repeat(streamRequests, 10), genericRequests)
	}
	return allRequests()
}

// seldom makes requests less likely where others are to be met, too.
func seldom(requests []request) []request {
	out := slices.Clone(requests)
	for i := range out {
		out[i].weight = min(out[i].weight, 3)
	}
	return out
}

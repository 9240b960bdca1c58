package command_test

import (
	"fmt"
	"strconv"
	"strings"
)

// zkey is a key that most likely holds a sorted set.
func (g *generator) zkey() string {
	if g.chance(10) {
		return g.key()
	}
	return g.pick("z1", "z2", "z3")
}

// lexKey is a key for ranges of the alphabet. Only members with the score 0 get
// there, or a string: what Redis finds among other scores is not specified.
func (g *generator) lexKey() string { return g.pick("y1", "y2", "y3", "y1", "y2", "y3", "y4") }

func (g *generator) zmember() string {
	switch g.IntN(10) {
	case 0:
		return g.pick("", "a\x00b", "\xff\xfe", strings.Repeat("long", 15))
	case 1, 2:
		return fmt.Sprint("m", g.IntN(100))
	}
	return fmt.Sprint("m", g.IntN(12))
}

func (g *generator) lexMember() string {
	n := g.IntN(4)
	var b []byte
	for range n {
		b = append(b, g.pick("a", "b", "c", "\x00", "\xff")[0])
	}
	return string(b)
}

// scoreText is a score, never a negative zero: Redis keeps one in large sorted sets
// and not in small ones, Redoubt nowhere.
func (g *generator) scoreText() string {
	s := ""
	switch g.IntN(8) {
	case 0:
		s = g.float()
	case 1:
		s = g.pick("inf", "-inf", "+inf", "Infinity", "1e17", "1e300", "-1e300", "1e308", "0x10", "4e18", "5e18", "-4611686018427387904", "9007199254740993", "0.1", "1e400", "nan", "")
	case 2:
		s = fmt.Sprintf("%.*f", 1+g.IntN(6), g.NormFloat64())
	default:
		s = strconv.Itoa(g.IntN(11) - 5)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == 0 {
		return strings.TrimLeft(s, "-")
	}
	return s
}

func (g *generator) scoreEnd() string {
	if g.chance(20) {
		return g.pick("-inf", "+inf", "(-inf", "(+inf", "(", "", " 1", "( 1", "1x", "1\x00x", "nan", "-0", "(0", "1e400", "-1e-400", "((1")
	}
	return g.pick("", "", "(") + g.scoreText()
}

func (g *generator) lexEnd() string {
	if g.chance(40) {
		return g.pick("-", "+", "-", "+", "-", "+", "+x", "-\x00", "", "a", "(", "[")
	}
	return g.pick("[", "(") + g.lexMember()
}

func (g *generator) zaddOptions() []string {
	var out []string
	for g.chance(40) {
		out = append(out, g.anyCase(g.pick("NX", "XX", "GT", "LT", "CH", "INCR")))
	}
	return out
}

func (g *generator) scored(n int) []string {
	var a []string
	for range n {
		a = append(a, g.scoreText(), g.zmember())
	}
	return a
}

func (g *generator) limitOption() []string {
	return args(g.anyCase("LIMIT"), g.pick("0", "0", "1", "2", "10", "-1", g.integer()), g.pick("-1", "0", "1", "3", "10", "-5", g.integer()))
}

// rangeOptions are those of ZRANGE; withScores is a chance in percent.
func (g *generator) rangeOptions(withScores int, others ...string) []string {
	var a []string
	if g.chance(withScores) {
		a = append(a, g.anyCase("WITHSCORES"))
	}
	if g.chance(40) {
		a = with(a, g.limitOption())
	}
	for _, o := range others {
		if g.chance(50) {
			a = append(a, g.anyCase(o))
		}
	}
	if g.chance(3) {
		a = append(a, g.pick("REV", "BYSCORE", "LIMIT", "NOPE", "WITHSCORES"))
	}
	return a
}

func (g *generator) ends(end func() string) []string { return args(end(), end()) }

// inputs are the keys of the ZUNION family, with their number.
func (g *generator) inputs(key func() string) []string {
	n := 1 + g.IntN(3)
	a := args(strconv.Itoa(n))
	if g.chance(5) {
		a = args(g.pick("0", "-1", "4", "abc", "9223372036854775807", "+1", "1x", " 2"))
	}
	for range n {
		a = append(a, key())
	}
	return a
}

// combineOptions never makes a negative zero where the result is stored.
func (g *generator) combineOptions(inputs []string, store bool) []string {
	var a []string
	if g.chance(50) {
		a = append(a, g.anyCase("WEIGHTS"))
		for range len(inputs) - 1 {
			w := g.pick("1", "2", "0.5", "3.3", "inf", "1e10", "1")
			if !store {
				w = g.pick(w, "0", "-1", "-inf", "-0.1", g.scoreText())
			}
			a = append(a, w)
		}
	}
	if g.chance(50) {
		a = append(a, g.anyCase("AGGREGATE"), g.anyCase(g.pick("SUM", "MIN", "MAX", "MIN", "MAX", "AVG")))
	}
	if g.chance(5) {
		a = append(a, g.pick("WEIGHTS", "WEIGHTS", "AGGREGATE", "LIMIT", "WITHSCORES", "NOPE"), "1")
	}
	return a
}

// inputKey is a key of what the ZUNION family takes, sets among them.
func (g *generator) inputKey() string {
	if g.chance(15) {
		return g.setKey()
	}
	return g.zkey()
}

func (g *generator) count() string {
	return g.pick("1", "1", "2", "3", "5", "0", "1000", g.integer())
}

var zsetRequests = []request{
	{"zadd", 10, func(g *generator) []string {
		return with(with(args(g.zkey()), g.zaddOptions()), g.scored(1+g.IntN(4)))
	}},
	{"zadd", 10, func(g *generator) []string { return with(args(g.zkey()), g.scored(1+g.IntN(6))) }},
	{"zadd", 5, func(g *generator) []string {
		return with(with(args(g.zkey()), g.zaddOptions()), append(g.scored(g.IntN(3)), g.pick("1", "NX", "x")))
	}},
	{"zadd", 3, func(g *generator) []string { // beyond zset-max-listpack-entries
		a := args(g.zkey())
		for i := range 10 + g.IntN(60) {
			a = append(a, strconv.Itoa(g.IntN(10)-5), fmt.Sprint("m", i))
		}
		return a
	}},
	{"zadd", 10, func(g *generator) []string { // for ranges of the alphabet
		a := args(g.lexKey())
		for range 1 + g.IntN(5) {
			a = append(a, "0", g.lexMember())
		}
		return a
	}},
	{"set", 1, func(g *generator) []string { return args(g.lexKey(), "v") }},
	{"del", 1, func(g *generator) []string { return args(g.lexKey()) }},
	{"zincrby", 10, func(g *generator) []string { return args(g.zkey(), g.scoreText(), g.zmember()) }},
	{"zrem", 10, func(g *generator) []string { return args(g.zkey(), g.zmember(), g.zmember(), g.zmember()) }},
	{"zscore", 10, func(g *generator) []string { return args(g.zkey(), g.zmember()) }},
	{"zmscore", 10, func(g *generator) []string { return args(g.zkey(), g.zmember(), g.zmember(), g.zmember()) }},
	{"zcard", 10, func(g *generator) []string { return args(g.zkey()) }},
	{"zcount", 10, func(g *generator) []string { return with(args(g.zkey()), g.ends(g.scoreEnd)) }},
	{"zlexcount", 10, func(g *generator) []string { return with(args(g.lexKey()), g.ends(g.lexEnd)) }},
	{"zrank", 10, func(g *generator) []string { return args(g.zkey(), g.zmember()) }},
	{"zrevrank", 10, func(g *generator) []string { return args(g.zkey(), g.zmember()) }},
	{"zrange", 10, func(g *generator) []string {
		return with(args(g.zkey(), g.number(), g.number()), g.rangeOptions(50, "REV"))
	}},
	{"zrange", 10, func(g *generator) []string {
		return with(with(args(g.zkey()), g.ends(g.scoreEnd)), with(args(g.anyCase("BYSCORE")), g.rangeOptions(50, "REV")))
	}},
	{"zrange", 10, func(g *generator) []string {
		return with(with(args(g.lexKey()), g.ends(g.lexEnd)), with(args(g.anyCase("BYLEX")), g.rangeOptions(5, "REV")))
	}},
	{"zrevrange", 10, func(g *generator) []string {
		return with(args(g.zkey(), g.number(), g.number()), g.rangeOptions(50))
	}},
	{"zrangebyscore", 10, func(g *generator) []string {
		return with(with(args(g.zkey()), g.ends(g.scoreEnd)), g.rangeOptions(50))
	}},
	{"zrevrangebyscore", 10, func(g *generator) []string {
		return with(with(args(g.zkey()), g.ends(g.scoreEnd)), g.rangeOptions(50))
	}},
	{"zrangebylex", 10, func(g *generator) []string {
		return with(with(args(g.lexKey()), g.ends(g.lexEnd)), g.rangeOptions(3))
	}},
	{"zrevrangebylex", 10, func(g *generator) []string {
		return with(with(args(g.lexKey()), g.ends(g.lexEnd)), g.rangeOptions(3))
	}},
	{"zrangestore", 10, func(g *generator) []string {
		return with(args(g.zkey(), g.zkey(), g.number(), g.number()), g.rangeOptions(2, "REV"))
	}},
	{"zrangestore", 10, func(g *generator) []string {
		return with(with(args(g.zkey(), g.zkey()), g.ends(g.scoreEnd)), with(args("BYSCORE"), g.rangeOptions(2, "REV")))
	}},
	{"zrangestore", 10, func(g *generator) []string {
		return with(with(args(g.lexKey(), g.lexKey()), g.ends(g.lexEnd)), with(args("BYLEX"), g.rangeOptions(2, "REV")))
	}},
	{"zremrangebyrank", 5, func(g *generator) []string { return args(g.zkey(), g.number(), g.number()) }},
	{"zremrangebyscore", 5, func(g *generator) []string { return with(args(g.zkey()), g.ends(g.scoreEnd)) }},
	{"zremrangebylex", 5, func(g *generator) []string { return with(args(g.lexKey()), g.ends(g.lexEnd)) }},
	{"zpopmin", 5, func(g *generator) []string { return args(g.zkey()) }},
	{"zpopmax", 5, func(g *generator) []string { return args(g.zkey()) }},
	{"zpopmin", 3, func(g *generator) []string { return args(g.zkey(), g.count()) }},
	{"zpopmax", 3, func(g *generator) []string { return args(g.zkey(), g.count()) }},
	{"zmpop", 5, func(g *generator) []string {
		a := append(g.inputs(g.zkey), g.anyCase(g.pick("MIN", "MAX", "MIN", "MAX", "MID")))
		if g.chance(50) {
			a = append(a, g.anyCase("COUNT"), g.count())
		}
		return a
	}},
	{"sadd", 3, func(g *generator) []string { return args(g.setKey(), g.zmember(), g.zmember(), g.zmember()) }},
	{"bzpopmin", 5, func(g *generator) []string { return args(g.zkey(), g.zkey(), g.timeout()) }},
	{"bzpopmax", 5, func(g *generator) []string { return args(g.zkey(), g.zkey(), g.timeout()) }},
	{"bzmpop", 5, func(g *generator) []string {
		a := append(append(args(g.timeout()), g.inputs(g.zkey)...), g.anyCase(g.pick("MIN", "MAX", "MIN", "MAX", "MID")))
		if g.chance(50) {
			a = append(a, g.anyCase("COUNT"), g.count())
		}
		return a
	}},
	{"zrandmember", 10, func(g *generator) []string {
		a := args(g.zkey())
		if g.chance(80) {
			a = append(a, g.drawCount())
			if g.chance(50) {
				a = append(a, g.anyCase("WITHSCORES"))
			}
		}
		return a
	}},
	{"zscan", 10, func(g *generator) []string { return with(args(g.zkey(), g.cursor()), g.scanOptions("1000", false)) }},
	{"zunion", 10, func(g *generator) []string { return g.combine(false) }},
	{"zinter", 10, func(g *generator) []string { return g.combine(false) }},
	{"zunionstore", 10, func(g *generator) []string { return with(args(g.zkey()), g.combine(true)) }},
	{"zinterstore", 10, func(g *generator) []string { return with(args(g.zkey()), g.combine(true)) }},
	{"zdiff", 10, func(g *generator) []string {
		a := g.inputs(g.inputKey)
		if g.chance(50) {
			a = append(a, g.anyCase("WITHSCORES"))
		}
		return a
	}},
	{"zdiffstore", 10, func(g *generator) []string { return with(args(g.zkey()), g.inputs(g.inputKey)) }},
	{"zintercard", 10, func(g *generator) []string {
		a := g.inputs(g.inputKey)
		if g.chance(50) {
			a = append(a, g.anyCase("LIMIT"), g.pick("0", "1", "2", "100", g.integer()))
		}
		return a
	}},
}

func (g *generator) combine(store bool) []string {
	inputs := g.inputs(g.inputKey)
	a := with(inputs, g.combineOptions(inputs, store))
	if !store && g.chance(50) {
		a = append(a, g.anyCase("WITHSCORES"))
	}
	return a
}
